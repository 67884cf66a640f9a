package graph

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// Executor runs a plan on a device, over weights that other executors may
// share. It belongs to one goroutine at a time. Passes allocate nothing.
type Executor struct {
	plan    *Plan
	device  device.Device
	weights *Weights
	queue   device.Queue

	arena     device.Buffer
	slab      device.Buffer // of gradients
	constants device.Buffer
	tensors   []device.Tensor          // of Plan.Values
	gradients map[string]device.Tensor // of Plan.Params by name, those that are frozen apart
	steps     []boundStep
	byName    map[string]int // values a caller may name

	batch int
	host  map[hostKey]*tensor.Dense

	onGradient func(p *Param, gradient device.Tensor)
	before     func(step int) // tests look at memory here
}

type boundStep struct {
	*Step
	name   string
	layer  layers.Layer
	call   layers.Call
	zero   []device.Tensor
	packed []*packedSlot
	stream uint32
	weight float32 // of a loss
	clear  []device.Tensor

	synchronised layers.Synchroniser // of a layer whose batch is spread; see Synchronise

	statistics [][]device.Tensor // of each micro-batch, where they are kept
}

type hostKey struct{ value, samples int }

// Pass is the position of a pass in training. It decides the random numbers and
// the scale of the gradients.
type Pass struct {
	Seed        uint64
	Iteration   uint32
	FirstSample int // index, in the whole batch, of the first sample of this micro-batch
	WholeBatch  int // samples of the whole batch; 0 means those of this pass
	Across      int // samples of this pass on all devices, after Synchronise
}

// NewExecutor allocates what a plan needs and binds it to the weights. The
// weights must be of the plan's network, or of one with the same parameters, on
// a device with the traits of the plan. State belongs to the weights: if
// executors share them, the one that trains must have synced before another
// runs.
func NewExecutor(p *Plan, w *Weights) (*Executor, error) {
	if p == nil || w == nil {
		return nil, errors.New("an executor needs a plan and weights")
	}
	if made, is := traitsName(p.Traits), traitsName(w.device.Traits()); made != is {
		return nil, fmt.Errorf("the plan of %s was made for %s, and the weights are on %s: plan the network with the traits of that device", p.Network.Name, made, is)
	}
	e := &Executor{plan: p, device: w.device, weights: w, byName: map[string]int{}, gradients: map[string]device.Tensor{}, host: map[hostKey]*tensor.Dense{}, batch: p.Options.Batch}
	if err := e.bind(); err != nil {
		return nil, cmp.Or(fmt.Errorf("plan of %s: %w", p.Network.Name, err), e.Close())
	}
	return e, nil
}

// traitsName names traits, and the lack of them in a plan that Network.Plan has not made.
func traitsName(t device.Traits) string {
	if t == nil {
		return "no device"
	}
	return t.String()
}

func (e *Executor) bind() (err error) {
	if e.arena, err = e.device.Alloc(e.plan.Arena); err != nil {
		return fmt.Errorf("activations: %w", err)
	}
	if e.slab, err = e.device.Alloc(e.plan.GradientBytes); err != nil {
		return fmt.Errorf("gradients: %w", err)
	}
	if e.queue, err = e.device.NewQueue(); err != nil {
		return err
	}
	constants, err := e.uploadConstants()
	if err != nil {
		return err
	}
	for i, v := range e.plan.Values {
		e.tensors = append(e.tensors, carve(e.arena, v.Offset, v.DType, v.Shape))
		if v.Kind != Scratch {
			e.byName[v.Name] = i
		}
	}
	for _, p := range e.plan.Params {
		if p.Grad >= 0 {
			e.gradients[p.Name] = carve(e.slab, p.Grad, device.Float32, p.Shape)
		}
	}
	streams := make([]uint32, len(e.plan.Specs)) // of random numbers, numbered through the network
	next := uint32(1)
	for i, spec := range e.plan.Specs {
		streams[i] = next
		next += uint32(spec.Streams)
	}
	for i := range e.plan.Steps {
		s := &e.plan.Steps[i]
		b := boundStep{Step: s, name: e.plan.Network.Nodes[s.Node].Name, layer: e.plan.Network.Nodes[s.Node].Layer, stream: streams[s.Node]}
		b.call.Constants = constants[s.Node]
		spec := e.plan.Specs[s.Node]
		if err := e.bindStep(&b, spec); err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		b.weight = spec.LossWeight
		e.steps = append(e.steps, b)
	}
	return nil
}

