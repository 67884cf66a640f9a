package devicetest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/expr/exprtest"
)

// optimiser is a program in a case of an update. Output k lies on input on[k], or on
// none where that is -1.
type optimiser struct {
	program
	on []int
}

// optimisers are steps of SGD, and of optimisers that keep more of each weight and want
// roots, comparisons and functions.
func optimisers() []optimiser {
	slab := func(i int) expr.Expr { return expr.Input(i, expr.Whole) }
	one := func(i int) expr.Expr { return expr.Input(i, expr.One) }
	each := func(i int) expr.Expr { return expr.Input(i, expr.Channel) } // segment
	c := expr.Const
	w, dw, v, u := slab(0), slab(1), slab(2), slab(3)

	next := func(dw expr.Expr) expr.Expr {
		return expr.Sub(expr.Mul(c(0.9), v), expr.Mul(expr.Mul(one(4), each(3)), expr.Add(dw, expr.Mul(each(5), w))))
	}
	norm := expr.Div(c(2.5), expr.Sqrt(one(6)))
	clipped := next(expr.Mul(dw, expr.Select(expr.LessEqual(c(1), norm), c(1), norm)))
	nesterov := expr.Add(w, expr.Add(clipped, expr.Mul(c(0.9), expr.Sub(clipped, v))))
	factors := []fill{uniform, uniform, uniform, between(0, 2), these[float32](0.01), between(0, 0.1)}
	of := func(norm2 float32) []fill { return append(slices.Clone(factors), these(norm2)) }

	m := expr.Add(expr.Mul(c(0.9), v), expr.Mul(c(0.1), dw))
	s := expr.Add(expr.Mul(c(0.999), u), expr.Mul(c(0.001), expr.Mul(dw, dw)))
	adam := expr.Sub(w, expr.Div(expr.Mul(one(4), m), expr.Add(expr.Sqrt(s), c(1e-8))))
	sign := func(x expr.Expr) expr.Expr {
		return expr.Select(expr.Less(x, c(0)), c(-1), expr.Select(expr.Less(c(0), x), c(1), c(0)))
	}
	lion := expr.Sub(w, expr.Mul(one(4), sign(expr.Add(expr.Mul(c(0.9), v), expr.Mul(c(0.1), dw)))))
	return []optimiser{
		{program{"sgd", expr.MustNew(expr.Sub(w, expr.Mul(one(4), dw))), factors[:5]}, []int{0}},
		{program{"momentum", expr.MustNew(expr.Add(w, next(dw)), next(dw)), factors}, []int{0, 2}},
		{program{"nesterov clipped", expr.MustNew(nesterov, clipped), of(100)}, []int{0, 2}},
		{program{"nesterov of norm² 3", expr.MustNew(nesterov, clipped), of(3)}, []int{0, 2}},
		{program{"nesterov of norm² 6.25", expr.MustNew(nesterov, clipped), of(6.25)}, []int{0, 2}},
		{program{"nesterov of norm² 0", expr.MustNew(nesterov, clipped), of(0)}, []int{0, 2}},
		{program{"nesterov of norm² NaN", expr.MustNew(nesterov, clipped), []fill{uniform, uniform, uniform, between(1, 2), these[float32](0.01), uniform, special}}, []int{0, 2}},
		{program{"adam", expr.MustNew(adam, m, s), []fill{uniform, uniform, uniform, positive, these[float32](0.001)}}, []int{0, 2, 3}},
		{program{"lion", expr.MustNew(lion, expr.Add(expr.Mul(c(0.99), v), expr.Mul(c(0.01), dw))), []fill{uniform, uniform, uniform, nil, these[float32](0.001)}}, []int{0, 2}},
		{program{"weights of e^x", expr.MustNew(expr.Mul(w, expr.Exp(expr.Mul(each(1), slab(2))))), []fill{uniform, uniform, uniform}}, []int{0}},
		{program{"apart", expr.MustNew(expr.Add(w, dw), w, expr.Mul(dw, each(2)), expr.Exp(one(3))), []fill{uniform, uniform, uniform, uniform}}, []int{-1, -1, -1, -1}},
		{program{"crossed", expr.MustNew(expr.Sub(dw, v), v, dw), []fill{nil, uniform, uniform}}, []int{-1, 1, 2}},
	}
}

