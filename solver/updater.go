package solver

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
)

// The inputs of an update's program, as device.UpdateKernels has them. Rates and decays
// are the multipliers of each segment.
const (
	weightInput = iota
	gradientInput
	slabInput  // the first slab that the method keeps
	rateInput  // of the iteration
	norm2Input // the squared norm of the gradients
	ratesInput
	decaysInput
	secondSlabInput
	momentumInput    // if it changes
	correction1Input // 1-Beta1^t
	correction2Input // 1-Beta2^t
	trustInput       // the ratio of LARS of each segment
	averageInput     // the slab of averages
	fractionInput    // how far they go towards the weights
	updateInputs
)

// slabInputs are those of the slabs that a method keeps.
var slabInputs = [maxSlabs]int{slabInput, secondSlabInput}

// program is one update. Its only numbers that change from update to update are inputs.
func (o Optimiser) program() *expr.Program {
	slab := func(i int) expr.Expr { return expr.Input(i, expr.Whole) }
	number := func(i int) expr.Expr { return expr.Input(i, expr.One) }
	ofSegment := func(i int) expr.Expr { return expr.Input(i, expr.Channel) }
	m := methodOf(o.Method)
	x := operands{
		w:           slab(weightInput),
		g:           slab(gradientInput),
		slabs:       [maxSlabs]expr.Expr{slab(slabInput), slab(secondSlabInput)},
		rate:        expr.Mul(number(rateInput), ofSegment(ratesInput)),
		decay:       expr.Mul(expr.Const(o.Decay), ofSegment(decaysInput)),
		momentum:    expr.Const(o.Momentum),
		corrections: [2]expr.Expr{number(correction1Input), number(correction2Input)},
		trust:       ofSegment(trustInput),
	}
	if o.MomentumEnd != 0 {
		x.momentum = number(momentumInput)
	}
	if o.ClipNorm != 0 {
		x.g = expr.Mul(x.g, o.clip(number(norm2Input)))
	}
	if !m.apart {
		x.g = expr.Add(x.g, expr.Mul(x.decay, x.w))
	}
	w, slabs := m.step(o, x)
	out := append([]expr.Expr{w}, slabs...)
	if o.averages() {
		average := slab(averageInput)
		out = append(out, expr.Add(average, expr.Mul(number(fractionInput), expr.Sub(w, average))))
	}
	return expr.MustNew(out...)
}

// clip is what gradients of a squared norm are multiplied by.
func (o Optimiser) clip(norm2 expr.Expr) expr.Expr {
	one := expr.Const(1)
	clip := expr.Div(expr.Const(o.ClipNorm), expr.Sqrt(norm2))
	return expr.Select(expr.LessEqual(one, clip), one, clip) // a NaN shows
}

// squares is the program whose sum is a squared norm.
var squares = expr.MustNew(expr.Mul(expr.Input(0, expr.Whole), expr.Input(0, expr.Whole)))

// The inputs of the program of LARS's ratios.
const (
	weights2Input   = iota // squared norms of the weights of each segment
	gradients2Input        // and of their gradients
	ratioDecaysInput
	ratioNorm2Input
)

// ratios is the program of LARS's ratio of each segment.
func (o Optimiser) ratios() *expr.Program {
	w2, g2 := expr.Input(weights2Input, expr.Whole), expr.Input(gradients2Input, expr.Whole)
	w, g := expr.Sqrt(w2), expr.Sqrt(g2)
	if o.ClipNorm != 0 {
		g = expr.Mul(g, o.clip(expr.Input(ratioNorm2Input, expr.One)))
	}
	decay := expr.Mul(expr.Const(o.Decay), expr.Input(ratioDecaysInput, expr.Whole))
	ratio := expr.Div(expr.Mul(expr.Const(o.Trust), w), expr.Add(g, expr.Mul(decay, w)))
	zero, one := expr.Const(0), expr.Const(1)
	return expr.MustNew(expr.Select(expr.Equal(w2, zero), one, expr.Select(expr.Equal(g2, zero), one, ratio)))
}

