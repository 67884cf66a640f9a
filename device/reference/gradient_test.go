package reference

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// bench is a queue with tensors of float64 values.
type bench struct {
	*testing.T
	device.Queue
	dev *Device
	r   *rand.Rand
}

func newBench(t *testing.T) bench {
	dev := New()
	q, err := dev.NewQueue()
	require.NoError(t, err)
	return bench{t, q, dev, rand.New(rand.NewPCG(1, 2))}
}

func (b bench) empty(t device.DType, n int) device.Tensor {
	mem, err := b.dev.Alloc(int64(n) * t.Size())
	require.NoError(b, err)
	return device.Tensor{Buffer: mem, DType: t, Shape: tensor.Shape{n}}
}

func (b bench) put(values ...float64) device.Tensor {
	t := b.empty(device.Float32, len(values))
	b.set(t, values)
	return t
}

func (b bench) set(t device.Tensor, values []float64) {
	b.Upload(t, tensor.New(tensor.WithShape(len(values)), tensor.WithBacking(values)))
	require.NoError(b, b.Sync())
}

func (b bench) putInts(values ...int32) device.Tensor {
	t := b.empty(device.Int32, len(values))
	b.Upload(t, tensor.New(tensor.WithShape(len(values)), tensor.WithBacking(values)))
	require.NoError(b, b.Sync())
	return t
}

// random is values in [-1,1), none near 0, where a rectifier has its kink.
func (b bench) random(n int) device.Tensor {
	v := make([]float64, n)
	for i := range v {
		for math.Abs(v[i]) < 1e-3 {
			v[i] = float64(2*b.r.Float32() - 1)
		}
	}
	return b.put(v...)
}

func (b bench) get(t device.Tensor) []float64 {
	v := make([]float64, t.Len())
	b.Download(tensor.New(tensor.WithShape(len(v)), tensor.WithBacking(v)), t)
	require.NoError(b, b.Sync())
	return v
}

func (b bench) getInts(t device.Tensor) []int32 {
	v := make([]int32, t.Len())
	b.Download(tensor.New(tensor.WithShape(len(v)), tensor.WithBacking(v)), t)
	require.NoError(b, b.Sync())
	return v
}

// gradient checks what backward says about the loss, the sum of dy*y over the
// n outputs, against central differences for every element of x. Then it
// checks that backward adds where it is told to.
func (b bench) gradient(x device.Tensor, n int, forward func(y device.Tensor), backward func(dx, dy device.Tensor, m device.Mode)) {
	b.Helper()
	y, dy := b.empty(device.Float32, n), b.random(n)
	weights := b.get(dy)
	loss := func() float64 {
		forward(y)
		sum := 0.0
		for i, v := range b.get(y) {
			sum += weights[i] * v
		}
		return sum
	}
	const h = 1e-5
	values := b.get(x)
	want := make([]float64, len(values))
	for i, v := range values {
		values[i] = v + h
		b.set(x, values)
		up := loss()
		values[i] = v - h
		b.set(x, values)
		want[i] = (up - loss()) / (2 * h)
		values[i] = v
	}
	b.set(x, values)
	forward(y)

	largest := 0.0
	for _, g := range want {
		largest = max(largest, math.Abs(g))
	}
	require.Positive(b, largest, "a gradient of zeros shows nothing")
	dx := b.empty(device.Float32, x.Len())
	backward(dx, dy, device.Overwrite)
	require.InDeltaSlice(b, want, b.get(dx), 1e-6*largest, "overwrite")

	before := b.random(x.Len())
	b.Copy(dx, before)
	backward(dx, dy, device.Accumulate)
	for i, v := range b.get(before) {
		want[i] += v
	}
	require.InDeltaSlice(b, want, b.get(dx), 1e-6*(1+largest), "accumulate")
}

func TestConvGradients(t *testing.T) {
	for _, c := range []device.Conv{
		{N: 2, C: 3, H: 5, W: 6, K: 4, R: 3, S: 2, PadTop: 1, PadRight: 2, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1},
		{N: 1, C: 4, H: 7, W: 6, K: 6, R: 2, S: 3, PadBottom: 1, PadLeft: 1, StrideH: 2, StrideW: 3, DilationH: 2, DilationW: 1, Groups: 2},
		{N: 2, C: 3, H: 4, W: 4, K: 3, R: 1, S: 1, StrideH: 3, StrideW: 2, DilationH: 1, DilationW: 1, Groups: 3},
	} {
		require.NoError(t, c.Check())
		b := newBench(t)
		x, bias := b.random(device.Elements(c.XShape())), b.random(c.K)
		w := device.Filter{Tensor: b.random(device.Elements(c.WShape()))}
		n := device.Elements(c.YShape())
		forward := func(y device.Tensor) { b.ConvForward(c, y, x, w, device.Epilogue{Bias: bias}, nil) }
		b.gradient(x, n, forward, func(dx, dy device.Tensor, m device.Mode) { b.ConvBackwardData(c, dx, dy, w, m, nil) })
		b.gradient(w.Tensor, n, forward, func(dw, dy device.Tensor, m device.Mode) {
			b.ConvBackwardFilter(c, dw, device.Tensor{}, x, dy, m, nil)
		})
		b.gradient(bias, n, forward, func(dbias, dy device.Tensor, m device.Mode) {
			b.ConvBackwardFilter(c, device.Tensor{}, dbias, x, dy, m, nil)
		})
	}
}

