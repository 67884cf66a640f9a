package layers_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// lossOf runs a loss on the reference device.
func lossOf(t *testing.T, l layers.Layer, inputs ...*tensor.Dense) (loss, dx []float64) {
	return lossOn(t, reference.New(), l, inputs...)
}

// lossOn runs a loss on a device: its value for each sample, and the gradient of input 0
// for the sum over samples.
func lossOn(t *testing.T, d device.Device, l layers.Layer, inputs ...*tensor.Dense) (loss, dx []float64) {
	n := &graph.Network{Name: "loss"}
	var names []string
	for i, x := range inputs {
		name := string(rune('a' + i))
		dtype := device.Float32
		if x.Dtype() == tensor.Int32 {
			dtype = device.Int32
		}
		n.Input(name, dtype, x.Shape()[1:]...)
		names = append(names, name)
	}
	n.Add("loss", l, names...)
	samples := inputs[0].Shape()[0]
	p, err := n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: samples, InputGrad: []string{"a"}, Keep: []string{"loss"}})
	require.NoError(t, err)
	w, err := graph.NewWeights(n, d)
	require.NoError(t, err)
	defer w.Close()
	e, err := graph.NewExecutor(p, w)
	require.NoError(t, err)
	defer e.Close()
	for i, x := range inputs {
		require.NoError(t, e.Upload(names[i], x))
	}
	sum := graph.Pass{WholeBatch: 1}
	e.Forward(sum)
	e.Backward(sum, device.Overwrite)
	require.NoError(t, e.Sync())
	for name, to := range map[string]*[]float64{"loss": &loss, "a/d": &dx} {
		x, err := e.Tensor(name)
		require.NoError(t, err)
		values, exact := reference.Floats(x)
		if !exact {
			for _, v := range (pass{t, e}).download(x) {
				values = append(values, float64(v))
			}
		}
		*to = append(*to, values...)
	}
	return loss, dx
}

func floatsOf(samples int, values ...float32) *tensor.Dense {
	return tensor.New(tensor.WithShape(samples, len(values)/samples), tensor.WithBacking(values))
}

func labelsOf(values ...int32) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(values)), tensor.WithBacking(values))
}

