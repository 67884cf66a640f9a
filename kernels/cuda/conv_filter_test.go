package cuda

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// filterCase is the gradient of the weights with a tile of its own.
type filterCase struct {
	device.Conv
	variant, splits int
	mode            device.Mode
}

func (c filterCase) String() string {
	return fmt.Sprintf("%+v tile %d splits %d %v", c.Conv, c.variant, c.splits, c.mode)
}

// runFilter says what is wrong with a gradient of the weights.
func runFilter(bn *bench, c filterCase, r *rand.Rand) error {
	x, dy := random(r, device.Elements(c.XShape())), bn.random(r, device.Elements(c.YShape()))
	n := device.Elements(c.WShape())
	e := gradient(c.mode)
	px, pdy := bn.upload("x", x, 0), bn.upload("dy", dy, 0)
	dw, old := bn.guarded("dw", n, r, e.beta != 0, 0)
	t := filterTiles[bn.queue.traits.arithmetic][c.variant]
	terms := c.N * c.OutH() * c.OutW()
	p := cut{tile: t, variant: c.variant, down: ceil(c.K/c.Groups, t.m), across: ceil(c.C/c.Groups*c.R*c.S, t.n),
		splits: c.splits, length: ceil(ceil(terms, c.splits), sliceDepth) * sliceDepth}
	ws := bn.alloc("scratch", p.scratch(n))
	defer bn.free(px, pdy, dw.Offset(-4*guard), ws)
	bn.queue.convFilter(c.Conv, p, e, dw, px, pdy, ws)
	if err := bn.queue.Sync(); err != nil {
		return err
	}
	sum, size := convSums(c.Conv, device.BackwardFilter, nil, bn.multiplied(x), bn.multiplied(dy))
	for i := range sum {
		sum[i], size[i] = e.apply(sum[i], size[i], old[i], 0, rounding(terms))
	}
	if err := bn.check("dw", dw, sum, size); err != nil {
		return fmt.Errorf("%v: %w", c, err)
	}
	return nil
}

// filterCases has, for each tile, more and fewer filters and taps than the
// tile, windows that overlap each edge, strides, dilation, groups, planes of
// fewer pixels than a slice, parts of the sum, odd numbers of taps to add to, and
// sums of more slices than are under way at once.
func filterCases() []filterCase {
	var cases []filterCase
	for v, t := range filterTiles[0] {
		cases = append(cases,
			filterCase{Conv: device.Conv{N: 3, C: 4, H: 5, W: 4, K: 5, R: 3, S: 2, PadTop: 1, PadBottom: 2, PadLeft: 2, PadRight: 1,
				StrideH: 2, StrideW: 1, DilationH: 1, DilationW: 2, Groups: 1}, variant: v, splits: 1},
			filterCase{Conv: device.Conv{N: 2, C: 2, H: 3, W: 6, K: 66 << (1 - index(v > 1)), R: 1, S: 2, StrideH: 1, StrideW: 2,
				DilationH: 1, DilationW: 1, Groups: 1}, variant: v, splits: 1, mode: device.Accumulate},
			filterCase{Conv: device.Conv{N: 3, C: 30, H: 3, W: 3, K: 198, R: 3, S: 3, PadTop: 1, PadBottom: 1, PadLeft: 1, PadRight: 1,
				StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 2}, variant: v, splits: 3, mode: device.Accumulate},
			filterCase{Conv: device.Conv{N: 1, C: t.n/5 + 1, H: 3, W: 4, K: t.m + 5, R: 1, S: 5, PadLeft: 2, PadRight: 2,
				StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}, variant: v, splits: 1, mode: device.Accumulate},
			filterCase{Conv: device.Conv{N: 1, C: 1, H: 5, W: 7, K: 3, R: 3, S: 5, PadLeft: 3, StrideH: 1, StrideW: 1,
				DilationH: 2, DilationW: 1, Groups: 1}, variant: v, splits: 1},
			filterCase{Conv: device.Conv{N: 6, C: 15, H: 3, W: 3, K: 4, R: 3, S: 3, PadTop: 1, PadBottom: 1, PadLeft: 1, PadRight: 1,
				StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}, variant: v, splits: 1})
	}
	return cases
}

// runConvBias says what is wrong with a gradient of the biases.
func runConvBias(bn *bench, c device.Conv, m device.Mode, r *rand.Rand) error {
	n, plane := c.K, c.OutH()*c.OutW()
	dy := bn.random(r, device.Elements(c.YShape()))
	e := gradient(m)
	pdy := bn.upload("dy", dy, 0)
	dbias, old := bn.guarded("dbias", n, r, e.beta != 0, 0)
	defer bn.free(pdy, dbias.Offset(-4*guard))
	bn.queue.convBias(c, e, dbias, pdy)
	if err := bn.queue.Sync(); err != nil {
		return err
	}
	sum, size := make([]float64, n), make([]float64, n)
	for i, v := range dy {
		sum[i/plane%n] += float64(v)
		size[i/plane%n] += max(float64(v), -float64(v))
	}
	for i := range sum {
		sum[i], size[i] = e.apply(sum[i], size[i], old[i], 0, rounding(c.N*plane))
	}
	return bn.check("dbias", dbias, sum, size)
}

