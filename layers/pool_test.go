package layers_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/graph/gradcheck"
	"github.com/hubel-go/hubel/layers"
)

// plane is an image of one channel.
func plane(h, w int, values ...float32) *tensor.Dense {
	return tensor.New(tensor.WithShape(1, 1, h, w), tensor.WithBacking(values))
}

// unpooled is a network that pools, puts the maxima back where they were, and has a loss
// of that.
func unpooled(pool *layers.Pool, unpool *layers.Unpool, like bool, c, h, w int) *graph.Network {
	n := &graph.Network{Name: "unpooled"}
	x := n.Input("x", device.Float32, c, h, w)
	y := n.Add("pool", pool, x)
	in := []string{y, "pool:1"}
	if like {
		in = append(in, x)
	}
	y = n.Add("unpool", unpool, in...)
	n.Add("loss", &layers.L2Loss{}, y, n.Input("target", device.Float32, c, h, w))
	return n
}

// Maxima go back to where they were, in a network, on every device; windows that overlap
// add up.
func TestUnpoolRestores(t *testing.T) {
	for _, c := range []struct {
		pool   layers.Pool
		unpool layers.Unpool
		like   bool
	}{
		{layers.Pool{Window: layers.Square(2), Stride: layers.Square(2)}, layers.Unpool{Window: layers.Square(2), Stride: layers.Square(2)}, false},
		{layers.Pool{Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)},
			layers.Unpool{Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1), Size: layers.Size{H: 8, W: 6}}, false},
		{layers.Pool{Window: layers.Size{H: 3, W: 2}}, layers.Unpool{Window: layers.Size{H: 3, W: 2}}, true},
		{layers.Pool{Window: layers.Square(3), Stride: layers.Square(2), Ceil: true}, layers.Unpool{Window: layers.Square(3), Stride: layers.Square(2), Ceil: true}, true},
	} {
		c.pool.Switches = true
		n := unpooled(&c.pool, &c.unpool, c.like, 3, 8, 6)
		require.NoError(t, gradcheck.Check(n, gradcheck.Options{}))
		for _, name := range []string{"cpu", "ptxsim"} {
			d, err := device.Open(name, device.Options{})
			require.NoError(t, err)
			require.NoError(t, gradcheck.Compare(n, d, gradcheck.Options{}), name)
			require.NoError(t, d.Close())
		}
	}

	x := plane(3, 3,
		1, 2, 3,
		4, 9, 5,
		6, 7, 8)
	for _, name := range everyDevice {
		p := newPass(t, name, &layers.Pool{Window: layers.Square(2), Switches: true}, graph.Infer, nil, x)
		require.Equal(t, []float32{9, 9, 9, 9}, p.out())
		switches := tensor.New(tensor.WithShape(1, 1, 2, 2), tensor.WithBacking([]int32{4, 4, 4, 8}))
		l := &layers.Unpool{Window: layers.Square(2)}
		require.Equal(t, []float32{0, 0, 0, 0, 6, 0, 0, 0, 4}, newPass(t, name, l, graph.Infer, nil, plane(2, 2, 1, 2, 3, 4), switches).out(), "%s", name)
		outside := tensor.New(tensor.WithShape(1, 1, 2, 2), tensor.WithBacking([]int32{-1, 9, math.MaxInt32, math.MinInt32}))
		require.Equal(t, make([]float32, 9), newPass(t, name, l, graph.Infer, nil, plane(2, 2, 1, 2, 3, 4), outside).out(), "%s: switches outside of the image go nowhere", name)
	}
}

// In training each pixel of a window is taken as often as its share, and its gradient is
// that of the output; in inference the output is the mean.
func TestStochasticPool(t *testing.T) {
	const samples = 4000
	values := []float32{1, -7, 2, 5}
	window := make([]float32, 0, 4*samples)
	for range samples {
		window = append(window, values...)
	}
	x := tensor.New(tensor.WithShape(samples, 1, 2, 2), tensor.WithBacking(window))
	l := &layers.StochasticPool{Pool: layers.Pool{Window: layers.Square(2), Stride: layers.Square(2)}}
	for _, name := range everyDevice {
		p := newPass(t, name, l, graph.Train, nil, x)
		y := p.out()
		taken := map[float32]float64{}
		for _, v := range y {
			taken[v]++
		}
		require.Len(t, taken, 3)
		for _, v := range []float32{1, 2, 5} {
			share := float64(v) / 8
			require.InDelta(t, share, taken[v]/samples, 4*math.Sqrt(share*(1-share)/samples), "%s: %v", name, v)
		}
		dx := p.backward(tensor.New(tensor.WithShape(samples, 1, 1, 1), tensor.Of(tensor.Float32)), x)[0]
		for n, v := range y {
			for i, d := range dx[4*n : 4*n+4] {
				if values[i] == v {
					require.InDelta(t, float64(v)/samples, float64(d), 1e-7)
				} else {
					require.Zero(t, d)
				}
			}
		}
		near(t, []float64{(1 + 4 + 25) / 8.}, newPass(t, name, l, graph.Infer, nil, plane(2, 2, values...)).out(), 1e-6, name)
		require.Equal(t, []float32{0}, newPass(t, name, l, graph.Infer, nil, plane(2, 2, -1, 0, -2, 0)).out(), "%s", name)
		none := newPass(t, name, l, graph.Train, nil, plane(2, 2, -1, 0, -2, 0))
		require.Equal(t, []float32{0}, none.out(), "%s", name)
		require.Equal(t, [][]float32{{0, 0, 0, 0}}, none.backward(plane(1, 1, 3), plane(2, 2, -1, 0, -2, 0)), "%s", name)
	}
}

