package cuda

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// filterTiles is the tiles of conv_filter.cuh.
var filterTiles = [arithmetics][4]tile{
	{
		{m: 128, n: 128, threads: 256, resident: 2, efficiency: 0.8},
		{m: 96, n: 128, threads: 128, resident: 3, efficiency: 0.81},
		{m: 64, n: 64, threads: 64, resident: 6, efficiency: 0.65},
		{m: 32, n: 32, threads: 64, resident: 12, efficiency: 0.4},
	}, {
		{m: 128, n: 128, threads: 128, resident: 2, efficiency: 0.8},
		{m: 96, n: 128, threads: 128, resident: 3, efficiency: 0.75},
		{m: 64, n: 64, threads: 64, resident: 6, efficiency: 0.6},
		{m: 32, n: 32, threads: 64, resident: 16, efficiency: 0.3},
	},
}

// filterKernels are the kernels of conv_filter.cuh, by tile, and conv_bias.cu.
type filterKernels struct {
	weights [len(filterTiles[0])]driver.Function
	bias    driver.Function
}

func (k *filterKernels) declare(d driver.Driver, a arithmetic) {
	names := map[string]*driver.Function{}
	for i, t := range filterTiles[a] {
		names[fmt.Sprintf("conv_filter%s_%dx%d", a.suffix(), t.m, t.n)] = &k.weights[i]
	}
	declare(d, "conv_filter"+a.suffix(), names)
	declare(d, "conv_bias", map[string]*driver.Function{"conv_bias": &k.bias})
}

// fitsFilter says why the kernels cannot index the gradient of the weights, if
// so: rows and columns of an image are kept in 14 bits, and elements of a batch
// in 31.
func fitsFilter(c device.Conv) error {
	const maxRows, maxElements = 1 << 14, 1<<31 - 256
	h, w := c.H+c.PadTop+c.PadBottom, c.W+c.PadLeft+c.PadRight
	x, y := int64(c.C)*int64(c.H)*int64(c.W), int64(c.K)*int64(c.OutH())*int64(c.OutW())
	if max(h, w) > maxRows {
		return fmt.Errorf("an image of %dx%d with its padding has more than %d rows or columns", h, w, maxRows)
	}
	if int64(c.N)*max(x, y) > maxElements {
		return fmt.Errorf("a batch of %d has more than %d elements", c.N, maxElements)
	}
	return nil
}

// cutFilter chooses the tile and the parts of the sum over pixels.
func cutFilter(on traits, c device.Conv) cut {
	return cutProduct(on, filterTiles[on.arithmetic][:], c.K/c.Groups, c.C/c.Groups*c.R*c.S, c.N*c.OutH()*c.OutW(), c.Groups, true)
}

// filterScratch is what convolutions need for the gradient of the weights: partial
// sums.
func filterScratch(on traits, c device.Conv) int64 {
	return largestScratch(c.N, func(n int) int64 {
		c.N = n
		return cutFilter(on, c).scratch(device.Elements(c.WShape()))
	})
}

func (q *queue) ConvBackwardFilter(c device.Conv, dw, dbias, x, dy device.Tensor, m device.Mode, ws device.Buffer) {
	if q.Err != nil {
		return
	}
	if !dbias.IsNil() {
		q.convBias(c, gradient(m), q.at(dbias), q.at(dy))
	}
	if !dw.IsNil() {
		q.convFilter(c, cutFilter(q.traits, c), gradient(m), q.at(dw), q.at(x), q.at(dy), q.scratch(ws))
	}
}

func (q *queue) convBias(c device.Conv, e epilogue, dbias, dy driver.Ptr) {
	const threads = 256
	q.args.Reset().Ptr(dbias).Ptr(dy).Int(c.N).Int(c.K).Int(c.OutH() * c.OutW()).Float32(e.beta)
	q.launch(q.kernels.filter.bias, driver.Dim{X: c.K}, threads)
}

func (q *queue) convFilter(c device.Conv, t cut, e epilogue, dw, x, dy, ws driver.Ptr) {
	p := newConvProduct(c, device.Forward) // bounds the stride
	if err := p.fits(); err != nil {
		q.Fail("conv_filter", err)
		return
	}
	if err := fitsFilter(c); err != nil {
		q.Fail("conv_filter", err)
		return
	}
	c = p.c
	to, last := dw, e
	if t.splits > 1 {
		to, e = ws, noEpilogue
	}
	pixels, weights := p.outH*p.outW, device.Elements(c.WShape())
	q.args.Reset().Ptr(to).Ptr(x).Ptr(dy).Int(p.rows).Int(p.depth()).Int(c.N * pixels).Int(t.length).
		Int(pixels).Int(p.outW).Uint64(divisor(pixels)).Uint64(divisor(p.outW)).
		Int(c.C * c.H * c.W).Int(p.channels * c.H * c.W).Int(c.H).Int(c.W).
		Int(c.StrideH).Int(c.StrideW).Int(c.PadTop).Int(c.PadLeft).
		Int(c.R * c.S).Int(c.S).Int(c.DilationH).Int(c.DilationW).Int(c.K * pixels).
		Uint64(uint64(weights)).Float32(e.beta)
	q.launch(q.kernels.filter.weights[t.variant], driver.Dim{X: t.down * t.across, Y: c.Groups, Z: t.splits}, t.threads)
	if t.splits > 1 {
		q.sumPartials(last, dw, ws, weights, t.splits, weights, 1)
	}
}
