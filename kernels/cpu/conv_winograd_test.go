package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
)

// TestWinogradError holds Winograd's algorithm, and direct convolution beside
// it, against the reference on AlexNet's layers, in the root mean square of the
// error relative to that of the result. It logs both:
//
//	go test -run TestWinogradError -v ./kernels/cpu
func TestWinogradError(t *testing.T) {
	for _, layer := range benchConvs {
		c := layer.Conv
		c.N = 1
		for _, pass := range []device.Pass{device.Forward, device.BackwardData, device.BackwardFilter} {
			if !traitsOf(t).Precision(c.Of(pass)).Blockwise {
				continue
			}
			t.Run(fmt.Sprintf("%s/%v", layer.name, pass), func(t *testing.T) {
				ref := reference.New()
				want := convOn(t, ref, c, pass)
				fast, err := New(2)
				require.NoError(t, err)
				defer fast.Close()
				direct, err := Open(device.Options{Threads: 2, DirectConv: true})
				require.NoError(t, err)
				defer direct.Close()
				f, d := relative(convOn(t, fast, c, pass), want), relative(convOn(t, direct, c, pass), want)
				terms := map[device.Pass]int{
					device.Forward: c.C / c.Groups * c.R * c.S, device.BackwardData: c.K / c.Groups * c.R * c.S, device.BackwardFilter: c.OutH() * c.OutW(),
				}[pass]
				t.Logf("sums of %4d: Winograd %.2g, direct %.2g, ratio %.1f", terms, f, d, f/d)
				const u = 1. / (1 << 24)
				require.Less(t, f, u*(16+math.Sqrt(float64(terms))))
				require.NotEqual(t, f, d, "the direct algorithm ran")
			})
		}
	}
}

// TestPartsOfTiles holds the gradient of a small layer's filters, whose tiles are
// cut into parts of several blocks, against the reference, on every path and for
// different numbers of workers.
func TestPartsOfTiles(t *testing.T) {
	c := conv(3, 18, 46, 36, 3, 1, 1, 1)
	want := convOn(t, reference.New(), c, device.BackwardFilter)
	for _, tile := range gemm.Tiles() {
		t.Run(tile.Name, func(t *testing.T) {
			t.Setenv("HUBEL_CPU", tile.Name)
			f := newWinogradFilter(tile, c)
			require.True(t, f.small() && f.parts == winogradParts && f.part > f.depth)
			var first []float64
			for _, workers := range []int{1, 3, 61} {
				d, err := New(workers)
				require.NoError(t, err)
				defer d.Close()
				got := convOn(t, d, c, device.BackwardFilter)
				require.Less(t, relative(got, want), 1e-5)
				if first == nil {
					first = got
				}
				require.Equal(t, first, got, "%d workers", workers)
			}
		})
	}
}

// TestAdjoint holds the gradient of the data that is the adjoint of the forward pass
// against the reference: several items of samples, pieces of channels, groups and
// padding that differs on each side, on every path and for different numbers of
// workers.
func TestAdjoint(t *testing.T) {
	padded := conv(5, 140, 11, 36, 5, 1, 0, 2)
	padded.W, padded.PadBottom, padded.PadLeft = 10, 2, 1
	for _, c := range []device.Conv{padded, conv(5, 200, 11, 18, 3, 1, 0, 1)} {
		want := convOn(t, reference.New(), c, device.BackwardData)
		for _, tile := range gemm.Tiles() {
			t.Run(fmt.Sprintf("%v/%s", c, tile.Name), func(t *testing.T) {
				t.Setenv("HUBEL_CPU", tile.Name)
				p := newWinogradProduct(tile, c, device.BackwardData)
				require.True(t, p.adjoint && traitsOf(t).Precision(c.Of(device.BackwardData)).Blockwise)
				var first []float64
				for _, workers := range []int{1, 3, 61} {
					d, err := New(workers)
					require.NoError(t, err)
					defer d.Close()
					got := convOn(t, d, c, device.BackwardData)
					require.Less(t, relative(got, want), 2e-6)
					if first == nil {
						first = got
					}
					require.Equal(t, first, got, "%d workers", workers)
				}
			})
		}
	}
}

