package cuda

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

// convCase is a pass of a convolution with a tile of its own.
type convCase struct {
	device.Conv
	pass            device.Pass
	variant, splits int
	epilogue        epilogue
	bias            bool
}

func (c convCase) String() string {
	return fmt.Sprintf("%v %+v tile %d splits %d bias %t", c.pass, c.Conv, c.variant, c.splits, c.bias)
}

// convolution is the plain loop of the forward pass. It calls term for every
// product: which weight joins which element of x with which of y.
func convolution(c device.Conv, term func(w, x, y int)) {
	outH, outW := c.OutH(), c.OutW()
	cg, kg := c.C/c.Groups, c.K/c.Groups
	for y := range c.N * c.K * outH * outW {
		j, i, k, n := y%outW, y/outW%outH, y/(outW*outH)%c.K, y/(outW*outH*c.K)
		for tap := range cg * c.R * c.S {
			h := i*c.StrideH + tap/c.S%c.R*c.DilationH - c.PadTop
			w := j*c.StrideW + tap%c.S*c.DilationW - c.PadLeft
			if h >= 0 && h < c.H && w >= 0 && w < c.W {
				channel := k/kg*cg + tap/(c.R*c.S)
				term(k*cg*c.R*c.S+tap, ((n*c.C+channel)*c.H+h)*c.W+w, y)
			}
		}
	}
}

// pass returns the sums that a pass makes of its two inputs, and the sums of
// their magnitudes.
func convSums(c device.Conv, pass device.Pass, w, x, y []float32) (sum, size []float64) {
	n := map[device.Pass]int{device.Forward: device.Elements(c.YShape()), device.BackwardData: device.Elements(c.XShape()),
		device.BackwardFilter: device.Elements(c.WShape())}[pass]
	sum, size = make([]float64, n), make([]float64, n)
	convolution(c, func(iw, ix, iy int) {
		var p float64
		to := 0
		switch pass {
		case device.Forward:
			p, to = float64(w[iw])*float64(x[ix]), iy
		case device.BackwardData:
			p, to = float64(w[iw])*float64(y[iy]), ix
		case device.BackwardFilter:
			p, to = float64(x[ix])*float64(y[iy]), iw
		}
		sum[to] += p
		size[to] += math.Abs(p)
	})
	return sum, size
}

// runConv says what is wrong with a forward pass or a gradient of the data.
func runConv(bn *bench, c convCase, r *rand.Rand) error {
	q := bn.queue
	p := newConvProduct(c.Conv, c.pass)
	w := random(r, device.Elements(c.WShape()))
	in := bn.random(r, c.N*c.Groups*p.channels*p.inH*p.inW)
	var bias []float32
	e := c.epilogue
	pw, pin := bn.upload("weights", w, 0), bn.upload("input", in, 0)
	if c.bias {
		bias = bn.random(r, c.K)
		e.bias = bn.upload("bias", bias, 0)
	}
	out, old := bn.guarded("output", p.outputs(), r, e.beta != 0, 0)
	bytes := convPacked(c.Conv, c.pass)
	packed := bn.alloc("packed", bytes)
	cut := func(k *convPhase) cut {
		t := convTiles[q.traits.arithmetic][c.variant]
		return cut{tile: t, variant: c.variant, down: ceil(p.rows, t.m), across: ceil(c.N*k.pixels, t.n),
			splits: c.splits, length: ceil(ceil(k.padded, c.splits), sliceDepth) * sliceDepth}
	}
	first := p.phase(0)
	ws := bn.alloc("scratch", cut(&first).scratch(p.outputs()))
	defer bn.free(pw, pin, e.bias, out.Offset(-4*guard), packed, ws)

	q.convPack(p, packed, pw)
	at := packed
	for i := range p.phases {
		k := p.phase(i)
		if k.pixels > 0 {
			q.convPhase(&p, &k, cut(&k), e, out, pin, at, ws)
		}
		at = at.Offset(k.bytes)
	}
	if err := q.Sync(); err != nil {
		return err
	}
	sum, size := convSums(c.Conv, c.pass, bn.multiplied(w), bn.multiplied(in), bn.multiplied(in))
	for i := range sum {
		add := 0.0
		if bias != nil {
			add = float64(bias[i/(p.outH*p.outW)%c.K])
		}
		sum[i], size[i] = e.apply(sum[i], size[i], old[i], add, rounding(p.depth()))
	}
	if err := bn.check("output", out, sum, size); err != nil {
		return fmt.Errorf("%v: %w", c, err)
	}
	return nil
}

