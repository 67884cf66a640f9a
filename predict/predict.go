// Package predict runs trained networks on pictures: it returns their
// predictions and the outputs of their layers.
//
// The network, the preprocessing and the names of the classes come from the
// weights file, so training and prediction cannot differ.
package predict

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/modelfile"
)

// Options are the options of a Predictor.
type Options struct {
	// Batch is the number of samples per pass; 0 means 32. More samples are divided
	// into batches.
	Batch int

	// Parallel is how many batches may run at the same time, each in its own
	// memory; 0 means one for each core. More callers wait.
	Parallel int

	// Features names values of the network, such as "fc7", that a Prediction
	// contains besides the output. A layer that works in place on another's output
	// gets its own memory then.
	Features []string

	// TenCrops makes Files and Picture predict the mean over ten views of a picture: the
	// centre, the corners and their mirror images (Krizhevsky et al. 2012, section
	// 4.1). The network must have been trained on crops. If the weights file asks
	// for ten views, they take them without this option too.
	TenCrops bool

	// Pixels bounds the size of a picture that Prepare and Picture decode; 0 leaves the
	// bound of package data.
	Pixels int
}

// Prediction is what a network predicts for one sample.
type Prediction struct {
	// Output is the network's first output: the probabilities of a classifier,
	// the numbers of a regression.
	Output []float32

	Features [][]float32 // of Options.Features, in their order, each row-major
}

// ErrNaN is the error of Files, Picture and Answered for a picture whose output contains
// NaN: there is no prediction.
var ErrNaN = errors.New("the network's output is NaN: on the way to it a number left the range of float32")

// Answered is ErrNaN for a prediction that is none.
func (y Prediction) Answered() error {
	if slices.ContainsFunc(y.Output, func(v float32) bool { return v != v }) {
		return ErrNaN
	}
	return nil
}

// FailedError is an error of weights that are NaN, or one that happened after a
// network began to run on pictures. Other errors are about the arguments.
type FailedError struct{ Err error }

// Error is the message of Err.
func (e FailedError) Error() string { return e.Err.Error() }

// Unwrap is for errors.Is.
func (e FailedError) Unwrap() error { return e.Err }

// Guess is a class with its probability.
type Guess struct {
	Class       string  `json:"class"`
	Label       int     `json:"label"` // the class's number
	Probability float32 `json:"probability"`

	// ClassBytes is Class where that is not UTF-8, which JSON cannot say.
	ClassBytes []byte `json:"class_base64,omitempty"`
}

// Predictor is a trained network on a device. Its methods may be called from
// any number of goroutines, which share one set of weights.
type Predictor struct {
	model   *modelfile.Model
	options Options
	plan    *graph.Plan
	images  graph.Input
	shape   []int    // of a sample, [C,H,W]
	names   []string // values that are read: the output, then the features
	weights *graph.Weights

	pictures   *data.Photos // of no files, for Picture
	noPictures error        // why the network takes none

	slots chan *slot // of those that may be used; nil is one that is not made yet
	mu    sync.Mutex // held while a slot is made

	closed   chan struct{} // closed by Close
	close    sync.Once
	closeErr error
}

// ErrClosed is the error of a Predictor's methods after Close.
var ErrClosed = errors.New("the predictor is closed")

// slot is the memory of a batch under way.
type slot struct {
	exec *graph.Executor
	x    []float32 // [Batch,C,H,W]
}

