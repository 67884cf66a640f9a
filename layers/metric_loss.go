package layers

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() {
	Register(func() Layer { return &ContrastiveLoss{Margin: 1} })
	Register(func() Layer { return &TripletLoss{Margin: 1} })
}

// The losses of distances between features [N,...] of the networks that are trained
// together, one loss a sample.

// ContrastiveLoss holds features a and b against a label (int32), 1 where they are to be
// alike and 0 where not: with their Euclidean distance d the loss is d²/2 where they are
// to be alike, and max(0, Margin - d)²/2 elsewhere (Hadsell et al. 2006, "Dimensionality
// reduction by learning an invariant mapping"). Its inputs are a, b and the label.
type ContrastiveLoss struct {
	Margin float32  `json:"margin"`           // 1 in JSON that does not say
	Weight *float32 `json:"weight,omitempty"` // in what training minimises; 1 unless given, and 0 only reports
}

// Type is "contrastive-loss".
func (l *ContrastiveLoss) Type() string { return "contrastive-loss" }

// Plan makes [N]. Forward saves d².
func (l *ContrastiveLoss) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectFeatures(in, label); err != nil {
		return Spec{}, err
	}
	if err := aboveZero("margin", l.Margin); err != nil {
		return Spec{}, err
	}
	s, err := metricSpec(l.Weight, in[0].Shape, o, "distance")
	if err != nil {
		return Spec{}, err
	}
	s.NoGradient = []int{2}
	squared, alike, factor := expr.Input(0, expr.Whole), expr.Equal(expr.Integer(1, expr.Whole), expr.Const(1)), expr.Input(2, expr.One)
	d, zero, half := expr.Sqrt(squared), expr.Const(0), expr.Const(0.5)
	short := expr.Max(expr.Sub(expr.Const(l.Margin), d), zero)
	// What the gradient of a is in units of a - b.
	part := expr.Select(alike, expr.Const(1), expr.Select(expr.Equal(d, zero), zero, expr.Neg(expr.Div(short, d))))
	s.Programs = []*expr.Program{
		expr.MustNew(expr.Mul(half, expr.Select(alike, squared, expr.Mul(short, short)))),
		expr.MustNew(expr.Mul(factor, part)),
	}
	return s, nil
}

// Forward enqueues the loss of each sample.
func (l *ContrastiveLoss) Forward(q device.Queue, c *Call) {
	d := c.kept()
	distance(q, c, d[0], 0, 1)
	q.Map(c.Programs[0], viewOf(c.Out[0].Shape), c.Out[:1], c.Args(d[0], c.In[2]), overwrite, device.Random{})
}

// Backward enqueues the gradients of both features.
func (l *ContrastiveLoss) Backward(q device.Queue, c *Call) {
	if !c.WantsGradient(0) && !c.WantsGradient(1) {
		return
	}
	scale, part := c.Temporary[0], c.Temporary[1:]
	q.Fill(scale, c.LossScale)
	q.Map(c.Programs[1], viewOf(c.Out[0].Shape), part[:1], c.Args(c.Saved[0], c.In[2], scale), overwrite, device.Random{})
	for i := range 2 {
		if c.WantsGradient(i) {
			q.Map(differenceTimes, viewOf(c.In[0].Shape), c.DIn[i:i+1], c.Args(c.In[i], c.In[1-i], part[0]), c.Modes[i:i+1], device.Random{})
		}
	}
}

// TripletLoss wants features of an anchor a nearer to a positive p than to a negative n:
// max(0, |a-p| - |a-n| + Margin), of squared distances if Squared is set, as in FaceNet
// (Schroff et al. 2015). Its inputs are a, p and n.
type TripletLoss struct {
	Margin  float32  `json:"margin"` // 1 in JSON that does not say
	Squared bool     `json:"squared,omitempty"`
	Weight  *float32 `json:"weight,omitempty"` // as ContrastiveLoss has it
}

// Type is "triplet-loss".
func (l *TripletLoss) Type() string { return "triplet-loss" }