// convCases has, for each tile, windows that overlap the edges and windows that
// do not, strides, dilation, groups, more and fewer channels and pixels than
// the tile, and parts of the sum.
func convCases() []convCase {
	relu := epilogue{alpha: 1, slope: 0}
	leaky := epilogue{alpha: 1, beta: 1, slope: 0.25}
	var cases []convCase
	add := func(c convCase, variants ...int) {
		for _, c.variant = range variants {
			cases = append(cases, c)
		}
	}
	// By channels; the second and third have two tiles of rows for the smallest, and
	// the last has 9 pixels.
	add(convCase{Conv: device.Conv{N: 2, C: 16, H: 7, W: 6, K: 5, R: 3, S: 2, PadTop: 1, PadBottom: 2, PadLeft: 1, StrideH: 2, StrideW: 1,
		DilationH: 1, DilationW: 3, Groups: 1}, splits: 1, epilogue: relu, bias: true}, 0, 1, 2, 3, lowTile)
	add(convCase{Conv: device.Conv{N: 3, C: 16, H: 8, W: 9, K: 140, R: 1, S: 2, PadRight: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 2},
		splits: 1, epilogue: leaky, bias: true}, 0, 1, 2, 3, lowTile)
	add(convCase{Conv: device.Conv{N: 2, C: 8, H: 9, W: 9, K: 130, R: 2, S: 2, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1},
		splits: 1, epilogue: leaky, bias: true}, 0, 1, 2, 3, lowTile)
	add(convCase{Conv: device.Conv{N: 1, C: 24, H: 6, W: 5, K: 9, R: 3, S: 3, PadTop: 1, PadBottom: 1, PadLeft: 1, PadRight: 1, StrideH: 1, StrideW: 1,
		DilationH: 1, DilationW: 1, Groups: 1}, splits: 4, epilogue: leaky, bias: true}, 0, 1, 2, 3, lowTile)
	add(convCase{Conv: device.Conv{N: 1, C: 8, H: 3, W: 3, K: 5, R: 1, S: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1},
		splits: 1, epilogue: relu}, 0, 1, 2, 3, lowTile)
	// By taps.
	add(convCase{Conv: device.Conv{N: 2, C: 3, H: 9, W: 8, K: 4, R: 4, S: 3, PadTop: 2, PadLeft: 1, PadRight: 2, StrideH: 2, StrideW: 3,
		DilationH: 1, DilationW: 1, Groups: 1}, splits: 1, epilogue: relu, bias: true}, 1, 2, 3)
	add(convCase{Conv: device.Conv{N: 2, C: 2, H: 9, W: 10, K: 202, R: 2, S: 3, PadTop: 1, StrideH: 1, StrideW: 1,
		DilationH: 1, DilationW: 1, Groups: 2}, splits: 1, epilogue: leaky, bias: true}, 1, 2, 3)
	add(convCase{Conv: device.Conv{N: 1, C: 5, H: 5, W: 6, K: 7, R: 3, S: 3, PadBottom: 1, PadRight: 1, StrideH: 1, StrideW: 1,
		DilationH: 2, DilationW: 1, Groups: 1}, splits: 3, epilogue: leaky}, 1, 2, 3)
	// Inside.
	add(convCase{Conv: device.Conv{N: 2, C: 3, H: 23, W: 25, K: 98, R: 5, S: 5, StrideH: 2, StrideW: 3, DilationH: 1, DilationW: 1, Groups: 1},
		splits: 1, epilogue: leaky, bias: true}, tallTile)
	add(convCase{Conv: device.Conv{N: 1, C: 3, H: 11, W: 12, K: 3, R: 11, S: 11, StrideH: 4, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1},
		splits: 5, epilogue: relu, bias: true}, tallTile)
	// Gradients of the data: phases by stride, some with no tap, some with no
	// pixel, and dilation with a stride.
	data := func(c device.Conv, variants ...int) {
		add(convCase{Conv: c, pass: device.BackwardData, splits: 1, epilogue: noEpilogue}, variants...)
		add(convCase{Conv: c, pass: device.BackwardData, splits: 1, epilogue: gradient(device.Accumulate)}, variants...)
	}
	data(device.Conv{N: 2, C: 5, H: 7, W: 8, K: 8, R: 3, S: 1, PadTop: 1, PadBottom: 1, StrideH: 2, StrideW: 3, DilationH: 1, DilationW: 1, Groups: 1}, 0, 1)
	data(device.Conv{N: 1, C: 4, H: 9, W: 7, K: 6, R: 3, S: 2, PadTop: 2, PadLeft: 1, StrideH: 2, StrideW: 4, DilationH: 3, DilationW: 2, Groups: 2}, 2, 3)
	data(device.Conv{N: 1, C: 2, H: 3, W: 2, K: 3, R: 2, S: 2, StrideH: 50, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}, 3)
	return cases
}