// Updater updates the weights of one executor. It belongs to the executor's
// goroutine and queue.
type Updater struct {
	optimiser Optimiser
	exec      *graph.Executor
	program   *expr.Program
	params    []graph.Param    // those that are updated, in the order of the slabs
	segments  []device.Segment // the same
	drops     int              // of the rate, of the plateau policy

	dw      device.Tensor   // the slab of gradients
	names   []string        // of the slabs that are kept
	slabs   []device.Tensor // laid out as the gradients
	in      [updateInputs]device.Tensor
	out     []device.Tensor
	numbers device.Buffer         // the inputs that are no slabs
	written [updateInputs]float32 // single numbers on the device; NaN is none

	trust trust // of LARS

	joint *joint // of a rank that updates its part of the weights alone; otherwise nil
}

// trust is what LARS's ratios are computed from.
type trust struct {
	program *expr.Program // nil of other methods
	in, out []device.Tensor
	modes   []device.Mode
	norms   []norm
}

// norm is a squared norm that is computed.
type norm struct{ in, out []device.Tensor }

// NewUpdater allocates what the method keeps and sets it to zero. The plan must
// train at least one parameter, and the schedule's Max must be set if its
// policy uses it.
func NewUpdater(d device.Device, e *graph.Executor, o Optimiser) (*Updater, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	params, err := o.params(e.Plan())
	if err != nil {
		return nil, err
	}
	u := &Updater{exec: e, params: params, segments: e.Plan().Segments(), dw: e.Gradients()}
	return u, u.open(d, o, params)
}

// open allocates what the method keeps of the segments, which are of these parameters.
func (u *Updater) open(d device.Device, o Optimiser, of []graph.Param) (err error) {
	u.names = o.Slabs()
	e := u.exec
	w := e.Weights().Slab()
	u.in[weightInput], u.in[gradientInput] = w, u.dw
	for i, name := range u.names {
		b, err := d.Alloc(u.dw.Bytes())
		if err != nil {
			return cmp.Or(fmt.Errorf("slab %s of the optimiser: %w", name, err), u.Close())
		}
		u.slabs = append(u.slabs, device.Tensor{Buffer: b, DType: device.Float32, Shape: u.dw.Shape})
		if name == averageSlab {
			u.in[averageInput] = u.slabs[i]
		} else {
			u.in[slabInputs[i]] = u.slabs[i]
		}
	}
	size, n := device.Float32.Size(), len(u.segments)
	if u.numbers, err = d.Alloc(size * int64(6+5*n)); err != nil {
		return cmp.Or(fmt.Errorf("numbers of the optimiser: %w", err), u.Close())
	}
	at := 0
	take := func(n int) device.Tensor {
		t := device.Tensor{Buffer: u.numbers.Slice(size*int64(at), size*int64(n)), DType: device.Float32, Shape: tensor.Shape{n}}
		at += n
		return t
	}
	for _, i := range []int{rateInput, norm2Input, momentumInput, correction1Input, correction2Input, fractionInput} {
		u.in[i] = take(1)
	}
	for _, i := range []int{ratesInput, decaysInput, trustInput} {
		u.in[i] = take(n)
	}
	weights2, gradients2 := take(n), take(n)
	if o.Method == LARS {
		u.trust = newTrust(u.segments, u.in, weights2, gradients2)
	}
	u.set(o)
	rates, decays := make([]float32, n), make([]float32, n)
	for i, p := range of {
		rates[i], decays[i] = p.Rate, p.Decay
	}
	if n > 0 { // a rank may have no part of so few weights
		e.Queue().Upload(u.in[ratesInput], tensor.New(tensor.WithShape(n), tensor.WithBacking(rates)))
		e.Queue().Upload(u.in[decaysInput], tensor.New(tensor.WithShape(n), tensor.WithBacking(decays)))
	}
	if err := u.clear(); err != nil {
		return cmp.Or(err, u.Close())
	}
	return nil
}