// uploadConstants makes the constants of each node.
func (e *Executor) uploadConstants() ([][]device.Tensor, error) {
	of := make([][]device.Tensor, len(e.plan.Specs))
	if e.plan.ConstantBytes == 0 {
		return of, nil
	}
	var err error
	if e.constants, err = e.device.Alloc(e.plan.ConstantBytes); err != nil {
		return nil, fmt.Errorf("constants: %w", err)
	}
	e.queue.Scope("constants")
	offset := int64(0)
	for i, spec := range e.plan.Specs {
		for _, x := range spec.Constants {
			t := carve(e.constants, offset, device.Float32, x.Shape())
			offset += constantBytes(x, e.plan.Traits)
			e.queue.Upload(t, x)
			of[i] = append(of[i], t)
		}
	}
	return of, e.queue.Sync()
}

// bindStep sets everything in a step's call that stays the same.
func (e *Executor) bindStep(b *boundStep, spec layers.Spec) error {
	pick := func(list []int) []device.Tensor {
		tensors := make([]device.Tensor, len(list))
		for i, v := range list {
			if v >= 0 {
				tensors[i] = e.tensors[v]
			}
		}
		return tensors
	}
	c := &b.call
	c.In, c.Out, c.Saved, c.Temporary = pick(b.In), pick(b.Out), pick(b.Saved), pick(b.Temporary)
	c.DIn, c.DOut, c.Modes = pick(b.DIn), pick(b.DOut), b.Modes
	c.Programs, c.UpdateState, c.Again = spec.Programs, b.UpdateState, b.Again
	c.Epilogue.Activation = b.Activation
	for _, m := range b.Maps {
		s := &e.plan.Steps[m]
		c.Epilogue.Maps = append(c.Epilogue.Maps, device.EpilogueMap{Program: e.plan.Specs[s.Node].Programs[0], In: pick(s.In)})
	}
	b.zero = pick(b.Zero)
	if b.Scratch >= 0 {
		c.Scratch = e.tensors[b.Scratch].Buffer
	}
	c.Params = make([]device.Tensor, len(spec.Params))
	c.DParams = make([]device.Tensor, len(spec.Params))
	for k, p := range e.plan.ParamsOf(b.Node) {
		w, ok := e.weights.tensors[p.Name]
		if !ok || !slices.Equal([]int(w.Shape), []int(p.Shape)) {
			return fmt.Errorf("%s has the shape %v in the plan and %v in the weights", p.Name, []int(p.Shape), []int(w.Shape))
		}
		c.Params[k] = w
		c.DParams[k] = e.gradients[p.Name]
	}
	for _, k := range b.Clear {
		b.clear = append(b.clear, e.gradients[e.plan.Params[k].Name])
	}
	for _, s := range spec.State {
		name := e.plan.Network.Nodes[b.Node].WeightName(s.Name)
		w, ok := e.weights.tensors[name]
		if !ok || !slices.Equal([]int(w.Shape), []int(s.Shape)) {
			return fmt.Errorf("%s has the shape %v in the plan and %v in the weights", name, []int(s.Shape), []int(w.Shape))
		}
		c.State = append(c.State, w)
	}
	for pass, bytes := range b.Packed {
		if bytes == 0 {
			continue
		}
		s, err := e.weights.packedSlot(b.Node, device.Pass(pass), bytes)
		if err != nil {
			return err
		}
		b.packed, c.Packed[pass] = append(b.packed, s), s.buffer
	}
	return nil
}

// Plan is what the executor runs.
func (e *Executor) Plan() *Plan { return e.plan }

// Weights are what the executor runs on.
func (e *Executor) Weights() *Weights { return e.weights }

