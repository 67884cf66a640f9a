package solver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// Sanity is the result of one of the checks of CheckSanity, and an Event.
type Sanity struct {
	Name string
	OK   bool
	Text string // the numbers
}

// The sizes of the sanity checks.
const (
	overfitSamples    = 20
	overfitIterations = 1000
	overfitEvery      = 10   // iterations between two looks
	overfitLoss       = 0.1  // of the loss at the start
	gradientSamples   = 8    // of the pass whose gradients are checked
	flatSlope         = 1e-5 // of the largest gradient; a bias that batch-norm takes away again has less
	gradientTolerance = 0.03 // relative, of a slope that float32 losses are good for
	decayTried        = 0.01 // the decay of an update by decay alone, at the rate 1
	decayTolerance    = 0.01 // relative, of what that update takes from a tensor's squares
)

// CheckSanity checks a configuration before training, by properties that every
// configuration must have. With the last layer at zero, the first loss is that
// of random answers. Weight decay makes the minimised sum larger, and an update
// with decay alone changes each tensor by the right amount. Gradients agree
// with finite differences of the loss. A few samples can be learnt by heart.
// Each result is sent to the Observers as an event, as soon as it is known. No
// file is written.
func CheckSanity(ctx context.Context, c Config) error {
	if err := c.checkThere(); err != nil {
		return err
	}
	watching := observers(c.Observers)
	c.Observers = nil
	c.Dir, c.Test, c.Resume, c.Patience, c.DebugEvery, c.MonitorEvery, c.Watch = "", nil, false, 0, 0, 0, Watch{}
	c.Accumulate, c.Balance = 1, false // subsets do not know their labels
	c.Group, c.FixedOrder, c.SyncBN, c.Sharded = nil, false, false, false
	if c.Optimiser.Schedule.Policy == Plateau {
		c.Optimiser.Schedule.Policy = Fixed
	}
	for _, check := range []func(context.Context, Config) (Sanity, error){checkInitialLoss, checkDecay, checkSlopes, checkOverfitting} {
		s, err := check(ctx, c)
		if err != nil {
			return err
		}
		if err := watching.tell(s); err != nil {
			return err
		}
	}
	return nil
}

// with calls f with a trainer of some samples, in batches of at most a size.
func (c Config) with(samples, batch int, f func(t *trainer) error) error {
	c.Train = subsetOf(c.Train, samples)
	c.Batch = min(c.Batch, batch, c.Train.Len())
	t, err := newTrainer(c)
	if err != nil {
		return err
	}
	return cmp.Or(f(t), t.close())
}

// checkInitialLoss sets the last layers to zero: every class is as likely as
// any other then, and every number is predicted to be 0.
func checkInitialLoss(ctx context.Context, c Config) (s Sanity, err error) {
	s.Name = "initial loss"
	err = c.with(c.Batch, c.Batch, func(t *trainer) error {
		last := lastLayers(t.exec.Plan())
		if len(last) == 0 {
			s.Text = "there is no layer with weights before a loss"
			return nil
		}
		plan := t.exec.Plan()
		zeroed := slices.Clone(last) // and those whose weights they share
		for i, node := range plan.Network.Nodes {
			if slices.Contains(last, node.Name) {
				for _, q := range plan.ParamsOf(i) {
					zeroed = append(zeroed, plan.Network.Nodes[q.Node].Name)
				}
			}
		}
		for _, name := range t.weights.Names() {
			if !slices.Contains(zeroed, graph.LayerOf(name)) {
				continue
			}
			zero := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(t.weights.Shape(name)...))
			if err := t.weights.Set(name, zero); err != nil {
				return err
			}
		}
		want, words, err := t.lossOfNothing()
		if err != nil {
			return err
		}
		test, err := Evaluate(ctx, c.Device, t.weights, t.c.Train, c.Preprocess, t.c.Batch)
		if err != nil {
			return err
		}
		s.OK = math.Abs(test.Loss-want) <= 1e-4*math.Max(1, want)
		s.Text = fmt.Sprintf("%.6f with %s at zero; %s is %.6f", test.Loss, strings.Join(last, ", "), words, want)
		return nil
	})
	return s, err
}

