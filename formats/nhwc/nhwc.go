// Package nhwc makes networks of files whose images have the channels last, [H,W,C], as those of
// Keras and TensorFlow Lite. The network's have them first, [C,H,W]. What a file flattens is in
// the order H, W, C; a value may stay the image that it was, and the layers behind know that.
package nhwc

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// MostLayers bounds the layers of a network. The deepest published ones have about ten thousand.
const MostLayers = 1 << 14

// Builder makes a network, layer by layer.
type Builder struct {
	Net     *graph.Network
	Names   formats.Names
	Weights map[string]*tensor.Dense // by their names in the network

	// Last says that the file's images have the channels last. Otherwise nothing is turned.
	Last bool

	solids map[string]*Value // of flat values, by their names
}

// Value is what a layer of the file makes.
type Value struct {
	Name   string
	Sample []int // shape of a sample of the network's value: channels first
	Flat   bool  // the file has flattened it, in the order of its own axes
}

// String is the shape for messages, as the network has it.
func (v *Value) String() string {
	return "[" + strings.ReplaceAll(strings.Trim(fmt.Sprint(v.Sample), "[]"), " ", ",") + "]"
}

// ToFirst is a shape of a sample of the file's as the network has it.
func (b *Builder) ToFirst(shape []int) []int {
	if n := len(shape); b.Last && n > 1 {
		return append([]int{shape[n-1]}, shape[:n-1]...)
	}
	return slices.Clone(shape)
}

// ToLast is the reverse of ToFirst.
func (b *Builder) ToLast(sample []int) []int {
	if b.Last && len(sample) > 1 {
		return append(slices.Clone(sample[1:]), sample[0])
	}
	return slices.Clone(sample)
}

// Shape is that of a sample as the file has it.
func (b *Builder) Shape(v *Value) []int {
	if v.Flat {
		return []int{device.Elements(v.Sample)}
	}
	return b.ToLast(v.Sample)
}

// Axis is the axis of a sample that axis a of the file is, which counts the batch. A negative
// one counts from the end.
func (b *Builder) Axis(v *Value, a int) (int, error) {
	rank := len(v.Sample)
	if v.Flat {
		rank = 1
	}
	at := a
	if a < 0 {
		at += rank + 1
	}
	if at < 1 || at > rank {
		return 0, fmt.Errorf("axis %d is none of the samples, which have %d", a, rank)
	}
	if b.Last && rank > 1 {
		return at % rank, nil
	}
	return at - 1, nil
}

// Emit adds a layer. Its name is base, with a suffix unless it is the layer that base is about.
func (b *Builder) Emit(base, suffix string, l layers.Layer, in ...*Value) (*Value, error) {
	if len(b.Net.Nodes) >= MostLayers {
		return nil, fmt.Errorf("the network has more than %d layers", MostLayers)
	}
	names, samples := make([]string, len(in)), make([][]int, len(in))
	for i, v := range in {
		names[i], samples[i] = v.Name, v.Sample
	}
	shape, err := formats.Shape(l, samples...)
	if err != nil {
		return nil, err
	}
	if suffix != "" {
		base += "_" + suffix
	}
	return &Value{Name: b.Net.Add(b.Names.Make(base), l, names...), Sample: shape}, nil
}

// Same adds a layer that computes element by element, so that a flat value stays one.
func (b *Builder) Same(base, suffix string, l layers.Layer, x *Value) (*Value, error) {
	y, err := b.Emit(base, suffix, l, x)
	if err == nil {
		y.Flat = x.Flat
	}
	return y, err
}

// Set keeps a parameter of the layer that makes a value.
func (b *Builder) Set(of *Value, name string, values []float32, shape ...int) {
	b.Weights[of.Name+"."+name] = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
}

// Filters turns filters [..., a, b], which are pixels x a x b, to [b, a, ...].
func Filters(x []float32, pixels, a, b int) []float32 {
	y := make([]float32, len(x))
	for p := range pixels {
		for i := range a {
			for j := range b {
				y[(j*a+i)*pixels+p] = x[(p*a+i)*b+j]
			}
		}
	}
	return y
}

// Depthwise turns filters [..., a, b], which are pixels x a x b, to [a, b, ...].
func Depthwise(x []float32, pixels, a, b int) []float32 {
	y := make([]float32, len(x))
	for p := range pixels {
		for i := range a * b {
			y[i*pixels+p] = x[p*a*b+i]
		}
	}
	return y
}

// Classifier adds the loss and the accuracy that a network is trained with whose only output are
// probabilities, which its last layer makes.
func (b *Builder) Classifier(outputs []*Value) {
	at := len(b.Net.Nodes) - 1
	if at < 0 {
		return
	}
	last := b.Net.Nodes[at]
	if _, ok := last.Layer.(*layers.Softmax); !ok || len(outputs) != 1 || outputs[0].Name != last.Name || len(outputs[0].Sample) != 1 {
		return
	}
	label := b.Net.Label(b.Names.Make("label"))
	b.Net.Add(b.Names.Make("loss"), &layers.SoftmaxLoss{}, last.In[0], label)
	b.Net.Metric(b.Net.Add(b.Names.Make("accuracy"), &layers.Accuracy{}, last.In[0], label), graph.Higher)
}
