// Package keras reads networks of Keras (keras.io), of its versions 2 and 3: models in HDF5
// (.h5), in archives (.keras), and descriptions (.json) with weights in HDF5 beside them. It
// reads Sequential and Functional models, which may lie in one another.
//
// Most networks of Keras have the channels last: images are [H,W,C], and filters [R,S,C,K].
// They become [C,H,W] and [K,C,R,S]. What Keras flattens is in the order H, W, C: the rows of a
// dense layer behind it are put into the order C, H, W. Networks that have the channels first
// are read too.
//
// The layer of the name x makes the layer x, and those of what it does besides, such as x_relu.
// Model.Values has what it computes in the end as "x", and as "m/x" if it is in the model m.
package keras

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/hdf5"
	"github.com/hubel-go/hubel/formats/nhwc"
)

// Reader reads models with or without weights, and weights into a network that is given.
var Reader = formats.Reader{Name: "keras", Is: is, Read: readFiles}

// is knows a description by its beginning, and an archive by the name of its first file.
// Files of HDF5 are only known by what is in them, which the first bytes need not have: all
// are taken that have no block of another program before them, as MATLAB's have, and no name
// that says that they are Caffe's. What is no model of Keras is an error that tells what is
// in it.
func is(head []byte, name string) bool {
	name = strings.ToLower(name)
	switch kindOf(head) {
	case hdf5File:
		return !strings.Contains(name, "caffemodel") && !strings.Contains(name, "solverstate")
	case otherFile:
		return false
	}
	return true
}

// fileKind is what a file is.
type fileKind int

const (
	otherFile   fileKind = iota
	description          // JSON
	archive              // a zip archive of description, versions and weights
	hdf5File             // weights, or a model
)

// kindOf tells a file by its first bytes.
func kindOf(head []byte) fileKind {
	switch {
	case hdf5.Is(head[:min(len(head), 512)]):
		return hdf5File
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		for _, name := range []string{metadataEntry, configEntry, weightsEntry} {
			if len(head) > 30 && bytes.HasPrefix(head[30:], []byte(name)) {
				return archive
			}
		}
	case isDescription(head):
		return description
	}
	return otherFile
}

// isDescription reports whether a text is JSON whose outermost object has the class of a model.
func isDescription(head []byte) bool {
	text := bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	if !bytes.HasPrefix(text, []byte("{")) {
		return false
	}
	_, rest, ok := bytes.Cut(text[1:], []byte(`"class_name"`))
	rest = bytes.TrimLeft(rest, " \t\r\n:")
	for _, class := range modelClasses {
		if ok && bytes.HasPrefix(rest, []byte(`"`+class+`"`)) {
			return true
		}
	}
	return false
}

// readFiles reads a model of its files: one that has all, or a description and weights.
func readFiles(ctx context.Context, paths []string, o formats.Options) (*formats.Model, error) {
	if err := nhwc.CheckOrder(o.Order); err != nil {
		return nil, err
	}
	s, err := open(paths)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var m *formats.Model
	switch {
	case s.config == nil:
		m, err = s.weightsAlone(o)
	case o.Network != nil:
		err = fmt.Errorf("%s: it has its network: leave out -net and -model", s.configPath)
	default:
		m, err = build(ctx, s, o)
	}
	if err == nil && o.Order == "bgr" {
		err = nhwc.TurnColours(m)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}
