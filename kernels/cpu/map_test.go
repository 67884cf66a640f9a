package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/expr/exprtest"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

// programCase is a random program over a view that takes several workers, with its
// inputs.
type programCase struct {
	p    *expr.Program
	v    device.View
	axes expr.Axes // of the results of a Reduce
	op   device.ReduceOp
	in   [][]float32
}

func randomCase(seed uint64) (c programCase) {
	r := rand.New(rand.NewPCG(seed, 1))
	c.v = []device.View{{N: 1, C: 1, Inner: 70001}, {N: 37, C: 1531, Inner: 1}, {N: 5, C: 3, Inner: 4099}, {N: 4099, C: 5, Inner: 3},
		{N: 8, C: 171, Inner: 49}, {N: 3, C: 131, Inner: 196}, {N: 211, C: 3, Inner: 128}, {N: 131, C: 4, Inner: 300}, {N: 9, C: 401, Inner: 21}}[seed%9]
	c.axes, c.op = expr.Axes(seed*5%8), device.ReduceOp(r.IntN(2))
	inputs := []expr.Expr{expr.Input(0, expr.Whole), expr.Input(1, expr.Axes(r.IntN(8))), expr.Input(2, expr.Axes(r.IntN(8)))}
	c.p = expr.MustNew(exprtest.Expression(r, inputs, 1+r.IntN(8)))
	for _, axes := range c.p.Inputs() {
		x := make([]float32, c.v.Elements(axes))
		for i := range x {
			x[i] = 4*r.Float32() - 2
		}
		c.in = append(c.in, x)
	}
	return c
}

// run computes the program, and reduces it. In place, the output of Map is the first
// input, if it has that.
func (c *programCase) run(t *testing.T, q device.Queue, d *Device, inPlace bool) (mapped, reduced []float32) {
	alloc := func(values []float32) device.Tensor {
		x := ones(t, d, len(values))
		copy(floats(x), values)
		return x
	}
	var in []device.Tensor
	for _, x := range c.in {
		in = append(in, alloc(x))
	}
	random := device.Random{Seed: 3, Stream: 5}
	results := alloc(make([]float32, c.v.Elements(c.axes)))
	q.Reduce(c.p, c.v, c.op, c.axes, results, in, device.Overwrite, random)
	out := alloc(make([]float32, c.v.Elements(expr.Whole)))
	if inPlace && c.p.Uses(0) {
		out = in[0]
	}
	q.Map(c.p, c.v, []device.Tensor{out}, in, []device.Mode{device.Overwrite}, random)
	require.NoError(t, q.Sync())
	return floats(out), floats(results)
}

func bits(x []float32) []uint32 {
	b := make([]uint32, len(x))
	for i, v := range x {
		b[i] = math.Float32bits(v)
	}
	return b
}

// What programs compute depends neither on the number of workers, nor on whether the
// output is an input, nor on what other queues do meanwhile; and not on the path
// either, but for the order of sums.
func TestProgramsSameBits(t *testing.T) {
	for seed := range uint64(18) {
		c := randomCase(seed)
		var mapped, reduced []uint32
		for _, tile := range gemm.Tiles() {
			t.Setenv("HUBEL_CPU", tile.Name)
			reduced = nil
			for _, workers := range []int{1, 3} {
				d, err := New(workers)
				require.NoError(t, err)
				var queues sync.WaitGroup
				var results [2][2][]uint32
				for k := range results {
					q, err := d.NewQueue()
					require.NoError(t, err)
					queues.Go(func() {
						m, r := c.run(t, q, d, k == 1)
						results[k] = [2][]uint32{bits(m), bits(r)}
					})
				}
				queues.Wait()
				require.NoError(t, d.Close())
				for k, r := range results {
					what := fmt.Sprintf("seed %d, %v over %v to %v on %s, %d workers, in place %v", seed, c.p, c.v, c.axes, tile.Name, workers, k == 1)
					if mapped == nil {
						mapped = r[0]
					}
					if reduced == nil {
						reduced = r[1]
					}
					require.True(t, slices.Equal(mapped, r[0]), "map: %s", what)
					require.True(t, slices.Equal(reduced, r[1]), "reduce: %s", what)
				}
			}
		}
	}
}

