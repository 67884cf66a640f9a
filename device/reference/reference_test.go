package reference

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

var nan = math.NaN()

func TestOpen(t *testing.T) {
	dev, err := device.Open("reference", device.Options{})
	require.NoError(t, err)
	require.Equal(t, "reference", dev.Name())
	_, err = device.Open("reference:1", device.Options{})
	require.ErrorContains(t, err, `"reference:1"`)
	traits, err := device.TraitsOf("reference", device.Options{})
	require.NoError(t, err)
	require.Equal(t, dev.Traits(), traits)
}

// What a float64 upload says to the last bit comes back, in slices too.
func TestFloat64IsKept(t *testing.T) {
	b := newBench(t)
	x := b.put(0.1, 0.2, 1.0/3, math.Pi, 5)
	x.Buffer, x.Shape = x.Buffer.Slice(8, 8), tensor.Shape{2}
	require.Equal(t, []float64{1.0 / 3, math.Pi}, b.get(x))
}

func TestFreshMemoryIsNaN(t *testing.T) {
	b := newBench(t)
	for _, v := range b.get(b.empty(device.Float32, 5)) {
		require.True(t, math.IsNaN(v))
	}
}

func TestTensorMustFitItsBuffer(t *testing.T) {
	b := newBench(t)
	x := b.put(1, 2)
	x.Shape = tensor.Shape{3}
	require.PanicsWithValue(t, "reference: a tensor of shape (3) needs 12 bytes, its buffer has 8", func() { b.Fill(x, 0) })
	require.PanicsWithValue(t, "reference: a tensor of type int32 where float32 is wanted", func() { b.Fill(b.putInts(1), 0) })
}

func TestGEMMByHand(t *testing.T) {
	b := newBench(t)
	c := b.put(nan, nan, nan, nan)
	a := b.put(1, 2, 3, 4, 5, 6)    // [2,3]
	x := b.put(7, 8, 9, 10, 11, 12) // [3,2]
	g := device.GEMM{M: 2, N: 2, K: 3, Alpha: 1}
	b.GEMM(g, c, a, x, nil)
	require.Equal(t, []float64{58, 64, 139, 154}, b.get(c))
	g.Alpha, g.Beta, g.TransB = -1, 2, true // x is [2,3]
	b.GEMM(g, c, a, x, nil)
	require.Equal(t, []float64{2*58 - 50, 2*64 - 68, 2*139 - 122, 2*154 - 167}, b.get(c))
	g.TransA, g.Beta = true, 0 // a is [3,2]
	b.GEMM(g, c, a, x, nil)
	require.Equal(t, []float64{-76, -103, -100, -136}, b.get(c))
}

