package layers

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &SoftmaxLoss{} }) }

// SoftmaxLoss is the softmax log-loss of scores [N,C] against labels [N] (int32), one
// loss a sample: log(sum of exp(x)) - x[label]. A label that is no class has the loss NaN
// and no gradient.
//
// With ClassWeights w and Smoothing e it is the sum over classes c of
// q_c (log(sum of exp(x)) - x_c), where q_c is w_c ((1-e) [c = label] + e/C), as in
// PyTorch (Szegedy et al. 2016, "Rethinking the Inception architecture", section 7). What
// is minimised is the mean over all samples of the batch, ignored ones and weights apart
// (Caffe's normalization BATCH_SIZE).
//
// Instead of labels it takes targets [N,C] (float32), the share of each class, such as
// those of images that are mixed (Zhang et al. 2018, "mixup"): they take the place of
// [c = label]. Shares of 0 and one 1 are a label.
type SoftmaxLoss struct {
	Weight *float32 `json:"weight,omitempty"` // in what training minimises; 1 unless given, and 0 only reports

	ClassWeights []float32 `json:"class_weights,omitempty"`   // one a class; all 1 unless given
	IgnoreLabel  *int32    `json:"ignore_label,omitempty"`    // samples of this label have the loss 0 and no gradient
	Smoothing    float32   `json:"label_smoothing,omitempty"` // from 0 to 1
}

// Type is "softmax-loss".
func (l *SoftmaxLoss) Type() string { return "softmax-loss" }

// The programs of the loss, and the inputs that they share: scores, labels or shares, and
// weights of classes first.
const (
	softmaxExp      = iota // of scores and their largest
	softmaxTerm            // the loss of a class, of the largest score and the sum
	softmaxGradient        // of these, the sum of q, and a factor
	softmaxShare           // q, where its sum may differ from 1
)

// Plan makes [N]. Of each sample its largest score is kept, and the sum of the exponentials
// of what all scores are below it; where the sum of q may differ from 1, it is kept too.
func (l *SoftmaxLoss) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	soft := len(in) == 2 && in[1].DType == device.Float32 && len(in[1].Shape) > 1
	if err := l.expect(in, soft); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	s, err := lossSpec(l.Weight, x)
	if err != nil {
		return Spec{}, err
	}
	classes := x[1]
	if l.ClassWeights != nil && len(l.ClassWeights) != classes {
		return Spec{}, fmt.Errorf("%d class_weights for scores of %d classes", len(l.ClassWeights), classes)
	}
	for i, w := range l.ClassWeights {
		if !isFactor(w) {
			return Spec{}, fmt.Errorf("class_weights[%d] %g must be finite and not negative", i, w)
		}
	}
	if !(l.Smoothing >= 0 && l.Smoothing <= 1) {
		return Spec{}, fmt.Errorf("label_smoothing %g must be from 0 to 1", l.Smoothing)
	}
	if l.ClassWeights != nil {
		s.Constants = []*tensor.Dense{tensor.New(tensor.WithShape(classes), tensor.WithBacking(slices.Clone(l.ClassWeights)))}
	}
	s.keep(o, x[:1], "largest", "sum")
	if o.Train {
		s.Temporary = []Slot{scaleSlot}
	}

	largest, sum, factor := expr.Input(3, expr.Sample), expr.Input(4, expr.Sample), expr.Input(5, expr.One)
	zero, one := expr.Const(0), expr.Const(1)
	share := expr.Select(labelled, expr.Sub(one, expr.Const(l.Smoothing)), zero)
	if soft {
		share = expr.Mul(targeted, expr.Sub(one, expr.Const(l.Smoothing)))
	}
	share = expr.Add(share, expr.Div(expr.Const(l.Smoothing), expr.Const(float32(classes))))
	total := one
	if l.ClassWeights != nil {
		share = expr.Mul(share, expr.Input(2, expr.Channel))
	}
	summed := soft || l.ClassWeights != nil
	if summed {
		s.keep(o, x[:1], "share")
		total = expr.Input(6, expr.Sample)
	}
	isClass := func(yes, no expr.Expr) expr.Expr { return yes }
	if !soft {
		isClass = func(yes, no expr.Expr) expr.Expr { return ofClass(classes, yes, no) }
	}
	ignored := func(yes, no expr.Expr) expr.Expr { return no }
	if l.IgnoreLabel != nil {
		ignored = func(yes, no expr.Expr) expr.Expr {
			return expr.Select(expr.Equal(labels, expr.Const(float32(*l.IgnoreLabel))), yes, no)
		}
	}
	below := expr.Sub(predicted, largest)
	term := expr.Select(expr.Equal(share, zero), zero, expr.Mul(share, expr.Sub(expr.Log(sum), below)))
	gradient := expr.Mul(factor, expr.Sub(expr.Div(expr.Mul(total, expr.Exp(below)), sum), share))
	s.Programs = []*expr.Program{
		softmaxExp:      expr.MustNew(expr.Exp(below)),
		softmaxTerm:     expr.MustNew(ignored(zero, isClass(term, expr.Const(float32(math.NaN()))))),
		softmaxGradient: expr.MustNew(ignored(zero, isClass(gradient, zero))),
	}
	if summed {
		s.Programs = append(s.Programs, expr.MustNew(share))
	}
	return s, nil
}

// expect checks the inputs, whose second may be shares.
func (l *SoftmaxLoss) expect(in []Input, soft bool) error {
	if !soft {
		return expectScores(in)
	}
	if err := expect(in, scores, target); err != nil {
		return err
	}
	switch {
	case len(in[0].Shape) != 2:
		return fmt.Errorf("scores are %s, want [N,C]; a flatten layer makes them so", dims(in[0].Shape))
	case !slices.Equal(in[0].Shape, in[1].Shape):
		return fmt.Errorf("target is %s, want the scores' %s", dims(in[1].Shape), dims(in[0].Shape))
	case l.IgnoreLabel != nil:
		return errors.New("ignore_label needs labels, and the target has shares of classes")
	}
	return nil
}

// inputs are those of the programs, without the sum of q.
func (l *SoftmaxLoss) inputs(c *Call, factor device.Tensor) []device.Tensor {
	var weights device.Tensor
	if len(c.Constants) > 0 {
		weights = c.Constants[0]
	}
	kept := c.kept()
	return c.Args(c.In[0], c.In[1], weights, kept[0], kept[1], factor)
}

// Forward enqueues the loss of each sample.
func (l *SoftmaxLoss) Forward(q device.Queue, c *Call) {
	in, kept := l.inputs(c, device.Tensor{}), c.kept()
	perSample := func(p *expr.Program, op device.ReduceOp, out device.Tensor) {
		q.Reduce(p, viewOf(c.In[0].Shape), op, expr.Sample, out, in, device.Overwrite, device.Random{})
	}
	perSample(identity, device.Max, kept[0])
	perSample(c.Programs[softmaxExp], device.Sum, kept[1])
	if len(c.Programs) > softmaxShare {
		perSample(c.Programs[softmaxShare], device.Sum, kept[2])
	}
	perSample(c.Programs[softmaxTerm], device.Sum, c.Out[0])
}

// Backward enqueues the gradient of the scores.
func (l *SoftmaxLoss) Backward(q device.Queue, c *Call) {
	if !c.WantsGradient(0) {
		return
	}
	factor := c.Temporary[0]
	q.Fill(factor, c.LossScale)
	in := append(l.inputs(c, factor), c.Saved[2:]...)
	q.Map(c.Programs[softmaxGradient], viewOf(c.In[0].Shape), c.DIn[:1], in, c.Modes[:1], device.Random{})
}
