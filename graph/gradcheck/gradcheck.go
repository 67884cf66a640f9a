// Package gradcheck holds gradients against central differences. The
// differences are taken on the float64 reference device, where they are good
// to a relative 1e-6; a float32 device is then held to the reference.
//
// It is for the tests of layers and networks, users' own among them:
//
//	net := gradcheck.Layer(&MyLayer{}, graph.Input{Name: "x", Shape: []int{3, 8, 8}})
//	err := gradcheck.Check(net, gradcheck.Options{})
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

// Options are what a check may be told. The zero value is good for most.
type Options struct {
	Batch   int    // samples; 0 means 2
	Seed    uint64 // of inputs, parameters and dropout
	Classes int    // int32 inputs are drawn from [0, Classes); 0 means 2
	Frozen  []string

	// Values are what inputs and parameters have, by their names, where functions have a
	// domain: logarithms are of what is above 0. Those that it does not name are drawn. Too few
	// values are an error; a check of fewer samples takes those of the first ones.
	Values map[string][]float32

	// Elements is how many elements of each tensor Check perturbs; 0 means 12.
	Elements int

	// Tolerance is what Compare allows between the device and the reference,
	// relative to the largest element of the tensor, or to 0.01 of the largest of all
	// tensors; 0 means 1e-4.
	Tolerance float64
}

func (o Options) withDefaults() Options {
	if o.Batch == 0 {
		o.Batch = 2
	}
	if o.Classes == 0 {
		o.Classes = 2
	}
	if o.Elements == 0 {
		o.Elements = 12
	}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-4
	}
	return o
}

// Layer is a network around one layer: its inputs, the layer, and an L2 loss
// against a random target for each of its float32 outputs. A layer whose output is a
// loss gets none. A layer that does not accept the inputs gives a network
// whose Plan says why.
func Layer(l layers.Layer, inputs ...graph.Input) *graph.Network {
	n := &graph.Network{Name: l.Type(), Inputs: inputs}
	var names []string
	var in []layers.Input
	for _, i := range inputs {
		names = append(names, i.Name)
		in = append(in, layers.Input{Shape: append(tensor.Shape{1}, i.Shape...), DType: i.DType})
	}
	out := n.Add("layer", l, names...)
	spec, err := l.Plan(reference.New().Traits(), in, layers.Options{Train: true})
	if err != nil || spec.LossWeight != 0 {
		return n
	}
	for i, s := range spec.Out {
		if s.DType != device.Float32 {
			continue
		}
		if i > 0 {
			out = fmt.Sprintf("layer:%d", i)
		}
		target := n.Input(fmt.Sprintf("target%d", i), device.Float32, s.Shape[1:]...)
		n.Add(fmt.Sprintf("loss%d", i), &layers.L2Loss{}, out, target)
	}
	return n
}

// Check compares the gradients of all parameters and float32 inputs, taken on
// the reference device, with central differences of the loss. An error names
// the first element that is off by more than a relative 1e-6.
//
// It then runs the network in the other ways that a plan may, in which the gradients
// must be the same: added to what is there, without the gradient of an input, with a
// frozen parameter, and with a smaller batch than was planned.
func Check(n *graph.Network, o Options) (err error) {
	o = o.withDefaults()
	r, err := newRun(n, reference.New(), o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.trains(); err != nil {
		return err
	}
	if err := r.gradients(); err != nil {
		return err
	}
	for _, t := range r.tensors {
		if err := r.check(t); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return r.checkWays(n)
}

// Compare runs the network forward and backward on a device and on the
// reference, and compares the loss and all gradients.
func Compare(n *graph.Network, d device.Device, o Options) (err error) {
	o = o.withDefaults()
	want, err := newRun(n, reference.New(), o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, want.close()) }()
	got, err := newRun(n, d, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, got.close()) }()
	for _, r := range []*run{want, got} {
		if err := r.gradients(); err != nil {
			return err
		}
	}
	if math.Abs(got.value-want.value) > o.Tolerance*math.Max(1, math.Abs(want.value)) {
		return fmt.Errorf("the loss on %s is %g, on the reference %g", d.Name(), got.value, want.value)
	}
	for i, t := range want.tensors {
		largest := math.Max(largestOf(t.gradient), 0.01*want.largest)
		for k, v := range t.gradient {
			if g := got.tensors[i].gradient[k]; !(math.Abs(g-v) <= o.Tolerance*largest) {
				return fmt.Errorf("%s: gradient of element %d is %g on %s, %g on the reference, where the largest is %g",
					t.name, k, g, d.Name(), v, largestOf(t.gradient))
			}
		}
	}
	return nil
}

// run is a network on a device with everything a check perturbs.
type run struct {
	options  Options
	weights  *graph.Weights
	executor *graph.Executor
	dtype    tensor.Dtype // of float tensors on the host
	labels   map[string]*tensor.Dense
	state    map[string]*tensor.Dense // that each forward pass begins with
	tensors  []*perturbed
	value    float64 // loss

	// largest is the largest element of all gradients. Beside it a gradient that is 0 but
	// for rounding, as of a bias that a batch-norm takes away again, shows as what it is.
	largest float64
}