// lastLayers are the last layers with weights before each loss.
func lastLayers(p *graph.Plan) []string {
	producer := map[string]graph.Node{}
	for _, node := range p.Network.Nodes {
		producer[node.Name] = node
	}
	hasWeights := map[string]bool{}
	for i, node := range p.Network.Nodes {
		hasWeights[node.Name] = len(p.ParamsOf(i)) > 0
	}
	var last []string
	seen := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		node, ok := producer[name]
		if !ok || seen[name] { // an input, or been there
			return
		}
		seen[name] = true
		switch {
		case hasWeights[name]:
			last = append(last, name)
		default:
			for _, in := range node.In {
				visit(in)
			}
		}
	}
	for _, l := range p.Losses {
		visit(p.Values[l.Value].Name)
	}
	return last
}

// lossOfNothing is the loss where all scores and predictions are zero, and
// what that is called.
func (t *trainer) lossOfNothing() (loss float64, words string, err error) {
	plan := t.exec.Plan()
	for _, s := range plan.Steps {
		if s.Backward {
			break
		}
		weight := 0.0
		for _, l := range plan.Losses {
			if l.Value == s.Out[0] {
				weight = float64(l.Weight)
			}
		}
		in := plan.Values[s.In[0]]
		switch layer := plan.Network.Nodes[s.Node].Layer.(type) {
		case *layers.SoftmaxLoss:
			loss += weight * math.Log(float64(in.Shape[1]))
			words = fmt.Sprintf("ln %d", in.Shape[1])
		case *layers.L2Loss:
			r, ok := t.c.Train.(data.Regression)
			if !ok {
				return 0, "", errors.New("the loss of a zero prediction is not known for a target that is no data set's")
			}
			target := make([]float32, r.Targets())
			read := r.ReadTarget
			if v, ok := r.(data.VariedRegression); ok { // as Evaluate reads them
				read = func(dst []float32, i int) error { return v.ReadVariedTarget(dst, i, 0, 0) }
			}
			for i := range r.Len() {
				if err := read(target, i); err != nil {
					return 0, "", err
				}
				if layer.Mask {
					for k, y := range target {
						if y != y { // NaN, of a point that is missing
							target[k] = 0
						}
					}
				}
				loss += weight * sumSquares(target) / 2 / float64(r.Len())
			}
			words = "half the square of the targets"
		}
	}
	if len(plan.Losses) > 1 {
		words = "the sum for all losses"
	}
	return loss, words, nil
}

// checkDecay compares what is minimised, the loss and half the decay times the
// squares of the weights, without decay and with more and more of it. Then the
// device makes an update by decay alone, which must take from each tensor what
// that term's derivative says.
func checkDecay(ctx context.Context, c Config) (s Sanity, err error) {
	s.Name = "weight decay"
	err = c.with(c.Batch, c.Batch, func(t *trainer) error {
		test, err := Evaluate(ctx, c.Device, t.weights, t.c.Train, c.Preprocess, t.c.Batch)
		if err != nil {
			return err
		}
		before, err := t.squaresOfWeights()
		if err != nil {
			return err
		}
		squares := 0.0
		for i, p := range t.updater.params {
			squares += float64(p.Decay) * before[i]
		}
		decay := cmp.Or(float64(c.Optimiser.Decay), 5e-4)
		objective := func(decay float64) float64 { return test.Loss + decay/2*squares }
		s.OK = objective(0) < objective(decay) && objective(decay) < objective(10*decay)
		s.Text = fmt.Sprintf("%.6g without, %.6g with %.3g, %.6g with %.3g",
			objective(0), objective(decay), float32(decay), objective(10*decay), 10*float32(decay))

		if err := t.updater.clear(); err != nil {
			return err
		}
		t.updater.set(Optimiser{Schedule: Schedule{Policy: Fixed, Rate: 1}, Decay: decayTried})
		t.updater.Update(0)
		if err := t.exec.Sync(); err != nil {
			return err
		}
		after, err := t.squaresOfWeights()
		if err != nil {
			return err
		}
		for i, p := range t.updater.params {
			left := 1 - decayTried*float64(p.Rate)*float64(p.Decay)
			taken := before[i] * (1 - left*left)
			if off := before[i] - taken - after[i]; !(math.Abs(off) <= decayTolerance*math.Abs(taken)) {
				s.OK = false
				s.Text += fmt.Sprintf("; an update by a decay of %g alone makes the squares of %s %.6g of %.6g, and not %.6g",
					decayTried, p.Name, after[i], before[i], before[i]-taken)
			}
		}
		return nil
	})
	return s, err
}

