package layers_test

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/graph/gradcheck"
	"github.com/hubel-go/hubel/layers"
)

// Frozen statistics are constants: the gradients agree with differences, and every device
// with the reference.
func TestFrozenBatchNorm(t *testing.T) {
	for _, e := range examples() {
		if e.layer.Type() != "batch-norm" {
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			n, o := gradcheck.Layer(e.layer, e.inputs...), gradcheck.Options{Frozen: []string{"layer.running_mean"}}
			require.NoError(t, gradcheck.Check(n, o))
			for _, name := range []string{"cpu", "ptxsim"} {
				d, err := device.Open(name, device.Options{})
				require.NoError(t, err)
				require.NoError(t, gradcheck.Compare(n, d, o), name)
				require.NoError(t, d.Close())
			}
		})
	}
}

// normed runs a layer of one input as a network, on one set of weights.
type normed struct {
	t *testing.T
	w *graph.Weights
	n *graph.Network
	d device.Device
}

func newNormed(t *testing.T, d device.Device, l layers.Layer, shape ...int) *normed {
	n := gradcheck.Layer(l, graph.Input{Name: "x", Shape: shape})
	n.Outputs = []string{"layer"}
	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	require.NoError(t, w.Fill(1))
	return &normed{t: t, w: w, n: n, d: d}
}

// set gives weights values.
func (n *normed) set(name string, values ...float32) {
	n.t.Helper()
	require.NoError(n.t, n.w.Set("layer."+name, tensor.New(tensor.WithShape(n.w.Shape("layer."+name)...), tensor.WithBacking(values))))
}

// state reads a state.
func (n *normed) state(name string) []float32 {
	n.t.Helper()
	x, err := n.w.Get("layer." + name)
	require.NoError(n.t, err)
	return x.Float32s()
}

// run is a pass of some samples in a plan for batch; of inference, or of training whose
// gradient dx is that of y against a target.
func (n *normed) run(o graph.PlanOptions, batch, samples int, x, target []float32) (y, dx []float32) {
	n.t.Helper()
	o.Batch, o.Keep = batch, []string{"layer"}
	if o.Mode == graph.Train {
		o.InputGrad = []string{"x"}
	}
	p, err := n.n.Plan(n.d.Traits(), o)
	require.NoError(n.t, err)
	e, err := graph.NewExecutor(p, n.w)
	require.NoError(n.t, err)
	defer func() { require.NoError(n.t, e.Close()) }()
	require.NoError(n.t, e.SetBatch(samples))
	shape := append([]int{samples}, n.n.Inputs[0].Shape...)
	upload := func(name string, values []float32) {
		require.NoError(n.t, e.Upload(name, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(slices.Clone(values)))))
	}
	upload("x", x)
	if o.Mode == graph.Train {
		upload("target0", target)
	}
	e.Forward(graph.Pass{})
	if o.Mode == graph.Train {
		e.Backward(graph.Pass{WholeBatch: 1}, device.Overwrite)
	}
	require.NoError(n.t, e.Sync())
	out, err := e.Read("layer")
	require.NoError(n.t, err)
	y = slices.Clone(out.Float32s())
	if o.Mode == graph.Train {
		g, err := e.Tensor("x/d")
		require.NoError(n.t, err)
		dx = make([]float32, len(x))
		e.Queue().Download(tensor.New(tensor.WithShape(len(x)), tensor.WithBacking(dx)), g)
		require.NoError(n.t, e.Sync())
	}
	return y, dx
}

// numbers are some that look like chance.
func numbers(n int, mean, deviation float64) []float32 {
	x := make([]float32, n)
	layers.Gaussian(float32(deviation)).Fill(x, layers.Fan{}, device.Random{Seed: 7, Stream: uint32(n)})
	for i := range x {
		x[i] += float32(mean)
	}
	return x
}

// expected normalises in the plainest way: group says which statistics an element of
// [N,C,Inner] belongs to, weight which of the weights.
func expected(x []float32, inner, channels int, eps float64, group, weight func(n, c, i int) int, w, b []float32) []float64 {
	at := func(k int) (n, c, i int) { return k / inner / channels, k / inner % channels, k % inner }
	sums, squares, counts := map[int]float64{}, map[int]float64{}, map[int]float64{}
	for k, v := range x {
		g := group(at(k))
		sums[g] += float64(v)
		counts[g]++
	}
	for k, v := range x {
		g := group(at(k))
		d := float64(v) - sums[g]/counts[g]
		squares[g] += d * d
	}
	y := make([]float64, len(x))
	for k, v := range x {
		g := group(at(k))
		y[k] = (float64(v) - sums[g]/counts[g]) / math.Sqrt(squares[g]/counts[g]+eps)
		if w != nil {
			j := weight(at(k))
			y[k] = y[k]*float64(w[j]) + float64(b[j])
		}
	}
	return y
}

