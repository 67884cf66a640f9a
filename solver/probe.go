package solver

import (
	"cmp"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
)

// probe repeats passes with memory of its own for every value. Training shares
// that memory between values and works in place, so that little is left to look
// at after a step; what a probe computes are the same numbers, and all of them
// stay.
type probe struct{ exec *graph.Executor }

// newProbe makes a probe for passes of at most batch samples, fewer where there
// is not the memory for so many. The options are those of the plan of which the
// steps are to be repeated.
func newProbe(d device.Device, w *graph.Weights, o graph.PlanOptions) (*probe, error) {
	o.Unshared, o.Memory = true, 0
	plan := func() (*graph.Plan, error) { return w.Network().Plan(d.Traits(), o) }
	p, err := plan()
	if err != nil {
		return nil, err
	}
	free, _, unknown := d.MemInfo()
	for unknown == nil && o.Batch > 1 && p.Arena+p.GradientBytes > free {
		o.Batch = (o.Batch + 1) / 2
		if p, err = plan(); err != nil {
			return nil, err
		}
	}
	exec, err := graph.NewExecutor(p, w)
	if err != nil {
		return nil, err
	}
	return &probe{exec}, nil
}

// Close frees the probe's memory; the weights stay.
func (p *probe) Close() error { return p.exec.Close() }

// run repeats the passes of an update, and calls look after each with its first
// sample, until that returns false. It begins with the state that the update began
// with, and leaves the weights' as it was.
func (p *probe) run(s *batchCopy, pass graph.Pass, look func(first int) (more bool, err error)) (err error) {
	w := p.exec.Weights()
	state, err := w.State()
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, w.SetState(state)) }()
	if err := w.SetState(s.state); err != nil {
		return err
	}
	plan := p.exec.Plan()
	mode := device.Overwrite
	pass.WholeBatch = s.len()
	for first := 0; first < s.len(); first += plan.Options.Batch {
		if err := upload(p.exec, plan.Network, s.batch(first, min(first+plan.Options.Batch, s.len()))); err != nil {
			return err
		}
		pass.FirstSample = first
		p.exec.Forward(pass)
		if plan.Options.Mode == graph.Train {
			p.exec.Backward(pass, mode)
		}
		mode = device.Accumulate
		if err := p.exec.Sync(); err != nil {
			return err
		}
		if more, err := look(first); err != nil || !more {
			return err
		}
	}
	return nil
}

// Kind says what a value of a step is.
type Kind string

// The kinds of values, in the order in which a layer reads or makes them.
const (
	KindWeight         Kind = "weight"
	KindInput          Kind = "input" // of the network
	KindOutput         Kind = "output"
	KindSaved          Kind = "saved" // by forward for backward
	KindGradient       Kind = "gradient"
	KindWeightGradient Kind = "weight gradient"
)

// seen is a value of a pass.
type seen struct {
	layer  string
	name   string // "conv1", "conv1/d", "conv1.weight"
	kind   Kind
	values []float32
	sample int // elements of a sample; 0 where dimension 0 is not the batch

	batched bool
}

// each visits every float32 value of the last pass in the order in which it
// was computed, until visit returns false.
func (p *probe) each(visit func(v seen) (more bool)) error {
	plan := p.exec.Plan()
	uploaded := map[int]bool{}
	for i := range plan.Steps {
		step := &plan.Steps[i]
		layer := plan.Network.Nodes[step.Node].Name
		var list []seen
		value := func(index int, kind Kind) {
			if index >= 0 && plan.Values[index].DType == device.Float32 {
				list = append(list, seen{layer: layer, name: plan.Values[index].Name, kind: kind, batched: plan.Values[index].Batched})
			}
		}
		if !step.Backward {
			for _, param := range plan.ParamsOf(step.Node) {
				list = append(list, seen{layer: layer, name: param.Name, kind: KindWeight})
			}
			for _, v := range step.In {
				if plan.Values[v].Kind == graph.Uploaded && !uploaded[v] {
					uploaded[v] = true
					value(v, KindInput)
				}
			}
			for _, v := range step.Out {
				value(v, KindOutput)
			}
			for _, v := range step.Saved {
				value(v, KindSaved)
			}
		} else {
			for _, v := range step.DIn {
				value(v, KindGradient)
			}
			for _, k := range step.Done { // one that layers share is whole after the last of them
				list = append(list, seen{layer: layer, name: plan.Params[k].Name, kind: KindWeightGradient})
			}
		}
		for _, v := range list {
			if err := p.read(&v); err != nil {
				return err
			}
			if !visit(v) {
				return nil
			}
		}
	}
	return nil
}

// read downloads a value.
func (p *probe) read(v *seen) error {
	var t device.Tensor
	switch v.kind {
	case KindWeight:
		x, err := p.exec.Weights().Get(v.name)
		if err != nil {
			return err
		}
		v.values = x.Float32s()
		return nil
	case KindWeightGradient:
		t = p.exec.Gradient(v.name)
	default:
		var err error
		if t, err = p.exec.Tensor(v.name); err != nil {
			return err
		}
		if v.batched {
			v.sample = t.Len() / p.exec.Batch()
		}
	}
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(t.Len()))
	p.exec.Queue().Scope(v.name)
	p.exec.Queue().Download(x, t)
	v.values = x.Float32s()
	return p.exec.Sync()
}
