package layers_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
	"github.com/hubel-go/hubel/layers"
)

// onEveryDevice is for the reference, the simulator, and the CPU on each of its paths
// with one worker and several.
func onEveryDevice(t *testing.T, do func(t *testing.T, d device.Device)) {
	run := func(name string, o device.Options) {
		t.Run(fmt.Sprintf("%s %s %d", name, o.CPUPath, o.Threads), func(t *testing.T) {
			d, err := device.Open(name, o)
			require.NoError(t, err)
			do(t, d)
			require.NoError(t, d.Close())
		})
	}
	run("reference", device.Options{})
	run("ptxsim", device.Options{})
	for _, path := range gemm.Names() {
		for _, threads := range []int{1, 3} {
			run("cpu", device.Options{CPUPath: path, Threads: threads})
		}
	}
}

// passes runs a layer of one input in training, so many samples at a time: forward in
// place, and backward to where ones are, by the mode.
func passes(t *testing.T, d device.Device, l layers.Layer, shape tensor.Shape, x, dy []float32, together int, m device.Mode, r device.Random) (y, dx []float32) {
	q, err := d.NewQueue()
	require.NoError(t, err)
	part := append(tensor.Shape{together}, shape[1:]...)
	n := device.Elements(part)
	s, err := l.Plan(d.Traits(), []layers.Input{{Shape: part}}, layers.Options{Train: true})
	require.NoError(t, err)
	require.True(t, s.InPlace)
	require.Empty(t, s.Saved)
	var temporary []device.Tensor
	for _, slot := range s.Temporary {
		b, err := d.Alloc(int64(device.Elements(slot.Shape)) * device.Float32.Size())
		require.NoError(t, err)
		temporary = append(temporary, device.Tensor{Buffer: b, Shape: slot.Shape})
	}
	of := func() device.Tensor {
		b, err := d.Alloc(int64(n) * device.Float32.Size())
		require.NoError(t, err)
		return device.Tensor{Buffer: b, Shape: part}
	}
	in, out, grad := of(), of(), of()
	for first := 0; first < shape[0]; first += together {
		at := first * (n / together)
		results := [2][]float32{make([]float32, n), make([]float32, n)}
		q.Upload(in, tensor.New(tensor.WithShape(part...), tensor.WithBacking(x[at:][:n])))
		q.Upload(out, tensor.New(tensor.WithShape(part...), tensor.WithBacking(dy[at:][:n])))
		q.Fill(grad, 1)
		c := &layers.Call{Programs: s.Programs, Temporary: temporary, Random: r, In: []device.Tensor{in}, Out: []device.Tensor{in}, DOut: []device.Tensor{out}, DIn: []device.Tensor{grad}, Modes: []device.Mode{m}}
		c.Random.Sample += uint32(first)
		l.Forward(q, c)
		l.Backward(q, c)
		for i, from := range []device.Tensor{in, grad} {
			q.Download(tensor.New(tensor.WithShape(part...), tensor.WithBacking(results[i])), from)
		}
		require.NoError(t, q.Sync())
		y, dx = append(y, results[0]...), append(dx, results[1]...)
	}
	require.NoError(t, q.Close())
	return y, dx
}

// What is dropped follows from the random numbers alone: on every device, in one batch
// or several, and whatever is in it.
func TestDropoutDropsByTheBits(t *testing.T) {
	shape := tensor.Shape{8, 7, 301}
	elements := 7 * 301
	x, dy := make([]float32, device.Elements(shape)), make([]float32, device.Elements(shape))
	for i := range x {
		x[i], dy[i] = float32(i%13)-5.7, float32(i%11)-4.3
		if i%17 == 0 {
			special := []float64{math.NaN(), math.Inf(1), math.Inf(-1)}[i/17%3]
			x[i], dy[i] = float32(special), float32(special)
		}
	}
	r := device.Random{Seed: 0xFEDCBA9876543210, Stream: 3, Iteration: 1_000_000, Sample: 0xFFFFFFFD}
	onEveryDevice(t, func(t *testing.T, d device.Device) {
		for _, p := range []float32{0.5, 0.33, 0.999} {
			threshold, scale := uint32(float64(p)*(1<<32)), float32(1/(1-float64(p)))
			for _, together := range []int{8, 4} {
				m := device.Mode(together / 8)
				y, dx := passes(t, d, &layers.Dropout{P: p}, shape, x, dy, together, m, r)
				for i := range x {
					want, back := float32(0), float32(0)
					if r.Uint32(i/elements, i%elements) >= threshold {
						want, back = scale*x[i], scale*dy[i]
					}
					if m == device.Accumulate {
						back++
					}
					if want == want {
						require.Equal(t, math.Float32bits(want), math.Float32bits(y[i]), "element %d at p %g", i, p)
						if back != dx[i] { // a sum may be rounded once, or its term before
							require.Equal(t, device.Accumulate, m)
							require.InEpsilon(t, back, dx[i], 2e-7, "element %d at p %g", i, p)
						}
					} else {
						require.True(t, y[i] != y[i] && dx[i] != dx[i], "element %d at p %g", i, p)
					}
				}
			}
		}
	})
}