func TestL2PoolByHand(t *testing.T) {
	x := plane(2, 4,
		3, 0, 0, 0,
		4, 0, 0, 0)
	for _, name := range everyDevice {
		mean := &layers.L2Pool{Pool: layers.Pool{Window: layers.Square(2), Stride: layers.Square(2)}}
		sum := &layers.L2Pool{Pool: mean.Pool, Sum: true}
		near(t, []float64{2.5, 0}, newPass(t, name, mean, graph.Infer, nil, x).out(), 1e-6, name)
		p := newPass(t, name, sum, graph.Train, nil, x)
		near(t, []float64{5, 0}, p.out(), 1e-6, name)
		near(t, []float64{.6, 0, 0, 0, .8, 0, 0, 0}, p.backward(plane(1, 2, 4, -7), x)[0], 1e-6, name, "a window of zeros has the gradient 0")
		sum.Pad = layers.Around(1)
		near(t, []float64{3, 0, 0, 4, 0, 0}, newPass(t, name, sum, graph.Infer, nil, x).out(), 1e-6, name)
	}
}

// Every output of an adaptive pooling is that of its window, whatever the sizes.
func TestAdaptivePoolWindows(t *testing.T) {
	for _, c := range []struct{ h, w, outH, outW int }{
		{6, 4, 3, 2}, {13, 13, 6, 6}, {7, 7, 4, 3}, {10, 11, 4, 7}, {3, 2, 7, 5}, {5, 9, 1, 9}, {8, 17, 5, 16},
	} {
		x := normal(3, 2, 3, c.h, c.w)
		values := x.Float32s()
		for _, op := range []device.PoolOp{device.MaxPool, device.AveragePool} {
			var want []float64
			for image := range 6 {
				for i := range c.outH {
					for j := range c.outW {
						sum, largest, n := 0.0, math.Inf(-1), 0.0
						for h := i * c.h / c.outH; h*c.outH < (i+1)*c.h; h++ {
							for w := j * c.w / c.outW; w*c.outW < (j+1)*c.w; w++ {
								v := float64(values[(image*c.h+h)*c.w+w])
								sum, largest, n = sum+v, max(largest, v), n+1
							}
						}
						if op == device.AveragePool {
							largest = sum / n
						}
						want = append(want, largest)
					}
				}
			}
			l := &layers.AdaptivePool{Op: op, Size: layers.Size{H: c.outH, W: c.outW}}
			for _, name := range everyDevice {
				near(t, want, newPass(t, name, l, graph.Infer, nil, x).out(), 1e-6, name, l.Type(), c)
			}
		}
	}
}

// Where one pooling does, it is all that runs.
func TestAdaptivePoolIsPlainWhereItCan(t *testing.T) {
	for _, e := range []struct{ h, w, size, kernels int }{{12, 8, 4, 1}, {13, 13, 6, 1}, {10, 4, 4, 6}, {7, 7, 4, 27}, {7, 7, 1, 1}} {
		q := newRecorder()
		x := layers.Input{Shape: []int{2, 3, e.h, e.w}}
		l := &layers.AdaptivePool{Size: layers.Square(e.size)}
		s, err := l.Plan(traits{}, []layers.Input{x}, layers.Options{})
		require.NoError(t, err)
		in := device.Tensor{Buffer: block(4 * x.Shape.TotalSize()), Shape: x.Shape}
		out := device.Tensor{Buffer: block(4 * s.Out[0].Shape.TotalSize()), Shape: s.Out[0].Shape}
		c := &layers.Call{In: []device.Tensor{in}, Out: []device.Tensor{out}}
		for _, slot := range s.Temporary {
			c.Temporary = append(c.Temporary, device.Tensor{Buffer: block(4 * slot.Shape.TotalSize()), Shape: slot.Shape})
		}
		l.Forward(q, c)
		require.Len(t, q.calls, e.kernels, "%v", e)
	}
}
