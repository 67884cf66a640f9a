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

	// Packed is bytes of copies of the weights in the device's own layout, made anew
	// after an update: one for each pass, which alone reads it. A copy has the same size
	// in every plan that has it. One of a pass that is not wanted the Call does not have.
	Packed [device.Passes]int64

	Scratch  int64 // bytes alive during one call, forward or backward
	Backward Need  // what backward reads
	InPlace  bool  // Out[0] may share In[0], and DIn[0] may share DOut[0]
	Epilogue bool  // forward applies Call.Activation to Out[0] as it is stored
	Streams  int   // independent random streams

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

// Slot is a tensor a layer keeps.
type Slot struct {
	Name    string
	Shape   tensor.Shape
	DType   device.DType
	Batched bool    // dimension 0 is the batch, and smaller in a smaller pass; else the shape is fixed
	Init    float32 // what a State slot starts as; whole for a type of integers
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

	Saved, State []device.Tensor

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

	args         []device.Tensor
	scratchShape tensor.Shape
	parts        []scratchPart
}

// scratchPart is a part of the scratch memory.
type scratchPart struct {
	device.Tensor
	offset int64
}

// partUnit is what the places of parts are multiples of, in bytes: the largest alignment
// that a device asks for.
const partUnit = 256

// ScratchBytes is the scratch memory that parts of so many float32 elements take.
func ScratchBytes(elements ...int) (bytes int64) {
	for _, n := range elements {
		bytes += (int64(n)*device.Float32.Size() + partUnit - 1) / partUnit * partUnit
	}
	return bytes
}

// ScratchPart is part i of the scratch memory as a float32 tensor. Parts lie one behind
// the other, and are asked for from 0 on. Each is valid until the call's next part i, and
// keeps its room if that is smaller.
func (c *Call) ScratchPart(i int, shape ...int) device.Tensor {
	offset := int64(0)
	if i > 0 {
		before := &c.parts[i-1]
		offset = before.offset + ScratchBytes(int(before.Buffer.Size()/device.Float32.Size()))
	}
	if i == len(c.parts) {
		c.parts = append(c.parts, scratchPart{})
	}
	p := &c.parts[i]
	p.Shape = append(p.Shape[:0], shape...)
	if p.Buffer == nil || p.offset != offset || p.Buffer.Size() < p.Bytes() { // else as in the step before
		p.offset, p.Buffer = offset, c.Scratch.Slice(offset, p.Bytes())
	}
	return p.Tensor
}

// ScratchTensor is the scratch memory as a float32 tensor. Its shape is valid until the
// call's next.
func (c *Call) ScratchTensor(shape ...int) device.Tensor {
	c.scratchShape = append(c.scratchShape[:0], shape...)
	return device.Tensor{Buffer: c.Scratch, DType: device.Float32, Shape: c.scratchShape}
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
