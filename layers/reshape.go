package layers

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &Reshape{} }) }

// Reshape changes the shape of each sample; the elements and their order stay
// the same. In place it costs nothing.
type Reshape struct {
	Shape []int `json:"shape"` // of a sample; one number may be -1: it follows from the others
}

// Type is "reshape".
func (l *Reshape) Type() string { return "reshape" }

// Plan checks the number of elements.
func (l *Reshape) Plan(_ device.Traits, in []Input, _ Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	y := append(tensor.Shape{x[0]}, l.Shape...)
	open := slices.Index(y, -1)
	if open > 0 {
		y[open] = 1
	}
	n := sample(x)
	if err := device.CheckShape(y); err != nil || n%sample(y) != 0 || open < 0 && n != sample(y) {
		return Spec{}, fmt.Errorf("shape %v does not hold the %d elements of a sample of input %s; one number may be -1, for what is left", l.Shape, n, dims(x))
	}
	if open > 0 {
		y[open] = n / sample(y)
	}
	return Spec{Out: []Input{floats(y...)}, InPlace: true}, nil
}

// Forward enqueues a copy, unless in place.
func (l *Reshape) Forward(q device.Queue, c *Call) { q.Copy(c.Out[0], c.In[0]) }

// Backward passes the gradient on.
func (l *Reshape) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		passOn(q, c, 0)
	}
}
