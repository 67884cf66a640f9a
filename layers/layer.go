// Package layers has the layers of networks, one file per layer with its
// options, shapes, saved tensors, forward pass and backward pass. A registry
// makes layers from JSON.
//
// A layer is plain data. It stores nothing between calls, so any number of
// plans, on any devices, can use one layer.
package layers

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

// Layer is a node of a network.
type Layer interface {
	// Type is the layer's name in the registry and in JSON.
	Type() string

	// Plan checks the layer against the shapes of its inputs, with the batch as
	// dimension 0, and returns what the layer makes, saves and needs. All checks
	// are done here, once. Its errors do not name the layer; the graph adds the
	// name.
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

// Averager is a layer whose State has averages over micro-batches: a training pass moves it by
// statistics of its micro-batch alone, and reads it for nothing else. So several devices can
// each make the statistics of some micro-batches, and move the state by all of them in order.
type Averager interface {
	Layer

	// Average enqueues the move of c.State by one micro-batch, whose c.Statistics Forward has
	// written. Of c, State, Statistics and Programs are set. Forward and then Average need not
	// round as a Forward that updates State does.
	Average(q device.Queue, c *Call)
}

// Synchroniser is a layer whose State has the statistics of a batch, which may be spread over
// several devices: if Call.Across is set and so is UpdateState, its passes are those of the whole
// batch. All devices make the same calls of Across.Sum, also those that have no sample in a pass.
type Synchroniser interface {
	Layer

	// ForwardNone and BackwardNone take part in a pass of the other devices without a sample.
	// ForwardNone updates State as theirs do. Of c, tensors of samples are not touched.
	ForwardNone(q device.Queue, c *Call)
	BackwardNone(q device.Queue, c *Call)
}

// Across is a batch that is spread over several devices.
type Across struct {
	Samples int // of the pass, on all devices

	// Sum enqueues the replacement of each x by the sum of all devices' x, which is the same to
	// the bit on each.
	Sum func(x ...device.Tensor)
}

// ChannelScaler is a layer whose only parameters are "weight" and perhaps "bias", and whose
// output [N,K,...] is, in each of its K channels, a linear function of the weights of that
// channel and, if there is a bias [K], of its element.
type ChannelScaler interface {
	Layer

	// ScaleChannels multiplies the values of a weight, in place, by the factor of the
	// output channel that each belongs to, [K].
	ScaleChannels(weight *tensor.Dense, factors []float64)
}

// Input is the shape and the type of one input of a layer.
type Input struct {
	Shape tensor.Shape // dimension 0 is the batch
	DType device.DType
}

// Options are the options of a plan.
type Options struct {
	// Train is set if a backward pass will follow: dropout is active, and Saved
	// slots exist. Otherwise the plan is for inference.
	Train bool
}

// Need is the set of activations that a backward pass reads.
type Need uint8

// The bits of a Need.
const (
	NeedInputs Need = 1 << iota
	NeedOutputs
)

// Spec says what a layer makes, saves and needs, for one set of input shapes.
type Spec struct {
	Out    []Input // shapes and types of the outputs, dimension 0 the batch
	Saved  []Slot  // what forward keeps for backward: LRN scale, pool argmax; none in inference
	Params []Param // trained
	State  []Slot  // not trained, kept in the weights file and shared by all that run on the weights; never Batched

	// Constants are float32 tensors that follow from the options and the shapes
	// without the batch, such as weights of classes. They are not trained, and not
	// in a weights file.
	Constants []*tensor.Dense

	// Packed has the bytes of a copy of the weights for each pass, in the device's
	// own layout. Only that pass reads the copy, and Pack makes it again after an
	// update. A copy has the same size in every plan. A Call has no copy for a pass
	// that is not run.
	Packed [device.Passes]int64

	// Temporary are tensors used only during one call, forward or backward. Scratch
	// is memory in bytes for the same time.
	Temporary []Slot
	Scratch   int64

	Backward Need // what backward reads
	InPlace  bool // Out[0] may share In[0], and DIn[0] may share DOut[0]
	Epilogue bool // forward applies Call.Epilogue to Out[0]

	// Repeats says that forward, with Call.Again, makes the same outputs from Saved, which it
	// leaves as they are, and does not touch State. Other layers write Saved again.
	Repeats bool

	Streams int // independent random streams

	// Elementwise says that forward is nothing but the Map of Programs[0] from In to Out[0],
	// which it overwrites. The graph may run that program in the epilogue of a layer before.
	Elementwise bool

	// Jumps says that the output jumps where an input changes a little. The gradient is
	// that between two jumps, and differences of the loss need not agree with it.
	Jumps bool

	Programs []*expr.Program // that forward and backward run, if they depend on the options

	// NoGradient lists inputs without a gradient: labels, targets.
	NoGradient []int

	// LossWeight is not 0 for a loss: Out[0] holds one loss a sample, and
	// training minimises LossWeight times their mean.
	LossWeight float32

	// FLOPs counts the operations of the forward pass over the whole batch, for
	// convolutions and dense layers. A multiply-add counts as two. It is 0 for the
	// others, which are limited by memory.
	FLOPs int64
}

// Slot is a tensor that a layer keeps or works on.
type Slot struct {
	Name    string
	Shape   tensor.Shape
	DType   device.DType
	Batched bool    // dimension 0 is the batch, smaller in a smaller pass; otherwise the shape is fixed
	Init    float32 // initial value of a State slot; an integer for integer types
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

// Call has the tensors and settings of one call of a layer's Forward or
// Backward. The Spec decides which fields are set.
type Call struct {
	In, Out   []device.Tensor
	DIn, DOut []device.Tensor // DIn[i] is absent if no gradient is needed
	Modes     []device.Mode   // of DIn: overwrite or accumulate

	Params    []device.Tensor
	DParams   []device.Tensor // absent if frozen
	ParamMode device.Mode     // of DParams: accumulate in a later micro-batch, or if another layer has written them

	Saved, State, Constants, Temporary []device.Tensor

	// UpdateState is set if forward must update State from this micro-batch. It is
	// not set in inference or if the layer is frozen: then forward only reads
	// State. It is set in backward too, which never writes State.
	UpdateState bool

	// Again is set if forward runs a second time in one pass, on the same inputs
	// (graph.PlanOptions.Memory). UpdateState is not set then.
	Again bool

	// Statistics are of the shapes of State. If they are set, and UpdateState is, the Forward
	// of an Averager writes what it would move State by to them, and leaves State alone.
	Statistics []device.Tensor

	// Across is the batch that this one is a part of, for a Synchroniser; nil if it is all.
	Across *Across

	Packed  [device.Passes]device.Buffer // by pass; nil if there is none
	Scratch device.Buffer

	Programs  []*expr.Program // of the Spec
	Epilogue  device.Epilogue // of later layers, without a bias; empty unless Spec.Epilogue
	Random    device.Random   // Stream is the layer's first
	LossScale float32         // LossWeight over the samples of the whole batch

	args   []device.Tensor
	lists  int     // that Args has made
	shapes [][]int // of parts
}

// temporaries are slots of so many float32 elements each, to be seen as parts.
func temporaries(elements ...int) []Slot {
	slots := make([]Slot, len(elements))
	for i, n := range elements {
		slots[i] = Slot{Name: fmt.Sprintf("part%d", i), Shape: tensor.Shape{n}}
	}
	return slots
}

// part is Temporary[i] with a shape of as many elements, or fewer. It is valid until the
// call's next part i.
func (c *Call) part(i int, shape ...int) device.Tensor {
	for len(c.shapes) <= i {
		c.shapes = append(c.shapes, nil)
	}
	c.shapes[i] = append(c.shapes[i][:0], shape...)
	return device.Tensor{Buffer: c.Temporary[i].Buffer, Shape: c.shapes[i]}
}

// argLists is how many lists of Args are valid at a time.
const argLists = 8

// Args returns a list of tensors for Map and Reduce, valid until the eighth call of Args
// after this one. It has capacity for appending, up to expr.MaxInputs.
func (c *Call) Args(tensors ...device.Tensor) []device.Tensor {
	if c.args == nil {
		c.args = make([]device.Tensor, argLists*expr.MaxInputs)
	}
	list := c.args[c.lists%argLists*expr.MaxInputs:][:0:expr.MaxInputs]
	c.lists++
	return append(list, tensors...)
}

// Samples is the number of samples of the call.
func (c *Call) Samples() int { return c.In[0].Shape[0] }

// WantsGradient reports whether backward must compute the gradient of input i.
func (c *Call) WantsGradient(i int) bool { return !c.DIn[i].IsNil() }
