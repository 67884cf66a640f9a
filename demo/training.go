package demo

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/predict"
	"github.com/hubel-go/hubel/solver"
)

// Training trains a network from random weights, update by update: a page has to do other
// things between two of them. It is for one goroutine.
type Training struct {
	device       device.Device
	network      *graph.Network
	preprocess   data.Preprocess
	test         *Digits
	options      TrainOptions
	image, label string // names of inputs

	loader  *data.Loader
	weights *graph.Weights
	exec    *graph.Executor
	updater *solver.Updater
	done    int // updates
}

// TrainOptions are the settings of a Training.
type TrainOptions struct {
	Iterations int
	Batch      int
	Rate       float64 // at the start; it falls to 0 along a cosine
	Seed       uint64
}

// Progress is what an update achieved on its batch, before it.
type Progress struct {
	Iteration int     `json:"iteration"` // counted from 1
	Loss      float64 `json:"loss"`
	Accuracy  float64 `json:"accuracy"` // from 0 to 1
	Rate      float64 `json:"rate"`
}

// NewTraining prepares the training of a model's network on digits, with its preprocessing
// and without its weights. Momentum and weight decay are those of the command train.
func NewTraining(d device.Device, m *modelfile.Model, train, test *Digits, o TrainOptions) (*Training, error) {
	if o.Iterations < 1 || o.Batch < 1 || o.Batch > train.Len() {
		return nil, errors.New("a training needs at least one iteration, and a batch of at least one digit and at most all of them")
	}
	t := &Training{device: d, network: m.Network, preprocess: m.Preprocess, test: test, options: o}
	if err := t.open(m, train); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// open makes all that a training works with, but the weights of the model.
func (t *Training) open(m *modelfile.Model, train *Digits) error {
	d, o := t.device, t.options
	for _, in := range []struct {
		role graph.Role
		name *string
	}{{graph.RoleImage, &t.image}, {graph.RoleLabel, &t.label}} {
		x, err := m.Network.InputOf(in.role)
		if err != nil {
			return err
		}
		*in.name = x.Name
	}
	var metrics []string
	for _, metric := range m.Network.Metrics {
		metrics = append(metrics, metric.Value)
	}
	plan, err := m.Network.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: o.Batch, Keep: metrics})
	if err != nil {
		return err
	}
	if t.weights, err = graph.NewWeights(m.Network, d); err != nil {
		return err
	}
	if err := t.weights.Fill(o.Seed); err != nil {
		return err
	}
	if t.exec, err = graph.NewExecutor(plan, t.weights); err != nil {
		return err
	}
	if t.updater, err = solver.NewUpdater(d, t.exec, t.optimiser()); err != nil {
		return err
	}
	t.loader, err = data.NewLoader(context.Background(), train, data.LoaderOptions{Batch: o.Batch, Shuffle: true, Seed: o.Seed, Workers: 1, Preprocess: m.Preprocess})
	return err
}

func (t *Training) optimiser() solver.Optimiser {
	o := solver.Defaults(solver.SGD)
	o.Decay = 5e-4
	o.Schedule = solver.Schedule{Policy: solver.Cosine, Rate: t.options.Rate, Max: t.options.Iterations}
	return o
}

// Step makes an update.
func (t *Training) Step() (p Progress, err error) {
	b, err := t.loader.Next()
	if err != nil {
		return p, err
	}
	defer b.Release()
	err = cmp.Or(t.exec.SetBatch(b.N), t.exec.Upload(t.image, b.X), t.exec.Upload(t.label, b.Labels))
	if err != nil {
		return p, err
	}
	pass := graph.Pass{Seed: t.options.Seed, Iteration: uint32(t.done), WholeBatch: b.N}
	t.exec.Forward(pass)
	t.exec.Backward(pass, device.Overwrite)
	t.updater.Update(t.done)
	p.Rate = float64(t.optimiser().Schedule.At(t.done))
	t.done++
	p.Iteration = t.done
	if p.Loss, err = t.exec.Loss(); err != nil {
		return p, err
	}
	if len(t.network.Metrics) > 0 {
		p.Accuracy, err = t.exec.Mean(t.network.Metrics[0].Value)
	}
	return p, err
}

// Test counts the digits of the test set, from one on and to before another, that the
// network knows as it is now.
func (t *Training) Test(from, to int) (right int, err error) {
	m, err := t.Model()
	if err != nil {
		return 0, err
	}
	p, err := predict.New(t.device, m, predict.Options{Batch: min(100, to-from), Parallel: 1})
	if err != nil {
		return 0, err
	}
	defer func() { err = cmp.Or(err, p.Close()) }()
	digits := make([]float32, (to-from)*Side*Side)
	labels := make([]int32, to-from)
	for i := range labels {
		if labels[i], err = t.test.Read(digits[i*Side*Side:(i+1)*Side*Side], from+i); err != nil {
			return 0, err
		}
	}
	answers, err := p.Predict(context.Background(), digits)
	for i, y := range answers {
		if p.Top(y, 1)[0].Label == int(labels[i]) {
			right++
		}
	}
	return right, err
}

// Weights are the values of a parameter, such as "conv1.weight", as they are now.
func (t *Training) Weights(name string) ([]float32, error) {
	if t.weights.Shape(name) == nil {
		return nil, fmt.Errorf("%v has no parameter %q", t.network, name)
	}
	w, err := t.weights.Get(name)
	if err != nil {
		return nil, err
	}
	return w.Float32s(), nil
}

// Model is the network as it is now.
func (t *Training) Model() (*modelfile.Model, error) {
	tensors, err := modelfile.Download(t.weights)
	if err != nil {
		return nil, err
	}
	m := &modelfile.Model{Network: t.network, Preprocess: t.preprocess, Classes: digitClasses, Weights: map[string]*tensor.Dense{}}
	for _, x := range tensors {
		m.Weights[x.Name] = x.Value
	}
	return m, nil
}

// File is the weights file of the network as it is now.
func (t *Training) File() ([]byte, error) {
	tensors, err := modelfile.Download(t.weights)
	if err != nil {
		return nil, err
	}
	metadata, err := modelfile.Encode(t.network, t.preprocess, digitClasses)
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	err = safetensors.WriteTo(&file, tensors, metadata)
	return file.Bytes(), err
}

// Close frees the memory. Closing twice does nothing.
func (t *Training) Close() error {
	if t.loader != nil {
		t.loader.Close()
		t.loader = nil
	}
	var errs []error
	if t.updater != nil {
		errs = append(errs, t.updater.Close())
	}
	if t.exec != nil {
		errs = append(errs, t.exec.Close())
	}
	if t.weights != nil {
		errs = append(errs, t.weights.Close())
	}
	return cmp.Or(errs...)
}
