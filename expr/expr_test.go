package expr

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

var x, y = Input(0, Whole), Input(1, Channel)

func eval(t *testing.T, p *Program, inputs ...float64) float64 {
	t.Helper()
	out := []float64{math.NaN()}
	p.Eval(out, Element{Inputs: inputs, C: 3, Inner: 5, Draws: []uint32{1 << 31, 0xffffffff}})
	return out[0]
}

func TestSimplify(t *testing.T) {
	zero, one := Const(0), Const(1)
	for want, e := range map[string]Expr{
		"in0":                       Add(x, zero),
		"(in0 - in1)":               Add(x, Neg(y)),
		"(in0 + in1)":               Sub(x, Neg(y)),
		"(2 * in0)":                 Mul(x, Const(2)),
		"0":                         Mul(x, zero),
		"(0.25 * in0)":              Div(x, Const(4)),
		"(in0 / 3)":                 Div(x, Const(3)),
		"7":                         Add(Const(3), Mul(Const(2), Const(2))),
		"in1":                       Select(Less(one, zero), x, y),
		"max(in0, 0)":               Max(Neg(Neg(x)), zero),
		"select((in0 < 0), 1, in1)": Select(Less(x, zero), one, y),
		"tanh(in0)":                 Select(Less(x, y), Tanh(x), Tanh(Input(0, Whole))),
	} {
		p := MustNew(e)
		require.Equal(t, want, p.String())
	}
}

func TestProgram(t *testing.T) {
	e := Exp(Mul(x, x))
	p := MustNew(Add(e, Exp(Mul(Input(0, Whole), x))), y)
	code, results := p.Code()
	require.Len(t, code, 5, "equal expressions are computed once")
	require.Equal(t, []int{3, 4}, results)
	require.Equal(t, []Axes{Whole, Channel}, p.Inputs())
	require.True(t, p.Uses(1))
	require.False(t, p.Uses(2))
	require.Equal(t, 2, p.Outputs())
	require.Equal(t, p.Hash(), MustNew(Add(e, e), y).Hash())
	require.NotEqual(t, p.Hash(), MustNew(Sub(e, Const(1)), y).Hash())
	require.NotEqual(t, MustNew(x).Hash(), MustNew(Input(0, Channel)).Hash())
	require.Equal(t, "[N,C,Inner] [C] []", Whole.String()+" "+Channel.String()+" "+One.String())

	require.Equal(t, 0.5, eval(t, MustNew(Draw(0))))
	require.Equal(t, 1-math.Ldexp(1, -24), eval(t, MustNew(Draw(1))))
	require.Equal(t, 2, MustNew(Draw(1)).Draws())

	for want, outputs := range map[string][]Expr{
		"a program has 1 to 4 outputs, not 0":                {},
		"input 0 is used with axes [N,C,Inner] and with [C]": {Add(x, Input(0, Channel))},
		"input 16: a program has inputs 0 to 15":             {Input(16, Whole)},
		"input -1: a program has inputs 0 to 15":             {Input(-1, Whole)},
		"draw -1: they count from 0":                         {Draw(-1)},
		"probability -0.1: it must be from 0 to 1":           {Select(Bernoulli(0, -0.1), x, y)},
		"probability 1.5: it must be from 0 to 1":            {Select(Bernoulli(0, 1.5), x, y)},
		"probability NaN: it must be from 0 to 1":            {Select(Bernoulli(0, float32(math.NaN())), x, y)},
		"a program of more than 256 instructions": {func() Expr {
			e := x
			for range 300 {
				e = Exp(e)
			}
			return e
		}()},
	} {
		_, err := New(outputs...)
		require.EqualError(t, err, want)
	}
}

// NaN and infinity go through as the package says.
// 0 and -0 are two constants, and so are numbers and NaN.
func TestConstantsByTheirBits(t *testing.T) {
	negative := float32(math.Copysign(0, -1))
	p := MustNew(Div(x, Const(0)), Div(x, Const(negative)))
	out := make([]float64, 2)
	p.Eval(out, Element{Inputs: []float64{1}})
	require.Equal(t, []float64{math.Inf(1), math.Inf(-1)}, out)
	require.NotEqual(t, MustNew(Const(0)).Hash(), MustNew(Const(negative)).Hash())

	nan := Const(float32(math.NaN()))
	p = MustNew(Add(x, nan), Sub(x, nan), Add(x, Const(1)))
	code, _ := p.Code()
	require.Len(t, code, 6, "a NaN is computed once")
}

