// Package caffe reads the files of Caffe (Jia et al. 2014, "Caffe: Convolutional Architecture
// for Fast Feature Embedding"): networks in text (prototxt), weights (caffemodel) of all three
// versions of its layers, mean images (binaryproto), solvers and their states. It writes
// networks as prototxt. The specification is src/caffe/proto/caffe.proto of BVLC/caffe, and
// upgrade_proto.cpp for the older versions.
package caffe

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hubel-go/hubel/formats"
)

// Reader reads a network in text, its weights, or both; weights alone have the network in them
// that they were trained in. Beside these it takes a mean image and a solver. With a solver's
// state the files are a run.
var Reader = formats.Reader{Name: "caffe", Is: Is, Read: Read, IsState: isState, ReadRun: readRun}

// Read reads a network from its files, of which there is at most one of each kind.
//
// One network stands for Caffe's two, of the phases TRAIN and TEST: it has the losses of the
// one, and the accuracies of the other, and where data layers differ it has those of TRAIN.
// Values maps blobs to what they hold in the end: layers that work in place make new values.
// A layer has Caffe's name, and layers that it is composed of that name with a suffix.
func Read(ctx context.Context, paths []string, o formats.Options) (*formats.Model, error) {
	f, err := openFiles(ctx, paths)
	if err != nil {
		return nil, err
	}
	if f.state != nil {
		return nil, fmt.Errorf("%s: it is the state of a solver, and no part of a network: leave it out", f.state.path)
	}
	_, m, err := f.model(o)
	return m, err
}

// model makes a model of the files.
func (f *files) model(o formats.Options) (*builder, *formats.Model, error) {
	switch o.Order {
	case "", "rgb", "bgr":
	default:
		return nil, nil, fmt.Errorf("the order of channels %q is neither rgb nor bgr", o.Order)
	}
	from := f.net
	if from == nil {
		from = f.weights
	}
	switch {
	case from == nil:
		return nil, nil, f.noNetwork()
	case o.Network != nil:
		return nil, nil, fmt.Errorf("%s: Caffe's files have their network: give no other", from.path)
	}
	b, err := build(from.net, f.mean, o, f.state != nil)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", from.path, err)
	}
	m := &formats.Model{Format: f.format(), Values: b.values()}
	m.Network = b.net
	if f.weights == nil {
		b.lost = append(b.lost, b.unfilled...)
	} else if err := b.readWeights(m, f); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", f.weights.path, err)
	}
	if err := b.prepare(m, o); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", from.path, err)
	}
	if f.solver != nil && f.state == nil { // a run has it all
		b.facts = append(b.facts, "train as the solver does: train "+strings.Join(f.solver.Flags(), " "))
		b.facts = append(b.facts, f.solver.Lost()...)
	}
	m.Facts, m.Lost = b.facts, b.lost
	return b, m, nil
}

// readWeights reads the weights, and what the network that they were trained in knows of
// pictures, if the network that was given does not.
func (b *builder) readWeights(m *formats.Model, f *files) error {
	var err error
	if m.Weights, err = b.load(f.weights.net); err != nil || f.net == nil || b.preprocess.first != nil {
		return err
	}
	for _, l := range f.weights.net.layers {
		if isData(l) {
			if err := b.preprocess.read(b, l); err != nil {
				return err
			}
		}
	}
	if p := &b.preprocess; p.first != nil {
		p.crop, p.height, p.width, p.mirror = 0, 0, 0, false // the sizes are those of the network that was given
		b.facts = append(b.facts, fmt.Sprintf("mean and scale: those of the data layer %q that the weights were trained with", p.first.name))
	}
	return nil
}

// prepare sets the preprocessing of the images.
func (b *builder) prepare(m *formats.Model, o formats.Options) error {
	in, err := b.net.InputOf("image")
	if err != nil {
		if mean := b.preprocess.mean; mean != nil {
			return fmt.Errorf("there is a mean image, %s, and the network takes no images [C,H,W]", mean.path)
		}
		return nil
	}
	var facts, lost []string
	m.Preprocess, facts, lost, err = b.preprocess.hubel(in.Shape, o.Order != "rgb")
	b.facts, b.lost = append(b.facts, facts...), append(b.lost, lost...)
	if err != nil {
		return err
	}
	return m.Preprocess.Check(in.Shape)
}

// noNetwork is the error of files without a network.
func (f *files) noNetwork() error {
	switch {
	case f.solver != nil && f.solver.Net != "":
		return fmt.Errorf("%s is a solver, whose network is in %q: give that file too", f.solver.path, f.solver.Net)
	case f.solver != nil && f.solver.TrainNet != "":
		return fmt.Errorf("%s is a solver, whose network is in %q: give that file too", f.solver.path, f.solver.TrainNet)
	case f.solver != nil:
		return fmt.Errorf("%s is a solver without a network: give the network's prototxt too", f.solver.path)
	case f.mean != nil:
		return fmt.Errorf("%s is a mean image: give the network's prototxt or caffemodel too", f.mean.path)
	}
	return errors.New("there is no file of a network")
}