func TestConv(t *testing.T) {
	for _, m := range machines {
		seen := map[string]bool{}
		r := rand.New(rand.NewPCG(1, 2))
		bn := newBench(t, m, ptxsim.Config{OnLaunch: watch(t, seen)})
		for _, c := range convCases() {
			require.NoError(t, c.Check())
			if c.variant < len(convTiles[m.arithmetic]) {
				require.NoError(t, runConv(bn, c, r), "%v", m)
			}
		}
		for kernel := range bn.queue.kernels.conv.products(m.arithmetic) {
			require.True(t, seen[kernel], "no case runs %s", kernel)
		}
	}
}

// mutantConv tests one kernel of conv.cuh, or conv_pack.
func mutantConv(bn *bench, name string, f driver.Function) error {
	k, a := &bn.queue.kernels.conv, bn.queue.traits.arithmetic
	if kernel, ok := k.products(a)[name]; ok {
		*kernel = f
	} else {
		k.pack = f
	}
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range convCases() {
		if c.variant >= len(convTiles[a]) || name != "conv_pack" && name != convName(a, c) {
			continue
		}
		if err := runConv(bn, c, r); err != nil {
			return err
		}
	}
	return nil
}

// convName is the kernel that a case runs, or one of them.
func convName(a arithmetic, c convCase) string {
	p := newConvProduct(c.Conv, c.pass)
	t, k := convTiles[a][c.variant], p.phase(0)
	kind := "channels"
	if !p.byChannels() {
		kind = "taps"
		if c.variant == tallTile && k.h.inside(p.inH) && k.w.inside(p.inW) {
			kind = "inside"
		}
	}
	return fmt.Sprintf("conv%s_%dx%d_%s", a.suffix(), t.m, t.n, kind)
}

// The suite's cases, with the tiles that the rule chooses.
func TestConvConforms(t *testing.T) {
	conform(t, "conv forward", "conv backward-data")
}

// conform runs the suite's cases of some operations.
func conform(t *testing.T, ops ...string) {
	for _, m := range machines {
		sim := ptxsim.New(ptxsim.Config{Capability: m.capability})
		d, err := New("ptxsim", sim, m.options())
		require.NoError(t, err)
		dev := suiteDevice{Device: d, sim: sim}
		o := devicetest.Options{Short: true, Seed: 1, Random: 6}
		ran := map[string]bool{}
		for _, c := range devicetest.Cases(o) {
			for _, op := range ops {
				if c.Op == op && c.Supported(dev.Traits()) {
					require.NoError(t, c.Check(dev, o), "%v %s %s", m, c.Op, c.Name)
					ran[op] = true
				}
			}
		}
		require.Len(t, ran, len(ops))
		require.NoError(t, dev.Close())
	}
}

