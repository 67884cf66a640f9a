package layers

import (
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

// lossSpec is what losses have in common: one number a sample, its weight in what
// training minimises, 1 unless given, and no gradient for what input 0 is held against.
func lossSpec(factor *float32, x tensor.Shape) (Spec, error) {
	weight := or(factor, 1)
	if !isFactor(weight) {
		return Spec{}, fmt.Errorf("weight %g must be finite and not negative", weight)
	}
	return Spec{
		Out:        []Input{floats(x[0])},
		Backward:   NeedInputs,
		NoGradient: []int{1},
		LossWeight: weight,
	}, nil
}

// scaleSlot is for what gradients are multiplied with.
var scaleSlot = Slot{Name: "scale", Shape: tensor.Shape{1}}

// pointwise is embedded by losses that are a sum, over the elements of a sample, of a
// function of the prediction and of what it is held against.
type pointwise struct{}

// What the function is of: the prediction, and the target or whether the element is of the
// class that the label names.
var (
	predicted = expr.Input(0, expr.Whole)
	targeted  = expr.Input(1, expr.Whole)
	labels    = expr.Integer(1, expr.Sample)
	labelled  = expr.Equal(expr.Index(expr.C), labels)
)

// ofClass is yes where the label is one of so many classes, else no.
func ofClass(classes int, yes, no expr.Expr) expr.Expr {
	return expr.Select(expr.Less(labels, expr.Const(0)), no, expr.Select(expr.Less(labels, expr.Const(float32(classes))), yes, no))
}

// planPointwise is the Spec of a pointwise loss, of its weight and its function. Its
// programs are the function, and its derivative times a factor.
func planPointwise(weight *float32, in []Input, o Options, loss expr.Expr) (Spec, error) {
	s, err := lossSpec(weight, in[0].Shape)
	if err != nil {
		return Spec{}, err
	}
	if o.Train {
		s.Temporary = []Slot{scaleSlot}
	}
	factor := expr.Input(2, expr.One)
	s.Programs = []*expr.Program{expr.MustNew(loss), expr.MustNew(expr.Mul(factor, loss.Derivative(0)))}
	return s, nil
}

// Forward enqueues the loss of each sample.
func (pointwise) Forward(q device.Queue, c *Call) {
	q.Reduce(c.Programs[0], viewOf(c.In[0].Shape), device.Sum, expr.Sample, c.Out[0], c.In, device.Overwrite, device.Random{})
}

// Backward enqueues the gradient of the predictions.
func (pointwise) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		scale := c.Temporary[0]
		q.Fill(scale, c.LossScale)
		q.Map(c.Programs[1], viewOf(c.In[0].Shape), c.DIn[:1], c.Args(c.In[0], c.In[1], scale), c.Modes[:1], device.Random{})
	}
}

// expectTargets checks that inputs are predictions and targets of one shape.
func expectTargets(in []Input) error {
	if err := expect(in, prediction, target); err != nil {
		return err
	}
	if !slices.Equal(in[0].Shape, in[1].Shape) {
		return fmt.Errorf("target is %s, want the prediction's %s", dims(in[1].Shape), dims(in[0].Shape))
	}
	return nil
}

// aboveZero checks an option that is a finite number above 0.
func aboveZero(name string, value float32) error {
	if !(value > 0) || value > math.MaxFloat32 {
		return fmt.Errorf("%s %g must be finite and above 0", name, value)
	}
	return nil
}
