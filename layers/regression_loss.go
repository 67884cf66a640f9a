package layers

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() {
	Register(func() Layer { return &L2Loss{} })
	Register(func() Layer { return &L1Loss{} })
	Register(func() Layer { return &SmoothL1Loss{Beta: 1} })
	Register(func() Layer { return &HuberLoss{Delta: 1} })
}

// The losses of predictions against targets of the same shape [N,...], one loss a sample,
// the sum over its elements. The target is taken as given: no gradient goes into it, even
// if the network computes it. With Mask an element whose target is NaN, such as a point
// that nobody marked, counts nothing.

// L2Loss is the Euclidean loss: half the sum of (prediction - target)².
type L2Loss struct {
	pointwise `json:"-"`

	Weight *float32 `json:"weight,omitempty"` // in what training minimises; 1 unless given, and 0 only reports
	Mask   bool     `json:"mask,omitempty"`
}

// Type is "l2-loss".
func (l *L2Loss) Type() string { return "l2-loss" }

// Plan makes [N].
func (l *L2Loss) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	return planRegression(l.Weight, l.Mask, in, o, func(d expr.Expr) expr.Expr {
		return expr.Mul(expr.Const(0.5), expr.Mul(d, d))
	})
}

// L1Loss is the sum of |prediction - target|. Its gradient where they are equal is 0.
type L1Loss struct {
	pointwise `json:"-"`

	Weight *float32 `json:"weight,omitempty"` // as L2Loss has it
	Mask   bool     `json:"mask,omitempty"`
}

// Type is "l1-loss".
func (l *L1Loss) Type() string { return "l1-loss" }

// Plan makes [N].
func (l *L1Loss) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	return planRegression(l.Weight, l.Mask, in, o, expr.Abs)
}

// SmoothL1Loss is the sum over elements of d²/(2 Beta) where |d| < Beta, and of
// |d| - Beta/2 elsewhere; d is prediction - target (Girshick 2015, "Fast R-CNN").
type SmoothL1Loss struct {
	pointwise `json:"-"`

	Beta   float32  `json:"beta"`             // 1 in JSON that does not say
	Weight *float32 `json:"weight,omitempty"` // as L2Loss has it
	Mask   bool     `json:"mask,omitempty"`
}

// Type is "smooth-l1-loss".
func (l *SmoothL1Loss) Type() string { return "smooth-l1-loss" }

// Plan makes [N].
func (l *SmoothL1Loss) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if err := aboveZero("beta", l.Beta); err != nil {
		return Spec{}, err
	}
	beta := expr.Const(l.Beta)
	return planRegression(l.Weight, l.Mask, in, o, func(d expr.Expr) expr.Expr {
		return expr.Div(huber(d, beta), beta)
	})
}

// HuberLoss is the sum over elements of d²/2 where |d| < Delta, and of
// Delta (|d| - Delta/2) elsewhere; d is prediction - target (Huber 1964).
type HuberLoss struct {
	pointwise `json:"-"`

	Delta  float32  `json:"delta"`            // 1 in JSON that does not say
	Weight *float32 `json:"weight,omitempty"` // as L2Loss has it
	Mask   bool     `json:"mask,omitempty"`
}

// Type is "huber-loss".
func (l *HuberLoss) Type() string { return "huber-loss" }

// Plan makes [N].
func (l *HuberLoss) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if err := aboveZero("delta", l.Delta); err != nil {
		return Spec{}, err
	}
	return planRegression(l.Weight, l.Mask, in, o, func(d expr.Expr) expr.Expr { return huber(d, expr.Const(l.Delta)) })
}

func huber(d, delta expr.Expr) expr.Expr {
	half, size := expr.Const(0.5), expr.Abs(d)
	return expr.Select(expr.Less(size, delta), expr.Mul(half, expr.Mul(d, d)), expr.Mul(delta, expr.Sub(size, expr.Mul(half, delta))))
}

// planRegression is the Spec of the loss of a difference.
func planRegression(weight *float32, mask bool, in []Input, o Options, loss func(d expr.Expr) expr.Expr) (Spec, error) {
	if err := expectTargets(in); err != nil {
		return Spec{}, err
	}
	of := loss(expr.Sub(predicted, targeted))
	if mask {
		of = expr.Select(expr.Equal(targeted, targeted), of, expr.Const(0))
	}
	return planPointwise(weight, in, o, of)
}