// Losses against their formulas, written down once more.
func TestLossFormulas(t *testing.T) {
	nan := float32(math.NaN())
	x := []float32{0.5, -2, 3, 1.5, -0.25, 0.75}
	targets := []float32{1, 0, 0, 0, 1, 1}
	label := []int32{2, 0}
	sum := func(f func(x, target float64) float64, target []float32) (want []float64) {
		for s := range 2 {
			total := 0.0
			for c := range 3 {
				total += f(float64(x[3*s+c]), float64(target[3*s+c]))
			}
			want = append(want, total)
		}
		return want
	}
	oneHot := []float32{0, 0, 1, 1, 0, 0}
	logistic := func(x, t float64) float64 {
		p := 1 / (1 + math.Exp(-x))
		return -t*math.Log(p) - (1-t)*math.Log(1-p)
	}
	focal := func(x, t float64) float64 {
		p := 1 / (1 + math.Exp(-x))
		return -0.25*t*math.Pow(1-p, 2)*math.Log(p) - 0.75*(1-t)*math.Pow(p, 2)*math.Log(1-p)
	}
	hinge := func(margin, power float64) func(x, t float64) float64 {
		return func(x, t float64) float64 { return math.Pow(max(0, margin-(2*t-1)*x), power) }
	}
	huber := func(delta float64) func(x, t float64) float64 {
		return func(x, t float64) float64 {
			if d := math.Abs(x - t); d >= delta {
				return delta * (d - delta/2)
			}
			return (x - t) * (x - t) / 2
		}
	}
	for name, c := range map[string]struct {
		layer   layers.Layer
		against *tensor.Dense
		want    []float64
	}{
		"l2":               {&layers.L2Loss{}, floatsOf(2, targets...), sum(func(x, t float64) float64 { return (x - t) * (x - t) / 2 }, targets)},
		"l1":               {&layers.L1Loss{}, floatsOf(2, targets...), sum(func(x, t float64) float64 { return math.Abs(x - t) }, targets)},
		"huber":            {&layers.HuberLoss{Delta: 0.75}, floatsOf(2, targets...), sum(huber(0.75), targets)},
		"smooth l1":        {&layers.SmoothL1Loss{Beta: 0.75}, floatsOf(2, targets...), sum(func(x, t float64) float64 { return huber(0.75)(x, t) / 0.75 }, targets)},
		"logistic":         {&layers.LogisticLoss{}, floatsOf(2, targets...), sum(logistic, targets)},
		"logistic, labels": {&layers.LogisticLoss{}, labelsOf(label...), sum(logistic, oneHot)},
		"logistic, soft":   {&layers.LogisticLoss{}, floatsOf(2, 0.25, 0.5, 1, 0, 0.75, 0.125), sum(logistic, []float32{0.25, 0.5, 1, 0, 0.75, 0.125})},
		"focal":            {&layers.FocalLoss{Gamma: 2, Alpha: 0.25}, floatsOf(2, targets...), sum(focal, targets)},
		"focal, labels":    {&layers.FocalLoss{Gamma: 2, Alpha: 0.25}, labelsOf(label...), sum(focal, oneHot)},
		"hinge":            {&layers.HingeLoss{Margin: 1, Norm: 1}, floatsOf(2, targets...), sum(hinge(1, 1), targets)},
		"hinge, labels":    {&layers.HingeLoss{Margin: 0.5, Norm: 2}, labelsOf(label...), sum(hinge(0.5, 2), oneHot)},
	} {
		loss, _ := lossOf(t, c.layer, floatsOf(2, x...), c.against)
		require.InDeltaSlice(t, c.want, loss, 1e-6, name)
	}

	for _, l := range []layers.Layer{&layers.L2Loss{Mask: true}, &layers.L1Loss{Mask: true}, &layers.HuberLoss{Delta: 1, Mask: true}, &layers.SmoothL1Loss{Beta: 1, Mask: true}} {
		loss, dx := lossOf(t, l, floatsOf(2, x...), floatsOf(2, x[0], nan, x[2], nan, nan, nan))
		require.Equal(t, []float64{0, 0}, loss, "%s: what has no target counts nothing", l.Type())
		require.Equal(t, make([]float64, 6), dx, l.Type())
	}
	loss, _ := lossOf(t, &layers.L2Loss{}, floatsOf(2, x...), floatsOf(2, x[0], nan, x[2], x[3], x[4], x[5]))
	require.True(t, math.IsNaN(loss[0]), "without a mask it shows")
}

// Far from 0 no loss of scores overflows, and its gradient is that of the limit.
func TestLossesOfLargeScores(t *testing.T) {
	x, targets := floatsOf(1, 1e30, -1e30, 1e30, -1e30, 200, -200), floatsOf(1, 1, 0, 0, 1, 1, 1)
	loss, dx := lossOf(t, &layers.LogisticLoss{}, x, targets)
	require.InEpsilon(t, 2e30, loss[0], 1e-6)
	require.InDeltaSlice(t, []float64{0, 0, 1, -1, 0, -1}, dx, 1e-6)
	loss, dx = lossOf(t, &layers.FocalLoss{Gamma: 2, Alpha: 0.25}, x, targets)
	require.InEpsilon(t, 1e30, loss[0], 1e-6)
	require.InDeltaSlice(t, []float64{0, 0, 0.75, -0.25, 0, -0.25}, dx, 1e-6)
}

// softmaxLoss is the loss of a sample with weights and smoothing, as PyTorch defines it:
// a part of the label's class, and one of all classes.
func softmaxLoss(x []float64, label int, weights []float64, smoothing float64) float64 {
	total := 0.0
	for _, v := range x {
		total += math.Exp(v)
	}
	nll := func(c int) float64 { return weights[c] * (math.Log(total) - x[c]) }
	loss := (1 - smoothing) * nll(label)
	for c := range x {
		loss += smoothing / float64(len(x)) * nll(c)
	}
	return loss
}