// Queue is the queue the passes are enqueued on.
func (e *Executor) Queue() device.Queue { return e.queue }

// Batch is the number of samples of the next pass.
func (e *Executor) Batch() int { return e.batch }

// SetBatch sets the number of samples of the following passes, at most what
// was planned: the last batch of an epoch may be smaller.
func (e *Executor) SetBatch(samples int) error {
	if err := e.plan.checkBatch(samples); err != nil {
		return err
	}
	if samples == e.batch {
		return nil
	}
	e.batch = samples
	for i, v := range e.plan.Values {
		if v.Batched {
			e.tensors[i].Shape[0] = samples // calls share the shape
		}
	}
	return nil
}

// checkBatch says whether a pass may have so many samples.
func (p *Plan) checkBatch(samples int) error {
	if samples < 1 || samples > p.Options.Batch {
		return fmt.Errorf("a batch of %d samples does not fit a plan for 1 to %d", samples, p.Options.Batch)
	}
	return nil
}

// Tensor is a value of the plan by name, "conv1", its gradient, "conv1/d", or
// a saved slot, "norm1/scale". Its contents are defined after a pass only for
// values that the plan keeps.
func (e *Executor) Tensor(name string) (device.Tensor, error) {
	v, ok := e.byName[name]
	if !ok {
		return device.Tensor{}, fmt.Errorf("the plan of %s has no value %q", e.plan.Network.Name, name)
	}
	return e.tensors[v], nil
}

// Gradient is the gradient of a parameter by name, the zero Tensor if it is
// frozen or unknown.
func (e *Executor) Gradient(param string) device.Tensor { return e.gradients[param] }

// Gradients is the slab of all parameter gradients.
func (e *Executor) Gradients() device.Tensor {
	return carve(e.slab, 0, device.Float32, tensor.Shape{int(e.slab.Size() / device.Float32.Size())})
}

// OnGradient calls f during Backward, each time the gradient of a parameter has
// been enqueued, in the order of Plan.Params. One that layers share comes after the last
// of them; it is out of that order only if the layer that has it does not run backward.
// Data-parallel training would start its exchange there.
func (e *Executor) OnGradient(f func(p *Param, gradient device.Tensor)) { e.onGradient = f }

// Upload enqueues the copy of a batch to an input. It does nothing for an input
// that the plan does not read, such as the label in inference. The host memory
// may be used again after an event that was recorded later has passed, or after
// Sync.
//
// Upload the inputs before every pass: after the last layer has read them,
// their memory is used for other values.
func (e *Executor) Upload(name string, x *tensor.Dense) error {
	v, err := e.input(name)
	if v < 0 || err != nil {
		return err
	}
	return upload(e.queue, name, e.tensors[v], x)
}

// input is the value of an input by name, -1 of one that the plan does not read.
func (e *Executor) input(name string) (int, error) {
	if v, ok := e.byName[name]; ok && e.plan.Values[v].Kind == Uploaded {
		return v, nil
	}
	if slices.ContainsFunc(e.plan.Network.Inputs, func(in Input) bool { return in.Name == name }) {
		return -1, nil
	}
	return -1, fmt.Errorf("%v has no input %q", e.plan.Network, name)
}

// upload enqueues the copy of an input.
func upload(q device.Queue, name string, t device.Tensor, x *tensor.Dense) error {
	if x.Size() != t.Len() {
		return fmt.Errorf("input %s wants the shape %v, not %v", name, []int(t.Shape), []int(x.Shape()))
	}
	q.Scope(name)
	q.Upload(t, x)
	return nil
}

// Forward enqueues the forward steps, on inputs uploaded since the last pass.
func (e *Executor) Forward(p Pass) {
	for i := range e.steps {
		if e.steps[i].Backward || e.steps[i].Again {
			break
		}
		e.ForwardStep(p, i)
	}
}

// ForwardStep enqueues one forward step of Plan.Steps. The steps before it must have run in
// this pass, and none after it. So a layer can run again after its parameters were changed.
func (e *Executor) ForwardStep(p Pass, step int) {
	s := &e.steps[step]
	e.prepare(s, p, step)
	if !s.Fused {
		s.layer.Forward(e.queue, &s.call)
	}
}

