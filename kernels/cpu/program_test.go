package cpu

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// listing is a program as text: i, c, s and r are inputs, constants, slots and results.
func listing(p *program) string {
	ops := map[vec.Op]string{
		vec.OpLoad: "load", vec.OpStore: "store", vec.OpAdd: "add", vec.OpSub: "sub", vec.OpSubFrom: "subfrom", vec.OpMul: "mul",
		vec.OpMulAdd: "muladd", vec.OpMulSub: "mulsub", vec.OpMulSubFrom: "mulsubfrom", vec.OpDiv: "div", vec.OpDivInto: "divinto", vec.OpMin: "min", vec.OpMax: "max", vec.OpAtLeast: "atleast", vec.OpAtMost: "atmost", vec.OpSquare: "square", vec.OpAbs: "abs", vec.OpSqrt: "sqrt",
		vec.OpLess: "less", vec.OpLessEqual: "lessequal", vec.OpGreater: "greater", vec.OpGreaterEqual: "greaterequal", vec.OpEqual: "equal",
		vec.OpUniform: "uniform", vec.OpBelow: "below",
	}
	text := func(p place) string { return fmt.Sprintf("%c%d", " icsr"[p.kind], p.index) }
	var lines []string
	for k := range p.stages {
		st := &p.stages[k]
		for _, i := range st.code {
			line := ops[i.op]
			for _, in := range i.in {
				if in.kind != nowhere {
					line += " " + text(in)
				}
			}
			lines = append(lines, line)
		}
		switch {
		case st.function == draw:
			lines = append(lines, fmt.Sprintf("%s = draw %d", text(st.dst), st.stream))
		case st.function != none:
			lines = append(lines, fmt.Sprintf("%s = %s %s", text(st.dst), []string{"", "exp", "log", "tanh", "erf", "sigmoid"}[st.function], text(st.src)))
		}
	}
	return strings.Join(lines, "; ")
}

