package solver

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/kernels/cpu"
	"github.com/hubel-go/hubel/layers"
)

func openCPU(t *testing.T, workers int) device.Device {
	t.Helper()
	d, err := cpu.New(workers)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// twoDense is a network whose parameters have all kinds of multipliers. Their
// sizes leave padding between them.
func twoDense() *graph.Network {
	n := &graph.Network{Name: "two"}
	data := n.Image("data", 1, 1, 3)
	label := n.Label("label")
	x := n.Add("fc1", &layers.Dense{Out: 7, BiasRate: new(float32(2)), BiasDecay: new(float32(0))}, data)
	x = n.Add("fc2", &layers.Dense{Out: 5, WeightRate: new(float32(0.5)), WeightDecay: new(float32(3))}, x)
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	return n
}

// twoDenseMultipliers are of the rate and the decay of each parameter.
var twoDenseMultipliers = map[string][2]float64{
	"fc1.weight": {1, 1},
	"fc1.bias":   {2, 0},
	"fc2.weight": {0.5, 3},
	"fc2.bias":   {1, 1},
}

// plainSGD is one update of all parameters that have a velocity, written down
// plainly.
func plainSGD(s SGD, rate float64, multipliers map[string][2]float64, w, v, dw map[string][]float64) {
	clip := 1.0
	if s.ClipNorm != 0 {
		sum := 0.0
		for name := range v {
			for _, g := range dw[name] {
				sum += g * g
			}
		}
		if norm := math.Sqrt(sum); norm > float64(s.ClipNorm) {
			clip = float64(s.ClipNorm) / norm
		}
	}
	momentum := float64(s.Momentum)
	for name, v := range v {
		r, d := multipliers[name][0], multipliers[name][1]
		for i := range v {
			gradient := dw[name][i]*clip + float64(s.Decay)*d*w[name][i]
			before := v[i]
			v[i] = momentum*before - rate*r*gradient
			if s.Nesterov {
				w[name][i] += (1+momentum)*v[i] - momentum*before
			} else {
				w[name][i] += v[i]
			}
		}
	}
}

func TestSGDIsThePlainLoop(t *testing.T) {
	// The rate changes after the second update, while there is momentum.
	schedule := Schedule{Policy: Step, Rate: 0.1, Gamma: 0.25, Step: 2}
	for name, c := range map[string]struct {
		sgd    SGD
		frozen []string
	}{
		"plain":      {sgd: SGD{}},
		"momentum":   {sgd: SGD{Momentum: 0.9}},
		"decay":      {sgd: SGD{Momentum: 0.9, Decay: 0.01}},
		"nesterov":   {sgd: SGD{Momentum: 0.75, Decay: 0.01, Nesterov: true}},
		"clipped":    {sgd: SGD{Momentum: 0.9, Decay: 0.01, ClipNorm: 0.5}},
		"not enough": {sgd: SGD{Momentum: 0.9, Decay: 0.01, ClipNorm: 1e6}},
		"frozen":     {sgd: SGD{Momentum: 0.9, Decay: 0.01, ClipNorm: 0.5, Nesterov: true}, frozen: []string{"fc1.weight", "fc2.bias"}},
	} {
		c.sgd.Schedule = schedule
		require.NoError(t, c.sgd.Check())
		t.Run(name, func(t *testing.T) {
			t.Run("cpu", func(t *testing.T) { testSGD(t, openCPU(t, 2), c.sgd, c.frozen, 1e-5) })
			t.Run("reference", func(t *testing.T) { testSGD(t, reference.New(), c.sgd, c.frozen, 1e-6) })
		})
	}
}

// testSGD makes five updates. The tolerance is relative: weights and gradients
// of the order of 1 are rounded to float32 some ten times.
func testSGD(t *testing.T, d device.Device, s SGD, frozen []string, tolerance float64) {
	n := twoDense()
	plan, err := n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 1, Frozen: frozen})
	require.NoError(t, err)
	weights, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	require.NoError(t, weights.Fill(3))
	exec, err := graph.NewExecutor(plan, weights)
	require.NoError(t, err)
	q := exec.Queue()
	q.Fill(exec.Gradients(), float32(math.NaN())) // what new memory may hold
	u, err := NewUpdater(d, exec, s)
	require.NoError(t, err)

	w, v, dw := downloadWide(t, weights), map[string][]float64{}, map[string][]float64{}
	for _, p := range plan.Params {
		if p.Grad >= 0 {
			v[p.Name] = make([]float64, len(w[p.Name]))
		}
	}
	require.Len(t, v, len(twoDenseMultipliers)-len(frozen))
	for k := range 5 {
		for i, p := range plan.Params {
			if p.Grad < 0 {
				continue
			}
			g := make([]float32, len(w[p.Name]))
			layers.Gaussian(1).Fill(g, layers.Fan{}, device.Random{Stream: uint32(i), Iteration: uint32(k)})
			dw[p.Name] = wide(g)
			q.Upload(exec.Gradient(p.Name), tensor.New(tensor.WithShape(p.Shape...), tensor.WithBacking(g)))
		}
		u.Update(k)
		require.NoError(t, exec.Sync())
		plainSGD(s, []float64{0.1, 0.1, 0.025, 0.025, 0.00625}[k], twoDenseMultipliers, w, v, dw)
		for name, got := range downloadWide(t, weights) {
			require.InDeltaSlice(t, w[name], got, tolerance, "%s after update %d", name, k)
		}
	}
	require.NoError(t, u.Close())
	require.NoError(t, exec.Close())
	require.NoError(t, weights.Close())
}

