package layers

import (
	"fmt"
	"math"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &GaussianNoise{StdDev: 0.1} }) }

// GaussianNoise adds a normal random number of this standard deviation to each element
// in training (Sietsma and Dow 1991). In inference it changes nothing.
type GaussianNoise struct {
	Elementwise `json:"-"`

	StdDev float32 `json:"stddev"` // 0.1 if the JSON has none
}

// Type is "gaussian-noise".
func (l *GaussianNoise) Type() string { return "gaussian-noise" }

// Plan checks the deviation.
func (l *GaussianNoise) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if !(l.StdDev >= 0 && l.StdDev <= math.MaxFloat32) {
		return Spec{}, fmt.Errorf("stddev %g must be finite and not negative", l.StdDev)
	}
	y := expr.Input(0, expr.Whole)
	if o.Train {
		y = expr.Add(y, expr.Mul(expr.Const(l.StdDev), expr.Normal(0)))
	}
	s, err := PlanElementwise(expr.MustNew(y), 1, in)
	s.Streams = 1 // whatever the deviation is: those of other layers follow
	return s, err
}
