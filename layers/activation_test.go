package layers_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

func sigmoid(x float64) float64  { return 1 / (1 + math.Exp(-x)) }
func softplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }
func clamp(x, low, high float64) float64 {
	return math.Min(math.Max(x, low), high)
}

func abs(x float32) float32 { return max(x, -x) }

// within is 1 inside of an interval and 0 outside.
func within(x, low, high float64) float64 {
	if x > low && x < high {
		return 1
	}
	return 0
}

// Every activation and its gradient is that of its formula in Go's math, near 0 and far
// away, on every device: no NaN, and no digits lost but where the function itself
// vanishes beside x.
func TestActivationsByFormula(t *testing.T) {
	const lambda, alpha = 1.0507009873554805, 1.6732632423543772
	elu := func(scale, alpha float64) (value, derivative func(x float64) float64) {
		return func(x float64) float64 {
				if x > 0 {
					return scale * x
				}
				return alpha * math.Expm1(x)
			}, func(x float64) float64 {
				if x > 0 {
					return scale
				}
				return alpha * math.Exp(x)
			}
	}
	selu, dselu := elu(lambda, lambda*alpha)
	elu3, delu3 := elu(1, 3)
	density := func(x float64) float64 { return math.Exp(-x*x/2) / math.Sqrt(2*math.Pi) }
	inner := func(x float64) float64 { return math.Sqrt(2/math.Pi) * (x + 0.044715*x*x*x) }
	of := func(name string) layers.Layer { return &layers.Activation{Function: name} }
	var points []float32
	for _, x := range []float32{0, 1e-30, 1e-6, 1e-3, 0.1, 0.3, 0.7, 1, 1.5, 2, 2.9, 3.1, 4, 5.9, 6.1, 9, 15, 30, 80, 100, 1e4, 1e10, 1e20, 1e30} {
		points = append(points, x, -x)
	}
	for _, c := range []struct {
		layer             layers.Layer
		value, derivative func(x float64) float64
		lost              float64 // of 1, by a sum near 0
	}{
		{of("hard-sigmoid"), func(x float64) float64 { return clamp(x+3, 0, 6) / 6 }, func(x float64) float64 { return within(x, -3, 3) / 6 }, 0},
		{of("relu6"), func(x float64) float64 { return clamp(x, 0, 6) }, func(x float64) float64 { return within(x, 0, 6) }, 0},
		{of("softsign"), func(x float64) float64 { return x / (1 + math.Abs(x)) }, func(x float64) float64 { return 1 / (1 + math.Abs(x)) / (1 + math.Abs(x)) }, 0},
		{of("softplus"), softplus, sigmoid, 0},
		{of("silu"), func(x float64) float64 { return x * sigmoid(x) }, func(x float64) float64 { return sigmoid(x) * (1 + x*sigmoid(-x)) }, 3e-6},
		{of("mish"), func(x float64) float64 { return x * math.Tanh(softplus(x)) }, func(x float64) float64 {
			u := softplus(x)
			return math.Tanh(u) + x*sigmoid(x)/math.Cosh(math.Min(u, 300))/math.Cosh(math.Min(u, 300))
		}, 0},
		{of("selu"), selu, dselu, 0},
		{&layers.ELU{Alpha: 3}, elu3, delu3, 0},
		{&layers.GELU{}, func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }, func(x float64) float64 {
			return math.Erfc(-x/math.Sqrt2)/2 + x*density(x)
		}, 2e-7},
		{&layers.GELU{Tanh: true}, func(x float64) float64 { return x / 2 * (1 + math.Tanh(inner(x))) }, func(x float64) float64 {
			u := math.Tanh(inner(x))
			if u*u == 1 {
				return (1 + u) / 2
			}
			return (1+u)/2 + x/2*(1-u*u)*math.Sqrt(2/math.Pi)*(1+3*0.044715*x*x)
		}, 1e-6},
	} {
		x := tensor.New(tensor.WithShape(len(points), 1), tensor.WithBacking(points))
		for _, name := range everyDevice {
			p := newPass(t, name, c.layer, graph.Train, nil, x)
			y := p.out()
			target := make([]float32, len(points))
			for i, v := range y {
				target[i] = v - max(float32(len(points)), abs(v)/4) // a gradient of 1 or more
			}
			dx := p.backward(tensor.New(tensor.WithShape(len(points), 1), tensor.WithBacking(target)), x)[0]
			for i, v := range points {
				v := float64(v)
				want := c.value(v)
				require.InDelta(t, want, float64(y[i]), 4e-6*math.Abs(want)+c.lost*math.Min(math.Abs(v), 10)+1e-38, "%s, %s of %g", name, c.layer.Type(), v)
				want = c.derivative(v)
				want *= float64(y[i]-target[i]) / float64(len(points))
				require.InDelta(t, want, float64(dx[i]), 2e-5*math.Abs(want)+c.lost*math.Max(1, math.Abs(want))+1e-38, "%s, gradient of %s of %g", name, c.layer.Type(), v)
			}
		}
	}
}

// Names that are none are an error.
func TestActivationNames(t *testing.T) {
	_, err := (&layers.Activation{Function: "swoosh"}).Plan(nil, []layers.Input{f32(2)}, layers.Options{})
	require.EqualError(t, err, `activation "swoosh" is none of hard-sigmoid, mish, relu6, selu, silu, softplus, softsign`)
}

// A slope a channel, or one for all; its gradient is the sum of x dy where x is negative.
func TestPReLUByHand(t *testing.T) {
	x := tensor.New(tensor.WithShape(1, 2, 3), tensor.WithBacking([]float32{1, -2, 0, -4, 5, -6}))
	slopes := tensor.New(tensor.WithShape(2), tensor.WithBacking([]float32{0.5, -1}))
	for _, name := range everyDevice {
		p := newPass(t, name, &layers.PReLU{}, graph.Train, map[string]*tensor.Dense{"weight": slopes}, x)
		require.Equal(t, []float32{1, -1, 0, 4, 5, 6}, p.out(), name)
		dy := []float32{1, 2, 3, 4, 5, 6}
		target := p.out()
		for i := range target {
			target[i] -= dy[i]
		}
		require.Equal(t, []float32{1, 1, 1.5, -4, 5, -6}, p.backward(tensor.New(tensor.WithShape(1, 2, 3), tensor.WithBacking(target)), x)[0], name)
		require.Equal(t, []float32{-4, -52}, p.gradient("layer.weight"), name)
		require.Equal(t, []float32{1, -.5, 0, -1, 5, -1.5}, newPass(t, name, &layers.PReLU{Shared: true}, graph.Infer, nil, x).out(), "%s: slopes start as 0.25", name)
	}
	s, err := (&layers.PReLU{}).Plan(nil, []layers.Input{f32(2, 7, 3, 3)}, layers.Options{})
	require.NoError(t, err)
	require.Equal(t, []layers.Param{{Name: "weight", Shape: tensor.Shape{7}, Fan: layers.Fan{In: 1, Out: 1}, Filler: layers.Constant(0.25), Rate: 1, Decay: 0}}, s.Params)
	require.Equal(t, device.Float32, s.Out[0].DType)
}