// momentum is that of SGD.
func momentum() optimiser { return optimisers()[1] }

// Updates are the programs of the cases of Update, random ones apart.
func Updates() []*expr.Program {
	var all []*expr.Program
	for _, o := range optimisers() {
		all = append(all, o.p)
	}
	return all
}

// layouts are segments that are one, ragged and in another order in the gradients than
// in the weights, with gaps; empty; and many.
func layouts() [][]device.Segment {
	parts := []device.Segment{
		{Weight: 3, Grad: 700, Len: 100},
		{Weight: 103, Grad: 0, Len: 1},
		{Weight: 128, Grad: 64, Len: 333},
		{Weight: 800, Grad: 500, Len: 199},
		{Weight: 500, Grad: 900, Len: 17},
	}
	empty := []device.Segment{{Weight: 3}, {Weight: 3, Grad: 9}}
	var many []device.Segment
	for i := range 300 {
		many = append(many, device.Segment{Weight: 16 * i, Grad: 16 * (299 - i), Len: i % 17})
	}
	return [][]device.Segment{
		{{Len: 5000}}, parts, {{Len: 1}}, nil, empty,
		slices.Concat(empty, parts[:2], empty, parts[2:], empty), many,
		{{Weight: 64, Grad: 128, Len: 8192}, {Weight: 8257, Grad: 8321, Len: 4097}},
	}
}

func updateCases(o Options) []Case {
	var cases []Case
	for i, p := range optimisers() {
		for k, segments := range layouts() {
			if k == 1 || (i+k)%3 == 0 {
				cases = append(cases, updateCase(p, k, segments))
			}
		}
	}
	r := rand.New(rand.NewPCG(o.Seed, 2))
	n := o.Random
	if n == 0 {
		n = 12
	}
	for i := range 2 * n {
		k := r.IntN(len(layouts()))
		cases = append(cases, updateCase(randomOptimiser(r, i), k, layouts()[k]))
	}
	return cases
}

// randomOptimiser has one to three outputs of up to 12 operations, on inputs or apart.
func randomOptimiser(r *rand.Rand, i int) optimiser {
	for {
		inputs := make([]expr.Axes, 1+r.IntN(6))
		fills := make([]fill, len(inputs))
		for k := range inputs {
			inputs[k] = []expr.Axes{expr.Whole, expr.Whole, expr.Channel, expr.One}[r.IntN(4)]
			fills[k] = []fill{uniform, between(-9, 9), coarse, special}[r.IntN(4)]
		}
		leaves := make([]expr.Expr, len(inputs))
		for k, axes := range inputs {
			leaves[k] = expr.Input(k, axes)
		}
		outputs := make([]expr.Expr, 1+r.IntN(3))
		for k := range outputs {
			outputs[k] = exprtest.Expression(r, leaves, 1+r.IntN(12))
		}
		p, err := expr.New(outputs...)
		if err != nil || p.Draws() > 0 {
			continue
		}
		on := make([]int, len(outputs))
		for k := range on {
			on[k] = -1
			if i := min(k, 1) + r.IntN(len(inputs)); (i == 0) == (k == 0) && i < len(p.Inputs()) && p.Uses(i) && inputs[i] == expr.Whole && !slices.Contains(on[:k], i) {
				on[k] = i
			}
		}
		return optimiser{program{fmt.Sprintf("random %d", i), p, fills[:len(p.Inputs())]}, on}
	}
}