// The accumulator is saved where its value is read again, and a slot is free with the
// last step that reads it; an output that is one of several keeps its own.
func TestCompile(t *testing.T) {
	x, y := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole)
	e, two := expr.Exp(x), expr.Const(2)
	sum, difference := expr.Add(x, y), expr.Sub(x, y)
	for i, c := range []struct {
		outputs []expr.Expr
		code    string
		slots   int
		staged  bool
	}{
		{[]expr.Expr{x}, "load i0; store r0", 0, false},
		{[]expr.Expr{two}, "load c0; store r0", 0, false},
		{[]expr.Expr{expr.Mul(two, x)}, "load c0; mul i0; store r0", 0, false},
		{[]expr.Expr{expr.Mul(x, x)}, "load i0; square; store r0", 0, false},
		{[]expr.Expr{expr.Add(x, x)}, "load i0; add i0; store r0", 0, false},
		{[]expr.Expr{expr.Max(expr.Add(expr.Mul(x, two), y), x)}, "load i1; muladd c0 i0; max i0; store r0", 0, false},
		{[]expr.Expr{expr.Sub(y, expr.Abs(x))}, "load i0; abs; subfrom i1; store r0", 0, false},
		{[]expr.Expr{expr.Div(y, expr.Sqrt(x))}, "load i0; sqrt; divinto i1; store r0", 0, false},
		{[]expr.Expr{expr.Mul(sum, difference)}, "load i0; add i1; store s0; load i0; sub i1; mul s0; store r0", 1, false},
		{[]expr.Expr{expr.Mul(sum, sum)}, "load i0; add i1; square; store r0", 0, false},
		{[]expr.Expr{expr.Add(sum, sum)}, "load i0; add i1; store s0; add s0; store r0", 1, false},
		{[]expr.Expr{expr.Add(expr.Mul(sum, sum), sum)}, "load i0; add i1; store s0; square; add s0; store r0", 1, false},
		{[]expr.Expr{sum, expr.Mul(sum, difference)}, "load i0; add i1; store s0; load i0; sub i1; mul s0; store r1; load s0; store r0", 1, false},
		{[]expr.Expr{y, x}, "load i1; store s0; load i0; store s1; load s0; store r0; load s1; store r1", 2, false},
		{[]expr.Expr{sum, two}, "load i0; add i1; store r0; load c0; store r1", 0, false},
		{[]expr.Expr{expr.Select(expr.Less(x, two), expr.Const(0), x)}, "load i0; less c0 c1 i0; store r0", 0, false},
		{[]expr.Expr{expr.Select(expr.Less(two, sum), sum, y)}, "load i0; add i1; store s0; greater c0 s0 i1; store r0", 1, false},
		{[]expr.Expr{expr.Select(expr.LessEqual(y, sum), x, y)}, "load i0; add i1; greaterequal i1 i0 i1; store r0", 0, false},
		{[]expr.Expr{expr.Select(expr.Equal(x, y), two, sum)}, "load i0; add i1; store s0; load i0; equal i1 c0 s0; store r0", 1, false},
		{[]expr.Expr{e}, "s0 = exp i0; load s0; store r0", 1, true},
		{[]expr.Expr{expr.Exp(e)}, "s0 = exp i0; s0 = exp s0; load s0; store r0", 1, true},
		{[]expr.Expr{expr.Mul(e, sum)}, "s0 = exp i0; load i0; add i1; mul s0; store r0", 1, true},
		{[]expr.Expr{expr.Add(expr.Log(sum), sum)}, "load i0; add i1; store s0; s1 = log s0; load s1; add s0; store r0", 2, true},
		{[]expr.Expr{expr.Tanh(expr.Erf(expr.Input(1, expr.Channel)))}, "s0 = erf i1; s0 = tanh s0; load s0; store r0", 1, true},
		{[]expr.Expr{expr.Add(x, expr.Input(1, expr.Channel))}, "load i0; add i1; store r0", 0, false},
		{[]expr.Expr{expr.Add(x, expr.Input(1, expr.One))}, "load i0; add c0; store r0", 0, false},
		{[]expr.Expr{expr.Exp(expr.Input(0, expr.One))}, "load c0; store r0", 0, false},
		{[]expr.Expr{expr.Div(expr.Const(1), expr.Add(expr.Const(1), expr.Exp(expr.Neg(x))))}, "s0 = sigmoid i0; load s0; store r0", 1, true},
		{[]expr.Expr{expr.Div(expr.Const(1), expr.Add(expr.Exp(expr.Neg(sum)), expr.Const(1)))}, "load i0; add i1; store s0; s0 = sigmoid s0; load s0; store r0", 1, true},
		{[]expr.Expr{expr.Div(expr.Const(1), expr.Add(expr.Const(2), expr.Exp(expr.Neg(x))))}, "load c2; mul i0; store s0; s0 = exp s0; load c1; add s0; divinto c0; store r0", 1, true},
		{[]expr.Expr{expr.Div(two, expr.Add(expr.Const(1), expr.Exp(expr.Neg(x))))}, "load c2; mul i0; store s0; s0 = exp s0; load c1; add s0; divinto c0; store r0", 1, true},
		{[]expr.Expr{expr.Add(expr.Draw(3), x)}, "s0 = draw 3; load s0; uniform; add i0; store r0", 1, true},
		{[]expr.Expr{expr.Mul(sum, expr.Draw(0))}, "s0 = draw 0; load i0; add i1; store s1; load s0; uniform; mul s1; store r0", 2, true},
		{[]expr.Expr{expr.Select(expr.Bernoulli(1, 0.5), two, expr.Mul(two, x))}, "s0 = draw 1; load c1; mul i0; store s1; load s0; below c0 c1 s1; store r0", 2, true},
		{[]expr.Expr{expr.Select(expr.Bernoulli(0, 0.5), sum, expr.Draw(0))}, "s0 = draw 0; load i0; add i1; store s1; load s0; uniform; store s2; load s0; below c0 s1 s2; store r0", 3, true},
	} {
		p := compile(expr.MustNew(c.outputs...), expr.Whole)
		require.Equal(t, c.code, listing(p), "row %d", i)
		require.Equal(t, c.slots, p.slots, "row %d", i)
		require.Equal(t, c.staged, len(p.stages) > 1, "row %d", i)
	}
	p := compile(expr.MustNew(expr.Mul(expr.Input(1, expr.One), expr.Add(expr.Const(4), x))), expr.Whole)
	require.Equal(t, []int{0, 1}, p.constants)
}

// A product that a sum alone reads is computed with the sum, if its factors lie in
// memory.
func TestCompileProducts(t *testing.T) {
	x, y, z := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole), expr.Input(2, expr.Whole)
	two, product := expr.Const(2), expr.Mul(y, z)
	for i, c := range []struct {
		e    expr.Expr
		code string
	}{
		{expr.Add(x, product), "load i0; muladd i1 i2"},
		{expr.Add(product, x), "load i0; muladd i1 i2"},
		{expr.Sub(x, product), "load i0; mulsub i1 i2"},
		{expr.Sub(product, x), "load i0; mulsubfrom i1 i2"},
		{expr.Add(expr.Abs(x), product), "load i0; abs; muladd i1 i2"},
		{expr.Sub(product, expr.Abs(x)), "load i0; abs; mulsubfrom i1 i2"},
		{expr.Add(x, expr.Mul(y, y)), "load i0; muladd i1 i1"},
		{expr.Add(x, expr.Mul(y, expr.Input(3, expr.One))), "load i0; muladd c0 i1"},
		{expr.Add(expr.Mul(two, x), product), "load i1; mul i2; muladd c0 i0"},
		{expr.Add(two, product), "load c0; muladd i1 i2"},
		{expr.Add(expr.Mul(expr.Abs(x), y), z), "load i0; abs; mul i1; add i2"},
		{expr.Add(product, product), "load i1; mul i2; store s0; add s0"},
		{expr.Max(expr.Add(x, product), product), "load i1; mul i2; store s0; add i0; max s0"},
		{expr.Add(x, expr.Mul(two, expr.Input(3, expr.One))), "load i0; add c0"},
		{expr.Min(expr.Max(x, expr.Const(0)), two), "load i0; atleast c0; atmost c1"},
		{expr.Max(two, product), "load i1; mul i2; atleast c0"},
		{expr.Select(expr.Less(x, two), two, x), "load i0; atleast c0"},
		{expr.Select(expr.Less(two, x), two, x), "load i0; atmost c0"},
		{expr.Select(expr.Less(x, product), product, x), "load i1; mul i2; store s0; load i0; atleast s0"},
		{expr.Max(x, expr.Input(3, expr.One)), "load i0; max c0"},
		{expr.Min(x, expr.Const(float32(math.NaN()))), "load i0; min c0"},
	} {
		require.Equal(t, c.code+"; store r0", listing(compile(expr.MustNew(c.e), expr.Whole)), "row %d", i)
	}
}