var biasCases = []device.Conv{
	square(19, 1, 9, 3, 1, 0, 1, 1), square(1, 1, 1, 2, 1, 0, 1, 1), square(9, 1, 5, 1, 2, 0, 1, 1), square(2, 1, 17, 3, 1, 0, 1, 1), square(2, 1, 15, 2, 1, 0, 1, 1),
}

func TestConvFilter(t *testing.T) {
	for _, m := range machines {
		seen := map[string]bool{}
		r := rand.New(rand.NewPCG(1, 2))
		bn := newBench(t, m, ptxsim.Config{OnLaunch: watch(t, seen)})
		for _, c := range filterCases() {
			require.NoError(t, c.Check())
			require.NoError(t, runFilter(bn, c, r), "%v", m)
		}
		for _, c := range biasCases {
			for _, mode := range []device.Mode{device.Overwrite, device.Accumulate} {
				require.NoError(t, runConvBias(bn, c, mode, r), "%v", m)
			}
		}
		require.Len(t, seen, 6, "every kernel ran: %v", seen)
	}
}

// mutantFilter tests one kernel of conv_filter.cuh, or conv_bias.
func mutantFilter(bn *bench, name string, f driver.Function) error {
	r := rand.New(rand.NewPCG(3, 4))
	if name == "conv_bias" {
		bn.queue.kernels.filter.bias = f
		for i, c := range biasCases {
			if err := runConvBias(bn, c, device.Mode(i%2), r); err != nil {
				return err
			}
		}
		return nil
	}
	for _, c := range filterCases() {
		a := bn.queue.traits.arithmetic
		t := filterTiles[a][c.variant]
		if name != fmt.Sprintf("conv_filter%s_%dx%d", a.suffix(), t.m, t.n) {
			continue
		}
		bn.queue.kernels.filter.weights[c.variant] = f
		if err := runFilter(bn, c, r); err != nil {
			return err
		}
	}
	return nil
}

// The suite's cases, with the tiles that the rule chooses.
func TestConvFilterConforms(t *testing.T) { conform(t, "conv backward-filter") }

// The rule's choices for AlexNet's layers, on 80 multiprocessors.
func TestCutFilterChoices(t *testing.T) {
	for _, c := range []struct {
		name       string
		conv       device.Conv
		want, tf32 string
	}{
		{"conv1", square(128, 3, 227, 96, 11, 0, 4, 1), "96x128 splits 80", "96x128 splits 80"},
		{"conv2", square(128, 96, 27, 256, 5, 2, 1, 2), "128x128 splits 8", "128x128 splits 8"},
		{"conv3", square(128, 256, 13, 384, 3, 1, 1, 1), "128x128 splits 4", "96x128 splits 3"},
		{"conv4", square(128, 384, 13, 384, 3, 1, 1, 2), "96x128 splits 7", "96x128 splits 4"},
		{"conv5", square(128, 384, 13, 256, 3, 1, 1, 2), "128x128 splits 11", "128x128 splits 8"},
		{"LeNet's conv1", square(64, 1, 28, 20, 5, 0, 1, 1), "32x32 splits 128", "32x32 splits 128"},
	} {
		for a, want := range map[arithmetic]string{float32s: c.want, tf32: c.tf32} {
			p := cutFilter(traits{sms: 80, arithmetic: a}, c.conv)
			require.Equal(t, want, fmt.Sprintf("%dx%d splits %d", p.m, p.n, p.splits), "%s %v", c.name, a)
		}
	}
}

func TestFilterFits(t *testing.T) {
	c := square(1, 1, 16380, 1, 3, 2, 1, 1)
	require.NoError(t, fitsFilter(c))
	c.PadLeft++
	require.EqualError(t, fitsFilter(c), "an image of 16384x16385 with its padding has more than 16384 rows or columns")
	require.EqualError(t, fitsFilter(square(1<<20, 1, 64, 1, 1, 0, 1, 1)), "a batch of 1048576 has more than 2147483392 elements")

	// To the last row, column and element.
	for _, more := range []func(c *device.Conv){
		func(c *device.Conv) { c.H++ }, func(c *device.Conv) { c.PadTop++ }, func(c *device.Conv) { c.PadBottom++ },
		func(c *device.Conv) { c.W++ }, func(c *device.Conv) { c.PadRight++ },
	} {
		c = square(1, 1, 16380, 1, 3, 2, 1, 1)
		more(&c)
		require.ErrorContains(t, fitsFilter(c), "has more than 16384 rows or columns", "%+v", c)
	}
	const maxElements = 1<<31 - 256
	for _, c := range []device.Conv{
		square(maxElements, 1, 1, 1, 1, 0, 1, 1), square(maxElements/4, 4, 1, 1, 1, 0, 1, 1), square(maxElements/4, 1, 1, 4, 1, 0, 1, 1),
		square(maxElements/4, 1, 2, 1, 1, 0, 1, 1), square(maxElements/16, 1, 2, 1, 1, 1, 1, 1),
		{N: maxElements / 8, C: 2, H: 1, W: 4, K: 1, R: 1, S: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1},
		{N: maxElements / 8, C: 1, H: 4, W: 1, K: 2, R: 1, S: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1},
	} {
		require.NoError(t, fitsFilter(c), "%+v", c)
		c.N++
		require.ErrorContains(t, fitsFilter(c), "has more than 2147483392 elements", "%+v", c)
	}
}