// Programs that are the same are kept once, whoever makes them, and also where one has
// inputs besides that it does not use.
func TestProgramsAreKeptOnce(t *testing.T) {
	d, err := New(1)
	require.NoError(t, err)
	defer d.Close()
	q, err := d.NewQueue()
	require.NoError(t, err)
	x, y := ones(t, d, 3), ones(t, d, 3)
	for range 10 {
		in := expr.Input(1, expr.Whole)
		square := expr.MustNew(expr.Mul(in, in))
		gradient, err := expr.MustNew(expr.Mul(in, expr.Const(2)), in).Gradient(1)
		require.NoError(t, err)
		v := device.View{N: 1, C: 1, Inner: 3}
		q.Map(square, v, []device.Tensor{y}, []device.Tensor{{}, x}, []device.Mode{device.Accumulate}, device.Random{})
		q.Map(gradient, v, []device.Tensor{y}, []device.Tensor{{}, {}, x, x}, []device.Mode{device.Accumulate}, device.Random{})
	}
	require.NoError(t, q.Sync())
	require.Equal(t, []float32{41, 41, 41}, floats(y))
	require.Len(t, q.(*queue).programs, 2)
}

// Inputs that do not change along a row give the bits of such that are spread over all
// elements: rows long and short, whole blocks and tails, in place and added, reduced to
// each of the axes.
func TestRowsAreSpread(t *testing.T) {
	x, b := expr.Input(0, expr.Whole), func(axes expr.Axes) expr.Expr { return expr.Input(1, axes) }
	d, err := New(2)
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	q, err := d.NewQueue()
	require.NoError(t, err)
	tensor := func(n, seed int) device.Tensor {
		y := ones(t, d, n)
		values := floats(y)
		for i := range values {
			values[i] = float32((i*7+seed)%23)/16 - 0.7
		}
		return y
	}
	for _, v := range []device.View{
		{N: 3, C: 2, Inner: longRow}, {N: 2, C: 3, Inner: longRow + 1}, {N: 2, C: 2, Inner: 2*grain + 70}, {N: 1, C: 5, Inner: 4099},
		{N: 6, C: 2, Inner: longRow - 1}, {N: 9, C: 3, Inner: shortRun + 1}, {N: 7, C: 6, Inner: 64}, {N: 30, C: 600, Inner: 1},
	} {
		for _, axes := range []expr.Axes{expr.Channel, expr.N, expr.N | expr.C} {
			n, short := v.Elements(expr.Whole), tensor(v.Elements(axes), 3)
			values := floats(short)
			spread := ones(t, d, n)
			sn, sc, _ := v.Strides(axes)
			all := floats(spread)
			for i := range all {
				row := i / v.Inner
				all[i] = values[row/v.C*sn+row%v.C*sc]
			}
			program := func(b expr.Expr) *expr.Program {
				return expr.MustNew(expr.Max(expr.Mul(expr.Add(x, b), expr.Add(x, b)), expr.Sub(b, expr.Mul(x, expr.Const(3)))))
			}
			rows, whole := program(b(axes)), program(b(expr.Whole))
			for _, inPlace := range []bool{false, true} {
				for _, mode := range []device.Mode{device.Overwrite, device.Accumulate} {
					run := func(p *expr.Program, b device.Tensor) []uint32 {
						in := tensor(n, 5)
						out := in
						if !inPlace {
							out = tensor(n, 11)
						}
						q.Map(p, v, []device.Tensor{out}, []device.Tensor{in, b}, []device.Mode{mode}, device.Random{})
						require.NoError(t, q.Sync())
						return bits(floats(out))
					}
					require.Equal(t, run(whole, spread), run(rows, short), "map %v of %v, in place %v, mode %v", axes, v, inPlace, mode)
				}
			}
			for _, to := range []expr.Axes{expr.C | expr.Inner, expr.Pixel, expr.Inner, expr.N | expr.C, expr.C, expr.N, expr.One} {
				for _, op := range []device.ReduceOp{device.Sum, device.Max} {
					run := func(p *expr.Program, b device.Tensor) []float32 {
						out := tensor(v.Elements(to), 1)
						q.Reduce(p, v, op, to, out, []device.Tensor{tensor(n, 5), b}, device.Overwrite, device.Random{})
						require.NoError(t, q.Sync())
						return floats(out)
					}
					want, got := run(whole, spread), run(rows, short)
					for i := range want { // sums may be cut otherwise
						if !(math.Abs(float64(want[i]-got[i])) <= 2e-5*math.Abs(float64(1+want[i]))) {
							require.InEpsilon(t, 1+want[i], 1+got[i], 2e-5, "reduce %v of %v to %v, op %v, result %d", axes, v, to, op, i)
						}
					}
				}
			}
		}
	}
}
