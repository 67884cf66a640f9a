package devicetest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/expr/exprtest"
)

// mapRandom is the draws of the cases.
var mapRandom = device.Random{Seed: 0x5eed, Stream: 7, Iteration: 3, Sample: 1000}

// program is a program in a case, with what its inputs hold.
type program struct {
	name  string
	p     *expr.Program
	fills []fill
}

// special has NaN, infinities, zeros of both signs, and ties now and then.
var special = sprinkled(sprinkled(sprinkled(sprinkled(coarse, 7, float32(math.NaN())), 9, float32(math.Inf(1))), 9, float32(math.Inf(-1))), 9, float32(math.Copysign(0, -1)))

// A ReLU and its gradient, from y and dy, and dropout and its gradient.
var (
	rectifier         = program{"relu", expr.MustNew(expr.Select(expr.Less(expr.Input(0, expr.Whole), expr.Const(0)), expr.Const(0), expr.Input(0, expr.Whole))), []fill{special}}
	rectifierGradient = program{"gradient of relu", expr.MustNew(expr.Select(expr.Less(expr.Const(0), expr.Input(0, expr.Whole)), expr.Input(1, expr.Whole), expr.Const(0))), []fill{special, special}}
	dropout           = program{"dropout", dropping(0.5, expr.Input(0, expr.Whole)), []fill{special}}
	dropoutGradient   = program{"gradient of dropout", dropping(0.5, expr.Input(1, expr.Whole)), []fill{special, special}}
)

// oneHot is an input where labels of these axes say where along an axis.
func oneHot(labels, axis expr.Axes) *expr.Program {
	return expr.MustNew(expr.Select(expr.Equal(expr.Index(axis), expr.Integer(1, labels)), expr.Input(0, expr.Whole), expr.Const(0)))
}

// dropping is dropout with probability p.
func dropping(p float32, x expr.Expr) *expr.Program {
	return expr.MustNew(expr.Select(expr.Bernoulli(0, p), expr.Const(0), expr.Mul(expr.Const(1/(1-p)), x)))
}

// programs are one for each operation, and some that layers use.
func programs() []program {
	x, b, s := expr.Input(0, expr.Whole), expr.Input(1, expr.Channel), expr.Input(2, expr.Sample)
	y := expr.Input(1, expr.Whole)
	wide := between(-9, 9)
	var all []program
	for _, f := range []struct {
		name string
		of   func(expr.Expr) expr.Expr
		fill fill
	}{
		{"abs", expr.Abs, wide}, {"sqrt", expr.Sqrt, positive}, {"exp", expr.Exp, wide}, {"log", expr.Log, between(0.001, 9)},
		{"tanh", expr.Tanh, wide}, {"erf", expr.Erf, between(-4, 4)}, {"tanh near 0", expr.Tanh, between(-0.01, 0.01)}, {"erf near 0", expr.Erf, between(-0.01, 0.01)},
		{"log near 1", expr.Log, between(0.99, 1.01)}, {"exp of large numbers", expr.Exp, between(-120, 120)},
		{"identity", func(x expr.Expr) expr.Expr { return x }, special},
	} {
		all = append(all, program{f.name, expr.MustNew(f.of(x)), []fill{f.fill}}, program{f.name + " of special numbers", expr.MustNew(f.of(x)), []fill{special}})
	}
	for _, f := range []struct {
		name string
		of   func(a, b expr.Expr) expr.Expr
	}{
		{"add", expr.Add}, {"sub", expr.Sub}, {"mul", expr.Mul}, {"div", expr.Div}, {"min", expr.Min}, {"max", expr.Max},
		{"less", func(a, b expr.Expr) expr.Expr { return expr.Select(expr.Less(a, b), a, expr.Const(5)) }},
		{"less equal", func(a, b expr.Expr) expr.Expr { return expr.Select(expr.LessEqual(a, b), b, expr.Const(5)) }},
		{"equal", func(a, b expr.Expr) expr.Expr { return expr.Select(expr.Equal(a, b), expr.Const(1), expr.Const(5)) }},
	} {
		p := expr.MustNew(f.of(x, y))
		all = append(all, program{f.name, p, []fill{wide, wide}}, program{f.name + " of special numbers", p, []fill{special, special}})
	}
	hardSwish := expr.MustNew(expr.Div(expr.Mul(x, expr.Min(expr.Max(expr.Add(x, expr.Const(3)), expr.Const(0)), expr.Const(6))), expr.Const(6)))
	hardSwishGradient, err := hardSwish.Gradient(0)
	if err != nil {
		panic(err) // it is short
	}
	sigmoid := expr.MustNew(expr.Div(expr.Const(1), expr.Add(expr.Const(1), expr.Exp(expr.Neg(x)))))
	return append(all,
		rectifier, rectifierGradient,
		program{"sigmoid", sigmoid, []fill{between(-120, 120)}},
		program{"sigmoid of special numbers", sigmoid, []fill{special}},
		program{"hard swish", hardSwish, []fill{wide}},
		program{"gradient of hard swish", hardSwishGradient, []fill{wide, uniform}},
		program{"scale and bias", expr.MustNew(expr.Add(expr.Mul(x, s), b)), []fill{uniform, uniform, uniform}},
		program{"pixel and one", expr.MustNew(expr.Add(expr.Mul(x, expr.Input(1, expr.Pixel)), expr.Input(2, expr.One))), []fill{uniform, uniform, uniform}},
		program{"image and map", expr.MustNew(expr.Sub(expr.Input(0, expr.C|expr.Inner), expr.Input(1, expr.N|expr.C))), []fill{uniform, uniform}},
		program{"row", expr.MustNew(expr.Sub(x, expr.Input(1, expr.Inner))), []fill{uniform, uniform}},
		program{"half squares", expr.MustNew(expr.Mul(expr.Const(0.5), expr.Mul(expr.Sub(x, y), expr.Sub(x, y)))), []fill{uniform, uniform}},
		program{"scaled difference", expr.MustNew(expr.Mul(expr.Input(2, expr.One), expr.Sub(x, y))), []fill{uniform, uniform, uniform}},
		program{"a constant", expr.MustNew(expr.Const(2.5)), nil},
		dropout, dropoutGradient,
		program{"dropout of a third", dropping(0.33, x), []fill{uniform}},
		program{"dropout of nearly all", dropping(0.99, x), []fill{uniform}},
		program{"a draw both ways", expr.MustNew(expr.Select(expr.Bernoulli(1, 0.5), expr.Draw(1), expr.Sub(x, expr.Draw(0)))), []fill{uniform}},
		program{"normal noise", expr.MustNew(expr.Add(x, expr.Mul(expr.Const(0.5), expr.Normal(0)))), []fill{uniform}},
		program{"one hot", oneHot(expr.Sample, expr.C), []fill{uniform, labels(0, 3)}},
		program{"one hot of pixels", oneHot(expr.Pixel, expr.C), []fill{uniform, labels(0, 3)}},
		program{"one hot along pixels", oneHot(expr.N|expr.C, expr.Inner), []fill{uniform, labels(0, 5)}},
		program{"large integers", expr.MustNew(expr.Add(x, expr.Integer(1, expr.Whole))), []fill{uniform, these[int32](0, -1, 7, 1<<24, math.MinInt32, 1<<24-1)}},
		program{"an integer", expr.MustNew(expr.Sub(x, expr.Integer(1, expr.One))), []fill{uniform, labels(-9, 9)}},
		program{"indices", expr.MustNew(expr.Add(expr.Mul(expr.Index(expr.Inner), expr.Const(100)), expr.Index(expr.C))), nil},
		program{"two draws", expr.MustNew(expr.Sub(expr.Draw(0), expr.Draw(1))), nil},
		program{"two outputs", expr.MustNew(expr.Add(x, y), expr.Mul(x, y)), []fill{uniform, uniform}},
	)
}

