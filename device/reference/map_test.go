package reference

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

var view = device.View{N: 2, C: 3, Inner: 2}

// counting is 1, 2, 3, …
func (b bench) counting(n int) device.Tensor {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(i + 1)
	}
	return b.put(v...)
}

// An input without an axis has one value for all along it.
func TestMapByHand(t *testing.T) {
	for axes, want := range map[expr.Axes][]float64{
		expr.One:            {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
		expr.Sample:         {1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2},
		expr.Channel:        {1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3},
		expr.N | expr.C:     {1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6},
		expr.Inner:          {1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2},
		expr.Pixel:          {1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4},
		expr.C | expr.Inner: {1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6},
		expr.Whole:          {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
	} {
		b := newBench(t)
		in, y := b.counting(view.Elements(axes)), b.empty(device.Float32, 12)
		b.Map(expr.MustNew(expr.Input(0, axes)), view, []device.Tensor{y}, []device.Tensor{in}, []device.Mode{device.Overwrite}, device.Random{})
		require.Equal(t, want, b.get(y), axes.String())

		// Summed over the axes that it lacks, a tensor of ones has their lengths.
		sums := b.put(make([]float64, view.Elements(axes))...)
		b.Fill(sums, 100)
		b.Fill(y, 1)
		b.Reduce(expr.MustNew(expr.Input(0, expr.Whole)), view, device.Sum, axes, sums, []device.Tensor{y}, device.Accumulate, device.Random{})
		for _, v := range b.get(sums) {
			require.Equal(t, 100+12/float64(view.Elements(axes)), v, axes.String())
		}
		// The gradient of an input is such a sum.
		b.Reduce(expr.MustNew(expr.Input(0, expr.Whole)), view, device.Max, axes, sums, []device.Tensor{b.counting(12)}, device.Overwrite, device.Random{})
		largest := make([]float64, view.Elements(axes))
		for i, at := range want {
			largest[int(at)-1] = float64(i + 1)
		}
		require.Equal(t, largest, b.get(sums), axes.String())
	}
}

func TestMapOutputsAndDraws(t *testing.T) {
	b := newBench(t)
	x := expr.Input(1, expr.Whole)
	p := expr.MustNew(expr.Add(x, expr.Const(1)), expr.Mul(x, expr.Draw(1)), expr.Draw(0))
	r := device.Random{Seed: 7, Stream: 3, Iteration: 5, Sample: 11}
	y := []device.Tensor{b.counting(12), b.counting(12), b.counting(12)}
	b.Map(p, view, y, []device.Tensor{{}, b.counting(12)}, []device.Mode{device.Overwrite, device.Accumulate, device.Accumulate}, r)
	first, second := b.get(y[1]), b.get(y[2])
	for i, v := range b.get(y[0]) {
		x := float64(i + 1)
		draw := func(stream uint32) float64 {
			of := device.Random{Seed: 7, Stream: stream, Iteration: 5, Sample: 11}
			return float64(of.Uint32(i/6, i%6)>>8) / (1 << 24)
		}
		require.Equal(t, x+1, v)
		require.Equal(t, x+x*draw(4), first[i])
		require.Equal(t, x+draw(3), second[i])
	}
	one := b.put(nan)
	b.Reduce(expr.MustNew(expr.Draw(1)), view, device.Sum, expr.One, one, nil, device.Overwrite, r)
	sum := 0.0
	for i := range 12 {
		sum += (first[i] - float64(i+1)) / float64(i+1)
	}
	require.InDelta(t, sum, b.get(one)[0], 1e-12)

	b.Reduce(expr.MustNew(expr.Input(0, expr.Whole)), device.View{N: 1, C: 1, Inner: 3}, device.Max, expr.One, one, []device.Tensor{b.put(1, nan, 2)}, device.Overwrite, r)
	require.True(t, math.IsNaN(b.get(one)[0]))
	b.Reduce(expr.MustNew(expr.Input(0, expr.Whole)), device.View{N: 1, C: 1, Inner: 2}, device.Max, expr.One, one, []device.Tensor{b.put(-3, -2)}, device.Overwrite, r)
	require.Equal(t, -2.0, b.get(one)[0])
}

func TestMapErrors(t *testing.T) {
	b := newBench(t)
	p := expr.MustNew(expr.Input(0, expr.Whole))
	b.Scope("act")
	b.Map(p, view, []device.Tensor{b.counting(12)}, nil, nil, device.Random{})
	require.EqualError(t, b.Sync(), "act: map: the program in0 takes 1 inputs and has 1 outputs, not 0 and 1")
	b.Reduce(p, view, device.Sum, expr.Channel, b.counting(2), []device.Tensor{b.counting(12)}, device.Overwrite, device.Random{})
	require.EqualError(t, b.Sync(), "act: reduce: output 0 is 2 elements of float32, but [C] of [2,3,2] are 3 of float32")
}