// perturbed is an input or a parameter, on the host and in float64 where the
// device can hold it.
type perturbed struct {
	name     string
	input    bool
	host     *tensor.Dense
	gradient []float64 // nil where the network gives none
}

func newRun(n *graph.Network, d device.Device, o Options) (*run, error) {
	return newRunFor(n, d, o, floatInputs(n))
}

// floatInputs are the names of the inputs that may have a gradient.
func floatInputs(n *graph.Network) (names []string) {
	for _, in := range n.Inputs {
		if in.DType == device.Float32 {
			names = append(names, in.Name)
		}
	}
	return names
}

// newRunFor is newRun with the gradients of some inputs.
func newRunFor(n *graph.Network, d device.Device, o Options, inputs []string) (*run, error) {
	plan, err := n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: o.Batch, InputGrad: inputs, Frozen: o.Frozen})
	if err != nil {
		return nil, err
	}
	r := &run{options: o, dtype: tensor.Float32, labels: map[string]*tensor.Dense{}}
	if _, ok := d.(*reference.Device); ok {
		r.dtype = tensor.Float64
	}
	if r.weights, err = graph.NewWeights(n, d); err != nil {
		return nil, err
	}
	if r.executor, err = graph.NewExecutor(plan, r.weights); err != nil {
		return nil, errors.Join(err, r.weights.Close())
	}
	if err := r.fill(n, plan); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// given replaces what was drawn for an input or a parameter by Values, if they name it.
func (r *run) given(drawn []float32, name string) error {
	values, ok := r.options.Values[name]
	if ok && len(values) < len(drawn) {
		return fmt.Errorf("%s: there are %d values for its %d elements", name, len(values), len(drawn))
	}
	copy(drawn, values)
	return nil
}

// fill draws inputs and parameters: the filler's values plus noise, so that
// biases are not all zero. All are float32 numbers, the same on every device.
func (r *run) fill(n *graph.Network, plan *graph.Plan) error {
	if err := r.weights.Fill(r.options.Seed); err != nil {
		return err
	}
	stream := uint32(1 << 16)
	noise := func(size int, std float32) []float32 {
		stream++
		x := make([]float32, size)
		layers.Gaussian(std).Fill(x, layers.Fan{}, device.Random{Seed: r.options.Seed, Stream: stream})
		return x
	}
	for _, in := range n.Inputs {
		shape := append(tensor.Shape{r.options.Batch}, in.Shape...)
		values := noise(device.Elements(shape), 1)
		if err := r.given(values, in.Name); err != nil {
			return err
		}
		if in.DType == device.Float32 {
			r.tensors = append(r.tensors, &perturbed{name: in.Name, input: true, host: r.dense(shape, values)})
			continue
		}
		labels := make([]int32, len(values))
		for i, v := range values {
			labels[i] = int32(math.Float32bits(v)>>3) % int32(r.options.Classes)
		}
		r.labels[in.Name] = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(labels))
	}
	for _, p := range plan.Params {
		start, err := r.weights.Get(p.Name)
		if err != nil {
			return err
		}
		values := noise(device.Elements(p.Shape), 0.1)
		for i, v := range start.Float32s() {
			values[i] += v
		}
		if err := r.given(values, p.Name); err != nil {
			return err
		}
		t := &perturbed{name: p.Name, host: r.dense(p.Shape, values)}
		if err := r.weights.Set(p.Name, t.host); err != nil {
			return err
		}
		r.tensors = append(r.tensors, t)
	}
	var err error
	r.state, err = r.weights.State()
	return err
}

// dense is a host tensor of the run's float type.
func (r *run) dense(shape tensor.Shape, values []float32) *tensor.Dense {
	if r.dtype == tensor.Float32 {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
	}
	wide := make([]float64, len(values))
	for i, v := range values {
		wide[i] = float64(v)
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(wide))
}

// forward uploads the inputs and the first state, and returns the loss.
func (r *run) forward() (float64, error) {
	e := r.executor
	if err := r.weights.SetState(r.state); err != nil {
		return 0, err
	}
	for _, t := range r.tensors {
		if t.input {
			if err := e.Upload(t.name, t.host); err != nil {
				return 0, err
			}
		}
	}
	for name, x := range r.labels {
		if err := e.Upload(name, x); err != nil {
			return 0, err
		}
	}
	e.Forward(r.pass())
	sum := 0.0
	for _, l := range e.Plan().Losses {
		t, err := e.Tensor(e.Plan().Values[l.Value].Name)
		if err != nil {
			return 0, err
		}
		values, err := r.download(t)
		if err != nil {
			return 0, err
		}
		for _, v := range values {
			sum += float64(l.Weight) * v / float64(len(values))
		}
	}
	return sum, nil
}

