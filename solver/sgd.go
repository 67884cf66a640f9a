package solver

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/graph"
)

// SGD is stochastic gradient descent with momentum. The velocity includes the
// learning rate, as in the AlexNet paper and Caffe. (In PyTorch it does not;
// the results differ if the rate changes.) For a weight w with gradient dw,
// velocity v, and its layer's multipliers r and d:
//
//	v = Momentum*v - Rate*r*(dw + Decay*d*w)
//	w = w + v
//
// and with Nesterov (Sutskever et al. 2013, as Caffe and others rewrite it)
//
//	w = w + (1+Momentum)*v - Momentum*(v before)
type SGD struct {
	Schedule Schedule `json:"schedule"`
	Momentum float32  `json:"momentum"` // in [0,1)
	Decay    float32  `json:"decay"`    // L2: added to the gradient, not to the loss that is reported
	Nesterov bool     `json:"nesterov,omitempty"`

	// ClipNorm bounds the Euclidean norm of the gradients of all weights
	// together, before decay: larger ones are scaled down to it. 0 is off.
	ClipNorm float32 `json:"clip_norm,omitempty"`
}

// Check says what is wrong with the options, if anything.
func (s SGD) Check() error {
	if err := s.Schedule.Check(); err != nil {
		return err
	}
	if !(s.Momentum >= 0 && s.Momentum < 1) {
		return fmt.Errorf("momentum %g must be at least 0 and below 1", s.Momentum)
	}
	if !(s.Decay >= 0 && s.Decay <= math.MaxFloat32) {
		return fmt.Errorf("weight decay %g must be finite and not negative", s.Decay)
	}
	if !(s.ClipNorm >= 0 && s.ClipNorm <= math.MaxFloat32) {
		return fmt.Errorf("largest gradient norm %g must be finite and not negative", s.ClipNorm)
	}
	if s.Nesterov && s.Momentum == 0 {
		return errors.New("momentum must be above 0 to be Nesterov's")
	}
	return nil
}

// The inputs of SGD's program, as device.UpdateKernels has them. Rates and decays are the
// multipliers of each segment.
const (
	weightInput = iota
	gradientInput
	velocityInput
	rateInput  // of the iteration
	norm2Input // the squared norm of the gradients
	ratesInput
	decaysInput
	sgdInputs
)

// program is one update. Its only numbers that change from update to update are inputs.
func (s SGD) program() *expr.Program {
	slab := func(i int) expr.Expr { return expr.Input(i, expr.Whole) }
	number := func(i int) expr.Expr { return expr.Input(i, expr.One) }
	ofSegment := func(i int) expr.Expr { return expr.Input(i, expr.Channel) }
	w, g, v, momentum := slab(weightInput), slab(gradientInput), slab(velocityInput), expr.Const(s.Momentum)
	if s.ClipNorm != 0 {
		one := expr.Const(1)
		clip := expr.Div(expr.Const(s.ClipNorm), expr.Sqrt(number(norm2Input)))
		g = expr.Mul(g, expr.Select(expr.LessEqual(one, clip), one, clip)) // a NaN shows
	}
	g = expr.Add(g, expr.Mul(expr.Mul(expr.Const(s.Decay), ofSegment(decaysInput)), w))
	next := expr.Sub(expr.Mul(momentum, v), expr.Mul(expr.Mul(number(rateInput), ofSegment(ratesInput)), g))
	step := next
	if s.Nesterov { // (1+Momentum)*next - Momentum*v
		step = expr.Add(next, expr.Mul(momentum, expr.Sub(next, v)))
	}
	return expr.MustNew(expr.Add(w, step), next)
}

// squares is the program whose sum is a squared norm.
var squares = expr.MustNew(expr.Mul(expr.Input(0, expr.Whole), expr.Input(0, expr.Whole)))

// Updater updates the weights of one executor. It belongs to the executor's
// goroutine and queue.
type Updater struct {
	sgd      SGD
	exec     *graph.Executor
	program  *expr.Program
	segments []device.Segment
	drops    int // of the rate, of the plateau policy

	dw, v   device.Tensor // slabs of gradients and velocities
	in      [sgdInputs]device.Tensor
	out     [2]device.Tensor
	numbers device.Buffer // the inputs that are no slabs
	written float32       // the rate on the device; NaN is none
}

