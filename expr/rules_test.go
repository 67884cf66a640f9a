package expr

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAxesInWords(t *testing.T) {
	for i, want := range []string{"[]", "[N]", "[C]", "[N,C]", "[Inner]", "[N,Inner]", "[C,Inner]", "[N,C,Inner]"} {
		require.Equal(t, want, Axes(i).String())
	}
	require.Equal(t, []Axes{7, 2, 1, 5, 0}, []Axes{Whole, Channel, Sample, Pixel, One})
}

// Every operation at 0.5 and -2, both ways: its formula, and what it gives.
func TestEveryOperation(t *testing.T) {
	one := func(c Condition) Expr { return Select(c, Const(1), Const(3)) }
	seen := map[Op]bool{OpInput: true, OpConst: true, OpIndex: true, OpDraw: true}
	for formula, c := range map[string]struct {
		e           Expr
		value, back float64
	}{
		"(in0 + in1)":                   {Add(x, y), -1.5, -1.5},
		"(in0 - in1)":                   {Sub(x, y), 2.5, -2.5},
		"(in0 * in1)":                   {Mul(x, y), -1, -1},
		"(in0 / in1)":                   {Div(x, y), -0.25, -4},
		"min(in0, in1)":                 {Min(x, y), -2, -2},
		"max(in0, in1)":                 {Max(x, y), 0.5, 0.5},
		"(-1 * in0)":                    {Neg(x), -0.5, 2},
		"abs(in0)":                      {Abs(x), 0.5, 2},
		"sqrt(in0)":                     {Sqrt(x), math.Sqrt(0.5), math.NaN()},
		"exp(in0)":                      {Exp(x), math.Exp(0.5), math.Exp(-2)},
		"log(in0)":                      {Log(x), math.Log(0.5), math.NaN()},
		"tanh(in0)":                     {Tanh(x), math.Tanh(0.5), math.Tanh(-2)},
		"sigmoid(in0)":                  {Sigmoid(x), 1 / (1 + math.Exp(-0.5)), 1 / (1 + math.Exp(2))},
		"softplus(in0)":                 {Softplus(x), 0.5 + math.Exp(-0.5)*math.Log(1+math.Exp(-0.5))/((1+math.Exp(-0.5))-1), math.Exp(-2) * math.Log(1+math.Exp(-2)) / ((1 + math.Exp(-2)) - 1)},
		"erf(in0)":                      {Erf(x), math.Erf(0.5), math.Erf(-2)},
		"select((in0 < in1), 1, 3)":     {one(Less(x, y)), 3, 1},
		"select((in0 <= in1), 1, 3)":    {one(LessEqual(x, y)), 3, 1},
		"select((in0 == in1), 1, 3)":    {one(Equal(x, y)), 3, 3},
		"select((in0 < in1), in1, in0)": {Select(Less(x, y), y, x), 0.5, 0.5},

		"select(bernoulli(draw0, 0.5), 1, 3)":        {one(Bernoulli(0, 0.5)), 3, 3}, // the bits are 2^31
		"select(bernoulli(draw0, 0.50000006), 1, 3)": {one(Bernoulli(0, 0.50000006)), 1, 1},
	} {
		require.Equal(t, formula, c.e.String())
		p := MustNew(c.e)
		for _, inputs := range [][]float64{{0.5, -2}, {-2, 0.5}} {
			want := c.value
			if inputs[0] == -2 {
				want = c.back
			}
			got := eval(t, p, inputs...)
			if math.IsNaN(want) {
				require.True(t, math.IsNaN(got), "%s at %v", formula, inputs)
			} else {
				require.Equal(t, want, got, "%s at %v", formula, inputs)
			}
		}
		code, _ := p.Code()
		for _, i := range code {
			seen[i.Op] = true
			require.Equal(t, i.Op >= OpLess && i.Op < OpSelect || i.Op == OpBernoulli, i.Op.Condition(), names[i.Op])
		}
	}
	require.Len(t, seen, int(OpSelect)+1)
	for c, want := range map[Condition][3]float64{Less(x, y): {1, 0, 0}, LessEqual(x, y): {1, 1, 0}, Equal(x, y): {0, 1, 0}} {
		p := MustNew(Select(c, Const(1), Const(0)))
		require.Equal(t, want, [3]float64{eval(t, p, -1, 1), eval(t, p, 1, 1), eval(t, p, 1, -1)}, c.String())
	}
	require.Equal(t, []int{0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 3}, func() (all []int) {
		for op := OpInput; op <= OpSelect; op++ {
			all = append(all, op.Args())
		}
		return all
	}())
	require.Equal(t, "draw3", Draw(3).String())
	require.Equal(t, "0.1", Const(0.1).String(), "as few digits as make the float32")
	for _, op := range []Op{OpInput, OpConst, OpDraw, OpBernoulli} {
		require.PanicsWithValue(t, fmt.Sprintf("expr: operation %d has no value of its own", op), func() { Apply(op) })
	}
}