// A division by a power of two is a product, where that is the same float32.
func TestDivisionByPowersOfTwo(t *testing.T) {
	for divisor, want := range map[float32]string{
		0x1p-149: "(in0 / 1e-45)", 0x1p-126: "(in0 / 1.1754944e-38)", 0x1p-100: "(1.2676506e+30 * in0)", 0x1p100: "(7.888609e-31 * in0)", 0x1p127: "(in0 / 1.7014118e+38)",
		-0.5: "(-2 * in0)", 0: "(in0 / 0)", 3: "(in0 / 3)",
	} {
		p := MustNew(Div(x, Const(divisor)))
		require.Equal(t, want, p.String())
		require.Equal(t, 0x1p-140/float64(divisor), eval(t, p, 0x1p-140))
	}
}

// A formula has a bounded length, though a value that is used twice is written twice.
func TestLongFormula(t *testing.T) {
	e := x
	for range 200 {
		e = Mul(e, Add(e, Const(1)))
		if p, err := New(e); err == nil {
			require.LessOrEqual(t, len(p.String()), longestFormula+3)
		}
	}
	p := MustNew(Mul(Mul(x, x), Mul(x, x)))
	require.Equal(t, "((in0 * in0) * (in0 * in0))", p.String())
}

func TestNotANumber(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	require.True(t, math.IsNaN(eval(t, MustNew(Max(x, y)), nan, 1)))
	require.True(t, math.IsNaN(eval(t, MustNew(Min(x, y)), 1, nan)))
	for _, c := range []Condition{Less(x, y), LessEqual(x, y), Equal(x, y)} {
		require.Equal(t, 2.0, eval(t, MustNew(Select(c, Const(1), Const(2))), nan, nan))
	}
	require.Equal(t, inf, eval(t, MustNew(Exp(x)), 1000))
	require.Equal(t, -inf, eval(t, MustNew(Log(x)), 0))
	require.True(t, math.IsNaN(eval(t, MustNew(Sqrt(x)), -1)))
	require.True(t, math.IsNaN(eval(t, MustNew(Const(float32(nan))))))
	require.Equal(t, inf, eval(t, MustNew(Div(x, y)), 1, 0))
}

// gradient is the gradient of a short program.
func gradient(t *testing.T, i int, outputs ...Expr) *Program {
	g, err := MustNew(outputs...).Gradient(i)
	require.NoError(t, err)
	return g
}

func TestGradientFormulas(t *testing.T) {
	for want, e := range map[string]Expr{
		"select((0 < in0), in1, 0)": Max(x, Const(0)),
		"(0.5 * in1)":               Div(x, Const(2)),
		"in1":                       Sub(x, Draw(0)),
		"(in1 * exp(in0))":          Exp(x),
	} {
		require.Equal(t, want, gradient(t, 0, Select(Less(Const(0), Const(1)), e, x), Mul(x, Const(0))).String())
	}
	g := gradient(t, 1, Mul(x, y))
	require.Equal(t, "(in2 * in0)", g.String())
	require.Equal(t, []Axes{Whole, Channel, Whole}, g.Inputs())
	require.False(t, g.Uses(1))
	two := gradient(t, 0, Mul(x, x), Exp(x))
	require.Len(t, two.Inputs(), 3)
	require.InDelta(t, 0.5*2*3+0.25*math.Exp(3), eval(t, two, 3, 0.5, 0.25), 1e-12)
	long := x
	for range 200 {
		long = Tanh(long)
	}
	_, err := MustNew(long).Gradient(0)
	require.EqualError(t, err, "gradient of input 0: a program of more than 256 instructions")
}

// random is an expression of at most depth operations one inside the other.
func random(r *rand.Rand, depth int) Expr {
	if depth == 0 || r.IntN(8) == 0 {
		switch r.IntN(4) {
		case 0:
			return x
		case 1:
			return y
		case 2:
			return Draw(r.IntN(2))
		}
		return Const(float32(r.IntN(9)-4) / 2)
	}
	a, b := random(r, depth-1), random(r, depth-1)
	switch r.IntN(13) {
	case 0:
		return Sub(a, b)
	case 1:
		return Mul(a, b)
	case 2:
		return Div(a, Add(Const(1.5), Abs(b)))
	case 3:
		return Min(a, b)
	case 4:
		return Max(a, b)
	case 5:
		return Abs(a)
	case 6:
		return Sqrt(Add(Const(1), Abs(a)))
	case 7:
		return Exp(Min(a, Const(2)))
	case 8:
		return Log(Add(Const(1), Abs(a)))
	case 9:
		return Tanh(a)
	case 10:
		return Erf(a)
	case 11:
		return Select(Less(a, b), random(r, depth-1), b)
	}
	return Add(a, b)
}