func TestSoftmaxLossOfWeights(t *testing.T) {
	scores := []float32{0.5, -2, 3, 1.5, -0.25, 0.75, 2, 2, 2, 1, 5, -1}
	label := []int32{2, 0, 1, 2}
	ones, weights := []float32{1, 1, 1}, []float32{0.5, 2, 0}
	for _, smoothing := range []float32{0, 0.125, 1} {
		for _, w := range [][]float32{ones, weights} {
			l := &layers.SoftmaxLoss{ClassWeights: w, Smoothing: smoothing, IgnoreLabel: new(int32(1))}
			loss, dx := lossOf(t, l, floatsOf(4, scores...), labelsOf(label...))
			for s, y := range label {
				if y == 1 {
					require.Zero(t, loss[s])
					require.Equal(t, []float64{0, 0, 0}, dx[3*s:][:3])
					continue
				}
				x, float := make([]float64, 3), make([]float64, 3)
				for c := range 3 {
					x[c], float[c] = float64(scores[3*s+c]), float64(w[c])
				}
				require.InDelta(t, softmaxLoss(x, int(y), float, float64(smoothing)), loss[s], 1e-6)
				for c := range 3 {
					at := func(d float64) float64 {
						moved := append([]float64{}, x...)
						moved[c] += d
						return softmaxLoss(moved, int(y), float, float64(smoothing))
					}
					require.InDelta(t, (at(1e-4)-at(-1e-4))/2e-4, dx[3*s+c], 1e-6)
				}
			}
		}
	}
	plain, dplain := lossOf(t, &layers.SoftmaxLoss{}, floatsOf(4, scores...), labelsOf(label...))
	same, dsame := lossOf(t, &layers.SoftmaxLoss{ClassWeights: ones}, floatsOf(4, scores...), labelsOf(label...))
	require.InDeltaSlice(t, plain, same, 1e-12)
	require.InDeltaSlice(t, dplain, dsame, 1e-12)

	// Shares of classes: each class's loss weighs as much as its share, and one share of
	// 1 is a label.
	for _, l := range []*layers.SoftmaxLoss{{}, {ClassWeights: weights, Smoothing: 0.25}} {
		mixed, dmixed := lossOf(t, l, floatsOf(1, 0.5, -2, 3), floatsOf(1, 0.25, 0, 0.75))
		first, dfirst := lossOf(t, l, floatsOf(1, 0.5, -2, 3), labelsOf(0))
		third, dthird := lossOf(t, l, floatsOf(1, 0.5, -2, 3), labelsOf(2))
		require.InDelta(t, 0.25*first[0]+0.75*third[0], mixed[0], 1e-6)
		for c := range dmixed {
			require.InDelta(t, 0.25*dfirst[c]+0.75*dthird[c], dmixed[c], 1e-6)
		}
		same, dsame := lossOf(t, l, floatsOf(1, 0.5, -2, 3), floatsOf(1, 0, 0, 1))
		require.InDeltaSlice(t, third, same, 1e-6)
		require.InDeltaSlice(t, dthird, dsame, 1e-6)
	}

	// What is no class shows, with and without options, unless it is ignored.
	inf := float32(math.Inf(1))
	for _, l := range []*layers.SoftmaxLoss{{}, {ClassWeights: ones}, {Smoothing: 0.5}} {
		for _, wrong := range []int32{-1, 3, math.MinInt32, math.MaxInt32} {
			loss, dx := lossOf(t, l, floatsOf(1, 1, 2, 3), labelsOf(wrong))
			require.True(t, math.IsNaN(loss[0]), "%+v of the label %d", l, wrong)
			require.Equal(t, []float64{0, 0, 0}, dx)
		}
		loss, _ := lossOf(t, l, floatsOf(1, 1e30, -1e30, 1e30), labelsOf(0))
		require.InDelta(t, math.Ln2, loss[0]-float64(l.Smoothing)/3*2e30, 1e24)
		loss, _ = lossOf(t, l, floatsOf(1, 1, inf, 1), labelsOf(0))
		require.False(t, loss[0] < math.MaxFloat32, "an infinity shows")
	}
	loss, _ := lossOf(t, &layers.SoftmaxLoss{IgnoreLabel: new(int32(-100))}, floatsOf(2, 1, 2, 3, nan32, 0, 0), labelsOf(-100, -100))
	require.Equal(t, []float64{0, 0}, loss)
	minus := float32(math.Inf(-1))
	loss, dx := lossOf(t, &layers.SoftmaxLoss{IgnoreLabel: new(int32(-100))}, floatsOf(1, 1, minus, 1), labelsOf(0))
	require.InDelta(t, math.Ln2, loss[0], 1e-7, "a class that is out of the question")
	require.InDeltaSlice(t, []float64{-0.5, 0, 0.5}, dx, 1e-7)
}