// newTrust binds the ratios of LARS, whose squared norms go to two tensors.
func newTrust(segments []device.Segment, in [updateInputs]device.Tensor, weights2, gradients2 device.Tensor) trust {
	t := trust{
		in:    []device.Tensor{weights2Input: weights2, gradients2Input: gradients2, ratioDecaysInput: in[decaysInput], ratioNorm2Input: in[norm2Input]},
		out:   []device.Tensor{in[trustInput]},
		modes: []device.Mode{device.Overwrite},
	}
	part := func(x device.Tensor, first, n int) []device.Tensor {
		return []device.Tensor{within(x, int64(first)*device.Float32.Size(), tensor.Shape{n})}
	}
	for i, s := range segments {
		t.norms = append(t.norms,
			norm{part(in[weightInput], s.Weight, s.Len), part(weights2, i, 1)},
			norm{part(in[gradientInput], s.Grad, s.Len), part(gradients2, i, 1)})
	}
	return t
}

// set changes the optimiser of the next updates. It must not keep more slabs.
func (u *Updater) set(o Optimiser) {
	u.optimiser, u.program, u.trust.program = o, o.program(), nil
	if o.Method == LARS {
		u.trust.program = o.ratios()
	}
	u.out = append([]device.Tensor{u.in[weightInput]}, u.slabs[:len(o.Slabs())]...)
}

// clear sets what is kept to zero.
func (u *Updater) clear() error {
	q := u.exec.Queue()
	q.Scope("optimiser")
	for _, s := range u.slabs {
		q.Fill(s, 0)
	}
	// Nothing ever writes the padding between gradients, which the norm reads.
	q.Fill(u.dw, 0)
	for i := range u.written {
		u.written[i] = float32(math.NaN())
	}
	return q.Sync()
}

// reduce enqueues a squared norm.
func (u *Updater) reduce(out device.Tensor, in []device.Tensor) {
	v := device.View{N: 1, C: 1, Inner: in[0].Len()}
	u.exec.Queue().Reduce(squares, v, device.Sum, expr.One, out, in, device.Overwrite, device.Random{})
}

// reduceAll enqueues the squared norm of all gradients.
func (u *Updater) reduceAll() { u.reduce(u.in[norm2Input], u.in[gradientInput:][:1]) }

// squares is the sum of the squares of all gradients.
func (u *Updater) squares() (float64, error) {
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(1))
	q := u.exec.Queue()
	q.Scope("norm of the gradients")
	u.reduceAll()
	q.Download(x, u.in[norm2Input])
	err := q.Sync()
	return float64(x.Float32s()[0]), err
}

// Update enqueues the update of iteration k, counted from 0.
func (u *Updater) Update(k int) {
	q := u.exec.Queue()
	q.Scope("update")
	u.write(rateInput, u.rate(k))
	if u.optimiser.MomentumEnd != 0 {
		u.write(momentumInput, u.optimiser.momentum(k))
	}
	if methodOf(u.optimiser.Method).corrects {
		u.write(correction1Input, correction(u.optimiser.Beta1, k))
		u.write(correction2Input, correction(u.optimiser.Beta2, k))
	}
	if u.optimiser.averages() {
		u.write(fractionInput, u.optimiser.fraction(k))
	}
	if u.optimiser.ClipNorm != 0 {
		u.reduceAll()
	}
	if t := &u.trust; t.program != nil {
		for i := range t.norms {
			u.reduce(t.norms[i].out[0], t.norms[i].in)
		}
		q.Map(t.program, device.View{N: 1, C: 1, Inner: len(u.segments)}, t.out, t.in, t.modes, device.Random{})
	}
	if len(u.segments) > 0 {
		q.Update(u.program, u.out, u.in[:], u.segments)
	}
	u.exec.Weights().Changed()
}

// write enqueues the value of an input that is one number, unless it has it already.
func (u *Updater) write(input int, value float32) {
	if u.written[input] != value {
		u.exec.Queue().Fill(u.in[input], value)
		u.written[input] = value
	}
}

// correction is 1-beta^t of the update of iteration k.
func correction(beta float32, k int) float32 {
	return float32(1 - math.Pow(float64(beta), float64(k+1)))
}

