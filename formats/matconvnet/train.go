package matconvnet

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/matfile"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// mostLosses bounds the losses that a network has, most of them of pixels.
const mostLosses = 32

// loss adds what a network is trained for: the softmax log-loss of scores of a sample, with the
// probabilities, which become the output, and the accuracy. Other losses are listed as lost.
func (b *builder) loss(l *block) error {
	lost := func(format string, args ...any) error {
		b.Lost = append(b.Lost, fmt.Sprintf("layer %q: %s is left out: %s", l.name, l.kind, fmt.Sprintf(format, args...)))
		return nil
	}
	kind := "softmaxlog"
	if v := l.options.Field("loss"); v != nil && strings.EqualFold(l.kind, "loss") {
		var err error
		if kind, err = v.Text(); err != nil {
			return fmt.Errorf("option loss: %w", err)
		}
	}
	if k := strings.ToLower(l.kind); k != "loss" && k != "softmaxloss" {
		kind = k
	}
	scores := l.in[0]
	if i := slices.IndexFunc(b.Network.Nodes, func(n graph.Node) bool { return n.Name == scores }); kind == "log" && i >= 0 {
		if _, ok := b.Network.Nodes[i].Layer.(*layers.Softmax); ok {
			kind, scores = "softmaxlog", b.Network.Nodes[i].In[0]
		}
	}
	b.losses++
	switch {
	case kind != "softmaxlog":
		return lost("%q is for training alone; of losses, a softmax log-loss of labels is carried over", kind)
	case b.losses > mostLosses:
		return lost("it is one of more than %d losses", mostLosses)
	case b.trained:
		return lost("the network has a loss before it: hubel's has one")
	}
	shape, err := b.shapeOf(scores)
	if err != nil {
		return err
	}
	if len(shape) != 4 || shape[2] != 1 || shape[3] != 1 {
		return lost("its scores are of pixels, %v: hubel's softmax-loss has one label for each sample", shape[1:])
	}
	b.trained = true
	flat := b.Network.Add(b.names.Make(l.name+"_scores"), &layers.Flatten{}, scores)
	if scores == l.in[0] { // there are no probabilities yet
		b.Network.Add(b.names.Make(l.name+"_prob"), &layers.Softmax{}, flat)
	}
	label := b.Network.Label(b.names.Make("label"))
	b.Network.Add(b.names.Make(l.name), &layers.SoftmaxLoss{}, flat, label)
	b.Network.Metric(b.Network.Add(b.names.Make("accuracy"), &layers.Accuracy{}, flat, label), graph.Higher)
	return nil
}

// shapeOf is the shape of a value, with one sample.
func (b *builder) shapeOf(value string) ([]int, error) {
	n := *b.Network
	n.Outputs = []string{value}
	plan, err := n.Plan(formats.NoDevice{}, graph.PlanOptions{Batch: 1})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(plan.Values, func(v graph.Value) bool { return v.Name == value })
	return plan.Values[i].Shape, nil
}

// multipliers reads those of the rate and of the decay of a layer of a SimpleNN.
func (l *block) multipliers() error {
	for _, m := range []struct {
		to     *[]float64
		option string
		old    [2]string // of filters and biases
	}{
		{&l.rates, "learningRate", [2]string{"filtersLearningRate", "biasesLearningRate"}},
		{&l.decays, "weightDecay", [2]string{"filtersWeightDecay", "biasesWeightDecay"}},
	} {
		if v := l.options.Field(m.option); v != nil && v.Len() > 0 {
			x, err := v.Float64s()
			if err != nil {
				return fmt.Errorf("option %s: %w", m.option, err)
			}
			if len(x) == 1 { // of all its weights
				x = slices.Repeat(x, len(l.weights))
			}
			*m.to = x
			continue
		}
		for i, option := range m.old {
			x, err := l.numbers(option, 1)
			if err != nil {
				return err
			}
			if l.options.Field(option) != nil {
				*m.to = append((*m.to)[:min(i, len(*m.to))], x[0])
			} else {
				*m.to = append((*m.to)[:min(i, len(*m.to))], 1)
			}
		}
	}
	return nil
}

// tune gives a layer the multipliers of its weights. Those that are 1 are not written down.
func (b *builder) tune(l *block, layer layers.Layer) error {
	multiplier := func(what string, list []float64, i int) (*float32, error) {
		if i >= len(list) || list[i] == 1 {
			return nil, nil
		}
		if x := list[i]; !(x >= 0 && x <= math.MaxFloat32) {
			return nil, fmt.Errorf("the multiplier %v of its %s is not a number from 0 on", x, what)
		}
		return new(float32(list[i])), nil
	}
	var err error
	set := func(to **float32, what string, list []float64, i int) {
		if err == nil {
			*to, err = multiplier(what, list, i)
		}
	}
	var rates, decays [2]**float32
	switch x := layer.(type) {
	case *layers.Conv:
		rates, decays = [2]**float32{&x.WeightRate, &x.BiasRate}, [2]**float32{&x.WeightDecay, &x.BiasDecay}
	case *layers.Deconv:
		rates, decays = [2]**float32{&x.WeightRate, &x.BiasRate}, [2]**float32{&x.WeightDecay, &x.BiasDecay}
	case *layers.BatchNorm:
		rates, decays = [2]**float32{&x.WeightRate, &x.BiasRate}, [2]**float32{&x.WeightDecay, &x.BiasDecay}
		if len(l.rates) > 2 && l.rates[2] != 0.1 { // how fast the moments follow those of a batch
			if rate := l.rates[2]; rate > 0 && rate <= 1 {
				x.Momentum = new(float32(rate))
			} else { // of a layer that is kept as it is, mostly; it computes the same
				b.Lost = append(b.Lost, fmt.Sprintf("layer %q: the learning rate %v of its moments, which is not above 0 and at most 1: in a training hubel's follow the batches with 0.1", l.name, rate))
			}
		}
	default:
		return nil
	}
	for i := range 2 {
		set(rates[i], "learning rate", l.rates, i)
		set(decays[i], "weight decay", l.decays, i)
	}
	return err
}

// momenta counts a layer's arrays of momentum that are not all 0.
func (b *builder) momenta(options *matfile.Value) {
	for _, option := range []string{"filtersMomentum", "biasesMomentum", "momentum"} {
		v := options.Field(option)
		if v == nil {
			continue
		}
		for _, part := range append([]*matfile.Value{v}, v.Cells...) {
			if part == nil {
				continue
			}
			x, err := part.Float32s()
			if err == nil && slices.ContainsFunc(x, func(f float32) bool { return f != 0 }) {
				b.moving++
			}
		}
	}
}
