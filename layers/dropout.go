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
}

// Type is "dropout".
func (l *Dropout) Type() string { return "dropout" }

// Plan checks P. An element is dropped if its random bits from Call.Random are
// below P 2^32. Backward draws the same bits again, so no mask is stored.
func (l *Dropout) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if !(l.P >= 0 && l.P < 1) {
		return Spec{}, fmt.Errorf("p %g must be in [0,1)", l.P)
	}
	y := expr.Input(0, expr.Whole)
	if o.Train {
		scale := expr.Const(float32(1 / (1 - float64(l.P))))
		y = expr.Select(expr.Bernoulli(0, l.P), expr.Const(0), expr.Mul(scale, y))
	}
	s, err := PlanElementwise(expr.MustNew(y), 1, in)
	s.Streams = 1 // whatever P is: those of other layers follow
	return s, err
}