// Whole channels of a sample are dropped, by the bits of the channel, in one batch or
// several, and of an infinite one nothing is left.
func TestDropoutOfChannels(t *testing.T) {
	shape := tensor.Shape{8, 7, 5, 9}
	const inner = 5 * 9
	x, dy := make([]float32, device.Elements(shape)), make([]float32, device.Elements(shape))
	for i := range x {
		x[i], dy[i] = float32(i%13)-5.5, float32(i%11)-4.5
		if i%17 == 0 {
			x[i] = float32(math.Inf(1))
		}
	}
	r := device.Random{Seed: 3, Stream: 4, Iteration: 5, Sample: 6}
	const p = 0.4
	threshold := uint32(float64(float32(p)) * (1 << 32))
	onEveryDevice(t, func(t *testing.T, d device.Device) {
		for _, together := range []int{8, 2} {
			y, dx := passes(t, d, &layers.Dropout{P: p, Channels: true}, shape, x, dy, together, device.Overwrite, r)
			drops := 0
			for i := range x {
				scale := float32(1 / (1 - float64(float32(p))))
				want, back := scale*x[i], scale*dy[i]
				if r.Uint32(i/inner/7, i/inner%7) < threshold {
					want, back = 0, 0
					drops++
				}
				require.Equal(t, want, y[i], "element %d", i)
				require.Equal(t, back, dx[i], "element %d", i)
			}
			require.Zero(t, drops%inner)
			require.InDelta(t, p, float64(drops)/float64(len(x)), 0.25)
		}
	})
	y := newPass(t, "cpu", &layers.Dropout{P: p, Channels: true}, graph.Infer, nil, normal(1, 2, 3, 4)).out()
	require.Equal(t, normal(1, 2, 3, 4).Float32s(), y)
}

// What is left of the weights is scaled; all samples see the same, and the same in
// micro-batches; in inference all are there.
func TestDropConnect(t *testing.T) {
	const in, out, p = 11, 6, 0.3
	x, w, bias := normal(1, 4, in), normal(2, out, in), normal(3, out)
	params := map[string]*tensor.Dense{"weight": w, "bias": bias}
	l := &layers.DropConnect{Dense: layers.Dense{Out: out}, P: p}
	stream := device.Random{Seed: number.Seed, Stream: 1, Iteration: number.Iteration}
	threshold := uint32(float64(float32(p)) * (1 << 32))
	var trained, inferred []float64
	left := make([]float64, out*in)
	for i, v := range w.Float32s() {
		if stream.Uint32(0, i) >= threshold {
			left[i] = float64(v) / (1 - p)
		}
	}
	for n := range 4 {
		for o := range out {
			a, b := float64(bias.Float32s()[o]), float64(bias.Float32s()[o])
			for i := range in {
				v := float64(x.Float32s()[n*in+i])
				a += left[o*in+i] * v
				b += float64(w.Float32s()[o*in+i]) * v
			}
			trained, inferred = append(trained, a), append(inferred, b)
		}
	}
	for _, name := range everyDevice {
		p := newPass(t, name, l, graph.Train, params, x)
		near(t, trained, p.out(), 1e-6, name)
		near(t, inferred, newPass(t, name, l, graph.Infer, params, x).out(), 1e-6, name)
		p.backward(tensor.New(tensor.WithShape(4, out), tensor.Of(tensor.Float32)), x)
		for i, d := range p.gradient("layer.weight") {
			require.Equal(t, left[i] == 0, d == 0, "%s: weight %d", name, i)
		}
		part := newPass(t, name, l, graph.Train, params, tensor.New(tensor.WithShape(1, in), tensor.WithBacking(x.Float32s()[in:2*in])))
		part.executor.Forward(graph.Pass{Seed: number.Seed, Iteration: number.Iteration, FirstSample: 1})
		near(t, trained[out:2*out], part.out(), 1e-6, name)
	}
}