// Symbolic gradients against central differences, where the function is smooth.
func TestGradient(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	held := 0
	for range 2000 {
		p, err := New(random(r, 4))
		if err != nil {
			continue
		}
		for len(p.inputs) < 2 {
			p.inputs, p.used = append(p.inputs, Whole), append(p.used, false)
		}
		at := []float64{r.NormFloat64(), r.NormFloat64()}
		for i := range at {
			g, err := p.Gradient(i)
			require.NoError(t, err)
			got := eval(t, g, at[0], at[1], 1)
			slope := func(h float64) float64 {
				low, high := [2]float64(at), [2]float64(at)
				low[i] -= h
				high[i] += h
				return (eval(t, p, high[0], high[1]) - eval(t, p, low[0], low[1])) / (2 * h)
			}
			want := slope(1e-6)
			if math.Abs(want-slope(1e-5)) > 1e-5*(1+math.Abs(want)) || math.IsInf(want, 0) || math.IsNaN(want) {
				continue // a corner is near
			}
			held++
			require.InDelta(t, want, got, 1e-4*(1+math.Abs(want)), "input %d of %v at %v: %v", i, p, at, g)
		}
	}
	require.Greater(t, held, 3000)
}

// A step is uniform that follows from constants and from inputs without the axes.
func TestUniform(t *testing.T) {
	one, segment, whole := Input(0, One), Input(1, Channel), Input(2, Whole)
	rate := Mul(Const(3), one)
	p := MustNew(Add(Mul(Mul(rate, segment), whole), Mul(one, Draw(0))))
	var formulas [3][]string
	for i, axes := range []Axes{Whole, N | Inner, C} {
		code, _ := p.Code()
		for k, u := range p.Invariant(axes) {
			if u {
				formulas[i] = append(formulas[i], names[code[k].Op]+code[k].Axes.String())
			}
		}
	}
	require.Equal(t, []string{"[]", "[]", "*[]"}, formulas[0])               // 3, one, rate
	require.Equal(t, []string{"[]", "[]", "*[]", "[C]", "*[]"}, formulas[1]) // and the segment's, and their product
	require.Equal(t, formulas[0], formulas[2])
}

// Integers and indices are numbers like others, but nothing flows back into them.
func TestIntegersAndIndices(t *testing.T) {
	label, channel, pixel := Integer(1, Sample), Index(C), Index(Inner)
	p := MustNew(Select(Equal(label, channel), x, pixel))
	require.Equal(t, "select((in1 == index[C]), in0, index[Inner])", p.String())
	require.Equal(t, []bool{false, true, false}, []bool{p.Integer(0), p.Integer(1), p.Integer(2)})
	require.True(t, p.Indexes())
	require.False(t, MustNew(x).Indexes())
	for c, want := range map[int]float64{3: 7, 2: 5} {
		var out [1]float64
		p.Eval(out[:], Element{Inputs: []float64{7, 3}, C: c, Inner: 5})
		require.Equal(t, want, out[0])
	}
	dx, err := p.Gradient(0)
	require.NoError(t, err)
	require.Equal(t, "select((in1 == index[C]), in2, 0)", dx.String())
	require.True(t, dx.Integer(1))
	dlabel, err := p.Gradient(1)
	require.NoError(t, err)
	require.Equal(t, "0", dlabel.String())

	require.Equal(t, []bool{false, false, false}, MustNew(Add(channel, label)).Invariant(C | N)[:3])
	require.Equal(t, []bool{true, true, true}, MustNew(Add(channel, label)).Invariant(Inner)[:3])
	require.NotEqual(t, MustNew(Integer(0, Whole)).Hash(), MustNew(x).Hash())
	_, identity := MustNew(Integer(0, Whole)).Identity()
	require.False(t, identity, "its bits are others")
	_, err = New(Add(Integer(0, Whole), x))
	require.EqualError(t, err, "input 0 is used as float32 and as int32")
	_, err = New(x, Expr{})
	require.EqualError(t, err, "output 1 is no expression")
	_, err = New(Index(N))
	require.EqualError(t, err, "an index along the axes [N]: it is along [C] or [Inner]")
}