// Each layer computes its formula, in training, and but for batch-norm in inference.
func TestNormsByTheirFormula(t *testing.T) {
	const samples, channels, h, w = 3, 6, 4, 5
	const inner = h * w
	x := numbers(samples*channels*inner, 2, 3)
	off := layers.Affine{On: new(false)}
	of := func(k int) func(n, c, i int) int { // statistics of groups of k channels
		return func(n, c, i int) int { return n*channels + c/k }
	}
	channel := func(_, c, _ int) int { return c }
	for name, k := range map[string]struct {
		layer         layers.Layer
		eps           float64
		group, weight func(n, c, i int) int
	}{
		"batch":             {&layers.BatchNorm{}, 1e-5, channel, channel},
		"batch eps":         {&layers.BatchNorm{Eps: new(float32(0.5))}, 0.5, channel, channel},
		"batch alone":       {&layers.BatchNorm{Affine: off}, 1e-5, channel, nil},
		"group":             {&layers.GroupNorm{Groups: 2}, 1e-5, of(3), channel},
		"group alone":       {&layers.GroupNorm{Groups: 3, Affine: off}, 1e-5, of(2), nil},
		"one group":         {&layers.GroupNorm{Groups: 1}, 1e-5, of(6), channel},
		"instance":          {&layers.InstanceNorm{}, 1e-5, of(1), nil},
		"instance affine":   {&layers.InstanceNorm{Affine: layers.Affine{On: new(true)}}, 1e-5, of(1), channel},
		"layer":             {&layers.LayerNorm{}, 1e-5, of(6), func(_, c, i int) int { return c*inner + i }},
		"layer alone":       {&layers.LayerNorm{Affine: off, Eps: new(float32(2))}, 2, of(6), nil},
		"layer of channels": {&layers.LayerNorm{Channels: true}, 1e-5, func(n, _, i int) int { return n*inner + i }, channel},
	} {
		t.Run(name, func(t *testing.T) {
			onEveryDevice(t, func(t *testing.T, d device.Device) {
				n := newNormed(t, d, k.layer, channels, h, w)
				var weight, bias []float32
				if k.weight != nil {
					weight = numbers(n.w.Shape("layer.weight").TotalSize(), 1, 0.5)
					bias = numbers(len(weight)+1, 0, 1)[1:]
					n.set("weight", weight...)
					n.set("bias", bias...)
				}
				modes := []graph.PlanOptions{{Mode: graph.Train}, {}}
				if k.layer.Type() == "batch-norm" {
					modes = modes[:1]
				}
				for _, o := range modes {
					for _, together := range []int{3, 2} { // in a plan for 3
						some := x[:together*channels*inner]
						y, _ := n.run(o, 3, together, some, some)
						want := expected(some, inner, channels, k.eps, k.group, k.weight, weight, bias)
						for i := range want {
							require.InDelta(t, want[i], y[i], 4e-6, i)
						}
					}
				}
			})
		})
	}
}