// Open reads a weights file and makes a Predictor on a device.
func Open(d device.Device, path string, o Options) (*Predictor, error) {
	if d == nil {
		return nil, errNoDevice
	}
	m, err := modelfile.Read(path)
	if err != nil {
		return nil, err
	}
	p, err := New(d, m, o)
	switch {
	case errors.As(err, new(FailedError)), errors.As(err, new(modelfile.MismatchError)): // which name the file
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

var errNoDevice = errors.New("there is no device to predict on")

// New makes a Predictor of a trained network on a device.
func New(d device.Device, m *modelfile.Model, o Options) (*Predictor, error) {
	switch {
	case d == nil:
		return nil, errNoDevice
	case m == nil || m.Network == nil:
		return nil, errors.New("there is no network to predict with")
	}
	o.Batch = cmp.Or(o.Batch, 32)
	o.Parallel = cmp.Or(o.Parallel, runtime.GOMAXPROCS(0))
	if o.Batch < 1 || o.Parallel < 1 {
		return nil, fmt.Errorf("batch %d and %d batches in parallel must be at least 1", o.Batch, o.Parallel)
	}
	o.TenCrops = o.TenCrops || m.Preprocess.TenCrops
	p := &Predictor{model: m, options: o, closed: make(chan struct{})}
	n := m.Network
	var err error
	if p.images, err = n.InputOf(graph.RoleImage); err != nil {
		return nil, err
	}
	p.shape = p.images.Shape
	if len(p.shape) != 3 {
		return nil, fmt.Errorf("%v takes images of the shape %v, not [channels, height, width]", n, p.shape)
	}
	if len(n.Outputs) == 0 {
		return nil, fmt.Errorf("%v has no outputs, so that there is nothing to predict: name one in \"outputs\"", n)
	}
	if err := m.Preprocess.Check(p.shape); err != nil {
		return nil, err
	}
	p.names = append([]string{n.Outputs[0]}, o.Features...)
	folded := *m
	if p.plan, folded.Network, folded.Weights, err = foldedPlan(m, d.Traits(), graph.PlanOptions{Mode: graph.Infer, Batch: o.Batch, Keep: p.names}); err != nil {
		return nil, err
	}
	find := func(name string) int {
		return slices.IndexFunc(p.plan.Values, func(v graph.Value) bool { return v.Name == name })
	}
	for _, in := range n.Inputs {
		if in.Name != p.images.Name && (find(in.Name) >= 0 || slices.Contains(p.names, in.Name)) {
			return nil, fmt.Errorf("%s: that takes the input %q, and a picture has none", strings.Join(p.names, ", "), in.Name)
		}
	}
	for _, name := range p.names {
		if i := find(name); i < 0 || p.plan.Values[i].DType != device.Float32 {
			return nil, fmt.Errorf("%s is not made of float32 numbers of the picture", name)
		}
	}
	p.pictures, p.noPictures = Photos(m, data.ListFiles(nil))
	if o.TenCrops && !slices.ContainsFunc(m.Preprocess.Augment, func(s data.Step) bool { return s.Op == data.Crop }) {
		return nil, errors.New("ten crops need a network that was trained with a crop")
	}
	if p.weights, err = graph.NewWeights(folded.Network, d); err != nil {
		return nil, err
	}
	if err := folded.Set(p.weights); err != nil {
		if errors.As(err, new(modelfile.NaNError)) {
			err = FailedError{err}
		}
		return nil, cmp.Or(err, p.weights.Close())
	}
	p.slots = make(chan *slot, o.Parallel)
	for range o.Parallel {
		p.slots <- nil
	}
	first, err := p.acquire(context.Background()) // what is wrong shows here
	if err != nil {
		return nil, cmp.Or(err, p.weights.Close())
	}
	p.slots <- first
	return p, nil
}

// foldedPlan plans the network with its batch-norms folded into the layers before them,
// and returns that network with its weights too.
func foldedPlan(m *modelfile.Model, t device.Traits, o graph.PlanOptions) (*graph.Plan, *graph.Network, map[string]*tensor.Dense, error) {
	p, err := m.Network.Plan(t, o) // its errors name what is in the file
	if err != nil {
		return nil, nil, nil, err
	}
	n, weights := p.Fold(m.Weights)
	if len(n.Nodes) < len(m.Network.Nodes) {
		p, err = n.Plan(t, o)
	}
	return p, n, weights, err
}

// Shape is the shape of a sample, [C,H,W].
func (p *Predictor) Shape() []int { return slices.Clone(p.shape) }

// Batch is the number of samples per pass.
func (p *Predictor) Batch() int { return p.options.Batch }

// Network is the name of the network.
func (p *Predictor) Network() string { return p.model.Network.Name }

// Input is the name of the network's input of images.
func (p *Predictor) Input() string { return p.images.Name }

// Output is the name of the network's first output.
func (p *Predictor) Output() string { return p.names[0] }

// Features are Options.Features.
func (p *Predictor) Features() []string { return slices.Clone(p.options.Features) }

// Classes are the names of the classes, one for each element of a classifier's
// output. It is empty for a regression.
func (p *Predictor) Classes() []string { return p.model.Classes }

// Regression says whether the network was trained to predict numbers of its samples, such
// as points.
func (p *Predictor) Regression() bool {
	_, err := p.model.Network.InputOf(graph.RoleTarget)
	return err == nil && len(p.model.Classes) == 0
}

// Preprocess is the preprocessing that Predict applies to samples.
func (p *Predictor) Preprocess() data.Preprocess { return p.model.Preprocess }

// OutputShape is the shape of the output of one sample.
func (p *Predictor) OutputShape() []int { return p.shapeOf(0) }

// Photos makes samples of picture files, as Files does: pixels from 0 to 255.
func (p *Predictor) Photos(names []string) (*data.Photos, error) {
	return Photos(p.model, data.ListFiles(names))
}

// FeatureShape is the shape of feature i of a sample.
func (p *Predictor) FeatureShape(i int) []int { return p.shapeOf(1 + i) }

// shapeOf is the shape of value i that is read, of a sample.
func (p *Predictor) shapeOf(i int) []int {
	name := p.names[i]
	v := slices.IndexFunc(p.plan.Values, func(v graph.Value) bool { return v.Name == name })
	return slices.Clone([]int(p.plan.Values[v].Shape[1:]))
}

// Predict predicts for samples, [N,C,H,W] row-major. They are raw, with the
// values of a data set: pixels from 0 to 255.
func (p *Predictor) Predict(ctx context.Context, x []float32) ([]Prediction, error) {
	each := p.sampleLen()
	if len(x)%each != 0 {
		return nil, fmt.Errorf("%d values are not samples of the shape %v", len(x), p.shape)
	}
	return p.predict(ctx, slices.Collect(slices.Chunk(x, each)), p.model.Preprocess.Apply)
}

// Run predicts for samples, each [C,H,W] row-major, that are as the network takes them:
// Prepare or Preprocess has made them.
func (p *Predictor) Run(ctx context.Context, samples [][]float32) ([]Prediction, error) {
	for _, x := range samples {
		if len(x) != p.sampleLen() {
			return nil, fmt.Errorf("%d values are not a sample of the shape %v", len(x), p.shape)
		}
	}
	return p.predict(ctx, samples, func([]float32) {})
}

// predict sends samples through the network in batches, each prepared in the
// memory of its batch.
func (p *Predictor) predict(ctx context.Context, samples [][]float32, prepare func([]float32)) ([]Prediction, error) {
	s, err := p.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { p.slots <- s }() // there is room, also where a pass panics
	each := p.sampleLen()
	var all []Prediction
	for batch := range slices.Chunk(samples, p.options.Batch) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for i, x := range batch {
			to := s.x[i*each : (i+1)*each]
			copy(to, x)
			prepare(to)
		}
		if err := p.run(s, len(batch)); err != nil {
			return nil, err
		}
		if all, err = p.read(s, all, len(batch)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (p *Predictor) sampleLen() int { return p.shape[0] * p.shape[1] * p.shape[2] }

// acquire waits for a slot.
func (p *Predictor) acquire(ctx context.Context) (*slot, error) {
	select {
	case <-p.closed: // first: slots may be free too
		return nil, ErrClosed
	default:
	}
	select {
	case <-p.closed:
		return nil, ErrClosed
	case s := <-p.slots:
		if s != nil {
			return s, nil
		}
		s, err := p.newSlot()
		if err != nil {
			p.slots <- nil
		}
		return s, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// newSlot makes a slot and runs a first pass through it: that packs the
// weights, which all slots share.
func (p *Predictor) newSlot() (*slot, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	exec, err := graph.NewExecutor(p.plan, p.weights)
	if err != nil {
		return nil, err
	}
	s := &slot{exec: exec, x: make([]float32, p.options.Batch*p.sampleLen())}
	if err := p.run(s, 1); err != nil {
		return nil, cmp.Or(err, exec.Close())
	}
	return s, nil
}

// run sends n samples through the network.
func (p *Predictor) run(s *slot, n int) error {
	if err := s.exec.SetBatch(n); err != nil {
		return err
	}
	shape := append([]int{n}, p.shape...)
	x := tensor.New(tensor.WithShape(shape...), tensor.WithBacking(s.x[:n*p.sampleLen()]))
	if err := s.exec.Upload(p.images.Name, x); err != nil {
		return err
	}
	s.exec.Forward(graph.Pass{})
	return s.exec.Sync()
}

// read appends what the last pass made of n samples.
func (p *Predictor) read(s *slot, to []Prediction, n int) ([]Prediction, error) {
	first := len(to)
	to = append(to, make([]Prediction, n)...)
	for k, name := range p.names {
		t, err := s.exec.Read(name)
		if err != nil {
			return nil, err
		}
		values := slices.Clone(t.Float32s())
		each := len(values) / n
		for i := range n {
			row := values[i*each : (i+1)*each : (i+1)*each]
			if k == 0 {
				to[first+i].Output = row
			} else {
				to[first+i].Features = append(to[first+i].Features, row)
			}
		}
	}
	return to, nil
}

// Top lists the n classes of the highest probability, the first among equals.
// It lists all if there are fewer, and none if n is below 1. A class whose
// probability is NaN is left out.
func (p *Predictor) Top(x Prediction, n int) []Guess {
	var guesses []Guess
	for i, v := range x.Output {
		if v != v {
			continue
		}
		g := Guess{Class: fmt.Sprintf("#%d", i), Label: i, Probability: v}
		if i < len(p.model.Classes) {
			g.Class = p.model.Classes[i]
			if !utf8.ValidString(g.Class) {
				g.ClassBytes = []byte(g.Class)
			}
		}
		guesses = append(guesses, g)
	}
	slices.SortStableFunc(guesses, func(a, b Guess) int { return cmp.Compare(b.Probability, a.Probability) })
	return guesses[:max(0, min(n, len(guesses)))]
}

// Close waits for running batches and frees the device's memory. Later calls of
// the Predictor return ErrClosed. A second Close does nothing, and returns the
// same error.
func (p *Predictor) Close() error {
	p.close.Do(func() {
		close(p.closed)
		var errs []error
		for range cap(p.slots) {
			if s := <-p.slots; s != nil {
				errs = append(errs, s.exec.Close())
			}
		}
		p.closeErr = cmp.Or(append(errs, p.weights.Close())...)
	})
	return p.closeErr
}