// A Bernoulli condition is of all 32 bits, where a draw has 24.
func TestBernoulli(t *testing.T) {
	for _, c := range []struct {
		p     float32
		word  uint32
		holds float64
	}{
		{0x1p-30, 3, 1}, {0x1p-30, 4, 0}, {0x1p-33, 0, 0}, {0.5, 1<<31 - 1, 1}, {0.5, 1 << 31, 0},
		{0.3, 1288490239, 1}, {0.3, 1288490240, 0}, {1 - 0x1p-24, 0xfffffeff, 1}, {1 - 0x1p-24, 0xffffff00, 0},
		{0, 0, 0}, {1, 0xffffffff, 1},
	} {
		var out [2]float64
		p := MustNew(Select(Bernoulli(2, c.p), Const(1), Const(0)), Draw(2))
		p.Eval(out[:], Element{Draws: []uint32{0, 0, c.word}})
		require.Equal(t, [2]float64{c.holds, math.Ldexp(float64(c.word>>8), -24)}, out, "%g of %d", c.p, c.word)
		require.Equal(t, 3, p.Draws())
	}
}

// What is simplified, and what is only near it and is not.
func TestRulesOfSimplification(t *testing.T) {
	minusZero := Const(float32(math.Copysign(0, -1)))
	zero, one, again := Const(0), Const(1), Input(0, Whole)
	choice := func(a, b Expr) Expr { return Select(Less(x, y), a, b) }
	for i, c := range []struct {
		want string
		e    Expr
	}{
		{"in0", Add(zero, x)}, {"in0", Add(minusZero, x)}, {"in0", Add(x, minusZero)}, {"(1 + in0)", Add(one, x)},
		{"((-1 * in0) + in1)", Add(Neg(x), y)},
		{"in0", Sub(x, zero)}, {"(in0 - -0)", Sub(x, minusZero)}, {"(0 - in0)", Sub(zero, x)}, {"(in0 - 1)", Sub(x, one)},
		{"0", Mul(zero, x)}, {"0", Mul(minusZero, x)}, {"0", Mul(x, minusZero)},
		{"in0", Mul(one, x)}, {"in0", Mul(x, one)}, {"(-1 * in0)", Mul(x, Const(-1))}, {"in0", Mul(Neg(x), Const(-1))},
		{"(2 * (-1 * in0))", Mul(Const(2), Neg(x))}, {"(in0 * in1)", Mul(x, y)}, {"(in1 * in0)", Mul(y, x)},
		{"(in0 + (-2 * in1))", Add(x, Mul(Const(-2), y))}, {"(in0 - (-2 * in1))", Sub(x, Mul(Const(-2), y))},
		{"(in0 + (in0 * in1))", Add(x, Mul(x, y))},
		{"select((in0 < in1), (2 * in0), (3 * in0))", Mul(x, choice(Const(2), Const(3)))},
		{"select((in0 < in1), in1, 0)", Mul(choice(one, zero), y)},
		{"select((in0 < in1), (in1 * in0), 0)", Mul(y, choice(x, zero))},
		{"select((in0 < in1), 0, (in1 * in0))", Mul(choice(zero, x), y)},
		{"(in1 * select((in0 < in1), in0, 1))", Mul(y, choice(x, one))},
		{"select((in0 < in1), (in0 / in1), 0)", Div(choice(x, zero), y)}, {"select((in0 < in1), 0, (in0 / in1))", Div(choice(zero, x), y)},
		{"(select((in0 < in1), in0, 1) / in1)", Div(choice(x, one), y)}, {"(in1 / select((in0 < in1), in0, 0))", Div(y, choice(x, zero))},
		{"sigmoid(in0)", Div(one, Add(one, Exp(Neg(x))))}, {"sigmoid(in0)", Div(one, Add(Exp(Neg(x)), one))}, {"sigmoid((-1 * in0))", Div(one, Add(one, Exp(x)))},
		{"(in1 / (1 + exp(in0)))", Div(y, Add(one, Exp(x)))}, {"(1 / (2 + exp(in0)))", Div(one, Add(Const(2), Exp(x)))}, {"(2 / (1 + exp(in0)))", Div(Const(2), Add(one, Exp(x)))},
		{"in0", Div(x, one)}, {"0", Div(zero, x)}, {"(-0 / in0)", Div(minusZero, x)}, {"(1 / in0)", Div(one, x)},
		{"(-0.25 * in0)", Div(x, Const(-4))}, {"(in0 / 0)", Div(x, zero)}, {"(in0 / 6)", Div(x, Const(6))}, {"(in0 / 0.75)", Div(x, Const(0.75))},
		// A quotient of 2^k is a product where that is exact for all numbers that are not subnormal.
		{fmt.Sprintf("(%v * in0)", float32(0x1p-118)), Div(x, Const(0x1p118))}, {fmt.Sprintf("(in0 / %v)", float32(0x1p119)), Div(x, Const(0x1p119))},
		{fmt.Sprintf("(%v * in0)", float32(0x1p120)), Div(x, Const(0x1p-120))}, {fmt.Sprintf("(in0 / %v)", float32(0x1p-121)), Div(x, Const(0x1p-121))},
		{"in0", Min(x, x)}, {"in0", Max(x, again)}, {"exp(in0)", Min(Exp(x), Exp(again))},
		{"(in0 + in1)", Max(Add(x, y), Add(again, Input(1, Channel)))},
		{"in1", Select(Less(zero, one), y, x)}, {"in0", Select(Less(one, zero), y, x)}, {"in0", choice(x, again)},
		{"in1", Select(Bernoulli(0, 0), x, y)}, {"in0", Select(Bernoulli(0, 1), x, y)}, {"in0", Select(Bernoulli(0, 0.5), x, again)},
		{"exp(in0)", choice(Exp(x), Exp(again))}, {"1", choice(one, Const(1))},
		{"0.33333334", Div(one, Const(3))}, {"1.6777216e+07", Add(Const(1<<24), one)}, {"2.7182817", Exp(one)},
		{"NaN", Log(Const(-1))}, {"(NaN + in0)", Add(Sqrt(Const(-1)), x)},
		{"select((in0 < in1), NaN, NaN)", choice(Const(float32(math.NaN())), Const(math.Float32frombits(0xffc00000)))},

		// Not the same.
		{"min(in0, in0)", Min(x, Input(0, Channel))}, {"min(in0, in1)", Min(x, Input(1, Whole))}, {"max(in0, draw0)", Max(x, Draw(0))},
		{"min(draw0, draw1)", Min(Draw(0), Draw(1))}, {"max(exp(in0), exp(in1))", Max(Exp(x), Exp(y))}, {"max(exp(in0), log(in0))", Max(Exp(x), Log(x))},
		{"max((in0 - in1), (in0 - draw0))", Max(Sub(x, y), Sub(x, Draw(0)))}, {"max((in0 - in1), (draw0 - in1))", Max(Sub(x, y), Sub(Draw(0), y))},
		{"min((2 * in0), (3 * in0))", Min(Mul(x, Const(2)), Mul(x, Const(3)))},
		{"max(select(bernoulli(draw0, 0.5), in0, in1), select(bernoulli(draw0, 0.25), in0, in1))", Max(Select(Bernoulli(0, 0.5), x, y), Select(Bernoulli(0, 0.25), x, y))},
		{"select((in0 < in1), 0, -0)", choice(zero, minusZero)}, {"select((in0 < in1), 0, 1)", choice(zero, one)},
		{"(in0 + in0)", Add(x, x)}, {"(in0 - in0)", Sub(x, x)},
	} {
		require.Equal(t, c.want, c.e.String(), "row %d", i)
	}
	// For the product of a power of two, and of a choice, is what it was.
	for _, v := range []float64{3, -0.5, math.Inf(1), 1e30} {
		require.Equal(t, v/4, eval(t, MustNew(Div(x, Const(4))), v))
		require.Equal(t, 0.0, eval(t, MustNew(Mul(Select(Less(y, zero), one, zero), x)), v, 1))
		require.Equal(t, v, eval(t, MustNew(Mul(Select(Less(zero, y), one, zero), x)), v, 1))
	}
}

