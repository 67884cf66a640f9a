// Package layers holds one file per layer: its options, its shapes, what it
// saves, its forward and its backward pass, and the registry that makes
// layers from JSON.
//
// A layer is plain data. It keeps nothing between calls, so that any number
// of plans, on any devices, can use one layer.
package layers

import (
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

// Layer is a node of a network.
type Layer interface {
	// Type is the layer's name in the registry and in JSON.
	Type() string

	// Plan checks the layer against the shapes of its inputs, dimension 0
	// being the batch, and says what it makes, keeps and needs. Every check
	// happens here, once. Its errors do not name the layer; the graph does.
	Plan(t device.Traits, in []Input, o Options) (Spec, error)

	// Forward and Backward enqueue the layer's kernels for the tensors in c,
	// whose dimension 0 may be smaller than what was planned. They neither
	// check nor allocate.
	Forward(q device.Queue, c *Call)
	Backward(q device.Queue, c *Call)
}

// Packer is a layer with Spec.Packed copies: Pack refreshes them from
// c.Params after the weights have changed.
type Packer interface {
	Layer
	Pack(q device.Queue, c *Call)
}

// Activator is a layer that applies one element-wise function, which the
// graph may move into the epilogue of the layer before it.
type Activator interface {
	Layer
	Function() device.Unary
}

// Input is what a layer is told of one of its inputs.
type Input struct {
	Shape tensor.Shape // dimension 0 is the batch
	DType device.DType
}

// Options are what a plan is made for.
type Options struct {
	// Train is set where a backward pass will follow: dropout drops, and
	// Saved slots exist. Otherwise the plan is for inference.
	Train bool
}

// Need is the set of activations a backward pass reads.
type Need uint8

// The bits of a Need.
const (
	NeedInputs Need = 1 << iota
	NeedOutputs
)

// Spec is what a layer makes, keeps and needs, for one set of input shapes.
type Spec struct {
	Out    []Input // shapes and types of the outputs, dimension 0 the batch
	Saved  []Slot  // what forward keeps for backward: LRN scale, pool argmax; none in inference
	Params []Param // trained
	State  []Slot  // not trained, kept in the weights file and shared by all that run on the weights; never Batched

	// Constants are float32 tensors that follow from the options and the shapes, batch
	// apart, such as weights of classes: not trained, and not in a weights file.
	Constants []*tensor.Dense

	// Packed is bytes of copies of the weights in the device's own layout, made anew
	// after an update: one for each pass, which alone reads it. A copy has the same size
	// in every plan that has it. One of a pass that is not wanted the Call does not have.
	Packed [device.Passes]int64

	// Temporary is tensors alive during one call, forward or backward, and Scratch bytes.
	Temporary []Slot
	Scratch   int64

	Backward Need // what backward reads
	InPlace  bool // Out[0] may share In[0], and DIn[0] may share DOut[0]
	Epilogue bool // forward applies Call.Activation to Out[0] as it is stored
	Streams  int  // independent random streams

	Programs []*expr.Program // that forward and backward run, where they depend on the options

	// NoGradient lists inputs that have none: labels, targets.
	NoGradient []int

	// LossWeight is not 0 for a loss: Out[0] holds one loss a sample, and
	// training minimises LossWeight times their mean.
	LossWeight float32

	// FLOPs counts the forward pass of convolutions and dense layers over the
	// whole batch, a multiply-add being two. Memory bounds the others.
	FLOPs int64
}

// Slot is a tensor a layer keeps, or works on.
type Slot struct {
	Name    string
	Shape   tensor.Shape
	DType   device.DType
	Batched bool    // dimension 0 is the batch, and smaller in a smaller pass; else the shape is fixed
	Init    float32 // what a State slot starts as; whole for a type of integers
}

// keep asks for tensors of the batch that forward makes and works on, and that backward
// reads in training.
func (s *Spec) keep(o Options, shape tensor.Shape, names ...string) {
	to := &s.Temporary
	if o.Train {
		to = &s.Saved
	}
	for _, name := range names {
		*to = append(*to, Slot{Name: name, Shape: shape.Clone(), Batched: true})
	}
}

// kept are the tensors that keep has asked for.
func (c *Call) kept() []device.Tensor {
	if len(c.Saved) > 0 {
		return c.Saved
	}
	return c.Temporary
}

// Param is a trained tensor, in PyTorch's shape and with PyTorch's name
// ("weight", "bias"); the graph puts the layer's name in front.
type Param struct {
	Name   string
	Shape  tensor.Shape
	Fan    Fan
	Filler Filler
	Rate   float32 // multiplies the learning rate
	Decay  float32 // multiplies the weight decay
}

// Call is what a layer's Forward and Backward work on. Which fields are set
// follows from the Spec.
type Call struct {
	In, Out   []device.Tensor
	DIn, DOut []device.Tensor // DIn[i] is absent where no gradient is wanted
	Modes     []device.Mode   // of DIn: overwrite or accumulate

	Params    []device.Tensor
	DParams   []device.Tensor // absent where frozen
	ParamMode device.Mode     // of DParams: accumulate in a later micro-batch

	Saved, State, Constants, Temporary []device.Tensor

	// UpdateState is set where forward is to update State from this
	// micro-batch. In inference and where the layer is frozen it is not: forward
	// then reads State and never writes it. Backward never writes it.
	UpdateState bool

	Packed  [device.Passes]device.Buffer // by pass; nil where there is none
	Scratch device.Buffer

	Programs   []*expr.Program   // of the Spec
	Activation device.Activation // for the epilogue; off unless Spec.Epilogue
	Random     device.Random     // Stream is the layer's first
	LossScale  float32           // LossWeight over the samples of the whole batch

	args []device.Tensor
}

// Args is a list of tensors for Map and Reduce, valid until the call's next. There is
// room behind it for what is appended.
func (c *Call) Args(tensors ...device.Tensor) []device.Tensor {
	if c.args == nil {
		c.args = make([]device.Tensor, 0, expr.MaxInputs)
	}
	c.args = append(c.args[:0], tensors...)
	return c.args
}

// Samples is the number of samples of the call.
func (c *Call) Samples() int { return c.In[0].Shape[0] }

// WantsGradient reports whether the gradient of input i is wanted.
func (c *Call) WantsGradient(i int) bool { return !c.DIn[i].IsNil() }
