// Package demo is LeNet to look into: what a page in a browser shows of a network while one
// draws a digit, and the training that it offers. The page and the bridge to JavaScript are
// in folders of their own; all here runs and is tested off the browser.
package demo

import (
	"context"
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/inspect"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/predict"
)

// Layer is the image, or the output of a layer, as the page shows it: Channels maps of
// Height and Width. A layer without maps has Channels of one number each.
type Layer struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // "input" for the image
	Channels int    `json:"channels"`
	Height   int    `json:"height"`
	Width    int    `json:"width"`
	Source   int    `json:"source"` // number of the layer that it reads; -1 for the image
	Offset   int    `json:"offset"` // of its first number in what Look returns

	field inspect.Field
	node  *graph.Node
}

func (l *Layer) size() int { return l.Channels * l.Height * l.Width }

// Lens looks into a network that is a chain of layers, each of which it can explain: see
// Explain. It is for one goroutine.
type Lens struct {
	Layers  []Layer // the image first
	Classes []string

	model     *modelfile.Model
	predictor *predict.Predictor
	values    []float32 // of the last look, layer after layer
}

// NewLens makes a Lens of a trained network of digits.
func NewLens(d device.Device, m *modelfile.Model) (*Lens, error) {
	fields, err := inspect.ReceptiveFields(d.Traits(), m.Network)
	if err != nil {
		return nil, err
	}
	image, err := m.Network.InputOf(graph.RoleImage)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(image.Shape, digitShape) {
		return nil, fmt.Errorf("%v takes images of the shape %v, not of %v", m.Network, image.Shape, []int(digitShape))
	}
	l := &Lens{
		Layers:  []Layer{{Name: image.Name, Type: "input", Channels: 1, Height: Side, Width: Side, Source: -1}},
		Classes: m.Classes, model: m,
	}
	var features []string
	for _, f := range fields {
		if err := l.add(f); err != nil {
			return nil, err
		}
		features = append(features, f.Layer)
	}
	l.predictor, err = predict.New(d, m, predict.Options{Batch: 1, Parallel: 1, Features: features})
	return l, err
}

// add adds a layer behind the others.
func (l *Lens) add(f inspect.Field) error {
	i := slices.IndexFunc(l.model.Network.Nodes, func(n graph.Node) bool { return n.Name == f.Layer })
	node := &l.model.Network.Nodes[i]
	last := &l.Layers[len(l.Layers)-1]
	source := slices.IndexFunc(l.Layers, func(x Layer) bool { return x.Name == node.In[0] })
	if len(node.In) != 1 || source < 0 || len(f.Out) != 1 && len(f.Out) != 3 || !explains(node.Layer) {
		return fmt.Errorf("layer %s of the type %s cannot be explained here", f.Layer, f.Type)
	}
	shape := f.Out
	if len(shape) == 1 {
		shape = []int{shape[0], 1, 1}
	}
	l.Layers = append(l.Layers, Layer{
		Name: f.Layer, Type: f.Type, Channels: shape[0], Height: shape[1], Width: shape[2],
		Source: source, Offset: last.Offset + last.size(), field: f, node: node,
	})
	return nil
}

// Look computes the network for a digit of pixels from 0 to 255, and returns the numbers of
// all layers, each [Channels,Height,Width] from its Offset on. Those of the image are what
// the network reads: after the preprocessing. They are valid until the next look.
func (l *Lens) Look(digit []float32) ([]float32, error) {
	y, err := l.predictor.Predict(context.Background(), digit)
	if err != nil {
		return nil, err
	}
	l.values = append(l.values[:0], digit...)
	l.model.Preprocess.Apply(l.values)
	for _, v := range y[0].Features {
		l.values = append(l.values, v...)
	}
	return l.values, nil
}

// of are the numbers of a layer in the last look.
func (l *Lens) of(layer int) []float32 {
	x := &l.Layers[layer]
	return l.values[x.Offset : x.Offset+x.size()]
}

// Parameters is how many numbers the network has learnt.
func (l *Lens) Parameters() (n int) {
	for _, w := range l.model.Weights {
		n += w.Shape().TotalSize()
	}
	return n
}

// Close frees the network's memory.
func (l *Lens) Close() error { return l.predictor.Close() }