func (r *run) pass() graph.Pass { return graph.Pass{Seed: r.options.Seed, Iteration: 1} }

func (r *run) download(t device.Tensor) ([]float64, error) {
	x := tensor.New(tensor.Of(r.dtype), tensor.WithShape(t.Len()))
	r.executor.Queue().Download(x, t)
	if err := r.executor.Sync(); err != nil {
		return nil, err
	}
	if r.dtype == tensor.Float64 {
		return x.Float64s(), nil
	}
	wide := make([]float64, t.Len())
	for i, v := range x.Float32s() {
		wide[i] = float64(v)
	}
	return wide, nil
}

// gradients runs forward and backward and fetches the loss and gradients.
func (r *run) gradients() (err error) {
	if r.value, err = r.forward(); err != nil {
		return err
	}
	r.executor.Backward(r.pass(), device.Overwrite)
	r.largest = 0
	for _, t := range r.tensors {
		g := r.executor.Gradient(t.name)
		if t.input {
			if g, err = r.executor.Tensor(t.name + "/d"); err != nil {
				continue // the input has no gradient: a target
			}
		}
		if g.IsNil() {
			continue
		}
		if t.gradient, err = r.download(g); err != nil {
			return err
		}
		r.largest = math.Max(r.largest, largestOf(t.gradient))
	}
	return r.executor.Sync()
}

// check perturbs some elements of a tensor. Where the loss has a kink nearby
// (of a ReLU, of a maximum), differences of two step sizes disagree and
// another element is taken.
func (r *run) check(t *perturbed) error {
	if t.gradient == nil {
		return nil
	}
	scale := 0.0 // root mean square of the gradient: what an element's error is held against when it is small itself
	for _, g := range t.gradient {
		scale += g * g
	}
	scale = math.Sqrt(scale / float64(len(t.gradient)))
	checked, kinks := 0, 0
	for _, i := range r.choose(len(t.gradient)) {
		if checked == r.options.Elements {
			break
		}
		d, smooth, err := r.difference(t, i, scale)
		if err != nil {
			return err
		}
		if !smooth {
			kinks++
			continue
		}
		checked++
		if g := t.gradient[i]; !(math.Abs(g-d) <= 1e-6*math.Max(scale, math.Max(math.Abs(g), math.Abs(d)))+1e-10) {
			return fmt.Errorf("gradient of element %d is %.9g, its central difference %.9g", i, g, d)
		}
	}
	if kinks > checked {
		return fmt.Errorf("differences disagree for all step sizes at %d of %d elements", kinks, kinks+checked)
	}
	return nil
}

// choose lists elements to look at: all of a small tensor, else twice as many
// random ones as are to be checked, to have some left for kinks.
func (r *run) choose(size int) []int {
	random := device.Random{Seed: r.options.Seed, Stream: 1 << 20}
	list := make([]int, min(size, 2*r.options.Elements))
	for k := range list {
		list[k] = k
		if size > len(list) {
			list[k] = int(random.Uint32(0, k)) % size
		}
	}
	return list
}

// difference is the central difference of the loss at one element, with
// Richardson's extrapolation from two steps, for the first step size at which
// both agree, to less than what check allows: where the second derivative jumps, what
// they differ by is what both are off by.
func (r *run) difference(t *perturbed, i int, scale float64) (d float64, smooth bool, err error) {
	x := t.host.Float64s()
	start := x[i]
	defer func() {
		x[i] = start
		if !t.input {
			err = errors.Join(err, r.weights.Set(t.name, t.host))
		}
	}()
	at := func(offset float64) (float64, error) {
		x[i] = start + offset
		if !t.input {
			if err := r.weights.Set(t.name, t.host); err != nil {
				return 0, err
			}
		}
		return r.forward()
	}
	central := func(h float64) (float64, error) {
		above, err := at(h)
		if err != nil {
			return 0, err
		}
		below, err := at(-h)
		return (above - below) / (2 * h), err
	}
	for _, h := range []float64{1e-3, 1e-4, 1e-5} {
		wide, err := central(h)
		if err != nil {
			return 0, false, err
		}
		narrow, err := central(h / 2)
		if err != nil {
			return 0, false, err
		}
		if math.Abs(wide-narrow) <= 3e-7*math.Max(math.Abs(narrow), scale)+1e-10 {
			return (4*narrow - wide) / 3, true, nil
		}
	}
	return 0, false, nil
}

func (r *run) close() error {
	return errors.Join(r.executor.Close(), r.weights.Close())
}

// Names lists the tensors that have a gradient in the network: what Check
// looks at.
func Names(n *graph.Network, o Options) (names []string, err error) {
	r, err := newRun(n, reference.New(), o.withDefaults())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.gradients(); err != nil {
		return nil, err
	}
	for _, t := range r.tensors {
		if t.gradient != nil {
			names = append(names, t.name)
		}
	}
	slices.Sort(names)
	return names, nil
}