// A buffer may be a slice of another. Where packed weights in it could not be read
// four at a time, that is said, and nothing is launched; at multiples of 16 bytes
// they are read.
func TestConvPackedAlignment(t *testing.T) {
	launches := 0
	sim := ptxsim.New(ptxsim.Config{OnLaunch: func(ptxsim.Report) { launches++ }})
	dev, err := New("ptxsim", sim, device.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, dev.Close()) })
	q, err := dev.NewQueue()
	require.NoError(t, err)
	c := square(1, 8, 5, 8, 3, 1, 1, 1)
	tensorOf := func(s tensor.Shape) device.Tensor {
		b, err := dev.Alloc(4 * int64(s.TotalSize()))
		require.NoError(t, err)
		x := device.Tensor{Buffer: b, Shape: s}
		q.Fill(x, 1)
		return x
	}
	w, x, y := tensorOf(c.WShape()), tensorOf(c.XShape()), tensorOf(c.YShape())
	for _, pass := range []device.Pass{device.Forward, device.BackwardData} {
		needs := dev.Traits().Needs(c.Of(pass))
		bytes := needs.Packed
		all, err := dev.Alloc(bytes + 32)
		require.NoError(t, err)
		ws, err := dev.Alloc(needs.Scratch)
		require.NoError(t, err)
		use := func(packed device.Buffer) {
			if pass == device.Forward {
				q.ConvForward(c, y, x, device.Filter{Tensor: w, Packed: packed}, device.Epilogue{}, ws)
			} else {
				q.ConvBackwardData(c, x, y, device.Filter{Tensor: w, Packed: packed}, device.Overwrite, ws)
			}
		}
		for _, at := range []int64{4, 8, 12} {
			launches = 0
			packed := all.Slice(at, bytes)
			q.ConvPack(c, pass, packed, w)
			require.ErrorContains(t, q.Sync(), "conv_pack: packed weights begin at ")
			use(packed)
			require.ErrorContains(t, q.Sync(), "which is no multiple of 16 bytes")
			require.Zero(t, launches)
		}
		packed := all.Slice(16, bytes)
		q.ConvPack(c, pass, packed, w)
		use(packed)
		require.NoError(t, q.Sync())
	}
	require.NoError(t, q.Close())
}

// The rule's choices for AlexNet's layers, on 80 multiprocessors.
func TestCutConvChoices(t *testing.T) {
	for _, c := range []struct {
		name                      string
		conv                      device.Conv
		forward, data             string
		forwardInTF32, dataInTF32 string
	}{
		{"conv1", square(128, 3, 227, 96, 11, 0, 4, 1), "96x128 splits 1", "32x64 splits 1", "96x128 splits 1", "32x64 splits 1"},
		{"conv2", square(128, 96, 27, 256, 5, 2, 1, 2), "128x128 splits 1", "48x128 splits 1", "128x128 splits 1", "64x64 splits 1"},
		{"conv3", square(128, 256, 13, 384, 3, 1, 1, 1), "128x128 splits 1", "128x128 splits 1", "96x128 splits 1", "64x64 splits 1"},
		{"conv4", square(128, 384, 13, 384, 3, 1, 1, 2), "96x128 splits 1", "96x128 splits 1", "96x128 splits 1", "96x128 splits 1"},
		{"conv5", square(128, 384, 13, 256, 3, 1, 1, 2), "128x128 splits 1", "96x128 splits 1", "64x64 splits 1", "96x128 splits 1"},
		{"conv5 of one image", square(1, 384, 13, 256, 3, 1, 1, 2), "64x64 splits 20", "64x64 splits 12", "32x64 splits 6", "32x64 splits 4"},
	} {
		for _, x := range []struct {
			pass device.Pass
			in   arithmetic
			want string
		}{
			{device.Forward, float32s, c.forward}, {device.BackwardData, float32s, c.data},
			{device.Forward, tf32, c.forwardInTF32}, {device.BackwardData, tf32, c.dataInTF32},
		} {
			p := newConvProduct(c.conv, x.pass)
			k := p.phase(0)
			cut := p.cut(traits{sms: 80, arithmetic: x.in}, &k)
			require.Equal(t, x.want, fmt.Sprintf("%dx%d splits %d", cut.m, cut.n, cut.splits), "%s %v %v", c.name, x.pass, x.in)
		}
	}
}