// rate is the learning rate of iteration k, counted from 0.
func (u *Updater) rate(k int) float32 {
	if u.optimiser.Schedule.Policy == Plateau {
		return u.optimiser.Schedule.dropped(u.drops).At(k)
	}
	return u.optimiser.Schedule.At(k)
}

// withAverages calls f while the trained weights are replaced by their averages. The
// gradients are lost, because the weights are stored in their memory meanwhile.
func (u *Updater) withAverages(f func() error) error {
	q, w := u.exec.Queue(), u.exec.Weights()
	i := slices.Index(u.names, averageSlab)
	q.Scope("averages")
	for _, p := range u.params {
		q.Copy(u.exec.Gradient(p.Name), u.weight(p))
		q.Copy(u.weight(p), u.of(i, p))
	}
	w.Changed()
	err := q.Sync()
	if err == nil {
		err = f()
	}
	q.Scope("averages")
	for _, p := range u.params {
		q.Copy(u.weight(p), u.exec.Gradient(p.Name))
	}
	w.Changed()
	return cmp.Or(err, q.Sync())
}

// download downloads the slabs: of each a tensor SLAB/NAME for each trained parameter. If
// ranks keep parts of them, all call it.
func (u *Updater) download() ([]safetensors.Tensor, error) {
	var tensors []safetensors.Tensor
	q := u.exec.Queue()
	for i, slab := range u.names {
		if err := u.collect(i); err != nil {
			return nil, err
		}
		for _, p := range u.params {
			x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(p.Shape...))
			name := slab + "/" + p.Name
			q.Scope(name)
			q.Download(x, u.of(i, p))
			tensors = append(tensors, safetensors.Tensor{Name: name, Value: x})
		}
		if err := q.Sync(); err != nil { // the next slab may take the same memory
			return nil, err
		}
	}
	return tensors, nil
}

// upload sets the slabs to tensors of the names that download gives them.
func (u *Updater) upload(tensors map[string]*tensor.Dense) error {
	q := u.exec.Queue()
	left := maps.Clone(tensors)
	for i, slab := range u.names {
		for _, p := range u.params {
			name := slab + "/" + p.Name
			x, ok := left[name]
			if !ok {
				return fmt.Errorf("tensor %s is missing", name)
			}
			if !slices.Equal([]int(x.Shape()), []int(p.Shape)) {
				return fmt.Errorf("tensor %s has the shape %v, but %s is %v", name, []int(x.Shape()), p.Name, []int(p.Shape))
			}
			delete(left, name)
			q.Scope(name)
			q.Upload(u.of(i, p), x)
		}
		u.keepPart(i)
	}
	if len(left) > 0 {
		return fmt.Errorf("tensor %s is of no trained parameter", slices.Sorted(maps.Keys(left))[0])
	}
	return q.Sync()
}

// of is what slab i keeps of a trained parameter. If ranks keep parts of it, it is where collect
// puts the whole slab.
func (u *Updater) of(i int, p graph.Param) device.Tensor {
	if u.joint != nil {
		return u.exec.Gradient(p.Name)
	}
	return within(u.slabs[i], p.Grad, p.Shape)
}

// weight is a trained parameter.
func (u *Updater) weight(p graph.Param) device.Tensor {
	return within(u.in[weightInput], p.Weight, p.Shape)
}

// within is a tensor that lies in a slab, so many bytes from its beginning.
func within(slab device.Tensor, offset int64, shape tensor.Shape) device.Tensor {
	bytes := int64(device.Elements(shape)) * device.Float32.Size()
	return device.Tensor{Buffer: slab.Buffer.Slice(offset, bytes), DType: device.Float32, Shape: shape}
}

// Close frees what the updates keep.
func (u *Updater) Close() error {
	var errs []error
	for _, s := range u.slabs {
		errs = append(errs, s.Buffer.Free())
	}
	if u.numbers != nil {
		errs = append(errs, u.numbers.Free())
	}
	return cmp.Or(errs...)
}