// Programs are those of the cases of Map and Reduce, random ones apart.
func Programs() []*expr.Program {
	var all []*expr.Program
	for _, p := range programs() {
		all = append(all, p.p)
	}
	return all
}

// views are ragged, and of each axis long and short.
var views = []device.View{{N: 2, C: 3, Inner: 5}, {N: 1, C: 1, Inner: 1}, {N: 1, C: 1, Inner: 1031}, {N: 3, C: 70, Inner: 1}, {N: 130, C: 2, Inner: 9}, {N: 1, C: 2, Inner: 1100}, {N: 5, C: 3, Inner: 52}, {N: 2, C: 68, Inner: 1}}

func mapCases(o Options) []Case {
	var all []Case
	for i, p := range programs() {
		of := views
		if len(p.p.Inputs()) < 3 && p.p.Draws() == 0 { // an operation: what the view is matters little
			of = []device.View{views[i%len(views)], views[2]}
		}
		for k, v := range of {
			all = append(all, mapCase(p, v, modes[(i+k)%2]))
		}
	}
	for _, p := range []program{rectifier, dropout, dropoutGradient} { // vectors throughout
		for _, m := range modes {
			all = append(all, mapCase(p, device.View{N: 4, C: 1, Inner: 4096}, m), mapCase(p, device.View{N: 3, C: 1, Inner: 11_003}, m))
		}
	}
	r := rand.New(rand.NewPCG(o.Seed, 1))
	for i := range o.programs() {
		p, v := randomProgram(r, i)
		all = append(all, mapCase(p, v, modes[r.IntN(2)]))
	}
	return append(all, mapInPlace())
}

// programs is the number of random programs.
func (o Options) programs() int {
	if o.Random == 0 {
		return 4 * 12
	}
	return 4 * o.Random
}