func TestDenseGradients(t *testing.T) {
	b := newBench(t)
	d := device.Dense{N: 3, In: 5, Out: 4}
	x, w, bias := b.random(15), b.random(20), b.random(4)
	forward := func(y device.Tensor) { b.DenseForward(d, y, x, w, device.Epilogue{Bias: bias}, nil) }
	b.gradient(x, 12, forward, func(dx, dy device.Tensor, m device.Mode) { b.DenseBackwardData(d, dx, dy, w, m, nil) })
	b.gradient(w, 12, forward, func(dw, dy device.Tensor, m device.Mode) {
		b.DenseBackwardFilter(d, dw, device.Tensor{}, x, dy, m, nil)
	})
	b.gradient(bias, 12, forward, func(dbias, dy device.Tensor, m device.Mode) {
		b.DenseBackwardFilter(d, device.Tensor{}, dbias, x, dy, m, nil)
	})
}

func TestPoolGradients(t *testing.T) {
	p := device.Pool{N: 2, C: 2, H: 6, W: 7, R: 3, S: 2, PadTop: 1, PadRight: 1, StrideH: 2, StrideW: 1}
	for _, p.Op = range []device.PoolOp{device.MaxPool, device.AveragePool} {
		for _, p.Ceil = range []bool{false, true} {
			for _, p.CountPad = range []bool{false, true} {
				b := newBench(t)
				x, n := b.random(device.Elements(p.XShape())), device.Elements(p.YShape())
				index := b.empty(device.Int32, n)
				b.gradient(x, n,
					func(y device.Tensor) { b.PoolForward(p, y, index, x) },
					func(dx, dy device.Tensor, m device.Mode) { b.PoolBackward(p, dx, dy, index, m) })
			}
		}
	}
}

func TestLRNGradients(t *testing.T) {
	for _, size := range []int{1, 3, 5, 9} {
		b := newBench(t)
		l := device.LRN{N: 2, C: 6, H: 2, W: 3, Size: size, Alpha: 0.5, Beta: 0.75, K: 1.5, AlphaOverSize: size == 5}
		x, scale := b.random(72), b.empty(device.Float32, 72)
		b.gradient(x, 72,
			func(y device.Tensor) { b.LRNForward(l, y, scale, x) },
			func(dx, dy device.Tensor, m device.Mode) { b.LRNBackward(l, dx, x, scale, dy, m) })
	}
}

func TestSoftmaxGradients(t *testing.T) {
	for _, inner := range []int{1, 4} {
		b := newBench(t)
		s := device.Softmax{N: 2, C: 5, Inner: inner}
		n := 10 * inner
		x, out := b.random(n), b.empty(device.Float32, n)
		b.gradient(x, n,
			func(y device.Tensor) { b.SoftmaxForward(s, y, x); b.Copy(out, y) },
			func(dx, dy device.Tensor, m device.Mode) { b.SoftmaxBackward(s, dx, out, dy, m) })
	}
}

// The gradient of a copy is the copy back: what is left out has none, and what is
// repeated has the sum.
func TestStridedGradients(t *testing.T) {
	b := newBench(t)
	joined := device.Strided{Axes: [device.MaxAxes]device.Axis{{Len: 3, Dst: 7, Src: 2}, {Len: 2, Dst: 1, Src: 1}}, Dst: 4}
	repeated := device.Strided{Axes: [device.MaxAxes]device.Axis{{Len: 3, Dst: 6, Src: 2}, {Len: 3, Dst: 2}, {Len: 2, Dst: 1, Src: 1}}}
	for _, c := range []struct {
		s    device.Strided
		x, y int
	}{{joined, 6, 21}, {repeated, 6, 18}} {
		x := b.random(c.x)
		b.gradient(x, c.y,
			func(y device.Tensor) { b.Fill(y, 0); b.CopyStrided(c.s, y, x, device.Overwrite) },
			func(dx, dy device.Tensor, m device.Mode) { b.CopyStrided(c.s.Reversed(), dx, dy, m) })
	}
}

func TestGEMMGradients(t *testing.T) {
	for i := range 4 {
		b := newBench(t)
		g := device.GEMM{M: 2, N: 3, K: 4, TransA: i&1 != 0, TransB: i&2 != 0, Alpha: 0.5}
		x, w := b.random(8), b.random(12)
		// d(op(A)) = alpha dC op(B)ᵀ, and A's gradient its transpose if A was.
		b.gradient(x, 6,
			func(y device.Tensor) { b.GEMM(g, y, x, w, nil) },
			func(dx, dy device.Tensor, m device.Mode) {
				back := device.GEMM{M: 2, N: 4, K: 3, TransB: !g.TransB, Alpha: g.Alpha, Beta: m.Beta()}
				if g.TransA {
					back = device.GEMM{M: 4, N: 2, K: 3, TransA: g.TransB, TransB: true, Alpha: g.Alpha, Beta: m.Beta()}
					b.GEMM(back, dx, w, dy, nil)
					return
				}
				b.GEMM(back, dx, dy, w, nil)
			})
	}
}