// The running statistics of three batches, by the formulas of each convention, and what
// inference and training make of them.
func TestRunningStatistics(t *testing.T) {
	const eps = 1e-5
	// Of two channels, with means and biased variances 1, 3 and 1, 4; 0, 2 and 9, 1; 5, 5 and 0, 0.
	batches := [][]float32{{0, 1, 2, 5}, {-3, 1, 3, 3}, {5, 5, 5, 5}}
	means := [][]float64{{1, 3}, {0, 2}, {5, 5}}
	variances := [][]float64{{1, 4}, {9, 1}, {0, 0}}
	type statistics struct{ mean, running, scale float64 }
	for name, k := range map[string]struct {
		layer   *layers.BatchNorm
		running string
		start   statistics
		update  func(s statistics, mean, variance float64) statistics
		use     func(s statistics) (mean, std float64)
	}{
		"pytorch": {&layers.BatchNorm{}, "running_var", statistics{0, 1, 0}, func(s statistics, m, v float64) statistics {
			return statistics{0.9*s.mean + 0.1*m, 0.9*s.running + 0.1*2*v, 0} // 2/(2-1) of two elements
		}, func(s statistics) (float64, float64) { return s.mean, math.Sqrt(s.running + eps) }},
		"pytorch quick": {&layers.BatchNorm{Convention: "pytorch", Momentum: new(float32(0.75))}, "running_var", statistics{0, 1, 0}, func(s statistics, m, v float64) statistics {
			return statistics{0.25*s.mean + 0.75*m, 0.25*s.running + 0.75*2*v, 0}
		}, func(s statistics) (float64, float64) { return s.mean, math.Sqrt(s.running + eps) }},
		"caffe": {&layers.BatchNorm{Convention: "caffe"}, "running_var", statistics{}, func(s statistics, m, v float64) statistics {
			return statistics{0.999*s.mean + m, 0.999*s.running + 2*v, 0.999*s.scale + 1}
		}, func(s statistics) (float64, float64) {
			if s.scale == 0 {
				return 0, math.Sqrt(eps)
			}
			return s.mean / s.scale, math.Sqrt(s.running/s.scale + eps)
		}},
		"matconvnet": {&layers.BatchNorm{Convention: "matconvnet", Momentum: new(float32(0.25))}, "running_std", statistics{0, 1, 0}, func(s statistics, m, v float64) statistics {
			return statistics{0.75*s.mean + 0.25*m, 0.75*s.running + 0.25*math.Sqrt(v+eps), 0}
		}, func(s statistics) (float64, float64) { return s.mean, s.running }},
	} {
		t.Run(name, func(t *testing.T) {
			onEveryDevice(t, func(t *testing.T, d device.Device) {
				n := newNormed(t, d, k.layer, 2)
				weight, bias := []float32{2, -0.5}, []float32{1, 3}
				n.set("weight", weight...)
				n.set("bias", bias...)
				now := []statistics{k.start, k.start}
				// check holds the state, and outputs and gradients with it, against the formulas.
				check := func() {
					t.Helper()
					for _, o := range []graph.PlanOptions{{}, {Mode: graph.Train, Frozen: []string{"layer"}}, {Mode: graph.Train, Frozen: []string{"layer." + k.running}}} {
						x, target := []float32{0.5, 1, -2, 4, 8, 9}, []float32{1, 2, 3, 4, 5, 6}
						y, dx := n.run(o, 5, 3, x, target)
						for i, v := range x {
							mean, std := k.use(now[i%2])
							slope := float64(weight[i%2]) / std
							want := (float64(v)-mean)*slope + float64(bias[i%2])
							require.InDelta(t, want, y[i], 1e-6*math.Max(1, math.Abs(slope)*10))
							if dx != nil {
								want = (want - float64(target[i])) * slope
								require.InDelta(t, want, dx[i], 1e-6*math.Max(1, slope*slope*10))
							}
						}
					}
					running, mean := n.state(k.running), n.state("running_mean")
					for c, s := range now {
						require.InDelta(t, s.mean, mean[c], 1e-6)
						require.InDelta(t, s.running, running[c], 4e-6)
					}
					if k.layer.Convention == "caffe" {
						require.InDelta(t, now[0].scale, n.state("scale_factor")[0], 1e-6)
					}
				}
				check()
				for b, x := range batches {
					n.run(graph.PlanOptions{Mode: graph.Train}, 5, 2, x, x)
					for c := range now {
						now[c] = k.update(now[c], means[b][c], variances[b][c])
					}
					check()
				}
			})
		})
	}
}

// One element a channel is its own mean: the output is the bias, and the running variance
// takes 0.
func TestBatchNormOfOneElement(t *testing.T) {
	onEveryDevice(t, func(t *testing.T, d device.Device) {
		n := newNormed(t, d, &layers.BatchNorm{}, 3)
		n.set("bias", 1, 2, 3)
		y, dx := n.run(graph.PlanOptions{Mode: graph.Train}, 4, 1, []float32{7, -5, 1e6}, []float32{0, 5, -9})
		require.Equal(t, []float32{1, 2, 3}, y)
		require.InDeltaSlice(t, []float32{0, 0, 0}, dx, 2e-4) // of 316 times what is rounded
		require.InDeltaSlice(t, []float32{0.9, 0.9, 0.9}, n.state("running_var"), 1e-6)
		require.InDeltaSlice(t, []float32{0.7, -0.5, 1e5}, n.state("running_mean"), 1e-2)
	})
}

