package caffe

import (
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// number is an option that layers count with, in the range of an int32.
func (l *layer) number(name string, v int64) (int, error) {
	const most = 1<<31 - 1
	if v < 0 || v > most {
		return 0, l.fail("%s %d must be from 0 to %d", name, v, most)
	}
	return int(v), nil
}

// size reads an option of one number, of one for rows and one for columns, or of two with "_h"
// and "_w" behind their names.
func (l *layer) size(p *message, name, short string, otherwise int) (layers.Size, error) {
	list := p.ints(name)
	h, w := p.get(short+"_h"), p.get(short+"_w")
	if (h != nil || w != nil) && len(list) > 0 {
		return layers.Size{}, l.fail("%s and %s_h or %s_w contradict each other: give the one or the others", name, short, short)
	}
	size := layers.Square(otherwise)
	switch {
	case h != nil || w != nil:
		if h != nil {
			list = []int64{h.integer, int64(otherwise)}
		} else {
			list = []int64{int64(otherwise), 0}
		}
		if w != nil {
			list[1] = w.integer
		}
	case len(list) == 0:
		return size, nil
	case len(list) == 1:
		list = append(list, list[0])
	case len(list) > 2:
		return size, l.fail("%s has %d numbers: hubel's layers are of images, with rows and columns", name, len(list))
	}
	var err error
	if size.H, err = l.number(name, list[0]); err == nil {
		size.W, err = l.number(name, list[1])
	}
	return size, err
}

// pad is a size as a pad.
func pad(s layers.Size) layers.Pad { return layers.Pad{Top: s.H, Bottom: s.H, Left: s.W, Right: s.W} }

// ifNot1 is a size, or none where that is the default.
func ifNot1(s layers.Size) layers.Size {
	if s == layers.Square(1) {
		return layers.Size{}
	}
	return s
}

// convolution is Convolution and Deconvolution. Caffe's weights are in hubel's order, those of a
// deconvolution too.
func convolution(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("convolution_param")
	if axis, err := l.axis(x, "axis", p.int("axis", 1)); err != nil || axis != 1 || len(x.shape) != 4 {
		return nil, l.fail("it is of a bottom with %d axes along axis %d: hubel's are of images [N,C,H,W]", len(x.shape), p.int("axis", 1))
	}
	c := layers.Conv{NoBias: !p.bool("bias_term", true)}
	var err error
	var padding layers.Size
	for _, o := range []struct {
		to          *layers.Size
		name, short string
		otherwise   int
	}{{&c.Kernel, "kernel_size", "kernel", 0}, {&c.Stride, "stride", "stride", 1}, {&padding, "pad", "pad", 0}} {
		if *o.to, err = l.size(p, o.name, o.short, o.otherwise); err != nil {
			return nil, err
		}
	}
	if c.Dilation, err = l.dilation(p); err != nil {
		return nil, err
	}
	c.Stride, c.Dilation, c.Pad = ifNot1(c.Stride), ifNot1(c.Dilation), pad(padding)
	if c.Filters, err = l.number("num_output", p.int("num_output", 0)); err != nil {
		return nil, err
	}
	if c.Groups, err = l.number("group", p.int("group", 1)); err != nil {
		return nil, err
	}
	if c.Groups == 1 {
		c.Groups = 0
	} else if c.Groups == 0 {
		return nil, l.fail("group 0 must be at least 1")
	}
	c.WeightFiller = b.filler(l, p.sub("weight_filler"))
	c.BiasFiller = b.filler(l, p.sub("bias_filler"))
	c.WeightRate, c.WeightDecay = l.spec(0).rate, l.spec(0).decay
	c.BiasRate, c.BiasDecay = l.spec(1).rate, l.spec(1).decay
	var what layers.Layer = &c
	if l.typ == "Deconvolution" {
		what = &layers.Deconv{Conv: c}
	}
	y, err := b.one(l, "", what, x)
	if err != nil {
		return nil, err
	}
	return y, b.weights(l, x, []int{0, 1}[:paramCount(c.NoBias)]...)
}

// dilation is that of a convolution.
func (l *layer) dilation(p *message) (layers.Size, error) {
	list := p.ints("dilation")
	s := layers.Square(1)
	if len(list) > 2 {
		return s, l.fail("dilation has %d numbers: hubel's layers are of images, with rows and columns", len(list))
	}
	var err error
	if len(list) > 0 {
		if s.H, err = l.number("dilation", list[0]); err == nil {
			s.W, err = l.number("dilation", list[len(list)-1])
		}
	}
	return s, err
}

// paramCount is how many parameters a layer of weights has.
func paramCount(noBias bool) int {
	if noBias {
		return 1
	}
	return 2
}

// innerProduct is a dense layer.
func innerProduct(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("inner_product_param")
	if axis, err := l.axis(x, "axis", p.int("axis", 1)); err != nil || axis != 1 {
		return nil, l.fail("axis %d: hubel's dense layer takes all axes behind the batch, from axis 1 on", p.int("axis", 1))
	}
	d := &layers.Dense{NoBias: !p.bool("bias_term", true)}
	var err error
	if d.Out, err = l.number("num_output", p.int("num_output", 0)); err != nil {
		return nil, err
	}
	d.WeightFiller = b.filler(l, p.sub("weight_filler"))
	d.BiasFiller = b.filler(l, p.sub("bias_filler"))
	d.WeightRate, d.WeightDecay = l.spec(0).rate, l.spec(0).decay
	d.BiasRate, d.BiasDecay = l.spec(1).rate, l.spec(1).decay
	y, err := b.one(l, "", d, x)
	if err != nil {
		return nil, err
	}
	if err := b.weights(l, x, []int{0, 1}[:paramCount(d.NoBias)]...); err != nil {
		return nil, err
	}
	if p.bool("transpose", false) {
		s := &b.sources[len(b.sources)-paramCount(d.NoBias)]
		s.dims, s.turn = tensor.Shape{s.shape[1], s.shape[0]}, true
	}
	return y, nil
}

// filler is how a parameter is initialised. That of a file without one is hubel's own, since
// such files are of networks that were trained.
func (b *builder) filler(l *layer, p *message) layers.Filler {
	if p == nil {
		return layers.Filler{}
	}
	typ := p.text("type", "constant")
	lost := func(what string) { b.unfilled = append(b.unfilled, l.String()+": "+what) }
	switch typ {
	case "constant":
		return layers.Constant(p.float("value", 0))
	case "gaussian":
		if p.float("mean", 0) != 0 || p.int("sparse", -1) >= 0 {
			lost("a gaussian filler with a mean or sparse")
		}
		return layers.Gaussian(p.float("std", 1))
	case "uniform":
		low, high := p.float("min", 0), p.float("max", 1)
		if low != -high {
			lost("a uniform filler that is not even about 0")
		}
		return layers.Filler{Type: "uniform", Value: max(low, high, 0)}
	case "xavier", "msra":
		if norm := p.enum("variance_norm", "FAN_IN"); norm != "FAN_IN" {
			lost("the variance_norm " + norm)
		}
		return layers.Filler{Type: typ}
	case "bilinear":
		return layers.Bilinear()
	}
	lost("the filler " + typ)
	return layers.Filler{}
}

// pooling rounds up unless the file says otherwise, and averages count the padding. The layer's
// second top is where the maxima lie.
func pooling(b *builder, l *layer, in []*value) ([]value, error) {
	p := l.param("pooling_param")
	pool := layers.Pool{Ceil: p.enum("round_mode", "CEIL") == "CEIL" && p.bool("ceil_mode", true), Global: p.bool("global_pooling", false)}
	window, err := l.size(p, "kernel_size", "kernel", 0)
	if err != nil {
		return nil, err
	}
	stride, err := l.size(p, "stride", "stride", 1)
	if err != nil {
		return nil, err
	}
	padding, err := l.size(p, "pad", "pad", 0)
	if err != nil {
		return nil, err
	}
	if pool.Global {
		if window != (layers.Size{}) || padding != (layers.Size{}) || stride != layers.Square(1) {
			return nil, l.fail("global_pooling takes no kernel, stride or pad")
		}
		pool.Ceil = false
	} else {
		pool.Window, pool.Stride, pool.Pad = window, ifNot1(stride), pad(padding)
	}
	return b.pool(l, "", pool, p.enum("pool", "MAX"), in[0])
}

// pool adds a pooling by one of Caffe's methods.
func (b *builder) pool(l *layer, suffix string, pool layers.Pool, method string, x *value) ([]value, error) {
	var what layers.Layer = &pool
	switch method {
	case "AVE":
		pool.Op = device.AveragePool
		pool.CountPad = pool.Pad != layers.Pad{}
	case "STOCHASTIC":
		what = &layers.StochasticPool{Pool: pool}
	}
	if len(l.top) > 1 {
		if method != "MAX" || suffix != "" {
			return nil, l.fail("it has %d tops; only those of MAX have a second one", len(l.top))
		}
		pool.Switches = true
	}
	out, err := b.node(l, suffix, what, x)
	if err != nil {
		return nil, err
	}
	if pool.Ceil && pool.Pad == (layers.Pad{}) {
		// Without a pad Caffe keeps a last window that begins outside of the image.
		for i, size := range []int{x.shape[2], x.shape[3]} {
			window, stride := []int{pool.Window.H, pool.Window.W}[i], max(1, []int{pool.Stride.H, pool.Stride.W}[i])
			if n := (size-window+stride-1)/stride + 1; size >= window && n != out[0].shape[2+i] {
				return nil, l.fail("a window of %d at every %d of %d pixels: Caffe's last window lies outside of the image, and its value is not defined", window, stride, size)
			}
		}
	}
	return out, nil
}

// spp is spatial pyramid pooling: poolings to 1, 2, 4 … bins along each side, joined.
func spp(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("spp_param")
	height := p.int("pyramid_height", 0)
	const most = 12 // 2^11 bins along a side
	if height < 1 || height > most || len(x.shape) != 4 {
		return nil, l.fail("pyramid_height %d of a bottom with %d axes: it must be from 1 to %d, of images [N,C,H,W]", height, len(x.shape), most)
	}
	var levels []*value
	for i := range height {
		bins := 1 << i
		window := layers.Size{H: (x.shape[2] + bins - 1) / bins, W: (x.shape[3] + bins - 1) / bins}
		padding := layers.Size{H: (window.H*bins - x.shape[2] + 1) / 2, W: (window.W*bins - x.shape[3] + 1) / 2}
		pool := layers.Pool{Window: window, Stride: window, Pad: pad(padding), Ceil: true}
		suffix := "_" + string('a'+rune(i))
		pooled, err := b.pool(l, suffix, pool, p.enum("pool", "MAX"), x)
		if err != nil {
			return nil, err
		}
		flat, err := b.one(l, suffix+"_flat", &layers.Flatten{}, &pooled[0])
		if err != nil {
			return nil, err
		}
		levels = append(levels, flat)
	}
	return b.one(l, "", &layers.Concat{}, levels...)
}

// lrn divides alpha by the number of summands. Within a channel Caffe's k is always 1.
func lrn(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("lrn_param")
	size, err := l.number("local_size", p.int("local_size", 5))
	if err != nil {
		return nil, err
	}
	if size%2 == 0 {
		return nil, l.fail("local_size %d must be odd", size)
	}
	n := &layers.LRN{Size: size, Alpha: new(p.float("alpha", 1)), Beta: new(p.float("beta", 0.75)), K: p.float("k", 1), AlphaOverSize: true}
	if p.enum("norm_region", "ACROSS_CHANNELS") == "WITHIN_CHANNEL" {
		n.Region, n.K = "within", 1
	}
	if n.K == 0 {
		return nil, l.fail("k 0 divides by 0 where an image is 0: hubel's k is above 0")
	}
	return b.one(l, "", n, x)
}
