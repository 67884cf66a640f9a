package solver

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/kernels/cpu"
	_ "github.com/hubel-go/hubel/kernels/cuda/simdevice"
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

// plainUpdate is update k, counted from 0, of all parameters that are trained, written
// down plainly. What is kept of each is two slabs, of which a method may use fewer, and the
// average.
func plainUpdate(o Optimiser, k int, rate float64, multipliers map[string][2]float64, w map[string][]float64, kept map[string][3][]float64, dw map[string][]float64) {
	norm := func(x []float64) float64 {
		sum := 0.0
		for _, v := range x {
			sum += v * v
		}
		return math.Sqrt(sum)
	}
	clip := 1.0
	if o.ClipNorm != 0 {
		var all []float64
		for name := range kept {
			all = append(all, dw[name]...)
		}
		if norm := norm(all); norm > float64(o.ClipNorm) {
			clip = float64(o.ClipNorm) / norm
		}
	}
	momentum := float64(o.Momentum)
	if o.MomentumEnd != 0 {
		momentum += (float64(o.MomentumEnd) - momentum) * float64(k) / float64(o.Schedule.Max)
	}
	beta1, beta2, epsilon := float64(o.Beta1), float64(o.Beta2), float64(o.Epsilon)
	correct1, correct2 := 1-math.Pow(beta1, float64(k+1)), 1-math.Pow(beta2, float64(k+1))
	for name, kept := range kept {
		r, decay := rate*multipliers[name][0], float64(o.Decay)*multipliers[name][1]
		ratio := 1.0
		if a, b := norm(w[name]), clip*norm(dw[name]); a > 0 && b > 0 {
			ratio = float64(o.Trust) * a / (b + decay*a)
		}
		for i, w0 := range w[name] {
			g0 := clip * dw[name][i]
			g := g0 + decay*w0
			v, u := &kept[0][i], &kept[1][i]
			before, w := *v, &w[name][i]
			switch o.Method {
			case "", SGD:
				*v = momentum*before - r*g
				if o.Nesterov {
					*w += (1+momentum)**v - momentum*before
				} else {
					*w += *v
				}
			case SGDPyTorch:
				*v = momentum*before + g
				if o.Nesterov {
					*w -= r * (g + momentum**v)
				} else {
					*w -= r * *v
				}
			case AdaGrad:
				*v += g * g
				*w -= r * g / (math.Sqrt(*v) + epsilon)
			case AdaDelta:
				*v = beta2**v + (1-beta2)*g*g
				x := g * math.Sqrt(*u+epsilon) / math.Sqrt(*v+epsilon)
				*u = beta2**u + (1-beta2)*x*x
				*w -= r * x
			case RMSProp:
				*v = beta2**v + (1-beta2)*g*g
				*w -= r * g / (math.Sqrt(*v) + epsilon)
			case Adam, AdamW:
				apart := 0.0
				if o.Method == AdamW {
					g, apart = g0, r*decay*w0
				}
				*v = beta1**v + (1-beta1)*g
				*u = beta2**u + (1-beta2)*g*g
				*w -= r*(*v/correct1)/(math.Sqrt(*u/correct2)+epsilon) + apart
			case LARS:
				*v = momentum**v + r*ratio*g
				*w -= *v
			case Lion:
				*w -= r * (math.Copysign(1, beta1**v+(1-beta1)*g0) + decay*w0)
				*v = beta2**v + (1-beta2)*g0
			}
			average := &kept[2][i]
			switch {
			case k == 0 || k+1 < o.SWA:
				*average = *w
			case o.EMA != 0:
				*average = float64(o.EMA)**average + (1-float64(o.EMA))**w
			case o.SWA != 0: // of n+1 values
				n := float64(k + 1 - o.SWA)
				*average = (n**average + *w) / (n + 1)
			}
		}
	}
}

// keptOf is what a plain update keeps of the parameters that a plan trains.
func keptOf(p *graph.Plan) map[string][3][]float64 {
	kept := map[string][3][]float64{}
	for _, q := range p.Params {
		if q.Grad < 0 {
			continue
		}
		n := device.Elements(q.Shape)
		kept[q.Name] = [3][]float64{make([]float64, n), make([]float64, n), make([]float64, n)}
	}
	return kept
}