// TestDirectConvolution runs the cases of layers that otherwise go by
// Winograd's algorithm.
func TestDirectConvolution(t *testing.T) {
	d, err := Open(device.Options{Threads: 2, DirectConv: true})
	require.NoError(t, err)
	defer d.Close()
	for _, c := range devicetest.Cases(devicetest.Options{Seed: 1}) {
		if strings.HasPrefix(c.Op, "conv ") && (strings.Contains(c.Name, "many channels") || strings.Contains(c.Name, "grouped")) {
			require.NoError(t, c.Check(d, devicetest.Options{Seed: 1}), "%s, %s", c.Op, c.Name)
		}
	}
}

// relative is the root mean square of the error over that of the result.
func relative(got, want []float64) float64 {
	e, y := 0.0, 0.0
	for i, v := range want {
		e += (got[i] - v) * (got[i] - v)
		y += v * v
	}
	return math.Sqrt(e / y)
}

// convOn is the result of a pass for random inputs: of a normal distribution,
// for products of uniform ones have a mean that hides errors.
func convOn(t *testing.T, d device.Device, c device.Conv, p device.Pass) []float64 {
	q, err := d.NewQueue()
	require.NoError(t, err)
	defer q.Close()
	r := rand.New(rand.NewPCG(1, 2))
	upload := func(s tensor.Shape) device.Tensor {
		values := make([]float32, device.Elements(s))
		for i := range values {
			values[i] = float32(r.NormFloat64())
		}
		b, err := d.Alloc(int64(4 * len(values)))
		require.NoError(t, err)
		x := device.Tensor{Buffer: b, Shape: s}
		q.Upload(x, tensor.New(tensor.WithShape(s...), tensor.WithBacking(values)))
		return x
	}
	alloc := func(bytes int64) device.Buffer { // what memory holds does not matter
		b, err := d.Alloc(bytes)
		require.NoError(t, err)
		nothing := make([]float32, bytes/4)
		for i := range nothing {
			nothing[i] = float32(math.NaN())
		}
		if len(nothing) > 0 {
			s := tensor.Shape{len(nothing)}
			q.Upload(device.Tensor{Buffer: b, Shape: s}, tensor.New(tensor.WithShape(s...), tensor.WithBacking(nothing)))
		}
		return b
	}
	x, y, w := upload(c.XShape()), upload(c.YShape()), upload(c.WShape())
	needs := d.Traits().Needs(c.Of(p))
	f := device.Filter{Tensor: w, Packed: alloc(needs.Packed)}
	ws := alloc(needs.Scratch)
	q.ConvPack(c, p, f.Packed, w)
	result := y
	switch p {
	case device.Forward:
		q.ConvForward(c, y, x, f, device.Epilogue{}, ws)
	case device.BackwardData:
		q.ConvBackwardData(c, x, y, f, device.Overwrite, ws)
		result = x
	case device.BackwardFilter:
		q.ConvBackwardFilter(c, w, device.Tensor{}, x, y, device.Overwrite, ws)
		result = w
	}
	values := make([]float32, result.Len())
	q.Download(tensor.New(tensor.WithShape(result.Shape...), tensor.WithBacking(values)), result)
	require.NoError(t, q.Sync())
	wide := make([]float64, len(values))
	for i, v := range values {
		wide[i] = float64(v)
	}
	return wide
}

// Filters of a strided layer are packed in scratch memory of their own size, also by a
// worker that has had no larger one.
func TestStridedFiltersArePackedInTheirScratch(t *testing.T) {
	tried := 0
	for _, stride := range []int{2, 3, 4} {
		for _, kernel := range []int{5, 6, 7, 8, 9, 11} {
			c := device.Conv{N: 1, C: 48, H: 40, W: 40, K: 64, R: kernel, S: kernel, StrideH: stride, StrideW: stride, DilationH: 1, DilationW: 1, Groups: 1}
			if !traitsOf(t).Precision(c.Of(device.Forward)).Blockwise {
				continue
			}
			tried++
			d, err := New(1)
			require.NoError(t, err)
			got, want := convOn(t, d, c, device.Forward), convOn(t, reference.New(), c, device.Forward)
			for i, v := range want {
				require.InDelta(t, v, got[i], 1e-2, "%+v", c)
			}
			require.NoError(t, d.Close())
		}
	}
	if traitsOf(t).(traits).tile.Name != "generic" {
		require.Positive(t, tried)
	}
}
