package layers

import (
	"cmp"
	"fmt"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &Accuracy{} }) }

// Accuracy is 1 for a sample whose label is among the TopK highest of the
// scores [N,C], and 0 otherwise. It has no gradient.
type Accuracy struct {
	TopK int `json:"top_k,omitempty"` // 1 unless given
}

// Type is "accuracy".
func (l *Accuracy) Type() string { return "accuracy" }

// Plan makes [N].
func (l *Accuracy) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectScores(in); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	if k := cmp.Or(l.TopK, 1); k < 1 || k > x[1] {
		return Spec{}, fmt.Errorf("top_k %d must be in 1 to %d, the classes of scores %s", k, x[1], dims(x))
	}
	return Spec{Out: []Input{floats(x[0])}, NoGradient: []int{0, 1}}, nil
}

// Forward enqueues the comparison.
func (l *Accuracy) Forward(q device.Queue, c *Call) {
	x := c.In[0].Shape
	q.Accuracy(device.Accuracy{N: x[0], C: x[1], K: cmp.Or(l.TopK, 1)}, c.Out[0], c.In[0], c.In[1])
}

// Backward does nothing.
func (l *Accuracy) Backward(q device.Queue, c *Call) {}
