package layers

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() {
	Register(func() Layer { return &LogisticLoss{} })
	Register(func() Layer { return &FocalLoss{Gamma: 2, Alpha: 0.25} })
	Register(func() Layer { return &HingeLoss{Margin: 1, Norm: 1} })
}

// The losses of scores that are yes or no, each for itself, one loss a sample, the sum over
// its elements. Scores are held against targets of the same shape [N,...] from 0 to 1, of
// which any number may be 1 (multi-label), or scores [N,C] against labels [N] (int32): then
// the target of the label's class is 1, and that of each other class 0.

// LogisticLoss is the cross-entropy of a sigmoid: log(1 + e^x) - t x of a score x and its
// target t, computed as max(x, 0) - t x + log(1 + e^-|x|).
type LogisticLoss struct {
	pointwise `json:"-"`

	Weight *float32 `json:"weight,omitempty"` // in what training minimises; 1 unless given, and 0 only reports
}

// Type is "logistic-loss".
func (l *LogisticLoss) Type() string { return "logistic-loss" }

// Plan makes [N].
func (l *LogisticLoss) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	t, err := binaryTarget(in)
	if err != nil {
		return Spec{}, err
	}
	return planPointwise(l.Weight, in, o, expr.Sub(expr.Softplus(predicted), expr.Mul(t, predicted)))
}

// FocalLoss is that of Lin et al. 2017, "Focal loss for dense object detection", equation
// 5: -Alpha (1-p)^Gamma log p of the probability p = 1/(1+e^-x) where the target is 1, and
// -(1-Alpha) p^Gamma log(1-p) where it is 0; of a target between, both in proportion.
type FocalLoss struct {
	pointwise `json:"-"`

	Gamma  float32  `json:"gamma"`            // 2 in JSON that does not say
	Alpha  float32  `json:"alpha"`            // 0.25 in JSON that does not say
	Weight *float32 `json:"weight,omitempty"` // as LogisticLoss has it
}

// Type is "focal-loss".
func (l *FocalLoss) Type() string { return "focal-loss" }

// Plan makes [N].
func (l *FocalLoss) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	t, err := binaryTarget(in)
	if err != nil {
		return Spec{}, err
	}
	if !(l.Gamma >= 0 && l.Gamma <= 100) {
		return Spec{}, fmt.Errorf("gamma %g must be from 0 to 100", l.Gamma)
	}
	if !(l.Alpha >= 0 && l.Alpha <= 1) {
		return Spec{}, fmt.Errorf("alpha %g must be from 0 to 1", l.Alpha)
	}
	one, gamma := expr.Const(1), expr.Const(l.Gamma)
	// (1-p)^gamma is e^(-gamma softplus(x)), and -log p is softplus(-x): neither leaves
	// float32 where p does.
	part := func(x expr.Expr) expr.Expr {
		return expr.Mul(expr.Exp(expr.Neg(expr.Mul(gamma, expr.Softplus(x)))), expr.Softplus(expr.Neg(x)))
	}
	yes := expr.Mul(expr.Mul(expr.Const(l.Alpha), t), part(predicted))
	no := expr.Mul(expr.Mul(expr.Const(1-l.Alpha), expr.Sub(one, t)), part(expr.Neg(predicted)))
	return planPointwise(l.Weight, in, o, expr.Add(yes, no))
}

// HingeLoss is max(0, Margin - s x)^Norm of a score x, where s is 1 where the target is
// above 0.5 and -1 elsewhere: one against all, as Caffe's HingeLoss (Tang 2013, "Deep
// learning using linear support vector machines", for Norm 2).
type HingeLoss struct {
	pointwise `json:"-"`

	Margin float32  `json:"margin"`           // 1 in JSON that does not say
	Norm   int      `json:"norm"`             // 1 or 2; 1 in JSON that does not say
	Weight *float32 `json:"weight,omitempty"` // as LogisticLoss has it
}

// Type is "hinge-loss".
func (l *HingeLoss) Type() string { return "hinge-loss" }

// Plan makes [N].
func (l *HingeLoss) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	t, err := binaryTarget(in)
	if err != nil {
		return Spec{}, err
	}
	if err := aboveZero("margin", l.Margin); err != nil {
		return Spec{}, err
	}
	if l.Norm != 1 && l.Norm != 2 {
		return Spec{}, fmt.Errorf("norm %d must be 1 or 2", l.Norm)
	}
	signed := expr.Select(expr.Less(expr.Const(0.5), t), predicted, expr.Neg(predicted))
	loss := expr.Max(expr.Sub(expr.Const(l.Margin), signed), expr.Const(0))
	if l.Norm == 2 {
		loss = expr.Mul(loss, loss)
	}
	return planPointwise(l.Weight, in, o, loss)
}

// binaryTarget checks the inputs, and is the target of an element.
func binaryTarget(in []Input) (expr.Expr, error) {
	if len(in) == 2 && in[1].DType == device.Int32 {
		return expr.Select(labelled, expr.Const(1), expr.Const(0)), expectScores(in)
	}
	return targeted, expectTargets(in)
}
