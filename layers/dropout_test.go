package layers_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
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
		c := &layers.Call{Programs: s.Programs, Random: r, In: []device.Tensor{in}, Out: []device.Tensor{in}, DOut: []device.Tensor{out}, DIn: []device.Tensor{grad}, Modes: []device.Mode{m}}
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