// optimisers are those of the tests: each method in the ways it can be run.
func optimisers() map[string]Optimiser {
	list := map[string]Optimiser{"plain": {}}
	for _, name := range Methods() {
		o := Defaults(name)
		o.Decay = 0.01
		list[name] = o
		o.ClipNorm = 0.5
		list[name+" clipped"] = o
		o.ClipNorm, o.Decay = 1e6, 0
		list[name+" hardly clipped"] = o
		if o.Reads("momentum") {
			o = Defaults(name)
			o.MomentumEnd = 0.99
			list[name+" rising"] = o
		}
		o = Defaults(name)
		o.EMA = 0.75
		list[name+" ema"] = o
		o.EMA, o.SWA = 0, 6
		list[name+" swa"] = o
		if methodOf(name).nesterov {
			o = Defaults(name)
			o.Nesterov, o.Momentum = true, 0.75
			list[name+" nesterov"] = o
		}
	}
	return list
}

func TestUpdatesArePlainLoops(t *testing.T) {
	simulated, err := device.Open("ptxsim", device.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, simulated.Close()) })
	for name, o := range optimisers() {
		// The rate changes while there is momentum.
		o.Schedule = Schedule{Policy: Step, Rate: 0.1, Gamma: 0.25, Step: 7, Max: 20}
		if o.Method == AdaDelta || o.Method == LARS {
			o.Schedule.Rate = 1
		}
		require.NoError(t, o.Check())
		t.Run(name, func(t *testing.T) {
			frozen := []string{"fc1.weight", "fc2.bias"}
			t.Run("cpu", func(t *testing.T) { testUpdates(t, openCPU(t, 2), o, nil, 1e-5) })
			t.Run("reference", func(t *testing.T) { testUpdates(t, reference.New(), o, nil, 3e-6) })
			t.Run("ptxsim", func(t *testing.T) { testUpdates(t, simulated, o, nil, 1e-5) })
			t.Run("frozen", func(t *testing.T) { testUpdates(t, openCPU(t, 2), o, frozen, 1e-5) })
		})
	}
}

