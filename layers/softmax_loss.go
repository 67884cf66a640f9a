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

// plain reports whether the device's own kernels compute the loss against an input.
func (l *SoftmaxLoss) plain(against device.DType) bool {
	return against == device.Int32 && l.ClassWeights == nil && l.IgnoreLabel == nil && l.Smoothing == 0
}

// Plan makes [N]. The probabilities are saved for the gradient.
func (l *SoftmaxLoss) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	soft := len(in) == 2 && in[1].DType == device.Float32 && len(in[1].Shape) > 1
	if err := l.expect(in, soft); err != nil {
		return Spec{}, err
	}
	s, err := lossSpec(l.Weight, in[0].Shape)
	if err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	if !l.plain(in[1].DType) {
		return l.planWeighted(s, x, soft, o)
	}
	s.keep(o, x, "prob")
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

// Forward enqueues the loss of each sample.
func (l *SoftmaxLoss) Forward(q device.Queue, c *Call) {
	if !l.plain(c.In[1].DType) {
		l.forwardWeighted(q, c)
		return
	}
	q.SoftmaxLossForward(l.geometry(c.In[0].Shape), c.Out[0], c.kept()[0], c.In[0], c.In[1])
}

// Backward enqueues the gradient of the scores.
func (l *SoftmaxLoss) Backward(q device.Queue, c *Call) {
	switch {
	case !c.WantsGradient(0):
	case l.plain(c.In[1].DType):
		q.SoftmaxLossBackward(l.geometry(c.In[0].Shape), c.DIn[0], saved(c), c.In[1], c.LossScale, c.Modes[0])
	default:
		l.backwardWeighted(q, c)
	}
}

func (l *SoftmaxLoss) geometry(x tensor.Shape) device.SoftmaxLoss {
	return device.SoftmaxLoss{N: x[0], C: x[1]}
}

// The programs of the loss with weights, and the inputs that they share: scores, labels
// and weights of classes first.
const (
	softmaxExp      = iota // of scores and their largest
	softmaxShare           // q
	softmaxWeighted        // the loss of a class, of the largest score and the sum
	softmaxGradient        // of these, the sum of q, and a factor
)

// planWeighted makes the programs. Of each sample three numbers are kept: its largest
// score, the sum of the exponentials of what the others are below it, and the sum of q.
func (l *SoftmaxLoss) planWeighted(s Spec, x tensor.Shape, soft bool, o Options) (Spec, error) {
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
	s.keep(o, x[:1], "largest", "sum", "share")
	if o.Train {
		s.Temporary = []Slot{scaleSlot}
	}

	score, label := expr.Input(0, expr.Whole), expr.Integer(1, expr.Sample)
	largest, sum, total, factor := expr.Input(3, expr.Sample), expr.Input(4, expr.Sample), expr.Input(5, expr.Sample), expr.Input(6, expr.One)
	zero, one := expr.Const(0), expr.Const(1)
	share := expr.Select(labelled, expr.Sub(one, expr.Const(l.Smoothing)), zero)
	if soft {
		share = expr.Mul(expr.Input(1, expr.Whole), expr.Sub(one, expr.Const(l.Smoothing)))
	}
	share = expr.Add(share, expr.Div(expr.Const(l.Smoothing), expr.Const(float32(classes))))
	if l.ClassWeights != nil {
		share = expr.Mul(share, expr.Input(2, expr.Channel))
	}
	isClass := func(yes, no expr.Expr) expr.Expr {
		if soft {
			return yes
		}
		return expr.Select(expr.Less(label, zero), no, expr.Select(expr.Less(label, expr.Const(float32(classes))), yes, no))
	}
	ignored := func(yes, no expr.Expr) expr.Expr { return no }
	if l.IgnoreLabel != nil {
		ignored = func(yes, no expr.Expr) expr.Expr {
			return expr.Select(expr.Equal(label, expr.Const(float32(*l.IgnoreLabel))), yes, no)
		}
	}
	below := expr.Sub(score, largest)
	loss := expr.Select(expr.Equal(share, zero), zero, expr.Mul(share, expr.Sub(expr.Log(sum), below)))
	gradient := expr.Mul(factor, expr.Sub(expr.Div(expr.Mul(total, expr.Exp(below)), sum), share))
	s.Programs = []*expr.Program{
		softmaxExp:      expr.MustNew(expr.Exp(below)),
		softmaxShare:    expr.MustNew(share),
		softmaxWeighted: expr.MustNew(ignored(zero, isClass(loss, expr.Const(float32(math.NaN()))))),
		softmaxGradient: expr.MustNew(ignored(zero, isClass(gradient, zero))),
	}
	return s, nil
}

// weighted are the inputs of the programs, with what a sample keeps behind them.
func (l *SoftmaxLoss) weighted(c *Call) (in []device.Tensor, largest, sum, share device.Tensor) {
	var weights device.Tensor
	if len(c.Constants) > 0 {
		weights = c.Constants[0]
	}
	of := c.kept()
	return c.Args(c.In[0], c.In[1], weights, of[0], of[1], of[2]), of[0], of[1], of[2]
}

func (l *SoftmaxLoss) forwardWeighted(q device.Queue, c *Call) {
	v, p := viewOf(c.In[0].Shape), c.Programs
	in, largest, sum, share := l.weighted(c)
	q.Reduce(identity, v, device.Max, expr.Sample, largest, in, device.Overwrite, device.Random{})
	q.Reduce(p[softmaxExp], v, device.Sum, expr.Sample, sum, in, device.Overwrite, device.Random{})
	q.Reduce(p[softmaxShare], v, device.Sum, expr.Sample, share, in, device.Overwrite, device.Random{})
	q.Reduce(p[softmaxWeighted], v, device.Sum, expr.Sample, c.Out[0], in, device.Overwrite, device.Random{})
}

func (l *SoftmaxLoss) backwardWeighted(q device.Queue, c *Call) {
	in, _, _, _ := l.weighted(c)
	scale := c.Temporary[0]
	q.Fill(scale, c.LossScale)
	q.Map(c.Programs[softmaxGradient], viewOf(c.In[0].Shape), c.DIn[:1], append(in, scale), c.Modes[:1], device.Random{})
}
