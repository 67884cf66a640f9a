package gradcheck

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// trains says which parameter would not train, whatever its gradient is: a layer of one's
// own forgets its Rate easily.
func (r *run) trains() error {
	for _, p := range r.executor.Plan().Params {
		if p.Rate == 0 && p.Decay == 0 && p.Grad >= 0 {
			return fmt.Errorf("%s: it would not train: both the Rate and the Decay of its Param are 0; they multiply those of training, and are 1 in most layers", p.Name)
		}
	}
	return nil
}

// frozenTried is how many parameters are frozen, one at a time.
const frozenTried = 4

// checkWays runs the network in other ways, and compares the gradients with r's.
func (r *run) checkWays(n *graph.Network) error {
	if err := r.checkTwice(); err != nil {
		return err
	}
	if err := r.checkBranch(n); err != nil {
		return err
	}
	inputs := floatInputs(n)
	for i, left := range inputs {
		wanted := slices.Delete(slices.Clone(inputs), i, i+1)
		if err := r.checkSame(n, r.options, wanted, "where the gradient of "+left+" is not wanted"); err != nil {
			return err
		}
	}
	params := r.executor.Plan().Params
	for k := range min(frozenTried, len(params)) {
		o := r.options
		name := params[k*len(params)/min(frozenTried, len(params))].Name
		if slices.Contains(o.Frozen, name) {
			continue
		}
		o.Frozen = append(slices.Clone(o.Frozen), name)
		if err := r.checkSame(n, o, inputs, "where "+name+" is frozen"); err != nil {
			return err
		}
	}
	return r.checkSmaller(n)
}

// checkTwice adds the gradients of parameters to themselves, as a second micro-batch does.
func (r *run) checkTwice() error {
	if _, err := r.forward(); err != nil {
		return err
	}
	r.executor.Backward(r.pass(), device.Overwrite)
	if _, err := r.forward(); err != nil {
		return err
	}
	r.executor.Backward(r.pass(), device.Accumulate)
	for _, t := range r.tensors {
		if t.input || t.gradient == nil {
			continue
		}
		got, err := r.download(r.executor.Gradient(t.name))
		if err != nil {
			return err
		}
		twice := make([]float64, len(got))
		for i, v := range t.gradient {
			twice[i] = 2 * v
		}
		if err := r.compare(got, twice); err != nil {
			return fmt.Errorf("%s: gradient, added to itself by a second pass: %w: does Backward honour Call.ParamMode?", t.name, err)
		}
	}
	return nil
}

