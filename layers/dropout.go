package layers

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &Dropout{P: 0.5} }) }

// Dropout sets elements to zero with probability P in training and scales
// the others by 1/(1-P) (Srivastava et al. 2014). In inference it changes
// nothing.
type Dropout struct {
	Elementwise `json:"-"`

	P float32 `json:"p"` // in [0,1); 0.5 if the JSON has none

	// Channels drops whole channels of a sample, its feature maps (Tompson et al. 2015).
	Channels bool `json:"channels,omitempty"`
}

// The programs of dropped channels: of x, or dy, and what each channel is multiplied with.
var dropoutChannels = func() *expr.Program {
	x, factor := expr.Input(0, expr.Whole), expr.Input(1, expr.N|expr.C)
	return expr.MustNew(expr.Select(expr.Equal(factor, zero), zero, expr.Mul(factor, x)))
}()

// Type is "dropout".
func (l *Dropout) Type() string { return "dropout" }

// Plan checks P. An element, or a channel, is dropped if its random bits from
// Call.Random are below P 2^32. Backward draws the same bits again, so no mask is stored.
func (l *Dropout) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if err := checkProbability(l.P); err != nil {
		return Spec{}, err
	}
	x := expr.Input(0, expr.Whole)
	if o.Train && !l.Channels {
		x = dropped(l.P, x)
	}
	s, err := PlanElementwise(expr.MustNew(x), 1, in)
	s.Streams = 1 // whatever P is: those of other layers follow
	if err != nil || !l.Channels {
		return s, err
	}
	shape := in[0].Shape
	if len(shape) < 2 {
		return Spec{}, fmt.Errorf("input is %s, which has no channels", dims(shape))
	}
	if o.Train {
		s.Programs, s.Elementwise = []*expr.Program{expr.MustNew(dropped(l.P, one))}, false
		s.Temporary = []Slot{{Name: "factors", Shape: shape[:2], Batched: true}}
	}
	return s, nil
}

// checkProbability checks that of dropping an element.
func checkProbability(p float32) error {
	if !(p >= 0 && p < 1) {
		return fmt.Errorf("p %g must be in [0,1)", p)
	}
	return nil
}

// dropped is 0 with probability p, and else x/(1-p).
func dropped(p float32, x expr.Expr) expr.Expr {
	scale := expr.Const(float32(1 / (1 - float64(p))))
	return expr.Select(expr.Bernoulli(0, p), zero, expr.Mul(scale, x))
}

// Forward enqueues the program.
func (l *Dropout) Forward(q device.Queue, c *Call) {
	if !l.dropChannels(q, c, c.Out, c.In, overwrite) {
		l.Elementwise.Forward(q, c)
	}
}

// Backward enqueues the gradient.
func (l *Dropout) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) && !l.dropChannels(q, c, c.DIn, c.DOut, c.Modes) {
		l.Elementwise.Backward(q, c)
	}
}

// dropChannels draws a factor for each channel and multiplies by them. It is false where
// none are to be dropped: only then the layer has a gradient's program.
func (l *Dropout) dropChannels(q device.Queue, c *Call, out, in []device.Tensor, modes []device.Mode) bool {
	if len(c.Programs) > 1 {
		return false
	}
	v := viewOf(in[0].Shape)
	args := c.Args(in[0], c.Temporary[0])
	q.Map(c.Programs[0], device.View{N: v.N, C: v.C, Inner: 1}, args[1:], nil, overwrite, c.Random)
	q.Map(dropoutChannels, v, out, args, modes, device.Random{})
	return true
}
