package cpu

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

// A register is free again with the last step that reads it, once, and not before; an
// output keeps its own.
func TestSlots(t *testing.T) {
	x, y := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole)
	e := expr.Exp(x)
	sum, difference := expr.Add(x, y), expr.Sub(x, y)
	for i, c := range []struct {
		outputs []expr.Expr
		slots   int
		results []int
		written []int // by the steps
	}{
		{[]expr.Expr{expr.Exp(expr.Exp(expr.Exp(x)))}, 2, []int{1}, []int{1, 1, 1}},
		{[]expr.Expr{expr.Mul(sum, difference)}, 4, []int{3}, []int{2, 3, 3}},
		{[]expr.Expr{sum, expr.Mul(sum, difference)}, 4, []int{2, 3}, []int{2, 3, 3}},
		{[]expr.Expr{expr.Mul(sum, difference), difference}, 4, []int{2, 3}, []int{2, 3, 2}},
		{[]expr.Expr{expr.Mul(e, e), expr.Sub(expr.Exp(expr.Mul(e, e)), x)}, 3, []int{1, 2}, []int{1, 1, 2, 2}},
		{[]expr.Expr{x}, 2, []int{1}, []int{1}},
		{[]expr.Expr{y, x}, 4, []int{2, 3}, []int{2, 3}},
		{[]expr.Expr{expr.Const(2)}, 2, []int{1}, []int{1}},
		{[]expr.Expr{expr.Mul(expr.Const(2), x)}, 3, []int{2}, []int{2}},
		{[]expr.Expr{expr.Select(expr.Less(e, y), x, expr.Sub(e, y))}, 4, []int{3}, []int{2, 3, 3}},
		{[]expr.Expr{expr.Add(expr.Select(expr.Less(x, y), e, y), expr.Select(expr.Less(y, x), y, e))}, 4, []int{2}, []int{2, 3, 2, 2}},
		{[]expr.Expr{expr.Input(2, expr.One)}, 4, []int{3}, []int{3}},
		{[]expr.Expr{expr.Draw(1)}, 1, []int{0}, []int{0}},
	} {
		p := compile(expr.MustNew(c.outputs...))
		var written []int
		for _, s := range p.steps {
			written = append(written, s.dst)
		}
		require.Equal(t, c.slots, p.slots, "row %d: %v", i, written)
		require.Equal(t, c.results, p.results, "row %d: %v", i, written)
		require.Equal(t, c.written, written, "row %d", i)
		require.Equal(t, c.slots*strip, p.room(), "row %d", i)
	}
	p := compile(expr.MustNew(expr.Select(expr.LessEqual(expr.Draw(3), x), expr.Const(4), y)))
	require.Equal(t, []constant{{3, 4}}, p.constants)
	require.Equal(t, []step{{op: expr.OpDraw, dst: 2, draw: 3}, {op: expr.OpLessEqual, pick: true, dst: 2, src: [4]int{2, 0, 3, 1}}}, p.steps)
}

// What Map and Reduce refuse, and that nothing runs after it.
func TestProgramErrors(t *testing.T) {
	d, err := New(1)
	require.NoError(t, err)
	defer d.Close()
	q, err := d.NewQueue()
	require.NoError(t, err)
	of := func(n int) device.Tensor {
		b, err := d.Alloc(int64(4 * n))
		require.NoError(t, err)
		return device.Tensor{Buffer: b, DType: device.Float32, Shape: tensor.Shape{n}}
	}
	p, v := expr.MustNew(expr.Input(0, expr.Whole)), device.View{N: 2, C: 3, Inner: 2}
	q.Scope("act")
	q.Map(p, v, []device.Tensor{of(12)}, []device.Tensor{of(11)}, []device.Mode{device.Overwrite}, device.Random{})
	q.Map(nil, v, nil, nil, nil, device.Random{})
	q.Reduce(nil, v, device.Sum, expr.One, device.Tensor{}, nil, device.Overwrite, device.Random{})
	require.EqualError(t, q.Sync(), "act: map: input 0 is 11 elements of float32, but [N,C,Inner] of [2,3,2] are 12 of float32")
	q.Reduce(p, v, device.Sum, expr.Channel, of(2), []device.Tensor{of(12)}, device.Overwrite, device.Random{})
	require.EqualError(t, q.Sync(), "act: reduce: output 0 is 2 elements of float32, but [C] of [2,3,2] are 3 of float32")
}

// A view whose channels have one pixel is one of pixels.
func TestFoldedViews(t *testing.T) {
	require.Equal(t, device.View{N: 4, C: 1, Inner: 3}, folded(device.View{N: 4, C: 3, Inner: 1}))
	require.Equal(t, device.View{N: 4, C: 3, Inner: 2}, folded(device.View{N: 4, C: 3, Inner: 2}))
	for _, c := range []struct{ axes, one, two expr.Axes }{
		{expr.One, expr.C, expr.One}, {expr.N, expr.N | expr.C, expr.N}, {expr.C, expr.C | expr.Inner, expr.C},
		{expr.N | expr.C, expr.Whole, expr.N | expr.C}, {expr.Inner, expr.C, expr.Inner}, {expr.Pixel, expr.N | expr.C, expr.Pixel}, {expr.Whole, expr.Whole, expr.Whole},
	} {
		require.Equal(t, c.one, foldedAxes(device.View{N: 4, C: 3, Inner: 1}, c.axes), c.axes.String())
		require.Equal(t, c.two, foldedAxes(device.View{N: 4, C: 3, Inner: 2}, c.axes), c.axes.String())
	}
}
