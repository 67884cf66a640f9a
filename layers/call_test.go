package layers_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/layers"
)

// recorder is a queue that writes down which kernels were called and runs
// none.
type recorder struct {
	device.Queue
	calls []string
}

func newRecorder() *recorder { return &recorder{calls: make([]string, 0, 64)} }

func (r *recorder) note(call string)                { r.calls = append(r.calls, call) }
func (r *recorder) Copy(_, _ device.Tensor)         { r.note("Copy") }
func (r *recorder) Fill(_ device.Tensor, _ float32) { r.note("Fill") }
func (r *recorder) DenseForward(_ device.Dense, _, _, _ device.Tensor, _ device.Epilogue, _ device.Buffer) {
	r.note("DenseForward")
}
func (r *recorder) DenseBackwardData(_ device.Dense, _, _, _ device.Tensor, _ device.Mode, _ device.Buffer) {
	r.note("DenseBackwardData")
}
func (r *recorder) DenseBackwardFilter(_ device.Dense, _, _, _, _ device.Tensor, _ device.Mode, _ device.Buffer) {
	r.note("DenseBackwardFilter")
}
func (r *recorder) ConvForward(_ device.Conv, _, _ device.Tensor, _ device.Filter, _ device.Epilogue, _ device.Buffer) {
	r.note("ConvForward")
}
func (r *recorder) ConvBackwardData(_ device.Conv, _, _ device.Tensor, _ device.Filter, _ device.Mode, _ device.Buffer) {
	r.note("ConvBackwardData")
}
func (r *recorder) ConvBackwardFilter(_ device.Conv, _, _, _, _ device.Tensor, _ device.Mode, _ device.Buffer) {
	r.note("ConvBackwardFilter")
}
func (r *recorder) ConvPack(_ device.Conv, p device.Pass, _ device.Buffer, _ device.Tensor) {
	r.note("ConvPack " + p.String())
}
func (r *recorder) PoolForward(_ device.Pool, _, _, _ device.Tensor) { r.note("PoolForward") }
func (r *recorder) PoolBackward(_ device.Pool, _, _, _ device.Tensor, _ device.Mode) {
	r.note("PoolBackward")
}
func (r *recorder) PoolGather(_ device.Pool, _, _, _ device.Tensor, _ device.Mode) {
	r.note("PoolGather")
}
func (r *recorder) LRNForward(_ device.LRN, _, _, _ device.Tensor) { r.note("LRNForward") }
func (r *recorder) LRNBackward(_ device.LRN, _, _, _, _ device.Tensor, _ device.Mode) {
	r.note("LRNBackward")
}
func (r *recorder) SoftmaxForward(_ device.Softmax, _, _ device.Tensor) { r.note("SoftmaxForward") }
func (r *recorder) SoftmaxBackward(_ device.Softmax, _, _, _ device.Tensor, _ device.Mode) {
	r.note("SoftmaxBackward")
}
func (r *recorder) CopyStrided(s device.Strided, dst, src device.Tensor, _ device.Mode) {
	if err := s.Check(dst, src); err != nil {
		panic(err)
	}
	r.note("CopyStrided")
}

func (r *recorder) Map(_ *expr.Program, _ device.View, _, _ []device.Tensor, _ []device.Mode, _ device.Random) {
	r.note("Map")
}
func (r *recorder) Reduce(_ *expr.Program, _ device.View, _ device.ReduceOp, _ expr.Axes, _ device.Tensor, _ []device.Tensor, _ device.Mode, _ device.Random) {
	r.note("Reduce")
}

// block is memory that only has a size.
type block int64

func (b block) Size() int64                       { return int64(b) }
func (b block) Slice(_, size int64) device.Buffer { return block(size) }
func (b block) Free() error                       { return nil }

// call is an example's call at batch 2, complete.
func call(t *testing.T, e example, train bool) *layers.Call {
	s := plan(t, e, train)
	tensorOf := func(shape tensor.Shape, dtype device.DType) device.Tensor {
		return device.Tensor{Buffer: block(int64(device.Elements(shape)) * dtype.Size()), DType: dtype, Shape: shape}
	}
	c := &layers.Call{Scratch: block(s.Scratch), LossScale: 0.5, Programs: s.Programs, UpdateState: train}
	for _, in := range e.inputs {
		x := tensorOf(append(tensor.Shape{2}, in.Shape...), in.DType)
		c.In = append(c.In, x)
		c.DIn = append(c.DIn, x)
		c.Modes = append(c.Modes, device.Overwrite)
	}
	for _, i := range s.NoGradient {
		c.DIn[i] = device.Tensor{}
	}
	for _, out := range s.Out {
		c.Out = append(c.Out, tensorOf(out.Shape, out.DType))
	}
	c.DOut = c.Out
	for _, p := range s.Params {
		c.Params = append(c.Params, tensorOf(p.Shape, device.Float32))
	}
	c.DParams = append(c.DParams, c.Params...)
	for _, slot := range s.Saved {
		c.Saved = append(c.Saved, tensorOf(slot.Shape, slot.DType))
	}
	for _, slot := range s.State {
		c.State = append(c.State, tensorOf(slot.Shape, slot.DType))
	}
	for _, slot := range s.Temporary {
		c.Temporary = append(c.Temporary, tensorOf(slot.Shape, slot.DType))
	}
	for _, x := range s.Constants {
		c.Constants = append(c.Constants, tensorOf(x.Shape(), device.Float32))
	}
	for pass, bytes := range s.Packed {
		if bytes > 0 {
			c.Packed[pass] = block(bytes)
		}
	}
	return c
}