// The bounds of a program are inclusive.
func TestBoundsOfPrograms(t *testing.T) {
	chain := func(n int) Expr { // an input and n operations
		e := x
		for range n {
			e = Exp(e)
		}
		return e
	}
	p, err := New(chain(MaxInstructions - 1))
	require.NoError(t, err)
	code, results := p.Code()
	require.Len(t, code, MaxInstructions)
	require.Equal(t, []int{MaxInstructions - 1}, results)
	_, err = New(chain(MaxInstructions))
	require.EqualError(t, err, "a program of more than 256 instructions")
	require.PanicsWithValue(t, "expr: a program of more than 256 instructions", func() { MustNew(chain(MaxInstructions)) })

	p, err = New(x, y, x, y)
	require.NoError(t, err)
	require.Equal(t, MaxOutputs, p.Outputs())
	require.Equal(t, "in0; in1; in0; in1", p.String())
	_, err = New(x, y, x, y, x)
	require.EqualError(t, err, "a program has 1 to 4 outputs, not 5")

	p, err = New(Input(MaxInputs-1, Sample))
	require.NoError(t, err)
	require.Equal(t, append(make([]Axes, MaxInputs-1), Sample), p.Inputs())
	require.False(t, p.Uses(0))
	require.False(t, p.Uses(MaxInputs-2))
	require.True(t, p.Uses(MaxInputs-1))
	require.False(t, p.Uses(MaxInputs))

	// An input behind another that comes later, and draws in any order.
	p, err = New(Add(Input(1, Channel), Add(Input(0, Whole), Add(Draw(3), Draw(1)))))
	require.NoError(t, err)
	require.Equal(t, []Axes{Whole, Channel}, p.Inputs())
	require.Equal(t, 4, p.Draws())
	require.Zero(t, MustNew(x).Draws())
	_, err = New(x, Mul(y, Input(1, Whole)))
	require.EqualError(t, err, "input 1 is used with axes [C] and with [N,C,Inner]")
}

