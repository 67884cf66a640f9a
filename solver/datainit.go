package solver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
)

// A channel is taken to be the same everywhere if its deviation is so small: in relation to
// its root mean square, where it may be rounding alone, or absolutely, where its inverse
// would leave float32.
const (
	constantShare     = 1e-6
	constantDeviation = 1e-30
)

// adapted is a step of a plan whose layer Config.DataInit initialises.
type adapted struct {
	step         int
	layer        layers.ChannelScaler
	weight, bias string // parameters; bias is empty if it is not to be changed
}

// adapted lists the steps of a plan for training that Config.DataInit is about, in order.
func (t *trainer) adapted(p *graph.Plan) (list []adapted, err error) {
	params, err := t.c.Optimiser.params(p)
	if err != nil {
		return nil, err
	}
	free := map[string]bool{} // to be changed
	for _, q := range params {
		free[q.Name] = q.Rate > 0 && (t.c.Weights == "" || modelfile.IsFresh(q.Name, t.c.Fresh))
	}
	for i, s := range p.Steps {
		node := p.Network.Nodes[s.Node]
		layer, ok := node.Layer.(layers.ChannelScaler)
		if s.Backward || s.Again || !ok || !free[node.Name+".weight"] {
			continue
		}
		a := adapted{step: i, layer: layer, weight: node.Name + ".weight"}
		if bias := node.Name + ".bias"; free[bias] {
			a.bias = bias
		}
		list = append(list, a)
	}
	return list, nil
}

// planDataInit plans the pass over so many images that Config.DataInit needs. It keeps the
// products as they are before an activation.
func (t *trainer) planDataInit(train *graph.Plan, images int) (*graph.Plan, error) {
	o := train.Options
	o.Batch, o.Keep, o.Memory = images, nil, 0
	list, err := t.adapted(train)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		s := &train.Steps[a.step]
		o.Keep = append(o.Keep, train.Values[s.Out[0]].Name)
	}
	return t.c.Network.Plan(t.c.Device.Traits(), o)
}

// dataInitImages is how many images there are for Config.DataInit.
func (t *trainer) dataInitImages() int { return min(t.c.DataInit, t.c.Train.Len()) }

// checkDataInit says whether Config.DataInit has something to do, and the memory for it.
func (t *trainer) checkDataInit(p plans) error {
	list, err := t.adapted(p.train)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("weights from %d images: %v has no convolution or dense layer that begins anew and is trained", t.c.DataInit, t.c.Network)
	}
	return checkMemory(t.c.Device, "beside training, initialising "+t.c.Network.Name+" from data", t.dataInitImages(), func(images int) (int64, error) {
		init, err := t.planDataInit(p.train, images)
		if err != nil {
			return 0, err
		}
		return t.bytes(p) + init.Arena + init.GradientBytes + init.ConstantBytes, nil
	})
}

// initFromData does what Config.DataInit asks for.
func (t *trainer) initFromData() (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("initialising from data: %w", err)
		}
	}()
	p, err := t.planDataInit(t.exec.Plan(), t.dataInitImages())
	if err != nil {
		return err
	}
	exec, err := graph.NewExecutor(p, t.weights)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, exec.Close()) }()
	state, err := t.weights.State()
	if err != nil {
		return err
	}
	if err := t.uploadFirst(exec); err != nil {
		return err
	}
	list, err := t.adapted(p)
	if err != nil {
		return err
	}
	pass := graph.Pass{Seed: t.c.Seed}
	next := 0 // step
	constant, channels, where := 0, 0, []string(nil)
	for _, a := range list {
		for ; next < a.step; next++ {
			exec.ForwardStep(pass, next)
		}
		same, of, err := a.adapt(exec, pass)
		if err != nil {
			return err
		}
		next++
		constant, channels = constant+same, channels+of
		if same > 0 {
			where = append(where, fmt.Sprintf("%d of %s", same, strings.TrimSuffix(a.weight, ".weight")))
		}
	}
	if constant > 0 {
		t.notice = fmt.Sprintf("%d of the %d channels that were to be initialised from data are the same in all of the %d images, and stay as they were: %s",
			constant, channels, exec.Batch(), strings.Join(where, ", "))
	}
	return t.weights.SetState(state) // that of layers which the pass has run
}