// Backward enqueues the backward steps, and between them the forward steps that run again. The gradients of the losses with
// respect to the parameters overwrite the gradient slab, or are added to it.
func (e *Executor) Backward(p Pass, m device.Mode) {
	for i := range e.steps {
		s := &e.steps[i]
		if s.Again {
			e.ForwardStep(p, i)
		}
		if !s.Backward {
			continue
		}
		e.prepare(s, p, i)
		for _, t := range s.zero {
			e.queue.Fill(t, 0)
		}
		s.call.ParamMode = m
		if s.Adds {
			s.call.ParamMode = device.Accumulate
		}
		if m == device.Overwrite {
			for _, t := range s.clear {
				e.queue.Fill(t, 0)
			}
		}
		s.layer.Backward(e.queue, &s.call)
		e.done(s)
	}
}

// done tells of the gradients that a step has finished.
func (e *Executor) done(s *boundStep) {
	if e.onGradient == nil {
		return
	}
	for _, k := range s.Done {
		param := &e.plan.Params[k]
		e.onGradient(param, e.gradients[param.Name])
	}
}

// prepare sets what changes from pass to pass.
func (e *Executor) prepare(s *boundStep, p Pass, step int) {
	if e.before != nil {
		e.before(step)
	}
	e.queue.Scope(s.name)
	whole := p.WholeBatch
	if whole == 0 {
		whole = e.batch
	}
	s.call.LossScale = s.weight / float32(whole)
	if s.synchronised != nil {
		s.call.Across.Samples = p.Across
	}
	s.call.Random = device.Random{Seed: p.Seed, Stream: s.stream, Iteration: p.Iteration, Sample: uint32(p.FirstSample)}
	stale := false
	for _, slot := range s.packed {
		stale = stale || slot.version != e.weights.version
	}
	if stale {
		s.layer.(layers.Packer).Pack(e.queue, &s.call)
		for _, slot := range s.packed {
			slot.version = e.weights.version
		}
	}
}

// Sync waits for everything enqueued and returns the first error, which names
// the layer.
func (e *Executor) Sync() error { return e.queue.Sync() }

// Read downloads a kept value. The result belongs to the executor and is
// overwritten by the next Read of the same value.
func (e *Executor) Read(name string) (*tensor.Dense, error) {
	v, ok := e.byName[name]
	if !ok || e.plan.Values[v].Last != len(e.plan.Steps) {
		return nil, fmt.Errorf("the plan of %s does not keep %q", e.plan.Network.Name, name)
	}
	key := hostKey{v, e.batch}
	x, ok := e.host[key]
	if !ok {
		x = hostTensor(e.plan.Values[v].DType, e.tensors[v].Shape)
		e.host[key] = x
	}
	e.queue.Download(x, e.tensors[v])
	return x, e.queue.Sync()
}

// Mean downloads a kept float32 value, such as a loss or an accuracy, and
// returns the mean of its elements.
func (e *Executor) Mean(name string) (float64, error) {
	x, err := e.Read(name)
	if err != nil {
		return 0, err
	}
	return mean(x.Float32s()), nil
}

// Loss downloads the losses of the last pass and returns the sum of their
// weighted means, which training minimises, without weight decay. A plan for
// inference must keep the losses.
func (e *Executor) Loss() (float64, error) {
	sum := 0.0
	for _, l := range e.plan.Losses {
		m, err := e.Mean(e.plan.Values[l.Value].Name)
		if err != nil {
			return 0, err
		}
		sum += float64(l.Weight) * m
	}
	return sum, nil
}

func mean(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v)
	}
	return sum / float64(len(x))
}

// Close frees the executor's memory; the weights stay.
func (e *Executor) Close() error {
	var errs []error
	if e.queue != nil {
		errs = append(errs, e.queue.Close())
	}
	for _, b := range []device.Buffer{e.arena, e.slab, e.constants} {
		if b != nil {
			errs = append(errs, b.Free())
		}
	}
	return cmp.Or(errs...)
}
