package layers

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() {
	Register(func() Layer { return &SoftmaxLoss{} })
	Register(func() Layer { return &L2Loss{} })
}

// SoftmaxLoss is the softmax log-loss of scores [N,C] against labels [N]
// (int32), one loss a sample: log(sum of exp(x)) - x[label].
type SoftmaxLoss struct {
	Weight *float32 `json:"weight,omitempty"` // in what training minimises; 1 unless given, and 0 only reports
}

// Type is "softmax-loss".
func (l *SoftmaxLoss) Type() string { return "softmax-loss" }

// Plan makes [N]. The probabilities are saved for the gradient; in inference
// they go to scratch memory.
func (l *SoftmaxLoss) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectScores(in); err != nil {
		return Spec{}, err
	}
	s, err := lossSpec(l.Weight, in[0].Shape)
	if err != nil {
		return Spec{}, err
	}
	if o.Train {
		s.Saved = []Slot{{Name: "prob", Shape: slices.Clone(in[0].Shape), DType: device.Float32, Batched: true}}
	} else {
		s.Scratch = int64(device.Elements(in[0].Shape)) * device.Float32.Size()
	}
	return s, nil
}

// Forward enqueues the loss of each sample.
func (l *SoftmaxLoss) Forward(q device.Queue, c *Call) {
	prob := saved(c)
	if prob.IsNil() {
		prob = device.Tensor{Buffer: c.Scratch, DType: device.Float32, Shape: c.In[0].Shape}
	}
	q.SoftmaxLossForward(l.geometry(c.In[0].Shape), c.Out[0], prob, c.In[0], c.In[1])
}

// Backward enqueues the gradient of the scores.
func (l *SoftmaxLoss) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		q.SoftmaxLossBackward(l.geometry(c.In[0].Shape), c.DIn[0], saved(c), c.In[1], c.LossScale, c.Modes[0])
	}
}

func (l *SoftmaxLoss) geometry(x tensor.Shape) device.SoftmaxLoss {
	return device.SoftmaxLoss{N: x[0], C: x[1]}
}

// L2Loss is the Euclidean loss of predictions against targets of the same shape
// [N,...], one loss a sample: half the sum of (prediction - target)². The
// target gets no gradient, even if the network computes it.
type L2Loss struct {
	Weight *float32 `json:"weight,omitempty"` // in what training minimises; 1 unless given, and 0 only reports
}

// Type is "l2-loss".
func (l *L2Loss) Type() string { return "l2-loss" }

// Plan makes [N].
func (l *L2Loss) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expect(in, prediction, target); err != nil {
		return Spec{}, err
	}
	if !slices.Equal(in[0].Shape, in[1].Shape) {
		return Spec{}, fmt.Errorf("target is %s, want the prediction's %s", dims(in[1].Shape), dims(in[0].Shape))
	}
	s, err := lossSpec(l.Weight, in[0].Shape)
	if o.Train {
		s.Scratch = device.Float32.Size()
	}
	return s, err
}

// Forward enqueues the loss of each sample.
func (l *L2Loss) Forward(q device.Queue, c *Call) {
	q.Reduce(l2Loss, viewOf(c.In[0].Shape), device.Sum, expr.Sample, c.Out[0], c.In, device.Overwrite, device.Random{})
}

// Backward enqueues the gradient of the predictions.
func (l *L2Loss) Backward(q device.Queue, c *Call) {
	if c.WantsGradient(0) {
		scale := c.ScratchTensor(1)
		q.Fill(scale, c.LossScale)
		q.Map(l2LossGradient, viewOf(c.In[0].Shape), c.DIn[:1], c.Args(c.In[0], c.In[1], scale), c.Modes[:1], device.Random{})
	}
}

// The programs, of predictions, targets, and what the gradient is multiplied with.
var (
	l2Difference   = expr.Sub(expr.Input(0, expr.Whole), expr.Input(1, expr.Whole))
	l2Loss         = expr.MustNew(expr.Mul(expr.Const(0.5), expr.Mul(l2Difference, l2Difference)))
	l2LossGradient = expr.MustNew(expr.Mul(expr.Input(2, expr.One), l2Difference))
)

// lossSpec is what the losses have in common: one number a sample, and no
// gradient for what input 0 is held against.
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