// On every device: few and many classes, scores of which most have the probability 0, some
// that are NaN, and labels that are no class.
func TestSoftmaxLossOfManyScores(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range []struct {
		n, c   int
		spread float64
	}{{1, 1, 4}, {3, 10, 4}, {128, 10, 4}, {17, 33, 1e4}, {9, 10, 1e38}, {10, 1000, 4}} {
		n, c := size.n, size.c
		x, labels := make([]float32, n*c), make([]int32, n)
		var loss, dx []float64
		for s := range n {
			row := x[s*c:][:c]
			for i := range row {
				row[i] = float32(size.spread * (2*r.Float64() - 1))
			}
			labels[s] = int32(r.IntN(c))
			wrong := s%8 == 7
			if wrong {
				labels[s] = []int32{-1, int32(c), math.MinInt32, math.MaxInt32}[r.IntN(4)]
			} else if s%8 == 3 {
				row[r.IntN(c)] = nan32
			}
			sum, largest := 0.0, float64(slices.Max(row))
			for _, v := range row {
				sum += math.Exp(float64(v) - largest)
			}
			if wrong {
				loss, dx = append(loss, math.NaN()), append(dx, make([]float64, c)...)
				continue
			}
			loss = append(loss, math.Log(sum)+largest-float64(row[labels[s]]))
			for i, v := range row {
				d := math.Exp(float64(v)-largest) / sum
				if i == int(labels[s]) {
					d--
				}
				dx = append(dx, d)
			}
		}
		scores := tensor.New(tensor.WithShape(n, c), tensor.WithBacking(x))
		for _, name := range everyDevice {
			d, err := device.Open(name, device.Options{})
			require.NoError(t, err)
			got, dgot := lossOn(t, d, &layers.SoftmaxLoss{}, scores, labelsOf(labels...))
			require.NoError(t, d.Close())
			require.InDeltaSlice(t, loss, got, 1e-6*size.spread, "%s %v", name, size)
			require.InDeltaSlice(t, dx, dgot, 1e-6, "%s %v", name, size)
		}
	}
}

var nan32 = float32(math.NaN())

func TestMetricLossesByHand(t *testing.T) {
	a, b := floatsOf(4, 0, 0, 3, 0, 1, 1, 0, 0), floatsOf(4, 3, 4, 0, 4, 1, 1, 1, 0)
	// Distances are 5, 5, 0 and 1.
	loss, da := lossOf(t, &layers.ContrastiveLoss{Margin: 2}, a, b, labelsOf(1, 0, 0, 0))
	require.InDeltaSlice(t, []float64{12.5, 0, 2, 0.5}, loss, 1e-6)
	require.InDeltaSlice(t, []float64{-3, -4, 0, 0, 0, 0, 1, 0}, da, 1e-6, "away from what is too near; where the distance is 0 there is no way")

	anchor, positive, negative := floatsOf(3, 0, 0, 0, 0, 0, 0), floatsOf(3, 3, 4, 0, 1, 0, 0), floatsOf(3, 0, 2, 0, 3, 0, 2)
	loss, da = lossOf(t, &layers.TripletLoss{Margin: 0.5}, anchor, positive, negative)
	require.InDeltaSlice(t, []float64{5 - 2 + 0.5, 0, 0}, loss, 1e-6)
	require.InDeltaSlice(t, []float64{-0.6, -0.8 + 1, 0, 0, 0, 0}, da, 1e-6)
	loss, da = lossOf(t, &layers.TripletLoss{Margin: 5, Squared: true}, anchor, positive, negative)
	require.InDeltaSlice(t, []float64{25 - 4 + 5, 0, 0 - 4 + 5}, loss, 1e-6)
	require.InDeltaSlice(t, []float64{-6, -8 + 4, 0, 0, 0, 4}, da, 1e-6)
}
