package cpu

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

// Rows that are reduced by columns: long and short ones, few and many, with channels that
// are part of the row and such that are not, against plain sums in double precision, and
// with the same bits for any number of workers.
func TestReductionsByColumns(t *testing.T) {
	x, scale := expr.Input(0, expr.Whole), expr.Input(1, expr.Channel)
	for i, v := range []device.View{
		{N: 3, C: 2, Inner: 50001}, {N: rowsOfPart, C: 3, Inner: 3001}, {N: rowsOfPart + 1, C: 2, Inner: 1030},
		{N: 9, C: rowsOfPart, Inner: 1500}, {N: 5, C: 2*rowsOfPart + 3, Inner: 333}, {N: 2, C: 3, Inner: 2*wide + 1},
	} {
		values, factors := make([]float32, v.Elements(expr.Whole)), make([]float32, v.C)
		for k := range values {
			values[k] = float32(k*7919%1009)/512 - 1
		}
		for k := range factors {
			factors[k] = 1 + float32(k%3)
		}
		for _, axes := range []expr.Axes{expr.C | expr.Inner, expr.Pixel, expr.Inner} {
			for k, e := range []expr.Expr{x, expr.Mul(x, scale), expr.Exp(x)} {
				if k != i%3 && k != 0 {
					continue
				}
				p := expr.MustNew(e)
				for _, op := range []device.ReduceOp{device.Sum, device.Max} {
					name := fmt.Sprintf("view %d, %v, %v, op %d", i, axes, p, op)
					want := columnsByHand(p, v, axes, op, values, factors)
					var first []uint32
					for _, workers := range []int{1, 3} {
						got := reduceOn(t, workers, p, v, axes, op, values, factors)
						for k, w := range want {
							if !(math.Abs(w-float64(got[k])) <= 1e-5*(1+math.Abs(w))) { // require on each takes seconds
								require.InDelta(t, w, got[k], 1e-5*(1+math.Abs(w)), "%s, result %d", name, k)
							}
						}
						if first == nil {
							first = bits(got)
						}
						require.Equal(t, first, bits(got), name)
					}
				}
			}
		}
	}
}

// columnsByHand is the reduction, added to 3.
func columnsByHand(p *expr.Program, v device.View, axes expr.Axes, op device.ReduceOp, values, factors []float32) []float64 {
	out := make([]float64, v.Elements(axes))
	for k := range out {
		out[k] = map[device.ReduceOp]float64{device.Sum: 0, device.Max: math.Inf(-1)}[op]
	}
	sn, sc, si := v.Strides(axes)
	y := make([]float64, 1)
	for n := range v.N {
		for c := range v.C {
			for i := range v.Inner {
				p.Eval(y, expr.Element{Inputs: []float64{float64(values[(n*v.C+c)*v.Inner+i]), float64(factors[c])}})
				if at := n*sn + c*sc + i*si; op == device.Max {
					out[at] = max(out[at], y[0])
				} else {
					out[at] += y[0]
				}
			}
		}
	}
	for k := range out {
		out[k] += 3
	}
	return out
}

// reduceOn is the same on a device.
func reduceOn(t *testing.T, workers int, p *expr.Program, v device.View, axes expr.Axes, op device.ReduceOp, values, factors []float32) []float32 {
	d, err := New(workers)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	q, err := d.NewQueue()
	require.NoError(t, err)
	in := []device.Tensor{ones(t, d, len(values)), ones(t, d, len(factors))}
	copy(floats(in[0]), values)
	copy(floats(in[1]), factors)
	out := ones(t, d, v.Elements(axes))
	q.Fill(out, 3)
	q.Reduce(p, v, op, axes, out, in, device.Accumulate, device.Random{})
	require.NoError(t, q.Sync())
	return append([]float32(nil), floats(out)...)
}

// A reduction has room for a program with as many inputs, each read twice, as there may be,
// where rows are long, where they are short, and where one result is that of several rows.
func TestReductionsOfManyInputs(t *testing.T) {
	inputs := expr.MaxInputs
	sum := expr.Expr(expr.Input(0, expr.Whole))
	for i := 1; i < inputs; i++ {
		sum = expr.Add(sum, expr.Input(i, expr.Channel))
	}
	product := sum // of values that are all kept, each in a slot
	values := make([]expr.Expr, inputs)
	for i := range values {
		values[i] = expr.Sub(sum, expr.Mul(expr.Input(0, expr.Whole), expr.Const(float32(i+2))))
	}
	for i := range values {
		product = expr.Add(expr.Mul(product, expr.Const(0.5)), expr.Mul(values[i], values[inputs-1-i]))
	}
	for i := range values {
		product = expr.Add(product, expr.Mul(values[i], values[(i+5)%inputs]))
	}
	p := expr.MustNew(product)
	for _, v := range []device.View{{N: 2, C: 3, Inner: 2*grain + 5}, {N: 2, C: 3, Inner: shortRun}, {N: 2, C: 3, Inner: 5}, {N: 3, C: 40, Inner: 1}} {
		for _, axes := range []expr.Axes{expr.One, expr.N, expr.C, expr.N | expr.C, expr.Inner, expr.Pixel, expr.C | expr.Inner} {
			d, err := New(1) // no scratch memory of calls before
			require.NoError(t, err)
			q, err := d.NewQueue()
			require.NoError(t, err)
			in := []device.Tensor{ones(t, d, v.Elements(expr.Whole))}
			element := expr.Element{Inputs: []float64{1}}
			for range inputs - 1 {
				in, element.Inputs = append(in, ones(t, d, v.C)), append(element.Inputs, 1)
			}
			y := make([]float64, 1)
			p.Eval(y, element)
			out := ones(t, d, v.Elements(axes))
			q.Reduce(p, v, device.Max, axes, out, in, device.Overwrite, device.Random{})
			require.NoError(t, q.Sync())
			for _, got := range floats(out) {
				require.Equal(t, float32(y[0]), got, "%v to %v", v, axes)
			}
			require.NoError(t, d.Close())
		}
	}
}
