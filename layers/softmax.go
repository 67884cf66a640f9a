package layers

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &Softmax{} }) }

// Softmax turns scores into probabilities along dimension 1, the channels: of
// [N,C], or at each pixel of [N,C,H,W]. To train a classifier, use a
// SoftmaxLoss on the scores instead.
type Softmax struct{}

// Type is "softmax".
func (l *Softmax) Type() string { return "softmax" }

// Plan checks that there is a dimension to sum over.
func (l *Softmax) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	if len(in[0].Shape) < 2 {
		return Spec{}, fmt.Errorf("input is %s, want [N,C] or [N,C,H,W]", dims(in[0].Shape))
	}
	return Spec{Out: like(in[0]), Backward: NeedOutputs}, nil
}

// Forward enqueues the softmax.
func (l *Softmax) Forward(q device.Queue, c *Call) {
	q.SoftmaxForward(l.geometry(c.In[0].Shape), c.Out[0], c.In[0])
}

// Backward enqueues the gradient.
func (l *Softmax) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		q.SoftmaxBackward(l.geometry(c.In[0].Shape), c.DIn[0], c.Out[0], c.DOut[0], c.Modes[0])
	}
}

func (l *Softmax) geometry(x tensor.Shape) device.Softmax {
	return device.Softmax{N: x[0], C: x[1], Inner: plane(x)}
}