// What passes an input on is a copy.
func TestPasses(t *testing.T) {
	for _, c := range []struct {
		input int
		p     *Program
	}{
		{0, MustNew(x)}, {3, MustNew(Input(3, Whole))}, {1, gradient(t, 0, x)}, {1, gradient(t, 0, Add(x, Draw(0)))},
		{-1, MustNew(y)}, {-1, MustNew(x, x)}, {-1, MustNew(Neg(x))}, {-1, MustNew(Draw(0))}, {-1, MustNew(Const(0))},
	} {
		i, ok := c.p.Identity()
		require.Equal(t, c.input >= 0, ok, c.p)
		if ok {
			require.Equal(t, c.input, i, c.p)
		}
	}
}

// Constants that are NaN are one instruction, and none of them is 0.
func TestNaNConstants(t *testing.T) {
	nan := Const(float32(math.NaN()))
	p := MustNew(Select(Less(x, y), nan, Add(x, Const(float32(math.NaN())))), Add(y, Max(x, Const(0))))
	code, _ := p.Code()
	var constants []Instruction
	for _, i := range code {
		if i.Op == OpConst {
			constants = append(constants, i)
		}
	}
	require.Len(t, constants, 2)
	require.True(t, constants[0].Value != constants[0].Value)
	require.Zero(t, constants[0].Index)
	require.Equal(t, Instruction{Op: OpConst}, constants[1])
}

// The hash tells what is computed, with which numbers, and in which order it comes out.
func TestHashes(t *testing.T) {
	require.Regexp(t, "^[0-9a-f]{24}$", MustNew(x).Hash())
	all := map[string]string{}
	for _, p := range []*Program{
		MustNew(x), MustNew(y), MustNew(Input(0, Channel)), MustNew(Input(1, Whole)), MustNew(Draw(0)), MustNew(Draw(1)),
		MustNew(Select(Bernoulli(0, 0.5), x, y)), MustNew(Select(Bernoulli(1, 0.5), x, y)), MustNew(Select(Bernoulli(0, 0.25), x, y)),
		MustNew(Add(x, y)), MustNew(Sub(x, y)), MustNew(Sub(y, x)), MustNew(x, Exp(x)), MustNew(Exp(x), x), MustNew(x, x),
		MustNew(Add(x, Const(1))), MustNew(Add(x, Const(2))), MustNew(Sub(x, Const(float32(math.Copysign(0, -1))))), MustNew(Const(0)),
	} {
		require.Empty(t, all[p.Hash()], p)
		all[p.Hash()] = p.String()
	}
}

