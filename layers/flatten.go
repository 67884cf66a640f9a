package layers

import "github.com/hubel-go/hubel/device"

func init() { Register(func() Layer { return &Flatten{} }) }

// Flatten reshapes [N,C,H,W], or any other shape, to [N,C*H*W]. In place it
// costs nothing.
type Flatten struct{}

// Type is "flatten".
func (l *Flatten) Type() string { return "flatten" }

// Plan accepts any number of dimensions and makes two.
func (l *Flatten) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	y := floats(x[0], sample(x))
	if err := checkShape("output", y.Shape); err != nil {
		return Spec{}, err
	}
	return Spec{Out: []Input{y}, InPlace: true}, nil
}

// Forward enqueues a copy, unless in place.
func (l *Flatten) Forward(q device.Queue, c *Call) { q.Copy(c.Out[0], c.In[0]) }

// Backward passes the gradient on.
func (l *Flatten) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		passOn(q, c, 0)
	}
}
