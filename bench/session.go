package bench

import (
	"cmp"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/solver"
)

// sgd is the update of the AlexNet paper, with a rate at which random labels
// leave the weights finite for any number of steps.
var sgd = solver.Optimiser{Schedule: solver.Schedule{Policy: solver.Fixed, Rate: 1e-5}, Momentum: 0.9, Decay: 5e-4}

// seed is that of weights, images and dropout.
const seed = 1

// session runs steps of one plan on random images.
type session struct {
	device *timedDevice
	exec   *graph.Executor

	// batch is what every step begins with, for other values take its place
	// within a step; nil where times are predicted, and values mean nothing.
	batch *graph.Staging

	updater *solver.Updater // nil in inference
	pass    graph.Pass
}

// newSession binds a plan to weights and a batch.
func newSession(d *timedDevice, p *graph.Plan, w *graph.Weights) (*session, error) {
	s := &session{device: d, pass: graph.Pass{Seed: seed}}
	var err error
	if s.exec, err = graph.NewExecutor(p, w); err != nil {
		return nil, err
	}
	if err := s.prepare(); err != nil {
		return nil, cmp.Or(err, s.close())
	}
	return s, nil
}

func (s *session) prepare() error {
	p := s.exec.Plan()
	if p.Options.Mode == graph.Train {
		var err error
		if s.updater, err = solver.NewUpdater(s.device, s.exec, sgd); err != nil {
			return err
		}
	}
	if s.device.predicted != nil {
		return s.upload(s.exec)
	}
	var err error
	if s.batch, err = graph.NewStaging(s.exec); err != nil {
		return err
	}
	return s.upload(s.batch)
}

// uploader takes the inputs of a pass.
type uploader interface {
	Upload(name string, x *tensor.Dense) error
	Queue() device.Queue
}

// upload is a batch for to.
func (s *session) upload(to uploader) error {
	p := s.exec.Plan()
	for _, in := range p.Network.Inputs {
		if err := to.Upload(in.Name, randomInput(in, p.Options.Batch)); err != nil {
			return err
		}
	}
	return cmp.Or(to.Queue().Sync(), s.exec.Sync())
}

// randomInput is a batch of numbers between -1 and 1, or of labels that every
// network has a class for.
func randomInput(in graph.Input, batch int) *tensor.Dense {
	shape := append(tensor.Shape{batch}, in.Shape...)
	n := device.Elements(shape)
	if in.DType == device.Int32 {
		labels := make([]int32, n)
		for i := range labels {
			labels[i] = int32(i % 10)
		}
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(labels))
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(uniform(n)))
}

// uniform is n numbers in [-1,1): 24 bits of Knuth's multiplicative hash of
// the index, which bench/peers computes too.
func uniform(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32((uint32(i)*2654435761)>>8)/(1<<23) - 1
	}
	return x
}

// step is one training step, or one pass of inference, done when it returns.
func (s *session) step() error {
	s.device.pass = forward
	if s.batch != nil {
		if err := s.batch.Take(); err != nil {
			return err
		}
	}
	s.exec.Forward(s.pass)
	if s.updater != nil {
		s.device.pass = backwardData
		s.exec.Backward(s.pass, device.Overwrite)
		s.device.pass = update
		s.updater.Update(int(s.pass.Iteration))
		s.pass.Iteration++
	}
	return s.exec.Sync()
}

// record is a step whose kernels are timed.
func (s *session) record() ([]Span, error) {
	s.device.record()
	if err := s.step(); err != nil {
		s.device.recording = false
		return nil, err
	}
	return s.device.stop()
}

func (s *session) close() error {
	var err error
	if s.batch != nil {
		err = s.batch.Close()
	}
	err = cmp.Or(err, s.exec.Close())
	if s.updater != nil {
		err = cmp.Or(err, s.updater.Close())
	}
	return err
}

// checkPlan says whether a plan fits into what the device has free.
func checkPlan(d device.Device, p *graph.Plan) error {
	need := p.Memory().Total()
	free, total, ok := device.Room(d, need)
	if ok {
		return nil
	}
	largest, err := p.Network.LargestBatch(d.Traits(), p.Options, free)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s with a batch of %d needs %s, but %s has %s of %s free; the largest batch that fits is %d",
		p.Network.Name, p.Options.Batch, graph.MiB(need), d.Name(), graph.MiB(free), graph.MiB(total), largest)
}

// checkShape says whether a product's matrices fit, and on the CPU the host's
// copy of the largest as well, which they are filled from.
func checkShape(d device.Device, g device.GEMM) error {
	need := int64(0)
	largest := int64(0)
	for _, s := range []tensor.Shape{{g.M, g.N}, {g.M, g.K}, {g.K, g.N}} {
		if err := device.CheckShape(s); err != nil {
			return fmt.Errorf("%v: a matrix of %w", g, err)
		}
		bytes := int64(device.Elements(s)) * device.Float32.Size()
		need += bytes
		largest = max(largest, bytes)
	}
	if d.Name() == cpuDevice {
		need += largest
	}
	if free, total, ok := device.Room(d, need); !ok {
		return fmt.Errorf("%v needs %s, but %s has %s of %s free", g, graph.MiB(need), d.Name(), graph.MiB(free), graph.MiB(total))
	}
	return nil
}
