package layers

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &Dropout{P: 0.5} }) }

// Dropout sets elements to zero with probability P in training and scales
// the others by 1/(1-P) (Srivastava et al. 2014). In inference it changes
// nothing.
type Dropout struct {
	P float32 `json:"p"` // in [0,1); 0.5 in JSON that does not say
}

// Type is "dropout".
func (l *Dropout) Type() string { return "dropout" }

// Plan checks P. The mask is saved for the gradient; a layer that drops
// nothing has none.
func (l *Dropout) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	if !(l.P >= 0 && l.P < 1) {
		return Spec{}, fmt.Errorf("p %g must be in [0,1)", l.P)
	}
	s := Spec{Out: like(in[0]), InPlace: true, Streams: 1}
	if o.Train && l.P > 0 {
		s.Saved = []Slot{{Name: "mask", Shape: slices.Clone(in[0].Shape), DType: device.Uint8, Batched: true}}
	}
	return s, nil
}

// Forward enqueues the dropping.
func (l *Dropout) Forward(q device.Queue, c *Call) {
	if mask := saved(c); !mask.IsNil() {
		q.DropoutForward(l.geometry(c.In[0].Shape), c.Out[0], mask, c.In[0], c.Random)
	} else {
		q.Copy(c.Out[0], c.In[0])
	}
}

// Backward enqueues the gradient.
func (l *Dropout) Backward(q device.Queue, c *Call) {
	if !c.WantsGradient(0) {
		return
	}
	if mask := saved(c); !mask.IsNil() {
		q.DropoutBackward(l.geometry(c.In[0].Shape), c.DIn[0], c.DOut[0], mask, c.Modes[0])
	} else {
		passOn(q, c, 0)
	}
}

func (l *Dropout) geometry(x tensor.Shape) device.Dropout {
	return device.Dropout{Samples: x[0], Elems: sample(x), P: l.P}
}
