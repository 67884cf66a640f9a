package solver

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
)

// SGD is stochastic gradient descent with momentum. The learning rate is
// inside the velocity, as in the AlexNet paper and Caffe (in PyTorch it is
// outside: the two part ways where the rate changes). For a weight w with
// gradient dw, velocity v, and its layer's multipliers r and d:
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

// updater holds what the updates of one executor's weights need. It belongs
// to the executor's goroutine and queue.
type updater struct {
	sgd      SGD
	exec     *graph.Executor
	segments []device.Segment
	drops    int // of the rate, of the plateau policy

	w, dw device.Tensor // slabs
	v     device.Tensor // velocities, laid out as dw
	norm2 device.Tensor // [1]
}

// newUpdater allocates the velocities and sets them to zero. The schedule's
// Max must be set where its policy reads it.
func newUpdater(d device.Device, e *graph.Executor, s SGD) (*updater, error) {
	u := &updater{sgd: s, exec: e, segments: e.Plan().Segments(), w: e.Weights().Slab(), dw: e.Gradients()}
	b, err := d.Alloc(u.dw.Bytes())
	if err != nil {
		return nil, fmt.Errorf("velocities: %w", err)
	}
	u.v = device.Tensor{Buffer: b, DType: device.Float32, Shape: u.dw.Shape}
	if b, err = d.Alloc(device.Float32.Size()); err != nil {
		return nil, cmp.Or(fmt.Errorf("norm of the gradients: %w", err), u.Close())
	}
	u.norm2 = device.Tensor{Buffer: b, DType: device.Float32, Shape: tensor.Shape{1}}
	if err := u.clear(); err != nil {
		return nil, cmp.Or(err, u.Close())
	}
	return u, nil
}

// clear sets the velocities to zero.
func (u *updater) clear() error {
	q := u.exec.Queue()
	q.Scope("velocities")
	q.Fill(u.v, 0)
	// Nothing ever writes the padding between gradients, which the norm reads.
	q.Fill(u.dw, 0)
	return q.Sync()
}

// squares is the sum of the squares of all gradients.
func (u *updater) squares() (float64, error) {
	x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(1))
	q := u.exec.Queue()
	q.Scope("norm of the gradients")
	q.SumSquares(u.norm2, u.dw)
	q.Download(x, u.norm2)
	err := q.Sync()
	return float64(x.Float32s()[0]), err
}

// update enqueues the update of iteration k, counted from 0.
func (u *updater) update(k int) {
	q := u.exec.Queue()
	q.Scope("update")
	var norm2 device.Tensor // absent where nothing is clipped
	if u.sgd.ClipNorm != 0 {
		norm2 = u.norm2
		q.SumSquares(norm2, u.dw)
	}
	q.SGD(device.SGD{
		Rate:     u.rate(k),
		Momentum: u.sgd.Momentum,
		Decay:    u.sgd.Decay,
		Nesterov: u.sgd.Nesterov,
		MaxNorm:  u.sgd.ClipNorm,
	}, u.w, u.v, u.dw, norm2, u.segments)
	u.exec.Weights().Changed()
}

// rate is the learning rate of iteration k, counted from 0.
func (u *updater) rate(k int) float32 {
	if u.sgd.Schedule.Policy == Plateau {
		return u.sgd.Schedule.dropped(u.drops).At(k)
	}
	return u.sgd.Schedule.At(k)
}

// trained lists the parameters that are updated, in the order of the slabs.
func (u *updater) trained() []graph.Param { return trained(u.exec.Plan()) }

func trained(p *graph.Plan) []graph.Param {
	return slices.DeleteFunc(slices.Clone(p.Params), func(p graph.Param) bool { return p.Grad < 0 })
}

// Close frees the velocities.
func (u *updater) Close() error {
	var errs []error
	for _, t := range []device.Tensor{u.v, u.norm2} {
		if !t.IsNil() {
			errs = append(errs, t.Buffer.Free())
		}
	}
	return cmp.Or(errs...)
}