// TestCallsAllocateNothing runs every layer forward and backward.
func TestCallsAllocateNothing(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			c, q := call(t, e, true), newRecorder()
			require.Zero(t, testing.AllocsPerRun(10, func() {
				q.calls = q.calls[:0]
				e.layer.Forward(q, c)
				e.layer.Backward(q, c)
			}))
			require.NotEmpty(t, q.calls)

			c = call(t, e, false)
			require.Zero(t, testing.AllocsPerRun(10, func() {
				q.calls = q.calls[:0]
				e.layer.Forward(q, c)
			}))
			require.NotEmpty(t, q.calls)
		})
	}
}

// TestNoGradientWantedIsNoWork leaves out the kernels of gradients that the
// call has no place for.
func TestNoGradientWantedIsNoWork(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			c, q := call(t, e, true), newRecorder()
			clear(c.DIn)
			clear(c.DParams)
			e.layer.Backward(q, c)
			require.Empty(t, q.calls)
		})
	}
}

// TestAccumulate never copies over a gradient that is to be added to.
func TestAccumulate(t *testing.T) {
	for _, e := range examples() {
		t.Run(e.name, func(t *testing.T) {
			c, q := call(t, e, true), newRecorder()
			for i := range c.Modes {
				c.Modes[i] = device.Accumulate
			}
			e.layer.Backward(q, c)
			require.NotContains(t, q.calls, "Copy")
		})
	}
}

func TestConvPack(t *testing.T) {
	e := examples()[0]
	l := e.layer.(layers.Packer)
	c, q := call(t, e, true), newRecorder()
	l.Pack(q, c)
	require.Equal(t, []string{"ConvPack forward", "ConvPack backward-data"}, q.calls)

	q = newRecorder()
	c.Packed = [device.Passes]device.Buffer{nil, block(200)}
	l.Pack(q, c)
	require.Equal(t, []string{"ConvPack backward-data"}, q.calls)

	q = newRecorder()
	c.Packed = [device.Passes]device.Buffer{block(1), nil}
	l.Pack(q, c)
	require.Equal(t, []string{"ConvPack forward"}, q.calls)

	q = newRecorder()
	l.Pack(q, call(t, e, false))
	require.Equal(t, []string{"ConvPack forward"}, q.calls)
}

// mapped records what Map is called with.
type mapped struct {
	*recorder
	p       *expr.Program
	out, in []device.Tensor
	modes   []device.Mode
}

func (m *mapped) Map(p *expr.Program, v device.View, out, in []device.Tensor, modes []device.Mode, r device.Random) {
	m.p, m.out, m.in, m.modes = p, out, in, modes
	m.recorder.Map(p, v, out, in, modes, r)
}

// The forward pass of a layer that is said to be element-wise is its program and nothing
// else, because the graph may run that alone.
func TestElementwiseLayersAreOneMap(t *testing.T) {
	met := 0
	for _, e := range examples() {
		for _, train := range []bool{false, true} {
			s := plan(t, e, train)
			if !s.Elementwise {
				continue
			}
			met++
			require.True(t, device.InEpilogue(s.Programs[0]), e.name)
			c, q := call(t, e, train), &mapped{recorder: newRecorder()}
			e.layer.Forward(q, c)
			if input, ok := s.Programs[0].Identity(); ok && q.p == nil {
				require.Zero(t, input, e.name)
				require.Equal(t, []string{"Copy"}, q.calls, e.name)
				continue
			}
			require.Equal(t, []string{"Map"}, q.calls, e.name)
			require.Same(t, c.Programs[0], q.p, e.name)
			require.Equal(t, [][]device.Tensor{c.Out, c.In[:len(q.in)]}, [][]device.Tensor{q.out, q.in}, e.name)
			require.Equal(t, []device.Mode{device.Overwrite}, q.modes, e.name)
		}
	}
	require.Greater(t, met, 40)
}
