package devicetest

import (
	"fmt"
	"math/rand/v2"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// ConvCases are all passes, modes and epilogues of a convolution.
func ConvCases(c device.Conv) []Case {
	forward, data, filter := passes("", c)
	return append(append(forward, data...), filter...)
}

func passes(name string, c device.Conv) (forward, data, filter []Case) {
	forward = []Case{convForward(name, c, false, device.Activation{}), convForward(name, c, true, relu), convForward(name, c, true, device.Activation{}).withMaps()}
	for _, m := range modes {
		data = append(data, convBackwardData(name, c, m))
		for _, g := range gradients {
			filter = append(filter, convBackwardFilter(name, c, m, g))
		}
	}
	return forward, data, filter
}

func convCases(o Options) []Case {
	var forward, data, filter []Case
	add := func(name string, c device.Conv) {
		f, d, w := passes(name, c)
		forward, data, filter = append(forward, f...), append(data, d...), append(filter, w...)
	}
	for _, g := range oddConvs {
		add(g.name, g.Conv)
	}
	for _, n := range []int{1, 3, 17} {
		add("lenet5 conv1", convOf(n, 1, 28, 6, 5, 2, 1, 1))
		add("lenet5 conv2", convOf(n, 6, 14, 16, 5, 0, 1, 1))
		add("lenet5 conv3", convOf(n, 16, 5, 120, 5, 0, 1, 1))
		add("lenet conv1", convOf(n, 1, 28, 20, 5, 0, 1, 1))
	}
	add("lenet conv2", convOf(3, 20, 12, 50, 5, 0, 1, 1))
	r := o.geometries("conv")
	for i := range o.random() {
		add(fmt.Sprintf("random %d", i), randomConv(r))
	}
	for _, op := range device.UnaryOps() {
		a := device.Activation{On: true, Unary: device.Unary{Op: op, Slope: 0.1}}
		c := convOf(2, 3, 9, 5, 3, 1, 1, 1)
		forward = append(forward, convForward("", c, false, a), convForward("", c, true, a).withMaps())
	}
	// In a smaller, last batch the packed weights are those of a full one.
	last := convForward("packed for N8", convOf(3, 8, 9, 16, 3, 1, 1, 1), true, relu)
	last.packAs(convOf(8, 8, 9, 16, 3, 1, 1, 1), device.Forward, 2)
	forward = append(forward, last)
	last = convBackwardData("packed for N8", convOf(3, 8, 9, 16, 3, 1, 1, 1), device.Overwrite)
	last.packAs(convOf(8, 8, 9, 16, 3, 1, 1, 1), device.BackwardData, 2)
	data = append(data, last)

	twoSamples := namedConv{"alexnet conv5 grouped", convOf(2, 384, 13, 256, 3, 1, 1, 2)}
	for _, g := range append(alexnetConvs(1), twoSamples) {
		forward = append(forward, convForward(g.name, g.Conv, true, relu))
		data = append(data, convBackwardData(g.name, g.Conv, device.Overwrite))
		filter = append(filter, convBackwardFilter(g.name, g.Conv, device.Overwrite, bothGradients))
	}
	return append(append(forward, data...), filter...)
}

// namedConv is a geometry with what is special about it.
type namedConv struct {
	name string
	device.Conv
}

// oddConvs are small geometries, each with something that is easy to get
// wrong.
var oddConvs = []namedConv{
	{"one of everything", convOf(1, 1, 1, 1, 1, 0, 1, 1)},
	{"pointwise", convOf(2, 5, 6, 7, 1, 0, 1, 1)},
	{"pointwise of large images", convOf(2, 270, 11, 101, 1, 0, 1, 1)},
	{"pointwise of large images, groups", convOf(3, 34, 10, 26, 1, 0, 1, 2)},
	{"pointwise strided", convOf(2, 5, 7, 7, 1, 0, 2, 1)},
	{"3x3", convOf(2, 3, 8, 4, 3, 1, 1, 1)},
	{"3x3 wide", convOf(1, 17, 15, 33, 3, 1, 1, 1)},
	{"3x3 no pad", convOf(3, 4, 7, 5, 3, 0, 1, 1)},
	{"stride far past the image", device.Conv{N: 2, C: 2, H: 8, W: 8, K: 3, R: 3, S: 3, StrideH: 1 << 30, StrideW: 1 << 30, DilationH: 1, DilationW: 1, Groups: 1}},
	{"one filter", convOf(2, 3, 6, 1, 3, 1, 1, 1)},
	{"one channel", convOf(2, 1, 6, 5, 3, 1, 1, 1)},
	{"one output pixel", convOf(3, 4, 5, 6, 5, 0, 1, 1)},
	{"stride does not divide", convOf(2, 3, 10, 4, 3, 0, 2, 1)},
	{"stride above kernel", convOf(2, 3, 11, 4, 2, 0, 3, 1)},
	{"pad above kernel", convOf(1, 2, 4, 3, 2, 3, 1, 1)},
	{"kernel above image", convOf(1, 2, 3, 3, 5, 2, 1, 1)},
	{"groups", convOf(2, 6, 7, 9, 3, 1, 1, 3)},
	{"groups strided", convOf(2, 4, 9, 6, 3, 1, 2, 2)},
	{"depthwise", convOf(2, 6, 8, 6, 3, 1, 1, 6)},
	{"depthwise multiplier", convOf(1, 3, 8, 6, 3, 1, 2, 3)},
	{"asymmetric pad", device.Conv{N: 2, C: 3, H: 7, W: 8, K: 4, R: 3, S: 3, PadTop: 0, PadBottom: 1, PadLeft: 2, PadRight: 3,
		StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}},
	{"asymmetric pad strided", device.Conv{N: 1, C: 3, H: 7, W: 8, K: 4, R: 4, S: 3, PadTop: 2, PadBottom: 0, PadLeft: 1, PadRight: 0,
		StrideH: 2, StrideW: 3, DilationH: 1, DilationW: 1, Groups: 1}},
	{"not square", device.Conv{N: 2, C: 3, H: 5, W: 12, K: 4, R: 2, S: 5, PadTop: 1, PadBottom: 1, PadLeft: 2, PadRight: 2,
		StrideH: 1, StrideW: 2, DilationH: 1, DilationW: 1, Groups: 1}},
	{"one row", device.Conv{N: 2, C: 3, H: 1, W: 19, K: 4, R: 1, S: 7, PadLeft: 3, PadRight: 3,
		StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}},
	{"long row", device.Conv{N: 1, C: 2, H: 2, W: 1700, K: 3, R: 1, S: 3, PadLeft: 1, PadRight: 1,
		StrideH: 1, StrideW: 2, DilationH: 1, DilationW: 1, Groups: 1}},
	{"filter of 900 taps", convOf(1, 1, 32, 2, 30, 0, 1, 1)},
	{"deep", convOf(2, 70, 3, 2, 3, 1, 1, 1)},
	{"3x3 many channels", convOf(2, 17, 11, 35, 3, 1, 1, 1)},
	{"3x3 many channels no pad", convOf(1, 32, 12, 16, 3, 0, 1, 1)},
	{"3x3 many channels asymmetric pad", device.Conv{N: 2, C: 19, H: 9, W: 14, K: 16, R: 3, S: 3, PadTop: 1, PadBottom: 2, PadLeft: 3, PadRight: 0,
		StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}},
	{"5x5 many channels groups", convOf(2, 40, 7, 36, 5, 2, 1, 2)},
	{"many channels strided", convOf(2, 5, 31, 18, 11, 0, 4, 1)},
	{"many channels strided groups", device.Conv{N: 3, C: 10, H: 26, W: 22, K: 34, R: 5, S: 5, PadTop: 2, PadBottom: 1, PadLeft: 3, PadRight: 0,
		StrideH: 2, StrideW: 2, DilationH: 1, DilationW: 1, Groups: 2}},
	{"many channels strided, a batch", convOf(17, 5, 19, 18, 7, 1, 3, 1)},
	{"5x5 many channels no pad", convOf(3, 18, 10, 16, 5, 0, 1, 1)},
	{"dilation", device.Conv{N: 2, C: 3, H: 9, W: 9, K: 4, R: 3, S: 3, PadTop: 2, PadBottom: 2, PadLeft: 2, PadRight: 2,
		StrideH: 1, StrideW: 1, DilationH: 2, DilationW: 2, Groups: 1}},
	{"dilation strided", device.Conv{N: 1, C: 4, H: 13, W: 11, K: 6, R: 3, S: 2, PadTop: 1, PadBottom: 2, PadLeft: 0, PadRight: 1,
		StrideH: 2, StrideW: 3, DilationH: 3, DilationW: 2, Groups: 2}},
}

// convOf is a square geometry: an image of size by size, a filter of kernel
// by kernel.
func convOf(n, c, size, k, kernel, pad, stride, groups int) device.Conv {
	return device.Conv{
		N: n, C: c, H: size, W: size, K: k, R: kernel, S: kernel,
		PadTop: pad, PadBottom: pad, PadLeft: pad, PadRight: pad,
		StrideH: stride, StrideW: stride, DilationH: 1, DilationW: 1, Groups: groups,
	}
}

// randomConv draws geometries until one is valid.
func randomConv(r *rand.Rand) device.Conv {
	for {
		groups := []int{1, 1, 1, 2, 3}[r.IntN(5)]
		c := device.Conv{
			N: 1 + r.IntN(3), C: groups * (1 + r.IntN(9)), H: 1 + r.IntN(20), W: 1 + r.IntN(20),
			K: groups * (1 + r.IntN(12)), R: 1 + r.IntN(5), S: 1 + r.IntN(5),
			PadTop: r.IntN(3), PadBottom: r.IntN(3), PadLeft: r.IntN(3), PadRight: r.IntN(3),
			StrideH: 1 + r.IntN(3), StrideW: 1 + r.IntN(3),
			DilationH: 1 + r.IntN(2), DilationW: 1 + r.IntN(2), Groups: groups,
		}
		if c.Check() == nil {
			return c
		}
	}
}

func convForward(name string, c device.Conv, bias bool, a device.Activation) Case {
	k := Case{
		Op:    "conv forward",
		Name:  convName(name, c) + epilogueName(bias, a),
		FLOPs: c.FLOPs(),
		args: []arg{
			output("y", c.YShape(), matrixProduct(c.C/c.Groups*c.R*c.S)),
			input("x", c.XShape(), uniform),
			input("w", c.WShape(), uniform),
			input("bias", tensor.Shape{c.K}, uniform).when(bias),
		},
		has:       func(t device.Traits) bool { return !a.On || t.Epilogue(a.Unary) },
		operation: c.Of(device.Forward),
		call: func(q device.Queue, b *Bound) {
			w := device.Filter{Tensor: b.t[2], Packed: b.packed}
			q.ConvForward(c, b.t[0], b.t[1], w, device.Epilogue{Bias: b.t[3], Activation: a, Maps: b.maps}, b.ws)
		},
		// No activation has a slope above 1, so none enlarges an error.
		magnitude: func(q device.Queue, b *Bound) {
			q.ConvForward(c, b.t[0], b.t[1], device.Filter{Tensor: b.t[2]}, device.Epilogue{Bias: b.t[3], Maps: b.firstMap()}, nil)
		},
	}
	k.packAs(c, device.Forward, 2)
	return k
}

func convBackwardData(name string, c device.Conv, m device.Mode) Case {
	call := func(q device.Queue, b *Bound) {
		q.ConvBackwardData(c, b.t[0], b.t[1], device.Filter{Tensor: b.t[2], Packed: b.packed}, m, b.ws)
	}
	k := Case{
		Op:    "conv backward-data",
		Name:  fmt.Sprintf("%s %v", convName(name, c), m),
		FLOPs: c.FLOPs(),
		args: []arg{
			destination("dx", c.XShape(), m, matrixProduct(c.K/c.Groups*c.R*c.S)),
			input("dy", c.YShape(), uniform),
			input("w", c.WShape(), uniform),
		},
		operation: c.Of(device.BackwardData),
		call:      call,
		magnitude: call,
	}
	k.packAs(c, device.BackwardData, 2)
	return k
}

func convBackwardFilter(name string, c device.Conv, m device.Mode, wanted gradient) Case {
	call := func(q device.Queue, b *Bound) { q.ConvBackwardFilter(c, b.t[0], b.t[1], b.t[2], b.t[3], m, b.ws) }
	terms := c.N * c.OutH() * c.OutW()
	return Case{
		Op:    "conv backward-filter",
		Name:  fmt.Sprintf("%s %s %v", convName(name, c), wanted.name, m),
		FLOPs: wanted.flops(c.FLOPs()),
		args: []arg{
			destination("dw", c.WShape(), m, matrixProduct(terms)).when(wanted.weight),
			destination("dbias", tensor.Shape{c.K}, m, products(terms)).when(wanted.bias),
			input("x", c.XShape(), uniform),
			input("dy", c.YShape(), uniform),
		},
		operation: c.Of(device.BackwardFilter),
		call:      call,
		magnitude: call,
	}
}

// packAs packs the weights, argument w of the case, as for the geometry c.
func (k *Case) packAs(c device.Conv, p device.Pass, w int) {
	k.pack = func(q device.Queue, b *Bound) { q.ConvPack(c, p, b.packed, b.t[w]) }
}

func convName(name string, c device.Conv) string {
	s := fmt.Sprintf("N%d C%d %dx%d K%d %dx%d", c.N, c.C, c.H, c.W, c.K, c.R, c.S)
	if c.PadTop|c.PadBottom|c.PadLeft|c.PadRight != 0 {
		s += fmt.Sprintf(" pad %d,%d,%d,%d", c.PadTop, c.PadBottom, c.PadLeft, c.PadRight)
	}
	if c.StrideH|c.StrideW != 1 {
		s += fmt.Sprintf(" stride %d,%d", c.StrideH, c.StrideW)
	}
	if c.DilationH|c.DilationW != 1 {
		s += fmt.Sprintf(" dilation %d,%d", c.DilationH, c.DilationW)
	}
	if c.Groups != 1 {
		s += fmt.Sprintf(" groups %d", c.Groups)
	}
	if name != "" {
		return name + " " + s
	}
	return s
}
