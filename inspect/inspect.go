// Package inspect looks into trained networks: what a layer makes of an image, which
// pixels a class or a unit depends on, and how far a layer sees.
package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/predict"
)

// Inspector looks into a trained network on a device. Samples are raw, [C,H,W] with
// the values of a data set: pixels from 0 to 255.
type Inspector struct {
	device device.Device
	model  *modelfile.Model
	image  graph.Input
	scores string // what a softmax at the end reads, or else the first output
}

// Map has one number for each pixel of an image, or of a layer's output, row-major.
type Map struct {
	H, W   int
	Values []float32
}

// New makes an Inspector of a trained network.
func New(d device.Device, m *modelfile.Model) (*Inspector, error) {
	if d == nil || m == nil || m.Network == nil {
		return nil, errors.New("an inspector needs a device and a network")
	}
	image, err := imageOf(m.Network)
	if err != nil {
		return nil, err
	}
	if err := m.Preprocess.Check(image.Shape); err != nil {
		return nil, err
	}
	if len(m.Network.Outputs) == 0 {
		return nil, fmt.Errorf("%v has no outputs, so that there is nothing to look for: name one in \"outputs\"", m.Network)
	}
	one := *m
	one.Preprocess.TenCrops = false // the whole picture, once
	x := &Inspector{device: d, model: &one, image: image, scores: m.Network.Outputs[0]}
	if node, ok := x.node(x.scores); ok {
		if _, ok := node.Layer.(*layers.Softmax); ok {
			x.scores = node.In[0]
		}
	}
	return x, nil
}

// imageOf is the input of images.
func imageOf(n *graph.Network) (graph.Input, error) {
	in, err := n.InputOf(graph.RoleImage)
	if err == nil && len(in.Shape) != 3 {
		err = fmt.Errorf("%v takes images of the shape %v, not [channels, height, width]", n, in.Shape)
	}
	return in, err
}

// Shape is the shape of a sample, [C,H,W].
func (x *Inspector) Shape() []int { return slices.Clone(x.image.Shape) }

// Class is the class of a name or, where no class has it, of a number from 0 on.
func (x *Inspector) Class(text string) (int, error) {
	if i := slices.Index(x.model.Classes, text); i >= 0 {
		return i, nil
	}
	shape, err := x.shapeOf(x.scores)
	if err != nil {
		return 0, err
	}
	n := shape.TotalSize()
	if i, err := strconv.Atoi(text); err == nil && i >= 0 && i < n {
		return i, nil
	}
	return 0, fmt.Errorf("there is no class %.40q: give a name that the weights file has, or a number from 0 to %d", text, n-1)
}

// Predict is what the network makes of a sample: the probabilities of a classifier,
// with the most probable class first.
func (x *Inspector) Predict(ctx context.Context, sample []float32) ([]predict.Guess, error) {
	p, err := x.predictor(1)
	if err != nil {
		return nil, err
	}
	y, err := p.Predict(ctx, sample)
	if err = cmp.Or(err, p.Close()); err != nil {
		return nil, err
	}
	return p.Top(y[0], len(y[0].Output)), nil
}

// predictor is one of the network's outputs and of more values.
func (x *Inspector) predictor(batch int, features ...string) (*predict.Predictor, error) {
	return predict.New(x.device, x.model, predict.Options{Batch: batch, Parallel: 1, Features: features})
}

// node is the layer that makes a value.
func (x *Inspector) node(value string) (graph.Node, bool) {
	name, _, _ := strings.Cut(value, ":")
	i := slices.IndexFunc(x.model.Network.Nodes, func(n graph.Node) bool { return n.Name == name })
	if i < 0 {
		return graph.Node{}, false
	}
	return x.model.Network.Nodes[i], true
}

// shapeOf is the shape of a value of one sample.
func (x *Inspector) shapeOf(value string) (tensor.Shape, error) {
	p, err := x.model.Network.Plan(x.device.Traits(), graph.PlanOptions{Mode: graph.Infer, Batch: 1, Keep: []string{value}})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(p.Values, func(v graph.Value) bool { return v.Name == value })
	if i < 0 || p.Values[i].DType != device.Float32 {
		return nil, fmt.Errorf("%s is not made of float32 numbers of the image", value)
	}
	return p.Values[i].Shape[1:], nil
}

// mapsOf is the shape of a value that is maps: [C,H,W].
func (x *Inspector) mapsOf(value string) (tensor.Shape, error) {
	if value == x.image.Name {
		return nil, fmt.Errorf("%s is the image: name a layer", value)
	}
	shape, err := x.shapeOf(value)
	if err == nil && len(shape) != 3 {
		err = fmt.Errorf("%s makes %s, not maps: name a layer whose output is channels x height x width", value, dims(shape))
	}
	return shape, err
}

// LastConvolution is the last convolution that the scores depend on, or the activation
// that alone reads it, or its batch normalisation.
func (x *Inspector) LastConvolution() (string, error) {
	nodes := x.model.Network.Nodes
	needed := map[string]bool{x.scores: true}
	last := ""
	for i := len(nodes) - 1; i >= 0; i-- {
		if !needed[nodes[i].Name] {
			continue
		}
		if _, ok := nodes[i].Layer.(*layers.Conv); ok {
			last = nodes[i].Name
			break
		}
		for _, in := range nodes[i].In {
			name, _, _ := strings.Cut(in, ":")
			needed[name] = true
		}
	}
	if last == "" {
		return "", fmt.Errorf("%v has no convolution: name a layer whose output is channels x height x width", x.model.Network)
	}
	for at := last; ; {
		reader, ok := x.onlyReader(at)
		if !ok {
			return last, nil
		}
		at = reader.Name
		switch reader.Layer.(type) {
		case *layers.BatchNorm:
		case layers.Activator, *layers.Activation:
			return at, nil
		default:
			return last, nil
		}
	}
}

// onlyReader is the layer that reads a value, if only one does.
func (x *Inspector) onlyReader(value string) (reader graph.Node, ok bool) {
	for _, n := range x.model.Network.Nodes {
		if slices.Contains(n.In, value) {
			if ok {
				return graph.Node{}, false
			}
			reader, ok = n, true
		}
	}
	return reader, ok
}

// Read reads a picture file as a raw sample, [C,H,W], as a network was tested on
// pictures in training.
func Read(m *modelfile.Model, name string) ([]float32, error) {
	photos, err := predict.Photos(m, data.ListFiles([]string{name}))
	if err != nil {
		return nil, err
	}
	sample := make([]float32, photos.Shape().TotalSize())
	_, err = data.Read(photos, sample, 0)
	return sample, err
}

// dims writes a shape as 6x28x28.
func dims(shape []int) string {
	if len(shape) == 0 {
		return "a number"
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", "x"), "[]")
}