// Plan makes [N]. Forward saves the squared distances.
func (l *TripletLoss) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectFeatures(in, operand{"negative", device.Float32}); err != nil {
		return Spec{}, err
	}
	if err := aboveZero("margin", l.Margin); err != nil {
		return Spec{}, err
	}
	s, err := metricSpec(l.Weight, in[0].Shape, o, "positive", "negative")
	if err != nil {
		return Spec{}, err
	}
	s.NoGradient = nil
	positive, negative, factor := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole), expr.Input(2, expr.One)
	zero, one := expr.Const(0), expr.Const(1)
	distance := expr.Sqrt
	part := func(squared expr.Expr) expr.Expr { // of |a-b| in units of a-b
		return expr.Select(expr.Equal(squared, zero), zero, expr.Div(one, expr.Sqrt(squared)))
	}
	if l.Squared {
		distance = func(squared expr.Expr) expr.Expr { return squared }
		part = func(expr.Expr) expr.Expr { return expr.Const(2) }
	}
	excess := expr.Add(expr.Sub(distance(positive), distance(negative)), expr.Const(l.Margin))
	counts := func(x expr.Expr) expr.Expr { return expr.Mul(factor, expr.Select(expr.Less(zero, excess), x, zero)) }
	s.Programs = []*expr.Program{
		expr.MustNew(expr.Max(excess, zero)),
		expr.MustNew(counts(part(positive)), counts(expr.Neg(part(negative)))),
	}
	return s, nil
}

// Forward enqueues the loss of each sample.
func (l *TripletLoss) Forward(q device.Queue, c *Call) {
	d := c.kept()
	distance(q, c, d[0], 0, 1)
	distance(q, c, d[1], 0, 2)
	q.Map(c.Programs[0], viewOf(c.Out[0].Shape), c.Out[:1], c.Args(d[0], d[1]), overwrite, device.Random{})
}

// Backward enqueues the gradients of the three features.
func (l *TripletLoss) Backward(q device.Queue, c *Call) {
	if !c.WantsGradient(0) && !c.WantsGradient(1) && !c.WantsGradient(2) {
		return
	}
	scale, part := c.Temporary[0], c.Temporary[1:]
	q.Fill(scale, c.LossScale)
	q.Map(c.Programs[1], viewOf(c.Out[0].Shape), part[:2], c.Args(c.Saved[0], c.Saved[1], scale), overwriteBoth, device.Random{})
	v := viewOf(c.In[0].Shape)
	if c.WantsGradient(0) {
		q.Map(anchorGradient, v, c.DIn[:1], c.Args(c.In[0], c.In[1], c.In[2], part[0], part[1]), c.Modes[:1], device.Random{})
	}
	for i := 1; i < 3; i++ {
		if c.WantsGradient(i) {
			q.Map(differenceTimes, v, c.DIn[i:i+1], c.Args(c.In[i], c.In[0], part[i-1]), c.Modes[i:i+1], device.Random{})
		}
	}
}

// Programs of features and of one number a sample.
var (
	squaredDifference = func() *expr.Program {
		d := expr.Sub(expr.Input(0, expr.Whole), expr.Input(1, expr.Whole))
		return expr.MustNew(expr.Mul(d, d))
	}()
	differenceTimes = expr.MustNew(expr.Mul(expr.Input(2, expr.Sample), expr.Sub(expr.Input(0, expr.Whole), expr.Input(1, expr.Whole))))
	anchorGradient  = func() *expr.Program {
		a := expr.Input(0, expr.Whole)
		part := func(i int) expr.Expr {
			return expr.Mul(expr.Input(2+i, expr.Sample), expr.Sub(a, expr.Input(i, expr.Whole)))
		}
		return expr.MustNew(expr.Add(part(1), part(2)))
	}()
)

// distance enqueues the squared distance of features i and j.
func distance(q device.Queue, c *Call, d device.Tensor, i, j int) {
	q.Reduce(squaredDifference, viewOf(c.In[0].Shape), device.Sum, expr.Sample, d, c.Args(c.In[i], c.In[j]), device.Overwrite, device.Random{})
}

// expectFeatures checks that inputs are features of one shape, two of them or with the
// third, or a label for each sample.
func expectFeatures(in []Input, third operand) error {
	if err := expect(in, input, operand{"input 1", device.Float32}, third); err != nil {
		return err
	}
	if third.dtype == device.Float32 {
		return expectAlike(in)
	}
	if err := expectAlike(in[:2]); err != nil {
		return err
	}
	if n := in[0].Shape[:1]; !slices.Equal(in[2].Shape, n) {
		return fmt.Errorf("label is %s, want %s", dims(in[2].Shape), dims(n))
	}
	return nil
}

// metricSpec is the Spec of a loss that keeps these squared distances of a sample. For the
// gradients it makes a part of each.
func metricSpec(weight *float32, x tensor.Shape, o Options, distances ...string) (Spec, error) {
	s, err := lossSpec(weight, x)
	if err != nil {
		return Spec{}, err
	}
	s.keep(o, x[:1], distances...)
	if o.Train {
		s.Temporary = []Slot{scaleSlot}
		for _, name := range distances {
			s.Temporary = append(s.Temporary, Slot{Name: name + " part", Shape: tensor.Shape{x[0]}, Batched: true})
		}
	}
	return s, nil
}