// Every derivative as a formula, of its own argument and of one with a derivative of
// its own, in the order in which a device computes it.
func TestDerivatives(t *testing.T) {
	inner := Tanh(x)
	for _, c := range []struct {
		want string
		e    Expr
	}{
		{"(in1 * select((in0 < 0), -1, select((0 < in0), 1, 0)))", Abs(x)},
		{"(in1 * (0.5 / sqrt(in0)))", Sqrt(x)},
		{"(in1 * (1 / in0))", Log(x)},
		{"(in1 * (1 - (tanh(in0) * tanh(in0))))", Tanh(x)},
		{"(in1 * (1.1283792 * exp((-1 * (in0 * in0)))))", Erf(x)},
		{"(in1 * ((1 - (tanh(in0) * tanh(in0))) * exp(tanh(in0))))", Exp(inner)},
		{"(in1 * ((1 - (tanh(in0) * tanh(in0))) / tanh(in0)))", Log(inner)},
		{"(in1 * ((0.5 * (1 - (tanh(in0) * tanh(in0)))) / sqrt(tanh(in0))))", Sqrt(inner)},
		{"(in2 * in1)", Mul(x, y)}, {"(in2 * in1)", Mul(y, x)}, {"(in1 * (in0 + in0))", Mul(x, x)},
		{"(in2 * (1 / in1))", Div(x, y)}, {"(in2 * ((0 - (in1 / in0)) / in0))", Div(y, x)},
		{"(in1 * (((1 - (tanh(in0) * tanh(in0))) * exp(in0)) + (tanh(in0) * exp(in0))))", Mul(inner, Exp(x))},
		{"(in1 * ((exp(in0) - ((exp(in0) / tanh(in0)) * (1 - (tanh(in0) * tanh(in0))))) / tanh(in0)))", Div(Exp(x), inner)},
		{"in2", Sub(x, y)}, {"(-1 * in2)", Sub(y, x)}, {"in2", Add(y, x)},
		{"select((in1 < in0), in2, 0)", Max(x, y)}, {"select((in0 < in1), 0, in2)", Max(y, x)},
		{"select((in0 < in1), in2, 0)", Min(x, y)}, {"select((in1 < in0), 0, in2)", Min(y, x)},
		{"select((in0 == in1), (in2 * (in0 + in0)), 0)", Select(Equal(x, y), Mul(x, x), y)},
		{"select(bernoulli(draw1, 0.3), 0, (2 * in1))", Select(Bernoulli(1, 0.3), Const(0), Mul(x, Const(2)))},
		{"0", y},
		{"(in1 * (sigmoid(in0) * (1 - sigmoid(in0))))", Sigmoid(x)}, {"(in1 * sigmoid(in0))", Softplus(x)},
		{"(in1 * sigmoid(in0))", Log(Add(Const(1), Exp(x)))},
		{"(in1 * (sigmoid((-1 * in0)) + (in0 * (-1 * (sigmoid((-1 * in0)) * (1 - sigmoid((-1 * in0))))))))", Div(x, Add(Const(1), Exp(x)))},
	} {
		require.Equal(t, c.want, gradient(t, 0, c.e).String(), c.e.String())
	}
	at := func(e Expr, v float64) float64 { return eval(t, gradient(t, 0, e), v, 1) }
	require.Equal(t, [3]float64{-1, 0, 1}, [3]float64{at(Abs(x), -2), at(Abs(x), 0), at(Abs(x), 2)})
	require.Equal(t, [4]float64{0, 1, 0, 1}, [4]float64{at(Max(x, Const(0)), 0), at(Max(Const(0), x), 0), at(Min(x, Const(0)), 0), at(Min(Const(0), x), 0)})
}