// NewUpdater allocates the velocities and sets them to zero. The plan must
// train at least one parameter, and the schedule's Max must be set if its
// policy uses it.
func NewUpdater(d device.Device, e *graph.Executor, s SGD) (*Updater, error) {
	u := &Updater{exec: e, segments: e.Plan().Segments(), dw: e.Gradients()}
	u.set(s)
	b, err := d.Alloc(u.dw.Bytes())
	if err != nil {
		return nil, fmt.Errorf("velocities: %w", err)
	}
	u.v = device.Tensor{Buffer: b, DType: device.Float32, Shape: u.dw.Shape}
	size, n := device.Float32.Size(), len(u.segments)
	if u.numbers, err = d.Alloc(size * int64(2+2*n)); err != nil {
		return nil, cmp.Or(fmt.Errorf("rates of the update: %w", err), u.Close())
	}
	at := 0
	take := func(n int) device.Tensor {
		t := device.Tensor{Buffer: u.numbers.Slice(size*int64(at), size*int64(n)), DType: device.Float32, Shape: tensor.Shape{n}}
		at += n
		return t
	}
	w := e.Weights().Slab()
	u.in = [sgdInputs]device.Tensor{w, u.dw, u.v, take(1), take(1), take(n), take(n)}
	u.out = [2]device.Tensor{w, u.v}
	rates, decays := make([]float32, n), make([]float32, n)
	for i, p := range u.trained() {
		rates[i], decays[i] = p.Rate, p.Decay
	}
	e.Queue().Upload(u.in[ratesInput], tensor.New(tensor.WithShape(n), tensor.WithBacking(rates)))
	e.Queue().Upload(u.in[decaysInput], tensor.New(tensor.WithShape(n), tensor.WithBacking(decays)))
	if err := u.clear(); err != nil {
		return nil, cmp.Or(err, u.Close())
	}
	return u, nil
}

// set makes the next updates those of other options.
func (u *Updater) set(s SGD) { u.sgd, u.program = s, s.program() }

// clear sets the velocities to zero.
func (u *Updater) clear() error {
	q := u.exec.Queue()
	q.Scope("velocities")
	q.Fill(u.v, 0)
	// Nothing ever writes the padding between gradients, which the norm reads.
	q.Fill(u.dw, 0)
	u.written = float32(math.NaN())
	return q.Sync()
}

// reduce enqueues the squared norm of all gradients.
func (u *Updater) reduce() {
	v := device.View{N: 1, C: 1, Inner: u.dw.Len()}
	u.exec.Queue().Reduce(squares, v, device.Sum, expr.One, u.in[norm2Input], u.in[gradientInput:][:1], device.Overwrite, device.Random{})
}

// squares is the sum of the squares of all gradients.
func (u *Updater) squares() (float64, error) {
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(1))
	q := u.exec.Queue()
	q.Scope("norm of the gradients")
	u.reduce()
	q.Download(x, u.in[norm2Input])
	err := q.Sync()
	return float64(x.Float32s()[0]), err
}

// Update enqueues the update of iteration k, counted from 0.
func (u *Updater) Update(k int) {
	q := u.exec.Queue()
	q.Scope("update")
	if rate := u.rate(k); rate != u.written {
		q.Fill(u.in[rateInput], rate)
		u.written = rate
	}
	if u.sgd.ClipNorm != 0 {
		u.reduce()
	}
	q.Update(u.program, u.out[:], u.in[:], u.segments)
	u.exec.Weights().Changed()
}

// rate is the learning rate of iteration k, counted from 0.
func (u *Updater) rate(k int) float32 {
	if u.sgd.Schedule.Policy == Plateau {
		return u.sgd.Schedule.dropped(u.drops).At(k)
	}
	return u.sgd.Schedule.At(k)
}

// trained lists the parameters that are updated, in the order of the slabs.
func (u *Updater) trained() []graph.Param { return trained(u.exec.Plan()) }

func trained(p *graph.Plan) []graph.Param {
	return slices.DeleteFunc(slices.Clone(p.Params), func(p graph.Param) bool { return p.Grad < 0 })
}

// Close frees the velocities.
func (u *Updater) Close() error {
	var errs []error
	for _, b := range []device.Buffer{u.v.Buffer, u.numbers} {
		if b != nil {
			errs = append(errs, b.Free())
		}
	}
	return cmp.Or(errs...)
}