// uploadFirst uploads the images that a run begins with, as many as an executor takes.
func (t *trainer) uploadFirst(exec *graph.Executor) error {
	loader, err := data.NewLoader(context.Background(), t.c.Train, data.LoaderOptions{
		Batch:      exec.Batch(),
		Shuffle:    true,
		Seed:       t.c.Seed,
		Balance:    t.c.Balance,
		Epochs:     1,
		Prefetch:   1,
		Preprocess: t.c.Preprocess,
		OneHot:     oneHot(t.c.Network, t.c.Train),
	})
	if err != nil {
		return err
	}
	defer loader.Close()
	b, err := loader.Next()
	if err != nil {
		return err
	}
	err = cmp.Or(upload(exec, t.c.Network, b), exec.Sync())
	b.Release()
	return err
}

// adapt initialises the layer of a step, and leaves the output of the step as the new
// weights make it. It returns how many channels are constant, and of how many.
func (a adapted) adapt(exec *graph.Executor, pass graph.Pass) (constant, channels int, err error) {
	w := exec.Weights()
	weight, err := w.Get(a.weight)
	if err != nil {
		return 0, 0, err
	}
	var bias *tensor.Dense
	if a.bias != "" {
		if bias, err = w.Get(a.bias); err != nil {
			return 0, 0, err
		}
		if err := w.Set(a.bias, tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(bias.Shape()...))); err != nil {
			return 0, 0, err
		}
	}
	exec.ForwardStep(pass, a.step)
	means, deviations, err := a.moments(exec)
	if err != nil {
		return 0, 0, err
	}
	factors := make([]float64, len(means))
	for k, m := range means {
		s := deviations[k]
		if !isFinite(m) || !isFinite(s) {
			return 0, 0, fmt.Errorf("%s makes values of channel %d that are not finite", exec.Plan().Network.Nodes[exec.Plan().Steps[a.step].Node].Name, k)
		}
		if s <= max(constantShare*math.Hypot(m, s), constantDeviation) {
			factors[k] = 1
			constant++
			continue
		}
		factors[k] = 1 / s
		if bias != nil {
			bias.Float32s()[k] = float32(-m / s)
		}
	}
	a.layer.ScaleChannels(weight, factors)
	err = w.Set(a.weight, weight)
	if err == nil && bias != nil {
		err = w.Set(a.bias, bias)
	}
	exec.ForwardStep(pass, a.step)
	return constant, len(factors), cmp.Or(err, exec.Sync())
}

// moments are the mean and the deviation of each channel of the step's output [N,K,...].
func (a adapted) moments(exec *graph.Executor) (means, deviations []float64, err error) {
	plan := exec.Plan()
	name := plan.Values[plan.Steps[a.step].Out[0]].Name
	y, err := exec.Tensor(name)
	if err != nil {
		return nil, nil, err
	}
	if len(y.Shape) < 2 {
		return nil, nil, errors.New(name + " has no channels")
	}
	host := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(y.Len()))
	exec.Queue().Scope(name)
	exec.Queue().Download(host, y)
	if err := exec.Sync(); err != nil {
		return nil, nil, err
	}
	samples, channels := y.Shape[0], y.Shape[1]
	inner := y.Len() / (samples * channels)
	each := func(k int, f func(x float64)) {
		for n := range samples {
			for _, v := range host.Float32s()[(n*channels+k)*inner:][:inner] {
				f(float64(v))
			}
		}
	}
	count := float64(samples * inner)
	for k := range channels {
		sum, squares := 0.0, 0.0
		each(k, func(x float64) { sum += x })
		mean := sum / count
		each(k, func(x float64) { squares += (x - mean) * (x - mean) })
		means, deviations = append(means, mean), append(deviations, math.Sqrt(squares/count))
	}
	return means, deviations, nil
}