// A mean that is large beside its deviation costs the digits that it has in common with
// the numbers, and no more; a channel that is constant is the bias.
func TestNormsOfLargeMeans(t *testing.T) {
	const samples, channels, inner = 4, 4, 36
	all := func(int, int, int) int { return 0 }
	for name, l := range map[string]layers.Layer{
		"batch": &layers.BatchNorm{}, "group": &layers.GroupNorm{Groups: 2}, "instance": &layers.InstanceNorm{Affine: layers.Affine{On: new(true)}},
		"layer": &layers.LayerNorm{}, "layer of channels": &layers.LayerNorm{Channels: true},
	} {
		group := map[string]func(n, c, i int) int{
			"batch": func(_, c, _ int) int { return c }, "group": func(n, c, _ int) int { return n*2 + c/2 }, "instance": func(n, c, _ int) int { return n*channels + c },
			"layer": func(n, _, _ int) int { return n }, "layer of channels": func(n, _, i int) int { return n*inner + i },
		}[name]
		t.Run(name, func(t *testing.T) {
			onEveryDevice(t, func(t *testing.T, d device.Device) {
				n := newNormed(t, d, l, channels, 6, 6)
				x := numbers(samples*channels*inner, 1e4, 1)
				y, _ := n.run(graph.PlanOptions{Mode: graph.Train}, samples, samples, x, x)
				ones := []float32{1}
				want := expected(x, inner, channels, 1e-5, group, all, ones, []float32{0})
				for i := range want {
					require.InDelta(t, want[i], y[i], 0.004*math.Max(1, math.Abs(want[i])), i) // the mean is a multiple of 0.001
				}
				for i := range x {
					x[i] = 1e4
				}
				y, dx := n.run(graph.PlanOptions{Mode: graph.Train}, samples, samples, x, make([]float32, len(x)))
				for i := range y {
					require.InDelta(t, 0, y[i], 0.001*317) // 1/sqrt(eps)
					require.False(t, math.IsNaN(float64(dx[i])))
				}
				for i := range x {
					x[i] = 0.5 // its sums are exact
				}
				y, _ = n.run(graph.PlanOptions{Mode: graph.Train}, samples, samples, x, x)
				for i := range y {
					require.InDelta(t, 0, y[i], 317*6e-8)
				}
			})
		})
	}
}

// A NaN spoils only its own sample, in both passes, if samples have their own statistics.
func TestNormsKeepNaNInItsSample(t *testing.T) {
	const channels, inner = 4, 9
	for _, l := range []layers.Layer{
		&layers.GroupNorm{Groups: 2}, &layers.InstanceNorm{}, &layers.InstanceNorm{Affine: layers.Affine{On: new(true)}},
		&layers.LayerNorm{}, &layers.LayerNorm{Channels: true},
	} {
		t.Run(l.Type(), func(t *testing.T) {
			onEveryDevice(t, func(t *testing.T, d device.Device) {
				n := newNormed(t, d, l, channels, 3, 3)
				x := numbers(3*channels*inner, 0, 1)
				o := graph.PlanOptions{Mode: graph.Train}
				y, dx := n.run(o, 3, 3, x, make([]float32, len(x)))
				x[channels*inner+5] = float32(math.NaN())
				bad, dbad := n.run(o, 3, 3, x, make([]float32, len(x)))
				nan := func(v float32) bool { return v != v }
				for _, sample := range []int{0, 2} {
					at := sample * channels * inner
					require.Equal(t, y[at:][:channels*inner], bad[at:][:channels*inner])
					require.Equal(t, dx[at:][:channels*inner], dbad[at:][:channels*inner])
				}
				require.True(t, slices.ContainsFunc(bad[channels*inner:][:channels*inner], nan))
				require.True(t, slices.ContainsFunc(dbad[channels*inner:][:channels*inner], nan))
			})
		})
	}
}

// A momentum of 0 keeps the statistics, and one of 1 takes those of the batch: both ends are
// allowed.
func TestBatchNormMomentumEnds(t *testing.T) {
	in := []layers.Input{{Shape: tensor.Shape{2, 3, 4, 4}, DType: device.Float32}}
	for _, momentum := range []float32{0, 1} {
		_, err := (&layers.BatchNorm{Momentum: &momentum}).Plan(reference.New().Traits(), in, layers.Options{})
		require.NoError(t, err, momentum)
	}
}