// testUpdates makes 20 updates. The tolerance is relative: weights and gradients
// of the order of 1 are rounded to float32 some ten times in each.
func testUpdates(t *testing.T, d device.Device, o Optimiser, frozen []string, tolerance float64) {
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
	u, err := NewUpdater(d, exec, o)
	require.NoError(t, err)

	w, dw, kept := downloadWide(t, weights), map[string][]float64{}, keptOf(plan)
	require.Len(t, kept, len(twoDenseMultipliers)-len(frozen))
	for k := range 20 {
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
		plainUpdate(o, k, o.Schedule.Rate*math.Pow(0.25, float64(k/7)), twoDenseMultipliers, w, kept, dw)
		for name, got := range downloadWide(t, weights) {
			require.InDeltaSlice(t, w[name], got, tolerance, "%s after update %d", name, k)
			if _, moves := kept[name]; !moves {
				require.Equal(t, w[name], got, "frozen")
			}
		}
	}
	tensors, err := u.download()
	require.NoError(t, err)
	require.Len(t, tensors, len(kept)*len(o.Slabs()))
	for i, x := range tensors {
		slab, name, _ := strings.Cut(x.Name, "/")
		require.Equal(t, o.Slabs()[i/len(kept)], slab)
		place := slices.Index(methodOf(o.Method).slabs, slab)
		if place < 0 {
			place = 2
		}
		require.InDeltaSlice(t, kept[name][place], wide(x.Value.Float32s()), 3*tolerance, x.Name)
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

func TestOptimiserCheck(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for want, change := range map[string]func(o *Optimiser){
		"learning rate 0":               func(o *Optimiser) { o.Schedule.Rate = 0 },
		"momentum 1 must be":            func(o *Optimiser) { o.Momentum = 1 },
		"momentum -0.1 must be":         func(o *Optimiser) { o.Momentum = -0.1 },
		"momentum NaN must be":          func(o *Optimiser) { o.Momentum = nan },
		"weight decay -1 must be":       func(o *Optimiser) { o.Decay = -1 },
		"weight decay +Inf must be":     func(o *Optimiser) { o.Decay = inf },
		"gradient norm NaN must be":     func(o *Optimiser) { o.ClipNorm = nan },
		"gradient norm -2 must be":      func(o *Optimiser) { o.ClipNorm = -2 },
		"momentum must be above 0 to":   func(o *Optimiser) { o.Momentum, o.Nesterov = 0, true },
		"learning-rate policy \"\" is ": func(o *Optimiser) { o.Schedule.Policy = "" },
		`optimiser "adamax" is unknown; there are sgd, sgd-pytorch, adagrad, adadelta, rmsprop, adam, adamw, lars, lion`: func(o *Optimiser) { o.Method = "adamax" },
		"optimiser sgd has no beta1: it must be 0, not 0.5":                                                              func(o *Optimiser) { o.Beta1 = 0.5 },
		"optimiser sgd has no epsilon: it must be 0, not NaN":                                                            func(o *Optimiser) { o.Epsilon = nan },
		"optimiser adam has no momentum: it must be 0, not 0.9":                                                          func(o *Optimiser) { *o = Defaults(Adam); o.Momentum = 0.9 },
		"moving average of weights: 1 must be at least 0 and below 1":                                                    func(o *Optimiser) { o.EMA = 1 },
		"moving average of weights: NaN must be at least 0 and below 1":                                                  func(o *Optimiser) { o.EMA = nan },
		"mean of weights: the update -1 that it begins with must not be negative":                                        func(o *Optimiser) { o.SWA = -1 },
		"there is a moving average of weights or a mean of them, not both":                                               func(o *Optimiser) { o.EMA, o.SWA = 0.5, 1 },
		"rate of fc1: the multiplier -1 must be finite and not negative":                                                 func(o *Optimiser) { o.LayerRates = map[string]float32{"fc1": -1} },
		"rate of fc1: the multiplier +Inf must be finite and not negative":                                               func(o *Optimiser) { o.LayerRates = map[string]float32{"fc1": inf} },
		"momentum 1 at its end must be at least 0 and below 1":                                                           func(o *Optimiser) { o.MomentumEnd = 1 },
		"optimiser lion has no momentum: its end must be 0, not 0.5":                                                     func(o *Optimiser) { *o = Defaults(Lion); o.MomentumEnd = 0.5 },
		"beta1 1 must be at least 0 and below 1":                                                                         func(o *Optimiser) { *o = Defaults(Adam); o.Beta1 = 1 },
		"beta2 -1 must be at least 0 and below 1":                                                                        func(o *Optimiser) { *o = Defaults(Lion); o.Beta2 = -1 },
		"epsilon 0 must be finite and above 0":                                                                           func(o *Optimiser) { *o = Defaults(Adam); o.Epsilon = 0 },
		"epsilon NaN must be finite and above 0":                                                                         func(o *Optimiser) { *o = Defaults(Adam); o.Epsilon = nan },
		"trust +Inf must be finite and above 0":                                                                          func(o *Optimiser) { *o = Defaults(LARS); o.Trust = inf },
		"optimiser lars has no momentum of Nesterov's; sgd and sgd-pytorch have":                                         func(o *Optimiser) { *o = Defaults(LARS); o.Nesterov = true },
	} {
		o := Optimiser{Schedule: Schedule{Policy: Fixed, Rate: 0.1}, Momentum: 0.9, Decay: 1e-4, Nesterov: true, ClipNorm: 1}
		require.NoError(t, o.Check())
		change(&o)
		require.ErrorContains(t, o.Check(), want)
	}
	for _, name := range Methods() {
		require.NoError(t, Defaults(name).Check(), name)
	}
	require.Error(t, Defaults("adamax").Check())
	require.Equal(t, []bool{true, true, false, false}, []bool{Optimiser{}.Reads("momentum"), Defaults(Adam).Reads("beta1"), Defaults(Adam).Reads("momentum"), Defaults(Adam).Reads("seed")})
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

func (q callsQueue) Map(p *expr.Program, v device.View, out, in []device.Tensor, modes []device.Mode, r device.Random) {
	*q.names = append(*q.names, "map")
	q.Queue.Map(p, v, out, in, modes, r)
}

func (q callsQueue) Update(p *expr.Program, out, in []device.Tensor, segments []device.Segment) {
	*q.names = append(*q.names, "update")
	q.Queue.Update(p, out, in, segments)
}

// An update is one kernel, and two where it clips; LARS has two norms of each parameter
// besides, and their ratios. A number is written when it is another than before.
func TestUpdateEnqueues(t *testing.T) {
	schedule := Schedule{Policy: Step, Rate: 0.5, Gamma: 0.5, Step: 2}
	rates := [][]string{{"fill 1 with 0.5"}, nil, {"fill 1 with 0.25"}, nil}
	of := func(name string) Optimiser {
		o := Defaults(name)
		o.Schedule = schedule
		return o
	}
	clipped, rising, brief := of(SGD), of(SGD), of(Adam)
	rising.Momentum, rising.MomentumEnd, rising.Schedule.Max = 0.25, 0.75, 4
	clipped.ClipNorm = 1
	brief.Beta1, brief.Beta2 = 0, 0.5
	for name, c := range map[string]struct {
		optimiser Optimiser
		fills     [][]string
		kernels   []string
	}{
		"sgd": {of(SGD), rates, []string{"update"}},
		"rising": {rising, [][]string{
			{"fill 1 with 0.5", "fill 1 with 0.25"}, {"fill 1 with 0.375"}, {"fill 1 with 0.25", "fill 1 with 0.5"}, {"fill 1 with 0.625"},
		}, []string{"update"}},
		"clipped": {clipped, rates, []string{"reduce", "update"}},
		"adam": {brief, [][]string{
			{"fill 1 with 0.5", "fill 1 with 1", "fill 1 with 0.5"}, {"fill 1 with 0.75"}, {"fill 1 with 0.25", "fill 1 with 0.875"}, {"fill 1 with 0.9375"},
		}, []string{"update"}},
		"lars": {of(LARS), rates, append(slices.Repeat([]string{"reduce"}, 8), "map", "update")},
	} {
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
		u, err := NewUpdater(d, exec, c.optimiser)
		require.NoError(t, err)
		for k, fills := range c.fills {
			names = nil
			u.Update(k)
			require.Equal(t, slices.Concat(fills, c.kernels), names, "%s: update %d", name, k)
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
	p := Optimiser{ClipNorm: 2}.program()
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

// A NaN among Lion's gradients shows in the weights; 0 moves none.
func TestLionSigns(t *testing.T) {
	p := Defaults(Lion).program()
	for g, step := range map[float64]float64{2: 1, -0.5: -1, 0: 0, math.NaN(): math.NaN()} {
		var out [2]float64
		p.Eval(out[:], expr.Element{Inputs: []float64{gradientInput: g, rateInput: 1, ratesInput: 1, decaysInput: 0}})
		require.Equal(t, step != step, out[0] != out[0])
		if step == step {
			require.Equal(t, -step, out[0])
		}
	}
}

// LARS takes two norms of each parameter and computes all ratios at once. That of a
// parameter that is zero, or has no gradient, is 1.
func TestLARSRatios(t *testing.T) {
	o := Optimiser{Method: LARS, Trust: 0.5, Decay: 0.25, ClipNorm: 2}
	for _, c := range []struct{ w2, g2, norm2, want float64 }{
		{9, 4, 4, 0.5 * 3 / (2 + 0.25*2*3)},
		{9, 4, 16, 0.5 * 3 / (1 + 0.25*2*3)}, // clipped to a half
		{0, 4, 4, 1},
		{9, 0, 4, 1},
	} {
		var out [1]float64
		o.ratios().Eval(out[:], expr.Element{Inputs: []float64{weights2Input: c.w2, gradients2Input: c.g2, ratioDecaysInput: 2, ratioNorm2Input: c.norm2}})
		require.Equal(t, c.want, out[0], "%+v", c)
	}
}

// Rates of layers multiply those in the network, that of a parameter instead of its
// layer's; 0 stops it, momentum and decay included.
func TestLayerRates(t *testing.T) {
	d := openCPU(t, 2)
	n := twoDense()
	plan, err := n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 1})
	require.NoError(t, err)
	weights, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	exec, err := graph.NewExecutor(plan, weights)
	require.NoError(t, err)
	for _, method := range Methods() {
		require.NoError(t, weights.Fill(3))
		o := Defaults(method)
		o.Schedule.Rate = 0.1
		o.LayerRates = map[string]float32{"fc1": 0.25, "fc1.bias": 0, "fc2": 3}
		u, err := NewUpdater(d, exec, o)
		require.NoError(t, err)
		multipliers := map[string][2]float64{}
		for i, rate := range map[string]float64{"fc1.weight": 0.25, "fc1.bias": 0, "fc2.weight": 0.5 * 3, "fc2.bias": 3} {
			multipliers[i] = [2]float64{rate, twoDenseMultipliers[i][1]}
		}
		w, dw, kept := downloadWide(t, weights), map[string][]float64{}, keptOf(plan)
		for k := range 3 {
			for i, p := range plan.Params {
				g := make([]float32, len(w[p.Name]))
				layers.Gaussian(1).Fill(g, layers.Fan{}, device.Random{Stream: uint32(i), Iteration: uint32(k)})
				dw[p.Name] = wide(g)
				exec.Queue().Upload(exec.Gradient(p.Name), tensor.New(tensor.WithShape(p.Shape...), tensor.WithBacking(g)))
			}
			u.Update(k)
			plainUpdate(o, k, 0.1, multipliers, w, kept, dw)
		}
		require.NoError(t, exec.Sync())
		before := slices.Clone(w["fc1.bias"])
		for name, got := range downloadWide(t, weights) {
			require.InDeltaSlice(t, w[name], got, 1e-5, "%s: %s", method, name)
		}
		require.Equal(t, before, w["fc1.bias"])
		require.NoError(t, u.Close())
	}
	_, err = NewUpdater(d, exec, Optimiser{Schedule: Schedule{Policy: Fixed, Rate: 1}, LayerRates: map[string]float32{"fc1": 1, "fc3": 1}})
	require.EqualError(t, err, `rates of layers: network two has no layer or parameter "fc3" with weights`)
	require.NoError(t, exec.Close())
	require.NoError(t, weights.Close())
}
