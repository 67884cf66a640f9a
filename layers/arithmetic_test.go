package layers_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// A sum takes as many inputs as a program.
func TestAddOfTooManyInputs(t *testing.T) {
	in := make([]layers.Input, expr.MaxInputs+1)
	for i := range in {
		in[i] = layers.Input{Shape: []int{2, 3}}
	}
	_, err := (&layers.Add{}).Plan(nil, in[1:], layers.Options{})
	require.NoError(t, err)
	_, err = (&layers.Add{}).Plan(nil, in, layers.Options{})
	require.EqualError(t, err, "takes at most 16 inputs, not 17: add the others in another layer")
}

// What layers of several values make of numbers, and their gradients for a dy of 1.
func TestTermsByHand(t *testing.T) {
	of := func(values ...float32) *tensor.Dense {
		return tensor.New(tensor.WithShape(1, len(values)), tensor.WithBacking(values))
	}
	a, b, c := of(1, 2, -3, 5), of(4, 2, -1, -2), of(-2, 2, 0, 3)
	for _, k := range []struct {
		layer layers.Layer
		in    []*tensor.Dense
		y     []float32
		dx    [][]float32
	}{
		{&layers.Add{Coefficients: []float32{1, -2, 0.5}}, []*tensor.Dense{a, b, c}, []float32{-8, -1, -1, 10.5},
			[][]float32{{1, 1, 1, 1}, {-2, -2, -2, -2}, {.5, .5, .5, .5}}},
		{&layers.Add{Coefficients: []float32{0, 3}}, []*tensor.Dense{a, b}, []float32{12, 6, -3, -6}, [][]float32{{0, 0, 0, 0}, {3, 3, 3, 3}}},
		{&layers.Product{}, []*tensor.Dense{a, b, c}, []float32{-8, 8, 0, -30}, [][]float32{{-8, 4, 0, -6}, {-2, 4, 0, 15}, {4, 4, 3, -10}}},
		{&layers.Maximum{}, []*tensor.Dense{a, b, c}, []float32{4, 2, 0, 5}, [][]float32{{0, 0, 0, 1}, {1, 0, 0, 0}, {0, 1, 1, 0}}},
		{&layers.Maxout{Pieces: 2}, []*tensor.Dense{a}, []float32{2, 5}, [][]float32{{0, 1, 0, 1}}},
		{&layers.Maxout{Pieces: 4}, []*tensor.Dense{c}, []float32{3}, [][]float32{{0, 0, 0, 1}}},
	} {
		for _, name := range everyDevice {
			p := newPass(t, name, k.layer, graph.Train, nil, k.in...)
			require.Equal(t, k.y, p.out(), "%s %s", name, k.layer.Type())
			target := p.out()
			for i := range target {
				target[i]--
			}
			require.Equal(t, k.dx, p.backward(of(target...), k.in...), "%s %s", name, k.layer.Type())
		}
	}
}