func TestConvByHand(t *testing.T) {
	b := newBench(t)
	x := b.put(
		1, 2, 3,
		4, 5, 6,
		7, 8, 9)
	w := device.Filter{Tensor: b.put(1, 10, 100, 1000)} // rows (1,10) and (100,1000): not flipped
	c := device.Conv{N: 1, C: 1, H: 3, W: 3, K: 1, R: 2, S: 2, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
	forward := func(bias device.Tensor) []float64 {
		y := b.empty(device.Float32, device.Elements(c.YShape()))
		b.ConvForward(c, y, x, w, device.Epilogue{Bias: bias}, nil)
		return b.get(y)
	}
	require.Equal(t, []float64{5421, 6532, 8754, 9865}, forward(device.Tensor{}))
	require.Equal(t, []float64{5421.5, 6532.5, 8754.5, 9865.5}, forward(b.put(0.5)))

	c.PadTop, c.PadLeft = 1, 1
	require.Equal(t, []float64{
		1000, 2100, 3200,
		4010, 5421, 6532,
		7040, 8754, 9865}, forward(device.Tensor{}))

	c.StrideH, c.StrideW = 2, 2
	require.Equal(t, []float64{1000, 3200, 7040, 9865}, forward(device.Tensor{}))

	c = device.Conv{N: 1, C: 1, H: 3, W: 3, K: 1, R: 2, S: 2, StrideH: 1, StrideW: 1, DilationH: 2, DilationW: 2, Groups: 1}
	require.Equal(t, []float64{9731}, forward(device.Tensor{}))
}

func TestConvGroupsByHand(t *testing.T) {
	b := newBench(t)
	c := device.Conv{N: 1, C: 4, H: 1, W: 1, K: 2, R: 1, S: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 2}
	y := b.empty(device.Float32, 2)
	w := device.Filter{Tensor: b.put(1, 10, 100, 1000)}
	b.ConvForward(c, y, b.put(1, 2, 3, 4), w, device.Epilogue{}, nil)
	require.Equal(t, []float64{21, 4300}, b.get(y))
}

func TestEpilogueActivation(t *testing.T) {
	b := newBench(t)
	y := b.empty(device.Float32, 2)
	e := device.Epilogue{Bias: b.put(-3, 1), Activation: device.Activation{On: true}}
	b.DenseForward(device.Dense{N: 1, In: 1, Out: 2}, y, b.put(2), b.put(1, 2), e, nil)
	require.Equal(t, []float64{0, 5}, b.get(y))
}

func TestPoolByHand(t *testing.T) {
	b := newBench(t)
	x := b.put(
		1, 5, 2, 0,
		5, 3, 8, 8,
		4, 4, nan, 1,
		9, 2, 6, nan)
	p := device.Pool{Op: device.MaxPool, N: 1, C: 1, H: 4, W: 4, R: 2, S: 2, StrideH: 2, StrideW: 2}
	y, index := b.empty(device.Float32, 4), b.empty(device.Int32, 4)
	b.PoolForward(p, y, index, x)
	require.Equal(t, []float64{5, 8, 9}, b.get(y)[:3])
	require.True(t, math.IsNaN(b.get(y)[3]))
	require.Equal(t, []int32{1, 6, 12, 10}, b.getInts(index), "the first of equals, and of NaNs")

	dx := b.empty(device.Float32, 16)
	b.PoolBackward(p, dx, b.put(1, 2, 3, 4), index, device.Overwrite)
	require.Equal(t, []float64{
		0, 1, 0, 0,
		0, 0, 2, 0,
		0, 0, 4, 0,
		3, 0, 0, 0}, b.get(dx))

	index = b.putInts(15, 0, -1, 16)
	y = b.put(1, 2, 3, 4)
	gathered := b.put(7, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 70)
	b.PoolGather(p, y, index, gathered, device.Accumulate)
	require.Equal(t, []float64{71, 9, 3, 4}, b.get(y))
	b.PoolGather(p, y, index, gathered, device.Overwrite)
	require.Equal(t, []float64{70, 7, 0, 0}, b.get(y), "what no index names is 0")
	b.PoolBackward(p, dx, b.put(1, 2, 3, 4), index, device.Overwrite)
	require.Equal(t, []float64{2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, b.get(dx), "and goes nowhere")
}

// Caffe rounds the output size up; the last window hangs over the edge.
func TestPoolCeilByHand(t *testing.T) {
	b := newBench(t)
	x := b.put(
		1, 2, 3,
		4, 5, 6,
		7, 8, 9)
	p := device.Pool{Op: device.AveragePool, N: 1, C: 1, H: 3, W: 3, R: 2, S: 2, StrideH: 2, StrideW: 2, Ceil: true}
	y := b.empty(device.Float32, 4)
	b.PoolForward(p, y, device.Tensor{}, x)
	require.Equal(t, []float64{3, 4.5, 7.5, 9}, b.get(y))
	p.CountPad = true // clipped to the padded image: nothing hangs over
	b.PoolForward(p, y, device.Tensor{}, x)
	require.Equal(t, []float64{3, 4.5, 7.5, 9}, b.get(y))
	p.PadTop, p.PadLeft, p.Ceil = 1, 1, false
	b.PoolForward(p, y, device.Tensor{}, x)
	require.Equal(t, []float64{0.25, 1.25, 2.75, 7}, b.get(y))
	p.CountPad = false
	b.PoolForward(p, y, device.Tensor{}, x)
	require.Equal(t, []float64{1, 2.5, 5.5, 7}, b.get(y))
}

func TestLRNByFormula(t *testing.T) {
	b := newBench(t)
	l := device.LRN{N: 1, C: 4, H: 1, W: 1, Size: 3, Alpha: 0.5, Beta: 0.75, K: 2}
	y, scale := b.empty(device.Float32, 4), b.empty(device.Float32, 4)
	x := b.put(1, -2, 3, 4)
	b.LRNForward(l, y, scale, x)
	want := []float64{2 + 0.5*5, 2 + 0.5*14, 2 + 0.5*29, 2 + 0.5*25}
	require.InDeltaSlice(t, want, b.get(scale), 1e-12)
	for i, v := range []float64{1, -2, 3, 4} {
		require.InDelta(t, v/math.Pow(want[i], 0.75), b.get(y)[i], 1e-12)
	}
	l.AlphaOverSize, l.Alpha = true, 1.5
	b.LRNForward(l, y, scale, x)
	require.InDeltaSlice(t, want, b.get(scale), 1e-12)
}

// The largest scale is float32's; past it comes infinity, whose power is 0.
func TestLRNAtTheEndOfFloat32(t *testing.T) {
	b := newBench(t)
	l := device.LRN{N: 1, C: 1, H: 1, W: 2, Size: 1, Alpha: 1, Beta: 1, K: math.MaxFloat32}
	y, scale := b.empty(device.Float32, 2), b.empty(device.Float32, 2)
	b.LRNForward(l, y, scale, b.put(0, 1e18))
	require.Equal(t, []float64{math.MaxFloat32, math.Inf(1)}, b.get(scale))
	require.Equal(t, []float64{0, 0}, b.get(y))
	b.LRNForward(l, y, device.Tensor{}, b.put(1, 1))
	require.InDeltaSlice(t, []float64{1 / math.MaxFloat32, 1 / math.MaxFloat32}, b.get(y), 1e-50)
}

func TestUnaryByHand(t *testing.T) {
	x := []float64{-2, 0, 3}
	for op, want := range map[device.UnaryOp][]float64{
		device.ReLU:      {0, 0, 3},
		device.LeakyReLU: {-0.5, 0, 3},
		device.Sigmoid:   {0.11920292202211755, 0.5, 0.9525741268224334},
		device.Tanh:      {-0.9640275800758169, 0, 0.9950547536867305},
	} {
		for i, v := range x {
			require.InDelta(t, want[i], unary(device.Unary{Op: op, Slope: 0.25}, v), 1e-15, op)
		}
	}
}

// The mask follows from the published draws for counter and key zero,
// 6627e8d5 e169c58d bc57ac4c 9b00dbd8.
func TestDropoutMaskIsPhilox(t *testing.T) {
	b := newBench(t)
	x, y := b.put(1, 2, 3, 4), b.empty(device.Float32, 4)
	for _, c := range []struct {
		p    float32
		want []float64
	}{
		{0, []float64{1, 2, 3, 4}},
		{0.25, []float64{4.0 / 3, 8.0 / 3, 4, 16.0 / 3}},
		{0.5, []float64{0, 4, 6, 8}},
		{0.75, []float64{0, 8, 0, 0}},
	} {
		kept := expr.Div(expr.Input(0, expr.Whole), expr.Const(1-c.p))
		p := expr.MustNew(expr.Select(expr.Bernoulli(0, c.p), expr.Const(0), kept))
		b.Map(p, device.View{N: 1, C: 4, Inner: 1}, []device.Tensor{y}, []device.Tensor{x}, []device.Mode{device.Overwrite}, device.Random{})
		require.InDeltaSlice(t, c.want, b.get(y), 1e-6, c.p)
	}
}

func TestSoftmaxByHand(t *testing.T) {
	b := newBench(t)
	y := b.empty(device.Float32, 4)
	// Two positions: the channels of one are 0 and log 3, of the other huge.
	b.SoftmaxForward(device.Softmax{N: 1, C: 2, Inner: 2}, y, b.put(0, 1e4, math.Log(3), 1e4))
	require.InDeltaSlice(t, []float64{0.25, 0.5, 0.75, 0.5}, b.get(y), 1e-12)
}

func TestFillByHand(t *testing.T) {
	b := newBench(t)
	y := b.put(nan, nan)
	b.Fill(y, 3)
	require.Equal(t, []float64{3, 3}, b.get(y))
}

func TestStridedByHand(t *testing.T) {
	b := newBench(t)
	c := device.Strided{Axes: [device.MaxAxes]device.Axis{{Len: 2, Dst: 4, Src: 2}, {Len: 2, Dst: 1, Src: 1}}, Dst: 1}
	y := b.put(1, 1, 1, 1, 1, 1, 1, 1)
	b.CopyStrided(c, y, b.put(2, 3, 4, 5), device.Overwrite)
	require.Equal(t, []float64{1, 2, 3, 1, 1, 4, 5, 1}, b.get(y))
	b.CopyStrided(c, y, b.put(2, 3, 4, 5), device.Accumulate)
	require.Equal(t, []float64{1, 4, 6, 1, 1, 8, 10, 1}, b.get(y))

	sums := device.Strided{Axes: [device.MaxAxes]device.Axis{{Len: 3, Src: 2}, {Len: 2, Dst: 1, Src: 1}}}
	y = b.put(nan, nan)
	b.CopyStrided(sums, y, b.put(1, 2, 10, 20, 100, 200), device.Overwrite)
	require.Equal(t, []float64{111, 222}, b.get(y))
	b.CopyStrided(sums, y, b.put(1, 2, 10, 20, 100, 200), device.Accumulate)
	require.Equal(t, []float64{222, 444}, b.get(y))
}

// A step of SGD with Nesterov's momentum, with the numbers of two segments, of which
// the first is empty, and one that is clipped.
func TestUpdateByHand(t *testing.T) {
	slab := func(i int) expr.Expr { return expr.Input(i, expr.Whole) }
	w, dw, v, rate, decay, clip := slab(0), slab(1), slab(2), expr.Input(3, expr.Channel), expr.Input(4, expr.Channel), expr.Input(5, expr.One)
	next := expr.Sub(expr.Mul(expr.Const(0.5), v), expr.Mul(rate, expr.Add(expr.Mul(dw, clip), expr.Mul(decay, w))))
	p := expr.MustNew(expr.Add(w, expr.Sub(expr.Mul(expr.Const(1.5), next), expr.Mul(expr.Const(0.5), v))), next)
	for _, c := range []struct{ clip, v, w float64 }{
		{1, -1.5, -1.5},      // g = 3 + 0.5*1; v' = 0.5*0.5 - 0.5*g; w + 1.5*v' - 0.5*v
		{0.5, -0.75, -0.375}, // g = 1.5 + 0.5*1
	} {
		b := newBench(t)
		weights, velocities := b.put(9, 1, 9), b.put(0.5, 9)
		b.Update(p, []device.Tensor{weights, velocities}, []device.Tensor{weights, b.put(3, 9), velocities, b.put(nan, 0.5), b.put(nan, 0.5), b.put(c.clip)},
			[]device.Segment{{Weight: 2}, {Weight: 1, Len: 1}})
		require.NoError(t, b.Sync())
		require.Equal(t, []float64{c.v, 9}, b.get(velocities))
		require.Equal(t, []float64{9, c.w, 9}, b.get(weights))
	}
}

// Bytes are counted as they are taken and given back, and those that are refused
// are named and not counted.
func TestMemInfo(t *testing.T) {
	d := New()
	left := func(want int64) {
		free, total, err := d.MemInfo()
		require.NoError(t, err)
		require.Equal(t, [2]int64{want, memory}, [2]int64{free, total})
	}
	left(memory)
	a, err := d.Alloc(100)
	require.NoError(t, err)
	_, err = d.Alloc(28)
	require.NoError(t, err)
	left(memory - 128)
	for bytes, says := range map[int64]string{
		memory - 127:  "reference: cannot allocate 8589934465 bytes, 8589934464 of 8589934592 are free",
		math.MaxInt64: "reference: cannot allocate 9223372036854775807 bytes, 8589934464 of 8589934592 are free",
		-1:            "reference: cannot allocate -1 bytes",
	} {
		_, err = d.Alloc(bytes)
		require.EqualError(t, err, says)
		left(memory - 128)
	}
	require.NoError(t, a.Slice(0, 8).Free()) // a part gives nothing back
	require.NoError(t, a.Free())
	require.NoError(t, a.Free())
	left(memory - 28)
}
