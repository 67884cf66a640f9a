package layers

import (
	"fmt"
	"math"

	"github.com/hubel-go/hubel/device"
)

func init() {
	Register(func() Layer { return &Add{} })
	Register(func() Layer { return &Scale{Factor: 1} })
}

// Add is the sum of two or more inputs of one shape.
type Add struct{}

// Type is "add".
func (l *Add) Type() string { return "add" }

// Plan checks that the shapes are the same.
func (l *Add) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectSeveral(in, 2); err != nil {
		return Spec{}, err
	}
	if err := expectAlike(in); err != nil {
		return Spec{}, err
	}
	return Spec{Out: like(in[0]), InPlace: true}, nil
}

// Forward enqueues one addition for each input after the first.
func (l *Add) Forward(q device.Queue, c *Call) {
	q.Add(c.Out[0], c.In[0], c.In[1])
	for _, x := range c.In[2:] {
		q.Add(c.Out[0], c.Out[0], x)
	}
}

// Backward hands the gradient on to every input, in their order: of an input
// that is there twice, the second one accumulates.
func (l *Add) Backward(q device.Queue, c *Call) {
	for i, dx := range c.DIn {
		if c.WantsGradient(i) {
			passOn(q, dx, c.DOut[0], c.Modes[i])
		}
	}
}

// Scale multiplies by a constant.
type Scale struct {
	Factor float32 `json:"factor"` // 1 in JSON that does not say
}

// Type is "scale".
func (l *Scale) Type() string { return "scale" }

// Plan checks the factor.
func (l *Scale) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	if f := float64(l.Factor); math.IsNaN(f) || math.IsInf(f, 0) {
		return Spec{}, fmt.Errorf("factor %g must be finite", f)
	}
	return Spec{Out: like(in[0]), InPlace: true}, nil
}

// Forward enqueues the product.
func (l *Scale) Forward(q device.Queue, c *Call) {
	q.Scale(c.Out[0], c.In[0], l.Factor, device.Overwrite)
}

// Backward enqueues the gradient.
func (l *Scale) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		q.Scale(c.DIn[0], c.DOut[0], l.Factor, c.Modes[0])
	}
}

// passOn is the gradient of the identity.
func passOn(q device.Queue, dx, dy device.Tensor, m device.Mode) {
	if m == device.Accumulate {
		q.Scale(dx, dy, 1, m)
	} else {
		q.Copy(dx, dy)
	}
}
