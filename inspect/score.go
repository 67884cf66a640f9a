package inspect

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/layers"
)

// score is the sum of x times a seed, of each sample: a loss whose gradient of x is the
// seed. Its inputs are x and the seed, of one shape.
type score struct{}

// The programs: of x and the seed, and of the seed and the scale of gradients.
var (
	scoreForward  = expr.MustNew(expr.Mul(expr.Input(0, expr.Whole), expr.Input(1, expr.Whole)))
	scoreBackward = expr.MustNew(expr.Mul(expr.Input(0, expr.Whole), expr.Input(1, expr.One)))
)

// Type is "inspect.score": it is in no registry.
func (score) Type() string { return "inspect.score" }

// Plan makes [N].
func (score) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	return layers.Spec{
		Out:        []layers.Input{{Shape: tensor.Shape{in[0].Shape[0]}, DType: device.Float32}},
		Temporary:  []layers.Slot{{Name: "scale", Shape: tensor.Shape{1}}},
		NoGradient: []int{1},
		LossWeight: 1,
		Backward:   layers.NeedInputs,
	}, nil
}

// Forward enqueues the sums.
func (score) Forward(q device.Queue, c *layers.Call) {
	q.Reduce(scoreForward, viewOf(c.In[0].Shape), device.Sum, expr.Sample, c.Out[0], c.In, device.Overwrite, device.Random{})
}

// Backward enqueues the gradient of x.
func (score) Backward(q device.Queue, c *layers.Call) {
	if c.WantsGradient(0) {
		q.Fill(c.Temporary[0], c.LossScale)
		q.Map(scoreBackward, viewOf(c.In[0].Shape), c.DIn[:1], c.Args(c.In[1], c.Temporary[0]), c.Modes[:1], device.Random{})
	}
}

// viewOf is a tensor as [N,C,Inner].
func viewOf(s tensor.Shape) device.View {
	return device.View{N: s[0], C: 1, Inner: device.Elements(s[1:])}
}

// Rule is how a gradient passes a ReLU, y = max(x,0).
type Rule string

// The rules. Through every other layer the gradient is its own.
const (
	Gradient Rule = "gradient" // dy where y > 0
	Deconv   Rule = "deconv"   // max(dy,0): the deconvnet of Zeiler and Fergus 2014
	Guided   Rule = "guided"   // max(dy,0) where y > 0: guided backpropagation, Springenberg et al. 2015
)

// rules are the gradients of y and dy.
var rules = map[Rule]*expr.Program{
	Deconv: expr.MustNew(expr.Max(expr.Input(1, expr.Whole), expr.Const(0))),
	Guided: expr.MustNew(expr.Select(expr.Less(expr.Const(0), expr.Input(0, expr.Whole)),
		expr.Max(expr.Input(1, expr.Whole), expr.Const(0)), expr.Const(0))),
}

// rectifier is a ReLU whose gradient is another one. It is no layers.Activator, so that
// it keeps its own backward step.
type rectifier struct {
	layers.Layer
	gradient *expr.Program // of y and dy
}

// Backward enqueues the gradient.
func (l rectifier) Backward(q device.Queue, c *layers.Call) {
	if c.WantsGradient(0) {
		q.Map(l.gradient, viewOf(c.Out[0].Shape), c.DIn, c.Args(c.Out[0], c.DOut[0]), c.Modes, device.Random{})
	}
}

// tested is a layer that draws random numbers in training, such as dropout, as it is in
// inference, with a gradient.
type tested struct{ layers.Layer }

// Plan is that of inference. A layer that keeps other tensors in training than in
// inference needs them for its gradient.
func (l tested) Plan(t device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	infer, err := l.Layer.Plan(t, in, layers.Options{})
	if err != nil {
		return layers.Spec{}, err
	}
	train, err := l.Layer.Plan(t, in, layers.Options{Train: true})
	if err != nil {
		return layers.Spec{}, err
	}
	same := slices.EqualFunc(infer.Saved, train.Saved, sameSlot) && slices.EqualFunc(infer.Temporary, train.Temporary, sameSlot) &&
		infer.Scratch == train.Scratch && infer.Packed == train.Packed && len(infer.Programs) == len(train.Programs)
	if !same {
		return layers.Spec{}, fmt.Errorf("a layer of the type %s has no gradient in inference, and in training it draws random numbers: name a layer after it, if it matters", l.Type())
	}
	return infer, nil
}

func sameSlot(a, b layers.Slot) bool { return a.Name == b.Name && slices.Equal(a.Shape, b.Shape) }
