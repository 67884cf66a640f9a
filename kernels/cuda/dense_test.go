package cuda

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// denseCase is a pass of a dense layer.
type denseCase struct {
	device.Dense
	pass     device.Pass
	epilogue epilogue
	bias     bool
	offset   int // of the weights from an aligned address
}

// runDense says what is wrong with a forward pass or a gradient of the data.
func runDense(bn *bench, c denseCase, r *rand.Rand) error {
	g := denseGEMM(c.Dense, c.pass)
	in, w := bn.random(r, g.M*g.K), random(r, c.In*c.Out)
	pin, pw := bn.upload("input", in, 0), bn.upload("weights", w, c.offset)
	var bias []float32
	e := c.epilogue
	if c.bias {
		bias = bn.random(r, c.Out)
		e.bias = bn.upload("bias", bias, 0)
	}
	out, old := bn.guarded("output", g.M*g.N, r, e.beta != 0, 0)
	ws := bn.alloc("scratch", denseScratch(bn.queue.traits, c.Dense, c.pass))
	defer bn.free(pin, pw.Offset(-int64(4*c.offset)), e.bias, out.Offset(-4*guard), ws)
	if c.pass == device.Forward {
		bn.queue.denseForward(c.Dense, e, out, pin, pw, ws)
	} else {
		bn.queue.denseData(c.Dense, e, out, pin, pw, ws)
	}
	if err := bn.queue.Sync(); err != nil {
		return err
	}
	want, bound := gemm(g, e, old, in, w, bias)
	if err := bn.check("output", out, want, bound); err != nil {
		return fmt.Errorf("%v %+v: %w", c.pass, c, err)
	}
	return nil
}

// denseCases has every kernel with full and ragged batches, more and fewer
// outputs than a block makes, and the gradient in one and in several parts.
func denseCases() []denseCase {
	leaky := epilogue{alpha: 1, slope: 0.25}
	add := gradient(device.Accumulate)
	var cases []denseCase
	for _, n := range []int{1, 2, 4, 5, 16} {
		cases = append(cases,
			denseCase{Dense: device.Dense{N: n, In: 132, Out: 36}, epilogue: leaky, bias: true},
			denseCase{Dense: device.Dense{N: n, In: 4, Out: 4}, epilogue: epilogue{alpha: 1, slope: 0}},
			denseCase{Dense: device.Dense{N: n, In: 260, Out: 20}, epilogue: noEpilogue, bias: true},
			denseCase{Dense: device.Dense{N: n, In: 516, Out: 12}, pass: device.BackwardData, epilogue: add},
			denseCase{Dense: device.Dense{N: n, In: 8, Out: 188}, pass: device.BackwardData, epilogue: noEpilogue},
			denseCase{Dense: device.Dense{N: n, In: 20, Out: 196}, pass: device.BackwardData, epilogue: add})
	}
	for n := range denseSamples[len(denseSamples)-1] {
		d := device.Dense{N: n + 1, In: 4, Out: 8}
		cases = append(cases, denseCase{Dense: d, epilogue: noEpilogue}, denseCase{Dense: d, pass: device.BackwardData, epilogue: add})
	}
	return append(cases,
		denseCase{Dense: device.Dense{N: 17, In: 40, Out: 24}, epilogue: leaky, bias: true},
		denseCase{Dense: device.Dense{N: 17, In: 40, Out: 24}, pass: device.BackwardData, epilogue: add},
		denseCase{Dense: device.Dense{N: 3, In: 200, Out: 132}, epilogue: leaky, bias: true, offset: 1},
		denseCase{Dense: device.Dense{N: 3, In: 200, Out: 132}, pass: device.BackwardData, epilogue: add, offset: 2})
}

