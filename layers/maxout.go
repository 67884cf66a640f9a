package layers

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func init() { Register(func() Layer { return &Maxout{} }) }

// Maxout makes one channel of each Pieces channels that follow one another, of the largest
// of their values (Goodfellow et al. 2013): [N,C,...] becomes [N,C/Pieces,...]. Of equals
// the first has the gradient.
type Maxout struct {
	Pieces int `json:"pieces"`
}

// Type is "maxout".
func (l *Maxout) Type() string { return "maxout" }

// Plan checks the pieces. Where each maximum lies is saved.
func (l *Maxout) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if err := expect(in, input); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	if len(x) < 2 {
		return Spec{}, fmt.Errorf("input is %s, which has no channels", dims(x))
	}
	if l.Pieces < 1 || x[1]%l.Pieces != 0 {
		return Spec{}, fmt.Errorf("pieces %d does not divide %d channels", l.Pieces, x[1])
	}
	if each := l.Pieces * plane(x); each > maxSize {
		return Spec{}, fmt.Errorf("pieces %d of %d pixels are more than an int32 can index", l.Pieces, plane(x))
	}
	y := floats(withChannels(x, x[1]/l.Pieces)...)
	s := Spec{Out: []Input{y}}
	if o.Train {
		s.Saved = []Slot{poolIndex(y.Shape)}
	}
	return s, nil
}

// pooling is over x as images of Pieces rows, all pixels of a channel in each.
func (l *Maxout) pooling(x tensor.Shape) device.Pool {
	return device.Pool{Op: device.MaxPool, N: x[0], C: x[1] / l.Pieces, H: l.Pieces, W: plane(x), R: l.Pieces, S: 1, StrideH: 1, StrideW: 1}
}

// Forward enqueues the pooling.
func (l *Maxout) Forward(q device.Queue, c *Call) {
	q.PoolForward(l.pooling(c.In[0].Shape), c.Out[0], saved(c), c.In[0])
}

// Backward enqueues the gradient.
func (l *Maxout) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		q.PoolBackward(l.pooling(c.DIn[0].Shape), c.DIn[0], c.DOut[0], saved(c), c.Modes[0])
	}
}