// square is a square geometry.
func square(n, c, size, k, kernel, pad, stride, groups int) device.Conv {
	return device.Conv{
		N: n, C: c, H: size, W: size, K: k, R: kernel, S: kernel,
		PadTop: pad, PadBottom: pad, PadLeft: pad, PadRight: pad,
		StrideH: stride, StrideW: stride, DilationH: 1, DilationW: 1, Groups: groups,
	}
}

func TestConvFits(t *testing.T) {
	for want, c := range map[string]device.Conv{
		"an image of 8192x8192 is larger than 16777216 pixels": square(1, 1, 8192, 1, 1, 0, 1, 1),
		"a sample is larger than 2147483392 elements":          square(1, 1<<10, 2048, 1, 1, 0, 1, 1),
		"a batch of 1048576 has more than 2147483392 pixels":   square(1<<20, 1, 64, 1, 1, 0, 1, 1),
		"more than 2147483392 weights":                         square(1, 1<<16, 1, 1<<16, 1, 0, 1, 1),
		"65536 groups are more than 65535":                     square(1, 1<<16, 1, 1<<16, 1, 0, 1, 1<<16),
		"an image of 65537x32768 with its padding is larger than 16777216 pixels": {
			N: 1, C: 1, H: 1, W: 32768, K: 1, R: 2, S: 1, PadTop: 65536,
			StrideH: 1, StrideW: 1, DilationH: 65536, DilationW: 1, Groups: 1,
		},
	} {
		require.NoError(t, c.Check())
		p := newConvProduct(c, device.Forward)
		require.EqualError(t, p.fits(), want)
	}
	p := newConvProduct(square(512, 3, 227, 96, 11, 0, 4, 1), device.BackwardData)
	require.NoError(t, p.fits())
}