// A gradient takes the inputs of its program, of their axes, and a whole one for each
// output, whether it reads them or not.
func TestInputsOfGradients(t *testing.T) {
	p := MustNew(Add(Input(2, Sample), Mul(x, x)), y)
	for i, used := range [][]bool{{true, false, false, true, false}, {false, false, false, false, true}, {false, false, false, true, false}} {
		g, err := p.Gradient(i)
		require.NoError(t, err)
		require.Equal(t, []Axes{Whole, Channel, Sample, Whole, Whole}, g.Inputs())
		require.Equal(t, 1, g.Outputs())
		for k, want := range used {
			require.Equal(t, want, g.Uses(k), "gradient of %d uses %d", i, k)
		}
	}
	for _, i := range []int{-1, 3, 99} {
		_, err := p.Gradient(i)
		require.EqualError(t, err, fmt.Sprintf("gradient of input %d: the program (in2 + (in0 * in0)); in1 has 3 inputs", i))
	}
	_, err := MustNew(Add(x, Input(15, Whole))).Gradient(0)
	require.EqualError(t, err, "gradient of input 0: input 16: a program has inputs 0 to 15")
}

// What is shared is worked on once: without that, each of these takes 2^40 steps.
func TestSharedExpressions(t *testing.T) {
	e := x
	for range 40 {
		e = Mul(e, e)
	}
	p, err := New(e)
	require.NoError(t, err)
	code, _ := p.Code()
	require.Len(t, code, 41)
	g, err := p.Gradient(0)
	require.NoError(t, err)
	require.Equal(t, math.Ldexp(1, 40), eval(t, g, 1, 1))
}

// Two expressions that were built apart are the same; where each value is used twice,
// over and over, telling that ends before it has walked 2^100 paths.
func TestExpressionsBuiltApart(t *testing.T) {
	build := func(depth int) Expr {
		e := Input(0, Whole)
		for range depth {
			e = Mul(e, e)
		}
		return e
	}
	p := MustNew(Max(build(5), build(5)))
	code, _ := p.Code()
	require.Len(t, code, 6, "%v", p)
	p = MustNew(Max(build(100), build(100)))
	code, _ = p.Code()
	require.Len(t, code, 102, "%v", p)
}

// Far from 0, and where a condition leaves out what has no derivative, a gradient in
// float32 is the limit and no NaN, as each of these functions has a derivative there.
func TestGradientsAtTheEnds(t *testing.T) {
	one, zero := Const(1), Const(0)
	for _, c := range []struct {
		e         Expr
		low, high float64 // of the derivative, far below and far above 0
	}{
		{Sigmoid(x), 0, 0},
		{Div(one, Add(one, Exp(Neg(x)))), 0, 0},
		{Softplus(x), 0, 1},
		{Log(Add(one, Exp(x))), 0, 1},
		{Mul(x, Sigmoid(x)), 0, 1},
		{Div(x, Add(one, Exp(Neg(x)))), 0, 1},
		{Mul(x, Tanh(Softplus(x))), 0, 1},
		{Sqrt(Max(x, zero)), 0, 0},
		{Log(Max(x, one)), 0, 0},
		{Sqrt(Mul(Max(x, zero), Max(x, zero))), math.NaN(), 1},
		{Select(Less(x, zero), Sub(Exp(Min(x, zero)), one), x), 0, 1},
	} {
		g := gradient(t, 0, c.e)
		for _, v := range []float32{-1e30, -1e4, -100, -89} {
			require.InDelta(t, c.low, float32s(g, v, 1), 0.2, "%v at %g", c.e, v)
		}
		for _, v := range []float32{89, 100, 1e4, 1e18} {
			require.InDelta(t, c.high, float32s(g, v, 1), 0.2, "%v at %g", c.e, v)
		}
	}
	require.Equal(t, 0.5, eval(t, gradient(t, 0, Softplus(x)), 0, 1))
	require.Equal(t, 0.0, eval(t, gradient(t, 0, Sqrt(Max(x, zero))), 0, 1))
}

// float32s is the value of a program whose every step is rounded to float32.
func float32s(p *Program, inputs ...float32) float64 {
	code, results := p.Code()
	values := make([]float64, len(code))
	for k, i := range code {
		switch i.Op {
		case OpInput:
			values[k] = float64(inputs[i.Index])
		case OpConst:
			values[k] = float64(i.Value)
		default:
			var x [3]float64
			for j, a := range i.Args[:i.Op.Args()] {
				x[j] = values[a]
			}
			values[k] = float64(float32(Apply(i.Op, x[:]...)))
		}
	}
	return values[results[0]]
}