func updateCase(o optimiser, layout int, segments []device.Segment) Case {
	slabs := device.Segment{Weight: 16, Grad: 16}
	for _, s := range segments {
		slabs.Weight, slabs.Grad = max(slabs.Weight, s.Weight+s.Len+5), max(slabs.Grad, s.Grad+s.Len+5)
	}
	n := len(o.p.Inputs())
	args := make([]arg, n, n+len(o.on))
	for i, axes := range o.p.Inputs() {
		length := 1
		switch axes {
		case expr.Whole:
			length = slabs.At(i)
		case expr.Channel:
			length = len(segments)
		}
		name := fmt.Sprintf("in%d", i)
		args[i] = input(name, tensor.Shape{length}, o.fills[i])
		if slices.Contains(o.on, i) {
			args[i] = updated(name, tensor.Shape{length}, o.fills[i], measured)
		}
		args[i] = args[i].when(o.p.Uses(i) && length > 0)
	}
	for k, i := range o.on {
		args = append(args, updated(fmt.Sprintf("out%d", k), tensor.Shape{slabs.At(k)}, uniform, measured).when(i < 0))
	}
	outputs := func(b *Bound) []device.Tensor {
		out := slices.Clone(b.t[n:])
		for k, i := range o.on {
			if i >= 0 {
				out[k] = b.t[i]
			}
		}
		return out
	}
	var out []device.Tensor // of the call before
	var of *Bound
	return Case{
		Op:   "update",
		Name: fmt.Sprintf("%s layout %d, %d segments of %d", o.name, layout, len(segments), slabs.Weight),
		args: args,
		call: func(q device.Queue, b *Bound) {
			if of != b {
				of, out = b, outputs(b)
			}
			q.Update(o.p, out, b.t[:n], segments)
		},
		errors: func(b *Bound) {
			results := make([][]float64, len(o.on))
			for k, t := range outputs(b) {
				results[k], _ = reference.Floats(t)
			}
			eachUpdated(o.p, b.t[:n], segments, func(s device.Segment, e int, values []float64, ranges []exprtest.Range) {
				for k, r := range ranges {
					results[k][s.At(k)+e] = inRoundoffs(0, values[k], r, device.Overwrite)
				}
			})
			for k := range results {
				untouched(results[k], segments, k)
			}
		},
	}
}

// untouched allows nothing between the segments of output k.
func untouched(errors []float64, segments []device.Segment, k int) {
	at := 0
	sorted := slices.SortedFunc(slices.Values(segments), func(a, b device.Segment) int { return a.At(k) - b.At(k) })
	for _, s := range append(sorted, device.Segment{Weight: len(errors), Grad: len(errors)}) {
		if s.At(k) > at {
			clear(errors[at:s.At(k)])
		}
		at = max(at, s.At(k)+s.Len)
	}
}

// eachUpdated computes a program for each element of the segments on the reference, and
// what a device may compute.
func eachUpdated(p *expr.Program, in []device.Tensor, segments []device.Segment, do func(s device.Segment, e int, values []float64, ranges []exprtest.Range)) {
	slabs := make([][]float64, len(p.Inputs()))
	for i := range slabs {
		if p.Uses(i) && len(segments) > 0 {
			x, _ := reference.Floats(in[i])
			slabs[i] = slices.Clone(x) // errors are written over it
		}
	}
	inputs, values := make([]float64, len(slabs)), make([]float64, p.Outputs())
	for k, s := range segments {
		for e := range s.Len {
			for i, axes := range p.Inputs() {
				if !p.Uses(i) {
					continue
				}
				switch axes {
				case expr.Whole:
					inputs[i] = slabs[i][s.At(i)+e]
				case expr.Channel:
					inputs[i] = slabs[i][k]
				default:
					inputs[i] = slabs[i][0]
				}
			}
			of := expr.Element{Inputs: inputs}
			p.Eval(values, of)
			do(s, e, values, exprtest.Ranges(p, of))
		}
	}
}