// squaresOfWeights is the sum of the squares of each tensor that is trained.
func (t *trainer) squaresOfWeights() (squares []float64, err error) {
	for _, p := range t.updater.params {
		x, err := t.weights.Get(p.Name)
		if err != nil {
			return nil, err
		}
		squares = append(squares, sumSquares(x.Float32s()))
	}
	return squares, nil
}

// checkSlopes compares the gradient of each parameter tensor with the
// difference of the loss along it, of the same samples under the same dropout,
// on the device that is to train.
func checkSlopes(ctx context.Context, c Config) (s Sanity, err error) {
	s.Name = "gradients"
	err = c.with(c.Batch, gradientSamples, func(t *trainer) error {
		if names := t.exec.Plan().Jumping(); len(names) > 0 {
			s.OK, s.Text = true, "not compared with finite differences: the output of "+strings.Join(names, ", ")+" jumps"
			return nil
		}
		if err := t.moveBiases(); err != nil {
			return err
		}
		b := &batchCopy{}
		if _, _, err := t.gradients(true, b); err != nil {
			return err
		}
		largest := 0.0 // norm of a gradient
		for _, p := range t.updater.params {
			g, err := t.gradientOf(p)
			if err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
			largest = math.Max(largest, math.Sqrt(sumSquares(g.Float32s())))
		}
		worst, where, flat := 0.0, "", 0
		for _, p := range t.updater.params {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			off, err := t.slopeError(b, p, flatSlope*largest)
			if err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
			switch {
			case math.IsNaN(off):
				flat++
			case off >= worst:
				worst, where = off, p.Name
			}
		}
		checked := len(t.updater.params) - flat
		s.OK = worst <= gradientTolerance && checked > 0
		agree := "agree"
		if !s.OK {
			agree = "disagree"
		}
		s.Text = fmt.Sprintf("directional derivatives of %d tensors %s with finite differences of the loss: at most %.2g %% off, of %s", checked, agree, 100*worst, where)
		if flat > 0 {
			s.Text += fmt.Sprintf("; of %d the loss does not show it well enough", flat)
		}
		return nil
	})
	return s, err
}

// moveBiases adds noise to parameters of one dimension. Where images are black
// and biases zero, a ReLU is at its kink, where it has no slope.
func (t *trainer) moveBiases() error {
	const deviation = 0.05
	for i, p := range t.updater.params {
		if len(p.Shape) != 1 {
			continue
		}
		x, err := t.weights.Get(p.Name)
		if err != nil {
			return err
		}
		noise := make([]float32, p.Shape[0])
		layers.Gaussian(deviation).Fill(noise, layers.Fan{}, device.Random{Seed: t.c.Seed, Stream: uint32(i)})
		for k, v := range noise {
			x.Float32s()[k] += v
		}
		if err := t.weights.Set(p.Name, x); err != nil {
			return err
		}
	}
	return nil
}

// gradientOf downloads the gradient of a parameter.
func (t *trainer) gradientOf(p graph.Param) (*tensor.Dense, error) {
	g := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(p.Shape...))
	t.exec.Queue().Scope(p.Name)
	t.exec.Queue().Download(g, t.exec.Gradient(p.Name))
	return g, t.exec.Sync()
}

// slopeError is how far, in relation, the gradient of a parameter is off the
// difference of the loss along it. Large steps suffer from curvature and kinks,
// small ones from rounding, so that of several those count which agree with half of
// it and with the one below, and of these the one nearest to the gradient. It is NaN where
// none does, and where the gradient is rounding alone, at most flat: there the loss does not
// show the slope well enough.
func (t *trainer) slopeError(b *batchCopy, p graph.Param, flat float64) (float64, error) {
	start, err := t.weights.Get(p.Name)
	if err != nil {
		return 0, err
	}
	g, err := t.gradientOf(p)
	if err != nil {
		return 0, err
	}
	norm := math.Sqrt(sumSquares(g.Float32s()))
	base, err := t.lossOf(b)
	if err != nil || norm <= flat {
		return math.NaN(), err
	}
	slope := func(h float64) (float64, error) {
		var side [2]float64
		for i, sign := range []float64{1, -1} {
			moved := start.Clone().(*tensor.Dense)
			for k, v := range g.Float32s() {
				moved.Float32s()[k] += float32(sign * h * float64(v) / norm)
			}
			if err := t.weights.Set(p.Name, moved); err != nil {
				return 0, err
			}
			if side[i], err = t.lossOf(b); err != nil {
				return 0, err
			}
		}
		return (side[0] - side[1]) / (2 * h), nil
	}
	off, before := math.NaN(), math.NaN()
	for _, change := range []float64{1e-5, 1e-4, 1e-3, 1e-2} { // of the loss, were it straight
		h := change * math.Max(base, 1e-3) / norm
		narrow, err := slope(h / 2)
		if err != nil {
			return 0, err
		}
		wide, err := slope(h)
		if err != nil {
			return 0, err
		}
		agree := math.Abs(wide-narrow) < gradientTolerance/3*norm && !(math.Abs(narrow-before) >= gradientTolerance/3*norm)
		if miss := math.Abs(narrow-norm) / norm; agree && !(miss >= off) {
			off = miss
		}
		before = wide
	}
	return off, t.weights.Set(p.Name, start)
}