// runDenseBias says what is wrong with a gradient of the biases.
func runDenseBias(bn *bench, d device.Dense, m device.Mode, r *rand.Rand) error {
	dy := bn.random(r, d.N*d.Out)
	e := gradient(m)
	pdy := bn.upload("dy", dy, 0)
	dbias, old := bn.guarded("dbias", d.Out, r, e.beta != 0, 0)
	defer bn.free(pdy, dbias.Offset(-4*guard))
	bn.queue.denseBias(d, e, dbias, pdy)
	if err := bn.queue.Sync(); err != nil {
		return err
	}
	sum, size := make([]float64, d.Out), make([]float64, d.Out)
	for i, v := range dy {
		sum[i%d.Out] += float64(v)
		size[i%d.Out] += max(float64(v), -float64(v))
	}
	for i := range sum {
		sum[i], size[i] = e.apply(sum[i], size[i], old[i], 0, rounding(d.N))
	}
	return bn.check("dbias", dbias, sum, size)
}

var denseBiasCases = []device.Dense{{N: 1, Out: 1}, {N: 19, Out: 35}, {N: 7, Out: 64}, {N: 77, Out: 33}}

func TestDense(t *testing.T) {
	for _, m := range machines {
		if m.arithmetic != float32s {
			continue // these kernels are the same
		}
		seen := map[string]bool{}
		r := rand.New(rand.NewPCG(1, 2))
		bn := newBench(t, m, ptxsim.Config{OnLaunch: watch(t, seen)})
		for _, c := range denseCases() {
			require.NoError(t, runDense(bn, c, r), "%v", m)
		}
		for _, c := range denseBiasCases {
			for _, mode := range []device.Mode{device.Overwrite, device.Accumulate} {
				require.NoError(t, runDenseBias(bn, c, mode, r), "%v", m)
			}
		}
		maps.DeleteFunc(seen, func(name string, _ bool) bool { return !strings.HasPrefix(name, "dense") })
		require.Len(t, seen, 7, "every kernel ran: %v", seen)
	}
}

// mutantDense tests one kernel of dense.cu.
func mutantDense(bn *bench, name string, f driver.Function) error {
	k := &bn.queue.kernels.dense
	r := rand.New(rand.NewPCG(3, 4))
	if name == "dense_bias" {
		k.bias = f
		for i, c := range denseBiasCases {
			if err := runDenseBias(bn, c, device.Mode(i%2), r); err != nil {
				return err
			}
		}
		return nil
	}
	pass := device.Forward
	if strings.HasPrefix(name, "dense_data") {
		pass = device.BackwardData
	}
	for i, n := range denseSamples {
		if strings.HasSuffix(name, fmt.Sprintf("_%d", n)) {
			*map[device.Pass]*driver.Function{device.Forward: &k.forward[i], device.BackwardData: &k.data[i]}[pass] = f
		}
	}
	for _, c := range denseCases() {
		i, ok := streamed(c.Dense)
		if !ok || c.pass != pass || !strings.HasSuffix(name, fmt.Sprintf("_%d", denseSamples[i])) {
			continue
		}
		if err := runDense(bn, c, r); err != nil {
			return err
		}
	}
	return nil
}

// The suite's cases, with the kernels that the launcher chooses.
func TestDenseConforms(t *testing.T) {
	conform(t, "dense forward", "dense backward-data", "dense backward-filter", "gemm")
}

// The parts of the gradient of the data cover all outputs, and none is empty.
func TestCutDense(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 2000 {
		d := device.Dense{N: 1 + r.IntN(16), In: 4 * (1 + r.IntN(3000)), Out: 4 * (1 + r.IntN(3000))}
		splits, length := cutDense(1+r.IntN(140), d)
		require.GreaterOrEqual(t, splits*length, d.Out)
		require.Less(t, (splits-1)*length, d.Out)
		require.Zero(t, length%4)
	}
	splits, length := cutDense(80, device.Dense{N: 16, In: 9216, Out: 4096})
	require.Equal(t, []int{17, 244}, []int{splits, length})
}