// randomProgram is a program of up to 20 operations, over inputs of any axes.
func randomProgram(r *rand.Rand, i int) (program, device.View) {
	for {
		leaves := make([]expr.Expr, 1+r.IntN(4))
		fills := make([]fill, len(leaves))
		for k := range leaves {
			axes := expr.Axes(r.IntN(8))
			leaves[k], fills[k] = expr.Input(k, axes), []fill{uniform, between(-9, 9), coarse, special}[r.IntN(4)]
			if r.IntN(5) == 0 {
				leaves[k], fills[k] = expr.Integer(k, axes), labels(-2, 9)
			}
		}
		if r.IntN(3) == 0 {
			leaves = append(leaves, expr.Index([]expr.Axes{expr.C, expr.Inner}[r.IntN(2)]))
		}
		p, err := expr.New(exprtest.Expression(r, leaves, 1+r.IntN(20)))
		if err != nil { // it is too long
			continue
		}
		v := device.View{N: 1 + r.IntN(6), C: 1 + r.IntN(8), Inner: 1 + r.IntN(30)*r.IntN(30)}
		return program{fmt.Sprintf("random %d", i), p, fills[:len(p.Inputs())]}, v
	}
}

func viewName(v device.View) string { return fmt.Sprintf("[%d,%d,%d]", v.N, v.C, v.Inner) }

// measured is the tolerance of results whose errors a case computes.
var measured = tolerance{ulps: 1}

// inputsOf are the arguments that a program reads.
func inputsOf(p program, v device.View) []arg {
	var args []arg
	for i, axes := range p.p.Inputs() {
		a := input(fmt.Sprintf("in%d", i), tensor.Shape{v.Elements(axes)}, p.fills[i])
		if p.p.Integer(i) {
			a = a.as(device.Int32)
		}
		args = append(args, a.when(p.p.Uses(i)))
	}
	return args
}

func mapCase(p program, v device.View, m device.Mode) Case {
	k := p.p.Outputs()
	args, outModes := make([]arg, k), make([]device.Mode, k)
	for i := range args {
		args[i], outModes[i] = destination(fmt.Sprintf("out%d", i), tensor.Shape{v.Elements(expr.Whole)}, m, measured), m
	}
	return Case{
		Op:   "map",
		Name: fmt.Sprintf("%s %s %v", p.name, viewName(v), m),
		args: append(args, inputsOf(p, v)...),
		call: func(q device.Queue, b *Bound) { q.Map(p.p, v, b.t[:k], b.t[k:], outModes, mapRandom) },
		errors: func(b *Bound) {
			outputs := make([][]float64, k)
			for j := range outputs {
				outputs[j], _ = reference.Floats(b.t[j])
			}
			eachRange(p.p, v, b.t[k:], func(n, c, inner int, values []float64, ranges []exprtest.Range) {
				i := (n*v.C+c)*v.Inner + inner
				for j := range outputs {
					outputs[j][i] = inRoundoffs(outputs[j][i], values[j], ranges[j], m)
				}
			})
		},
	}
}

// inRoundoffs is how far a device may be off that has a range of values, by the mode.
func inRoundoffs(old, value float64, r exprtest.Range, m device.Mode) float64 {
	if r.Any {
		return math.Inf(1)
	}
	e := max(value-r.Low, r.High-value) / unitRoundoff
	switch {
	case e != e: // NaN, or an infinity that is exact
		e = 0
	case math.IsInf(e, 1): // of a range that has no end
		return e
	}
	if m == device.Accumulate {
		e += math.Abs(old) + math.Abs(value)
		if e != e || math.IsInf(e, 0) {
			e = 0
		}
	}
	return e
}

// mapInPlace computes where an input lies, with that input as a second output.
func mapInPlace() Case {
	v := device.View{N: 2, C: 3, Inner: 700}
	y, x := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole)
	p := expr.MustNew(expr.Sub(expr.Mul(x, expr.Const(3)), y), x)
	s := tensor.Shape{v.Elements(expr.Whole)}
	both := []device.Mode{device.Overwrite, device.Overwrite}
	return Case{
		Op:   "map",
		Name: "in place",
		args: []arg{input("y", s, uniform), updated("x", s, uniform, ulps(4, 4)), output("copy", s, exactly)},
		call: func(q device.Queue, b *Bound) { q.Map(p, v, b.t[1:], b.t[:2], both, mapRandom) },
	}
}

// eachRange computes a program for each element of a view on the reference, and what a
// device may compute.
func eachRange(p *expr.Program, v device.View, tensors []device.Tensor, do func(n, c, inner int, values []float64, ranges []exprtest.Range)) {
	inputs, draws, values := make([]float64, len(p.Inputs())), make([]uint32, p.Draws()), make([]float64, p.Outputs())
	in := make([]func(i int) float64, len(inputs))
	for i := range in {
		if p.Uses(i) {
			in[i] = reference.Values(tensors[i])
		}
	}
	for n := range v.N {
		for c := range v.C {
			for inner := range v.Inner {
				for i, axes := range p.Inputs() {
					if p.Uses(i) {
						sn, sc, si := v.Strides(axes)
						inputs[i] = in[i](n*sn + c*sc + inner*si)
					}
				}
				for i := range draws {
					r := mapRandom
					r.Stream += uint32(i)
					draws[i] = r.Uint32(n, c*v.Inner+inner)
				}
				of := expr.Element{Inputs: inputs, C: c, Inner: inner, Draws: draws}
				p.Eval(values, of)
				do(n, c, inner, values, exprtest.Ranges(p, of))
			}
		}
	}
}