// What is at a limit of an index fits, and what is past it by as little as it can
// be does not, forward and backward.
func TestConvFitsToTheLast(t *testing.T) {
	const maxElements, plane = 1<<31 - 256, 1 << 24 // maxElements is 256 x 47 x 178481
	one := square(1, 1, 1, 1, 1, 0, 1, 1)
	for name, c := range map[string]struct {
		fits, past func(c *device.Conv)
		says       string
	}{
		"pixels": {
			func(c *device.Conv) { c.H, c.W = plane, 1 },
			func(c *device.Conv) { c.H, c.W = 1, plane+1 }, "an image of 1x16777217 is larger"},
		"pixels of the output": {
			func(c *device.Conv) { c.PadTop = plane - 1 },
			func(c *device.Conv) { c.PadRight = plane }, "an image of 1x16777217 is larger"},
		"pixels and padding": {
			func(c *device.Conv) { c.H, c.PadLeft, c.S = 4096, 4095, 4096 },
			func(c *device.Conv) { c.H, c.PadLeft, c.S = 4096, 4096, 4097 }, "an image of 4096x4097 with its padding"},
		"padding on all sides": {
			func(c *device.Conv) {
				c.PadTop, c.PadBottom, c.PadLeft, c.PadRight, c.R, c.S = 2048, 2047, 2000, 2095, 4096, 4096
			},
			func(c *device.Conv) {
				c.PadTop, c.PadBottom, c.PadLeft, c.PadRight, c.R, c.S = 2048, 2048, 2000, 2095, 4097, 4096
			}, "an image of 4097x4096 with its padding"},
		"padding whose product is past an int": {
			func(c *device.Conv) { c.PadTop, c.DilationH, c.R = plane-1, plane-1, 2 },
			func(c *device.Conv) {
				c.PadTop, c.DilationH, c.R, c.PadLeft, c.DilationW, c.S = 1<<44-1, 1<<44-1, 2, 1<<20-1, 1<<20-1, 2
			}, "an image of 17592186044416x1048576 with its padding"},
		"the other way": {
			func(c *device.Conv) { c.PadLeft, c.DilationW, c.S = plane-1, plane-1, 2 },
			func(c *device.Conv) {
				c.PadTop, c.DilationH, c.R, c.PadLeft, c.DilationW, c.S = 1<<20-1, 1<<20-1, 2, 1<<44-1, 1<<44-1, 2
			}, "an image of 1048576x17592186044416 with its padding"},
		"a sample": {
			func(c *device.Conv) { c.C, c.W, c.PadLeft = 2147482, 1000, 392 },
			func(c *device.Conv) { c.C, c.W, c.PadLeft = 2147482, 1000, 393 }, "a sample is larger"},
		"a sample of groups": {
			func(c *device.Conv) { c.C, c.K, c.Groups, c.W, c.PadLeft = 2147482, 2, 2, 1000, 392 },
			func(c *device.Conv) { c.C, c.K, c.Groups, c.W, c.PadLeft = 2147482, 2, 2, 1000, 393 }, "a sample is larger"},
		"a sample of the output": {
			func(c *device.Conv) { c.K, c.W, c.S, c.DilationW = 2147482, 1392, 2, 392 },
			func(c *device.Conv) { c.K, c.W, c.S, c.DilationW = 2147482, 1393, 2, 393 }, "a sample is larger"},
		"a batch": {
			func(c *device.Conv) { c.N = maxElements },
			func(c *device.Conv) { c.N = maxElements + 1 }, "a batch of 2147483393 has more"},
		"a batch of planes": {
			func(c *device.Conv) { c.N, c.H, c.W = 178481, 256, 47 },
			func(c *device.Conv) { c.N, c.H, c.W = 178482, 256, 47 }, "a batch of 178482 has more"},
		"a batch of the output": {
			func(c *device.Conv) { c.N, c.PadLeft = maxElements/2, 1 },
			func(c *device.Conv) { c.N, c.PadLeft = maxElements/2+1, 1 }, "a batch of 1073741697 has more"},
		"weights of groups": {
			func(c *device.Conv) { c.C, c.K, c.Groups = 2*8*178481, 32*47, 2 },
			func(c *device.Conv) { c.C, c.K, c.Groups = 2*8*178481, 32*47+2, 2 }, "more than 2147483392 weights"},
		"groups": {
			func(c *device.Conv) { c.C, c.K, c.Groups = 65535, 65535, 65535 },
			func(c *device.Conv) { c.C, c.K, c.Groups = 65536, 65536, 65536 }, "65536 groups are more"},
	} {
		fits, past := one, one
		c.fits(&fits)
		c.past(&past)
		for _, pass := range []device.Pass{device.Forward, device.BackwardData} {
			require.NoError(t, fits.Check(), name)
			p := newConvProduct(fits, pass)
			require.NoError(t, p.fits(), "%s, %v", name, pass)
			require.NoError(t, past.Check(), name)
			p = newConvProduct(past, pass)
			require.ErrorContains(t, p.fits(), c.says, "%s, %v", name, pass)
		}
	}
	// The depth of packed weights is rounded up to 8, and their rows to 4.
	for _, c := range []struct {
		channels, taps, filters int
		fits                    bool
	}{
		{1431648, 1, 1500, true}, {1431649, 1, 1500, false}, {477216, 3, 1500, true}, {477217, 3, 1500, false},
		{1431656, 1, 1496, true}, {1431656, 1, 1497, false},
	} {
		require.Less(t, c.channels*c.taps*c.filters, maxElements)
		packed := one
		packed.C, packed.S, packed.W, packed.K = c.channels, c.taps, c.taps, c.filters
		p := newConvProduct(packed, device.Forward)
		require.Equal(t, c.fits, p.fits() == nil, "%+v", c)
	}
}
