// Package tflite reads networks of TensorFlow Lite (LiteRT), .tflite, that compute in float32:
// FlatBuffers of version 3 of TensorFlow's schema.fbs. Weights of float16 are read too.
// Quantised models are not.
//
// Images of the file are [N,H,W,C]. They become [N,C,H,W], and filters [K,R,S,C] become
// [K,C,R,S]; package nhwc says how. The padding SAME becomes uneven pads. Activations that
// operators have with them become layers of their own, with the suffix _relu and so on.
//
// A layer has the name of the tensor that its operator makes, up to the first semicolon: the
// converter writes the names of all that it has put together. Model.Values has the whole names.
package tflite

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/nhwc"
)

// Reader reads .tflite.
var Reader = formats.Reader{
	Name: "tflite",
	Is:   func(head []byte, _ string) bool { return isModel(head) },
	Read: read,
}

// isModel knows the identifier of the schema.
func isModel(b []byte) bool { return len(b) >= 8 && bytes.Equal(b[4:8], []byte("TFL3")) }

// mostBytes is how large a file is at most: references have 32 bits, and few networks for
// which the format is made have more than a hundredth of it.
const mostBytes = 1 << 31

// read reads one file.
func read(ctx context.Context, paths []string, o formats.Options) (*formats.Model, error) {
	if len(paths) != 1 {
		return nil, fmt.Errorf("%s and %s: a network of TFLite is one file", paths[0], paths[1])
	}
	path := paths[0]
	if err := nhwc.CheckOrder(o.Order); err != nil {
		return nil, err
	}
	if o.Network != nil {
		return nil, fmt.Errorf("%s: it has its network: leave out -net and -model", path)
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: not a regular file", path)
	case info.Size() > mostBytes:
		return nil, fmt.Errorf("%s: it has %d bytes; files of at most 2 GiB are read", path, info.Size())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m, err := convert(ctx, b, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// convert makes a model of the bytes of a file.
func convert(ctx context.Context, b []byte, o formats.Options) (*formats.Model, error) {
	m, err := parse(b)
	if err != nil {
		return nil, err
	}
	for i, t := range m.tensors {
		what := fmt.Sprintf("tensor %d, %q,", i, fmt.Sprintf("%.100s", t.name))
		switch {
		case slices.Contains(quantised, t.kind):
			return nil, fmt.Errorf("%s is of %s: the model is quantised, and models of floats are read: convert it without optimizations", what, t.kindName())
		case t.sparse:
			return nil, fmt.Errorf("%s is sparse, which is not read: convert it without that", what)
		}
	}
	im, err := importGraph(ctx, m, o)
	if err != nil {
		return nil, err
	}
	return im.model(m, o)
}
