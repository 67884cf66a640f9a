package cpu

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
)

// operands are tensors of small numbers, and a queue of all cores.
func operands(b *testing.B, shapes []tensor.Shape) (device.Queue, []device.Tensor) {
	dev, err := New(0)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, dev.Close()) })
	q, err := dev.NewQueue()
	require.NoError(b, err)
	tensors := make([]device.Tensor, len(shapes))
	for i, s := range shapes {
		tensors[i] = device.Tensor{Shape: s}
		tensors[i].Buffer, err = dev.Alloc(tensors[i].Bytes())
		require.NoError(b, err)
		for j, x := 0, floats(tensors[i]); j < len(x); j++ {
			x[j] = float32(j%13)/16 + 0.1
		}
	}
	return q, tensors
}

// benchmark runs a kernel on all cores and reports its GFLOP/s, or GB/s where
// flops is 0. Tensors hold small numbers.
func benchmark(b *testing.B, flops, bytes int64, shapes []tensor.Shape, launch func(q device.Queue, t []device.Tensor)) {
	q, tensors := operands(b, shapes)
	launch(q, tensors)
	for b.Loop() {
		launch(q, tensors)
	}
	if flops > 0 {
		b.ReportMetric(float64(flops)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
	} else {
		b.SetBytes(bytes)
	}
}

func BenchmarkGEMM(b *testing.B) {
	for _, g := range []device.GEMM{
		{M: 64, N: 64, K: 64},
		{M: 256, N: 256, K: 256},
		{M: 512, N: 512, K: 512},
		{M: 64, N: 500, K: 800, TransB: true},
		{M: 64, N: 800, K: 500},
		{M: 500, N: 800, K: 64, TransA: true},
	} {
		g.Alpha = 1
		b.Run(g.String(), func(b *testing.B) {
			benchmark(b, g.FLOPs(), 0, []tensor.Shape{{g.M, g.N}, {g.M, g.K}, {g.K, g.N}}, func(q device.Queue, t []device.Tensor) {
				q.GEMM(g, t[0], t[1], t[2], nil)
			})
		})
	}
}

func conv(n, c, size, k, r, stride, pad, groups int) device.Conv {
	return device.Conv{
		N: n, C: c, H: size, W: size, K: k, R: r, S: r, StrideH: stride, StrideW: stride,
		PadTop: pad, PadBottom: pad, PadLeft: pad, PadRight: pad, DilationH: 1, DilationW: 1, Groups: groups,
	}
}

// The convolutions of Caffe's LeNet at batch 64, and of AlexNet at batch 8.
var benchConvs = []struct {
	name string
	device.Conv
}{
	{"lenet1", conv(64, 1, 28, 20, 5, 1, 0, 1)},
	{"lenet2", conv(64, 20, 12, 50, 5, 1, 0, 1)},
	{"alexnet1", conv(8, 3, 227, 96, 11, 4, 0, 1)},
	{"alexnet2", conv(8, 96, 27, 256, 5, 1, 2, 2)},
	{"alexnet3", conv(8, 256, 13, 384, 3, 1, 1, 1)},
	{"alexnet4", conv(8, 384, 13, 384, 3, 1, 1, 2)},
	{"alexnet5", conv(8, 384, 13, 256, 3, 1, 1, 2)},
	{"depthwise 3x3 of 128x56x56", conv(8, 128, 56, 128, 3, 1, 1, 128)},
	{"1x1 of 256x28x28, stride 2", conv(8, 256, 28, 512, 1, 2, 0, 1)},
	{"1x1 of 64x56x56, stride 2", conv(8, 64, 56, 128, 1, 2, 0, 1)},
	{"depthwise 3x3 of 128x56x56, stride 2", conv(8, 128, 56, 128, 3, 2, 1, 128)},
	{"depthwise 3x3 of 32x112x112", conv(8, 32, 112, 32, 3, 1, 1, 32)},
	{"depthwise 5x5 of 256x14x14", conv(8, 256, 14, 256, 5, 1, 2, 256)},
	{"depthwise 7x7 of 96x28x28", conv(8, 96, 28, 96, 7, 1, 3, 96)},
	{"outputs: 4 a channel", conv(8, 32, 28, 128, 3, 1, 1, 32)},
	{"outputs: 16 a channel", conv(8, 32, 28, 512, 3, 1, 1, 32)},
	{"depthwise 3x3 of 960x7x7", conv(8, 960, 7, 960, 3, 1, 1, 960)},
	{"1x1 of 64x14x14 to 384", conv(8, 64, 14, 384, 1, 1, 0, 1)},
	{"1x1 of 384x14x14 to 64", conv(8, 384, 14, 64, 1, 1, 0, 1)},
	{"1x1 of 16x112x112 to 96", conv(8, 16, 112, 96, 1, 1, 0, 1)},
	{"1x1 of 96x56x56 to 24", conv(8, 96, 56, 24, 1, 1, 0, 1)},
	{"1x1 of 256x14x14 to 1024", conv(8, 256, 14, 1024, 1, 1, 0, 1)},
	{"1x1 of 1024x14x14 to 256", conv(8, 1024, 14, 256, 1, 1, 0, 1)},
	{"1x1 of 160x7x7 to 960", conv(8, 160, 7, 960, 1, 1, 0, 1)},
}

func BenchmarkConv(b *testing.B) {
	for _, c := range benchConvs {
		for _, pass := range []device.Pass{device.Forward, device.BackwardData, device.BackwardFilter} {
			b.Run(fmt.Sprintf("%s/%v", c.name, pass), func(b *testing.B) {
				needs := traitsOf(b).Needs(c.Of(pass))
				shapes := []tensor.Shape{c.YShape(), c.XShape(), c.WShape(), {c.K},
					{int(needs.Packed/4) + 1}, {int(needs.Scratch/4) + 1}}
				packed := false
				benchmark(b, c.FLOPs(), 0, shapes, func(q device.Queue, t []device.Tensor) {
					y, x, f, bias, ws := t[0], t[1], device.Filter{Tensor: t[2], Packed: t[4].Buffer}, t[3], t[5].Buffer
					if !packed {
						q.ConvPack(c.Conv, pass, f.Packed, f.Tensor)
						packed = true
					}
					switch pass {
					case device.Forward:
						q.ConvForward(c.Conv, y, x, f, device.Epilogue{Bias: bias}, ws)
					case device.BackwardData:
						q.ConvBackwardData(c.Conv, x, y, f, device.Overwrite, ws)
					case device.BackwardFilter:
						q.ConvBackwardFilter(c.Conv, f.Tensor, bias, x, y, device.Overwrite, ws)
					}
				})
			})
		}
	}
}

func BenchmarkDense(b *testing.B) {
	for _, d := range []device.Dense{{N: 64, In: 800, Out: 500}, {N: 64, In: 500, Out: 10}} {
		shapes := []tensor.Shape{{d.N, d.Out}, {d.N, d.In}, {d.Out, d.In}, {d.Out}}
		for name, launch := range map[string]func(q device.Queue, t []device.Tensor){
			"forward": func(q device.Queue, t []device.Tensor) {
				q.DenseForward(d, t[0], t[1], t[2], device.Epilogue{Bias: t[3]}, nil)
			},
			"backward-data": func(q device.Queue, t []device.Tensor) {
				q.DenseBackwardData(d, t[1], t[0], t[2], device.Overwrite, nil)
			},
			"backward-filter": func(q device.Queue, t []device.Tensor) {
				q.DenseBackwardFilter(d, t[2], t[3], t[1], t[0], device.Overwrite, nil)
			},
		} {
			b.Run(fmt.Sprintf("%dto%d/%s", d.In, d.Out, name), func(b *testing.B) { benchmark(b, d.FLOPs(), 0, shapes, launch) })
		}
	}
}

// The pooling layers of LeNet at batch 64, and of AlexNet at batch 32.
func BenchmarkPool(b *testing.B) {
	for _, p := range []device.Pool{
		{N: 64, C: 20, H: 24, W: 24, R: 2, S: 2, StrideH: 2, StrideW: 2},
		{N: 64, C: 50, H: 8, W: 8, R: 2, S: 2, StrideH: 2, StrideW: 2},
		{N: 32, C: 96, H: 55, W: 55, R: 3, S: 3, StrideH: 2, StrideW: 2},
		{N: 32, C: 256, H: 27, W: 27, R: 3, S: 3, StrideH: 2, StrideW: 2},
		{N: 32, C: 256, H: 13, W: 13, R: 3, S: 3, StrideH: 2, StrideW: 2},
		{N: 8, C: 128, H: 28, W: 28, R: 3, S: 3, StrideH: 1, StrideW: 1, PadTop: 1, PadBottom: 1, PadLeft: 1, PadRight: 1},
		{N: 16, C: 512, H: 14, W: 14, R: 14, S: 14, StrideH: 1, StrideW: 1},
	} {
		for name, op := range map[string]device.PoolOp{"max": device.MaxPool, "average": device.AveragePool} {
			p.Op = op
			shapes := []tensor.Shape{p.YShape(), p.XShape(), p.YShape()}
			bytes := 4 * int64(device.Elements(p.XShape())+device.Elements(p.YShape()))
			if op == device.MaxPool {
				bytes += 4 * int64(device.Elements(p.YShape()))
			}
			name := fmt.Sprintf("%s/%dx%d", name, p.H, p.W)
			b.Run(name+"/forward", func(b *testing.B) {
				benchmark(b, 0, bytes, shapes, func(q device.Queue, t []device.Tensor) {
					t[2].DType = device.Int32
					q.PoolForward(p, t[0], t[2], t[1])
				})
			})
			b.Run(name+"/backward", func(b *testing.B) {
				indexed := false
				benchmark(b, 0, bytes, shapes, func(q device.Queue, t []device.Tensor) {
					t[2].DType = device.Int32
					if !indexed {
						q.PoolForward(p, t[0], t[2], t[1])
						indexed = true
					}
					q.PoolBackward(p, t[1], t[0], t[2], device.Overwrite)
				})
			})
		}
	}
}

// The normalisations of AlexNet at batch 32, and a copy of as many bytes.
func BenchmarkLRN(b *testing.B) {
	for _, l := range []device.LRN{{N: 32, C: 96, H: 55, W: 55}, {N: 32, C: 256, H: 27, W: 27}} {
		l.Size, l.Alpha, l.Beta, l.K = 5, 1e-4, 0.75, 2
		shape := tensor.Shape{l.N, l.C, l.H, l.W}
		shapes := []tensor.Shape{shape, shape, shape, shape}
		bytes := int64(4 * device.Elements(shape))
		name := fmt.Sprintf("%dx%d", l.H, l.W)
		b.Run(name+"/copy", func(b *testing.B) {
			benchmark(b, 0, 2*bytes, shapes, func(q device.Queue, t []device.Tensor) { q.Copy(t[0], t[1]) })
		})
		b.Run(name+"/forward", func(b *testing.B) {
			benchmark(b, 0, 3*bytes, shapes, func(q device.Queue, t []device.Tensor) { q.LRNForward(l, t[0], t[1], t[2]) })
		})
		b.Run(name+"/backward", func(b *testing.B) {
			benchmark(b, 0, 4*bytes, shapes, func(q device.Queue, t []device.Tensor) {
				q.LRNBackward(l, t[0], t[1], t[2], t[3], device.Overwrite)
			})
		})
	}
}

func traitsOf(tb testing.TB) device.Traits {
	t, err := device.TraitsOf("cpu", device.Options{})
	require.NoError(tb, err)
	return t
}

// Programs over arrays that no cache holds, in bytes read and written, and relative to a
// copy, which is a program too. The two take turns: what memory gives changes on a shared
// machine. The medians are reported.
func BenchmarkMap(b *testing.B) {
	v := device.View{N: 128, C: 64, Inner: 56 * 56}
	whole, channel := tensor.Shape{v.Elements(expr.Whole)}, tensor.Shape{v.C}
	x, y, bias := expr.Input(0, expr.Whole), expr.Input(1, expr.Whole), expr.Input(1, expr.Channel)
	eight := x
	twelve := x
	for i := range 4 {
		twelve = expr.Max(expr.Add(expr.Mul(twelve, expr.Const(1.1)), expr.Const(0.1)), x)
		if i < 2 {
			eight = expr.Add(expr.Mul(twelve, expr.Const(0.9)), x)
		}
	}
	overwrite := []device.Mode{device.Overwrite}
	program := func(e expr.Expr) func(q device.Queue, t []device.Tensor) {
		p := expr.MustNew(e)
		return func(q device.Queue, t []device.Tensor) { q.Map(p, v, t[:1], t[1:], overwrite, device.Random{}) }
	}
	sum := func(e expr.Expr, axes expr.Axes) func(q device.Queue, t []device.Tensor) {
		p := expr.MustNew(e)
		return func(q device.Queue, t []device.Tensor) {
			q.Reduce(p, v, device.Sum, axes, t[0], t[1:], device.Overwrite, device.Random{})
		}
	}
	one := tensor.Shape{1}
	for _, c := range []struct {
		name   string
		shapes []tensor.Shape
		launch func(q device.Queue, t []device.Tensor)
	}{
		{"copy", []tensor.Shape{whole, whole}, program(x)},
		{"relu", []tensor.Shape{whole, whole}, program(expr.Max(x, expr.Const(0)))},
		{"add", []tensor.Shape{whole, whole, whole}, program(expr.Add(x, y))},
		{"bias", []tensor.Shape{whole, whole, channel}, program(expr.Add(x, bias))},
		{"8 operations", []tensor.Shape{whole, whole}, program(eight)},
		{"12 operations", []tensor.Shape{whole, whole}, program(twelve)},
		{"sum of squares", []tensor.Shape{one, whole}, sum(expr.Mul(x, x), expr.One)},
		{"sums of channels", []tensor.Shape{channel, whole}, sum(x, expr.Channel)},
		{"sums of samples", []tensor.Shape{{v.C * v.Inner}, whole}, sum(x, expr.C|expr.Inner)},
		{"sums of pixels", []tensor.Shape{{v.N * v.Inner}, whole}, sum(x, expr.Pixel)},
	} {
		b.Run(c.name, func(b *testing.B) {
			var elements int
			for _, s := range c.shapes {
				elements += device.Elements(s)
			}
			q, t := operands(b, append([]tensor.Shape{whole, whole}, c.shapes...))
			timed := func(launch func(q device.Queue, t []device.Tensor), t []device.Tensor) float64 {
				start := time.Now()
				launch(q, t)
				return float64(time.Since(start).Nanoseconds())
			}
			copied := program(x)
			copied(q, t)
			c.launch(q, t[2:])
			var rates, ratios []float64
			for b.Loop() {
				ofCopy := float64(2*device.Elements(whole)) / timed(copied, t)
				rate := float64(elements) / timed(c.launch, t[2:])
				rates, ratios = append(rates, rate*float64(device.Float32.Size())), append(ratios, rate/ofCopy)
			}
			b.ReportMetric(median(rates), "GB/s")
			b.ReportMetric(median(ratios), "of-a-copy")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// Channels of a few pixels each, which are in a cache: normalised, as a batch-norm does, and
// their squares added.
func BenchmarkMapSmall(b *testing.B) {
	x, mean, scale := expr.Input(0, expr.Whole), expr.Input(1, expr.Channel), expr.Input(2, expr.Channel)
	away := expr.Sub(x, mean)
	normalise, squares := expr.MustNew(expr.Mul(away, scale)), expr.MustNew(expr.Mul(away, away))
	for _, side := range []int{4, 5, 7, 14} {
		v := device.View{N: 8, C: 384, Inner: side * side}
		n := v.Elements(expr.Whole)
		shapes := []tensor.Shape{{n}, {n}, {v.C}, {v.C}}
		b.Run(fmt.Sprintf("map/%dx%d", side, side), func(b *testing.B) {
			benchmark(b, 0, 2*device.Float32.Size()*int64(n), shapes, func(q device.Queue, t []device.Tensor) {
				q.Map(normalise, v, t[:1], t[1:], []device.Mode{device.Overwrite}, device.Random{})
			})
		})
		b.Run(fmt.Sprintf("reduce/%dx%d", side, side), func(b *testing.B) {
			benchmark(b, 0, device.Float32.Size()*int64(n), shapes, func(q device.Queue, t []device.Tensor) {
				q.Reduce(squares, v, device.Sum, expr.Channel, t[3], []device.Tensor{t[1], t[2]}, device.Overwrite, device.Random{})
			})
		})
	}
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// Strided copies in bytes read and written: what concat does, and the other layers.
func BenchmarkCopyStrided(b *testing.B) {
	type axes = [device.MaxAxes]device.Axis
	joined := func(n, length, total, offset int) device.Strided {
		return device.Strided{Axes: axes{{Len: n, Dst: total, Src: length}, {Len: length, Dst: 1, Src: 1}}, Dst: offset}
	}
	const n, c, side = 32, 64, 56
	const plane, scale = side * side, 2
	permuted := axes{{Len: n, Dst: c * plane, Src: c * plane}, {Len: plane, Dst: c, Src: 1}, {Len: c, Dst: 1, Src: plane}}
	repeated := axes{{Len: n * c * side, Dst: scale * scale * side, Src: side}, {Len: scale, Dst: scale * side}, {Len: side, Dst: scale, Src: 1}, {Len: scale, Dst: 1}}
	shuffled := axes{{Len: n, Dst: c * plane, Src: c * plane}, {Len: c / 4, Dst: 4 * plane, Src: plane}, {Len: 4, Dst: plane, Src: c / 4 * plane}, {Len: plane, Dst: 1, Src: 1}}
	for _, k := range []struct {
		name     string
		s        device.Strided
		dst, src int
	}{
		{"N32/100352of200704", joined(32, 128*784, 256*784, 64*784), 32 * 256 * 784, 32 * 128 * 784},
		{"N64/3136of12544", joined(64, 64*49, 256*49, 96*49), 64 * 256 * 49, 64 * 64 * 49},
		{"N4/3136of12544", joined(4, 64*49, 256*49, 96*49), 4 * 256 * 49, 4 * 64 * 49},
		{"N512/50of150", joined(512, 50, 150, 50), 512 * 150, 512 * 50},
		{"permute", device.Strided{Axes: permuted}, n * c * plane, n * c * plane},
		{"permute back", device.Strided{Axes: permuted}.Reversed(), n * c * plane, n * c * plane},
		{"shuffle", device.Strided{Axes: shuffled}, n * c * plane, n * c * plane},
		{"upsample", device.Strided{Axes: repeated}, n * c * plane * scale * scale, n * c * plane},
		{"upsample back", device.Strided{Axes: repeated}.Reversed(), n * c * plane, n * c * plane * scale * scale},
	} {
		written, read := k.s.Moved()
		for _, m := range []device.Mode{device.Overwrite, device.Accumulate} {
			b.Run(fmt.Sprintf("%s/%v", k.name, m), func(b *testing.B) {
				benchmark(b, 0, device.Float32.Size()*int64(written+read), []tensor.Shape{{k.dst}, {k.src}}, func(q device.Queue, t []device.Tensor) { q.CopyStrided(k.s, t[0], t[1], m) })
			})
		}
	}
}

// Updates as programs, over LeNet's weights and over arrays that no cache of a core
// holds, beside a copy; in bytes read and written.
func BenchmarkUpdate(b *testing.B) {
	in := func(i int) expr.Expr { return expr.Input(i, expr.Whole) }
	w, dw, v := in(0), in(1), in(2)
	rate, decay := expr.Mul(expr.Input(3, expr.One), expr.Input(4, expr.Channel)), expr.Input(5, expr.Channel)
	next := expr.Sub(expr.Mul(expr.Const(0.9), v), expr.Mul(rate, expr.Add(dw, expr.Mul(decay, w))))
	for _, n := range []int{431_080, 16 << 20} {
		segments := []device.Segment{{Len: n}}
		shapes := []tensor.Shape{{n}, {n}, {n}, {1}, {1}, {1}}
		for _, c := range []struct {
			name  string
			p     *expr.Program
			out   []int // inputs
			moves int64 // of an element
		}{
			{"copy", expr.MustNew(dw), []int{0}, 2},
			{"sgd with momentum", expr.MustNew(expr.Add(w, next), next), []int{0, 2}, 5},
		} {
			b.Run(fmt.Sprintf("%d/%s", n, c.name), func(b *testing.B) {
				out := make([]device.Tensor, len(c.out))
				benchmark(b, 0, c.moves*int64(n)*device.Float32.Size(), shapes, func(q device.Queue, t []device.Tensor) {
					for k, i := range c.out {
						out[k] = t[i]
					}
					q.Update(c.p, out, t, segments)
				})
			})
		}
	}
}