// checkBranch lets a loss of its own read each input too, so that the gradients of inputs
// are added to those of the losses.
func (r *run) checkBranch(n *graph.Network) (err error) {
	branched := *n
	branched.Inputs, branched.Nodes = slices.Clone(n.Inputs), slices.Clone(n.Nodes)
	targets := map[string]string{}
	for _, t := range r.tensors {
		if t.input && t.gradient != nil {
			name := t.name + "-branch"
			targets[t.name] = name
			branched.Inputs = append(branched.Inputs, graph.Input{Name: name, DType: device.Float32, Shape: t.host.Shape()[1:]})
			branched.Nodes = append(branched.Nodes, graph.Node{Name: name + "-loss", Layer: &layers.L2Loss{}, In: []string{t.name, name}})
		}
	}
	if len(targets) == 0 {
		return nil
	}
	b, err := newRun(&branched, reference.New(), r.options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.take(r); err != nil {
		return err
	}
	if err := b.gradients(); err != nil {
		return err
	}
	scale := float64(1 / float32(r.options.Batch)) // Call.LossScale
	for _, t := range r.tensors {
		if targets[t.name] == "" {
			continue
		}
		want := slices.Clone(t.gradient)
		target := b.find(targets[t.name]).host.Float64s()
		for i, x := range t.host.Float64s() {
			want[i] += scale * (x - target[i])
		}
		if err := r.compare(b.find(t.name).gradient, want); err != nil {
			return fmt.Errorf("%s: gradient, where another layer reads it too: %w: does Backward honour Call.Modes?", t.name, err)
		}
	}
	return nil
}

// checkSame runs the network with other options, which leave the gradients that are
// still there as they are.
func (r *run) checkSame(n *graph.Network, o Options, inputs []string, where string) (err error) {
	other, err := newRunFor(n, reference.New(), o, inputs)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	defer func() { err = errors.Join(err, other.close()) }()
	if err := other.take(r); err != nil {
		return err
	}
	if err := other.gradients(); err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	for _, t := range other.tensors {
		if t.gradient == nil {
			continue
		}
		if err := r.compare(t.gradient, r.find(t.name).gradient); err != nil {
			return fmt.Errorf("%s: gradient, %s: %w", t.name, where, err)
		}
	}
	return nil
}

// checkSmaller gives a plan a batch that is smaller by one sample, and compares with a
// plan for that batch.
func (r *run) checkSmaller(n *graph.Network) (err error) {
	o := r.options
	if o.Batch--; o.Batch == 0 {
		return nil
	}
	small, err := newRun(n, reference.New(), o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, small.close()) }()
	if err := small.take(r); err != nil {
		return err
	}
	if err := small.gradients(); err != nil {
		return err
	}
	if err := r.executor.SetBatch(o.Batch); err != nil {
		return err
	}
	whole := r.labels
	hosts := make([]*tensor.Dense, len(r.tensors))
	defer func() {
		err = errors.Join(err, r.executor.SetBatch(r.options.Batch))
		r.labels = whole
		for i, t := range r.tensors {
			t.host = hosts[i]
		}
	}()
	for i, t := range r.tensors {
		hosts[i] = t.host
		t.host = small.find(t.name).host
	}
	r.labels = small.labels
	kept := make([][]float64, len(r.tensors))
	for i, t := range r.tensors {
		kept[i], t.gradient = t.gradient, nil
	}
	if err := r.gradients(); err != nil {
		return fmt.Errorf("%d samples in a plan for %d: %w", o.Batch, r.options.Batch, err)
	}
	for i, t := range r.tensors {
		got := t.gradient
		t.gradient = kept[i]
		if got == nil {
			continue
		}
		if err := small.compare(got, small.find(t.name).gradient); err != nil {
			return fmt.Errorf("%s: gradient of %d samples in a plan for %d: %w: are Slots of the batch Batched?", t.name, o.Batch, r.options.Batch, err)
		}
	}
	return nil
}

// take gives the run the inputs, as many samples as it has, and the parameters of
// another.
func (r *run) take(from *run) error {
	for _, t := range from.tensors {
		own := r.find(t.name)
		if own == nil {
			continue
		}
		copy(own.host.Float64s(), t.host.Float64s())
		if !t.input {
			if err := r.weights.Set(t.name, own.host); err != nil {
				return err
			}
		}
	}
	for name, x := range from.labels {
		copy(r.labels[name].Int32s(), x.Int32s())
	}
	return nil
}

// find is the tensor of that name, or nil.
func (r *run) find(name string) *perturbed {
	for _, t := range r.tensors {
		if t.name == name {
			return t
		}
	}
	return nil
}

// compare names the first element that is off by more than a relative 1e-9 of the
// largest, or of what is 1e-5 of the largest gradient of all.
func (r *run) compare(got, want []float64) error {
	if len(got) != len(want) {
		return fmt.Errorf("%d elements, want %d", len(got), len(want))
	}
	largest := math.Max(largestOf(want), 1e-5*r.largest)
	for i, v := range want {
		if !(math.Abs(got[i]-v) <= 1e-9*largest) {
			return fmt.Errorf("element %d is %.9g, want %.9g", i, got[i], v)
		}
	}
	return nil
}

// largestOf is the largest magnitude.
func largestOf(values []float64) (largest float64) {
	for _, v := range values {
		largest = math.Max(largest, math.Abs(v))
	}
	return largest
}