func downloadWide(t *testing.T, w *graph.Weights) map[string][]float64 {
	t.Helper()
	values := map[string][]float64{}
	for _, name := range w.Names() {
		x, err := w.Get(name)
		require.NoError(t, err)
		values[name] = wide(x.Float32s())
	}
	return values
}

func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func TestSGDCheck(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for want, change := range map[string]func(s *SGD){
		"learning rate 0":               func(s *SGD) { s.Schedule.Rate = 0 },
		"momentum 1 must be":            func(s *SGD) { s.Momentum = 1 },
		"momentum -0.1 must be":         func(s *SGD) { s.Momentum = -0.1 },
		"momentum NaN must be":          func(s *SGD) { s.Momentum = nan },
		"weight decay -1 must be":       func(s *SGD) { s.Decay = -1 },
		"weight decay +Inf must be":     func(s *SGD) { s.Decay = inf },
		"gradient norm NaN must be":     func(s *SGD) { s.ClipNorm = nan },
		"gradient norm -2 must be":      func(s *SGD) { s.ClipNorm = -2 },
		"momentum must be above 0 to":   func(s *SGD) { s.Momentum, s.Nesterov = 0, true },
		"learning-rate policy \"\" is ": func(s *SGD) { s.Schedule.Policy = "" },
	} {
		s := SGD{Schedule: Schedule{Policy: Fixed, Rate: 0.1}, Momentum: 0.9, Decay: 1e-4, Nesterov: true, ClipNorm: 1}
		require.NoError(t, s.Check())
		change(&s)
		require.ErrorContains(t, s.Check(), want)
	}
}

// calls is a device whose queues note what an update enqueues.
type calls struct {
	device.Device
	names *[]string
}

func (c calls) NewQueue() (device.Queue, error) {
	q, err := c.Device.NewQueue()
	return callsQueue{q, c.names}, err
}

type callsQueue struct {
	device.Queue
	names *[]string
}

func (q callsQueue) Fill(y device.Tensor, v float32) {
	*q.names = append(*q.names, fmt.Sprintf("fill %d with %g", y.Len(), v))
	q.Queue.Fill(y, v)
}

func (q callsQueue) Reduce(p *expr.Program, v device.View, op device.ReduceOp, axes expr.Axes, out device.Tensor, in []device.Tensor, m device.Mode, r device.Random) {
	*q.names = append(*q.names, "reduce")
	q.Queue.Reduce(p, v, op, axes, out, in, m, r)
}

func (q callsQueue) Update(p *expr.Program, out, in []device.Tensor, segments []device.Segment) {
	*q.names = append(*q.names, "update")
	q.Queue.Update(p, out, in, segments)
}

// An update is one kernel, and two where it clips. The rate is written when it is
// another than before.
func TestUpdateEnqueues(t *testing.T) {
	for clip, reduce := range map[float32][]string{0: nil, 1: {"reduce"}} {
		var names []string
		d := calls{reference.New(), &names}
		n := twoDense()
		plan, err := n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 1})
		require.NoError(t, err)
		weights, err := graph.NewWeights(n, d)
		require.NoError(t, err)
		require.NoError(t, weights.Fill(3))
		exec, err := graph.NewExecutor(plan, weights)
		require.NoError(t, err)
		u, err := NewUpdater(d, exec, SGD{Schedule: Schedule{Policy: Step, Rate: 0.5, Gamma: 0.5, Step: 2}, Momentum: 0.9, ClipNorm: clip})
		require.NoError(t, err)
		for k, fill := range []string{"fill 1 with 0.5", "", "fill 1 with 0.25", ""} {
			names = nil
			u.Update(k)
			want := append(slices.Clone(reduce), "update")
			if fill != "" {
				want = slices.Insert(want, 0, fill)
			}
			require.Equal(t, want, names, "update %d", k)
		}
		require.NoError(t, u.clear())
		names = nil
		u.Update(3)
		require.Contains(t, names, "fill 1 with 0.25") // after an error it may not have been
		require.NoError(t, exec.Sync())
		require.NoError(t, u.Close())
		require.NoError(t, exec.Close())
		require.NoError(t, weights.Close())
	}
}

// Gradients are scaled down to the largest norm, not up; and a NaN among them shows.
func TestClip(t *testing.T) {
	p := SGD{ClipNorm: 2}.program()
	for norm2, clip := range map[float64]float64{0: 1, 1: 1, 4: 1, 16: 0.5, math.Inf(1): 0, math.NaN(): math.NaN()} {
		var out [2]float64
		p.Eval(out[:], expr.Element{Inputs: []float64{weightInput: 10, gradientInput: 3, rateInput: 1, norm2Input: norm2, ratesInput: 1, decaysInput: 1}})
		if clip != clip {
			require.True(t, out[0] != out[0] && out[1] != out[1])
			continue
		}
		require.Equal(t, [2]float64{10 - 3*clip, -3 * clip}, out, "norm² %g", norm2)
	}
}
