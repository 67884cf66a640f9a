// Package darknet reads networks of Darknet (Redmon, pjreddie.com/darknet, and its
// successors): a description in text, .cfg, and the weights, .weights.
//
// A description is a list of sections. The first one, [net], is about the input and the
// training; each other one is a layer, which reads the one before it. Weights are float32
// numbers without names or shapes, in the order of the layers:
//
//	convolutional  biases [n], then scales, means and variances [n] if batch_normalize, then
//	               weights [n, c/groups, size, size]
//	connected      biases [n], weights [n, inputs], then scales, means and variances [n]
//
// Before them are three numbers of the version, and how many images were seen. Darknets
// differ in batch normalisation. This package divides by sqrt(variance + 1e-5), as
// AlexeyAB's and its successors do, and all of them on GPUs. The first Darknet's CPU code
// divides by sqrt(variance) + 1e-6.
//
// Layer i of the description makes the layers conv<i>, bn<i>, leaky<i> and so on. Model.Values
// has what it computes as "<i>", and what the k-th [yolo] or [region] reads as "head<k>".
package darknet

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/hubel-go/hubel/formats"
)

// Reader reads .cfg, with or without .weights.
var Reader = formats.Reader{Name: "darknet", Is: is, Read: read}

// is knows a description by its first section. Weights have no magic: they are known by the
// end of their name and a version that there has been.
func is(head []byte, name string) bool { return isDescription(head) || isWeights(head, name) }

func isDescription(head []byte) bool {
	for line := range bytes.Lines(bytes.TrimPrefix(head, []byte("\ufeff"))) {
		switch line = strip(line); {
		case len(line) == 0 || line[0] == '#' || line[0] == ';':
		default:
			return string(line) == "[net]" || string(line) == "[network]"
		}
	}
	return false
}

func isWeights(head []byte, name string) bool {
	_, _, err := parseVersion(head)
	return strings.HasSuffix(strings.ToLower(name), ".weights") && err == nil
}

// read reads a description and, if there are two files, the weights.
func read(_ context.Context, paths []string, o formats.Options) (*formats.Model, error) {
	var description, weights string
	for _, path := range paths {
		to, what := &description, "description (.cfg)"
		if strings.HasSuffix(strings.ToLower(path), ".weights") {
			to, what = &weights, "file of weights"
		}
		if *to != "" {
			return nil, fmt.Errorf("%s and %s: a network of Darknet has one %s", *to, path, what)
		}
		*to = path
	}
	if o.Network != nil {
		return nil, fmt.Errorf("%s: weights of Darknet have no names to find their layers by: leave out -net and -model, and name the .cfg", paths[0])
	}
	if description == "" {
		return nil, fmt.Errorf("%s: these weights have no names and no shapes: name the network's .cfg too", weights)
	}
	sections, err := parse(description)
	if err != nil {
		return nil, err
	}
	b := &builder{path: description, input: o.Input}
	if err := b.build(sections); err != nil {
		return nil, err
	}
	b.model.Format = "Darknet"
	if weights != "" {
		if err := b.load(weights); err != nil {
			return nil, err
		}
	}
	return &b.model, nil
}
