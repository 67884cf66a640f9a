package layers

import (
	"cmp"
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

func init() { Register(func() Layer { return &Accuracy{} }) }

// Accuracy is 1 for a sample whose label is among the TopK highest of the
// scores [N,C], and 0 otherwise. It has no gradient.
//
// Among equal scores the class of the smallest index is the highest. A label that is no
// class, or whose score is NaN, is never among the highest; another score that is NaN is
// lower than all.
type Accuracy struct {
	TopK int `json:"top_k,omitempty"` // 1 unless given
}

// Type is "accuracy".
func (l *Accuracy) Type() string { return "accuracy" }

// The programs of the accuracy.
const (
	accuracyScore = iota // of the scores and labels: the label's score
	accuracyAhead        // of these and the label's score: 1 for a class that is ahead of the label
	accuracyHit          // of the sum of these, the labels and their scores
)

// Plan makes [N].
func (l *Accuracy) Plan(t device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectScores(in); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	k := cmp.Or(l.TopK, 1)
	if k < 1 || k > x[1] {
		return Spec{}, fmt.Errorf("top_k %d must be in 1 to %d, the classes of scores %s", k, x[1], dims(x))
	}
	zero, one, score := expr.Const(0), expr.Const(1), expr.Input(2, expr.Sample)
	higher := expr.Select(expr.Less(score, predicted), one, zero)
	notLower := expr.Select(expr.LessEqual(score, predicted), one, zero)
	hit := expr.Select(expr.Less(expr.Input(0, expr.Whole), expr.Const(float32(k))), one, zero)
	hit = expr.Select(expr.Equal(score, score), hit, zero) // not NaN
	return Spec{
		Out:        []Input{floats(x[0])},
		Temporary:  []Slot{{Name: "score", Shape: tensor.Shape{x[0]}, Batched: true}},
		NoGradient: []int{0, 1},
		Programs: []*expr.Program{
			accuracyScore: expr.MustNew(expr.Select(labelled, predicted, zero)),
			accuracyAhead: expr.MustNew(expr.Select(expr.Less(expr.Index(expr.C), labels), notLower, higher)),
			accuracyHit:   expr.MustNew(ofClass(x[1], hit, zero)),
		},
	}, nil
}

// Forward enqueues the comparison.
func (l *Accuracy) Forward(q device.Queue, c *Call) {
	v, hit, score := viewOf(c.In[0].Shape), c.Out[0], c.Temporary[0]
	q.Reduce(c.Programs[accuracyScore], v, device.Sum, expr.Sample, score, c.In, device.Overwrite, device.Random{})
	q.Reduce(c.Programs[accuracyAhead], v, device.Sum, expr.Sample, hit, c.Args(c.In[0], c.In[1], score), device.Overwrite, device.Random{})
	q.Map(c.Programs[accuracyHit], viewOf(hit.Shape), c.Out, c.Args(hit, c.In[1], score), overwrite, device.Random{})
}

// Backward does nothing.
func (l *Accuracy) Backward(q device.Queue, c *Call) {}