// A result goes to its output at once where that lies on no input that is still to be
// read: of an update, the weights lie on the first input alone.
func TestCompileUpdates(t *testing.T) {
	w, dw, v := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole), expr.Input(2, expr.Whole)
	rate := expr.Mul(expr.Input(3, expr.One), expr.Input(4, expr.Channel))
	next := expr.Sub(expr.Mul(expr.Const(0.5), v), expr.Mul(rate, dw))
	nesterov := expr.Add(next, expr.Mul(expr.Const(0.5), expr.Sub(next, v)))
	for i, c := range []struct {
		outputs        []expr.Expr
		update, mapped string
		slots          [2]int
	}{
		{[]expr.Expr{expr.Add(w, next), next},
			"load c1; mul i1; mulsubfrom c0 i2; store r1; add i0; store r0",
			"load c1; mul i4; mul i1; mulsubfrom c0 i2; store s0; add i0; store r0; load s0; store r1", [2]int{0, 1}},
		{[]expr.Expr{expr.Add(w, nesterov), next},
			"load c1; mul i1; mulsubfrom c0 i2; store s0; sub i2; mul c0; add s0; add i0; store r0; load s0; store r1", "", [2]int{1}},
		{[]expr.Expr{dw, expr.Add(dw, v)}, "load i1; add i2; store s0; load i1; store s1; store r0; load s0; store r1", "", [2]int{2}},
		{[]expr.Expr{next, next, next}, "load c1; mul i1; mulsubfrom c0 i2; store s0; store r0; store r1; store r2", "", [2]int{1}},
	} {
		u := compile(expr.MustNew(c.outputs...), device.UpdateSegment)
		require.Equal(t, c.update, listing(u), "row %d", i)
		require.Equal(t, c.slots[0], u.slots, "row %d", i)
		require.Len(t, u.stages, 1)
		if c.mapped != "" {
			m := compile(expr.MustNew(c.outputs...), expr.Whole)
			require.Equal(t, c.mapped, listing(m), "row %d", i)
			require.Equal(t, c.slots[1], m.slots, "row %d", i)
		}
	}
}

// What Map, Reduce and Update refuse, and that nothing runs after it.
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
	q.Update(p, []device.Tensor{of(12)}, []device.Tensor{of(11)}, []device.Segment{{Len: 12}})
	require.EqualError(t, q.Sync(), "act: update: input 0 is 11 elements, but the segments reach to 12")
}

// Once a call has returned, nothing of the queue holds its tensors.
func TestMachinesForget(t *testing.T) {
	d, err := New(2)
	require.NoError(t, err)
	defer d.Close()
	q, err := d.NewQueue()
	require.NoError(t, err)
	x := expr.Input(0, expr.Whole)
	const n = 3*grain + 5
	v := device.View{N: 1, C: n, Inner: 1}
	in := []device.Tensor{ones(t, d, n)}
	for _, p := range []*expr.Program{expr.MustNew(expr.Exp(expr.Add(x, x))), expr.MustNew(x)} {
		for name, call := range map[string]func(){
			"map": func() {
				q.Map(p, v, []device.Tensor{ones(t, d, n)}, in, []device.Mode{device.Overwrite}, device.Random{})
			},
			"update": func() {
				q.Update(p, []device.Tensor{ones(t, d, n)}, in, []device.Segment{{Len: n - 9}, {Weight: n - 4, Len: 3}})
			},
			"runs":    func() { q.Reduce(p, v, device.Sum, expr.One, ones(t, d, 1), in, device.Overwrite, device.Random{}) },
			"columns": func() { q.Reduce(p, v, device.Sum, expr.C, ones(t, d, n), in, device.Overwrite, device.Random{}) },
		} {
			call()
			require.NoError(t, q.Sync())
			require.Len(t, q.(*queue).machines, 2)
			for _, m := range q.(*queue).machines {
				for _, i := range slices.Concat(m.code...) {
					require.Equal(t, vec.Instruction{}, i, name)
				}
				require.Equal(t, evaluation{}, m.update, name)
			}
		}
	}
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