// lossOf is the loss of samples in training, of the first iteration.
func (t *trainer) lossOf(b *batchCopy) (float64, error) {
	if err := upload(t.exec, t.c.Network, b.batch(0, b.len())); err != nil {
		return 0, err
	}
	if err := t.weights.SetState(b.state); err != nil {
		return 0, err
	}
	t.exec.Forward(graph.Pass{Seed: t.c.Seed})
	return t.exec.Loss()
}

// checkOverfitting trains on a few samples, without decay and dropout, until
// they are known by heart.
func checkOverfitting(ctx context.Context, c Config) (s Sanity, err error) {
	s.Name = "overfitting"
	c.Network = withoutDropout(c.Network)
	c.Optimiser.Decay = 0
	c.Optimiser.Schedule = Schedule{Policy: Fixed, Rate: c.Optimiser.Schedule.Rate}
	c.Iterations = overfitIterations
	err = c.with(overfitSamples, overfitSamples, func(t *trainer) error {
		var first, test Test
		for t.iteration < overfitIterations {
			if test, err = Evaluate(ctx, c.Device, t.weights, t.c.Train, c.Preprocess, t.c.Batch); err != nil {
				return err
			}
			if t.iteration == 0 {
				first = test
			}
			known := !hasHits(test) || test.Metrics[0].Value == 1
			if s.OK = known && test.Loss < overfitLoss*first.Loss; s.OK || !isFinite(test.Loss) {
				break
			}
			for range overfitEvery {
				if _, _, err := t.step(0); err != nil {
					return err
				}
				t.iteration++
			}
			if err := t.exec.Sync(); err != nil {
				return err
			}
		}
		s.Text = fmt.Sprintf("the loss on %d samples fell from %.4g to %.4g in %d updates at the rate %g",
			t.c.Train.Len(), first.Loss, test.Loss, t.iteration, c.Optimiser.Schedule.Rate)
		if hasHits(test) {
			s.Text += fmt.Sprintf(", %.0f %% right", 100*test.Metrics[0].Value)
		}
		return nil
	})
	return s, err
}

// hasHits reports whether the first metric is the share of samples that are right.
func hasHits(t Test) bool { return len(t.Metrics) > 0 && t.Metrics[0].Share }

// withoutDropout is a network that drops nothing.
func withoutDropout(n *graph.Network) *graph.Network {
	c := *n
	c.Nodes = slices.Clone(n.Nodes)
	for i, node := range c.Nodes {
		if _, ok := node.Layer.(*layers.Dropout); ok {
			c.Nodes[i].Layer = &layers.Dropout{}
		}
	}
	return &c
}

// subset is some samples of a data set, spread over it evenly.
type subset struct {
	data.Dataset
	n int
}

// subsetOf takes n samples, or all where there are fewer. They do not vary.
func subsetOf(d data.Dataset, n int) data.Dataset {
	s := subset{d, min(n, d.Len())}
	if r, ok := d.(data.Regression); ok {
		return regressionSubset{s, r}
	}
	return s
}

func (s subset) Len() int        { return s.n }
func (s subset) place(i int) int { return i * s.Dataset.Len() / s.n }

func (s subset) Read(dst []float32, i int) (int32, error) { return s.Dataset.Read(dst, s.place(i)) }

type regressionSubset struct {
	subset
	from data.Regression
}

func (s regressionSubset) Targets() int { return s.from.Targets() }

func (s regressionSubset) ReadTarget(dst []float32, i int) error {
	return s.from.ReadTarget(dst, s.place(i))
}
