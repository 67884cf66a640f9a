package darknet

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// convolutional adds a convolution, its batch normalisation and its activation.
func (b *builder) convolutional(p *problems, i int) {
	filters := p.integer("filters", 1, 1, mostChannels)
	window := p.integer("size", 1, 1, largestWindow)
	stride := p.integer("stride", 1, 1, largestImage)
	rows, columns := p.integer("stride_y", stride, 1, largestImage), p.integer("stride_x", stride, 1, largestImage)
	groups := p.integer("groups", 1, 1, mostChannels)
	dilation := p.integer("dilation", 1, 1, largestWindow)
	pad := p.integer("padding", 0, 0, largestWindow)
	if p.integer("pad", 0, 0, math.MaxInt32) != 0 {
		pad = window / 2
	}
	if window == 1 {
		dilation = 1
	}
	normalized := p.integer("batch_normalize", 0, 0, math.MaxInt32) != 0
	for _, key := range []string{"binary", "xnor", "bin_output"} {
		p.refuse(key, "0", "weights of one bit are a way of their own to multiply")
	}
	p.refuse("flipped", "0", "the weights are in another order")
	p.refuse("antialiasing", "0", "the nearest is a convolution of its own, with fixed weights")
	p.refuse("share_index", "-1000000000", "layers cannot share weights")
	for _, key := range []string{"deform", "sway", "rotate", "stretch", "stretch_sway"} {
		p.refuse(key, "0", "filters that are turned or stretched")
	}
	in := b.last.size
	switch {
	case in.c%groups != 0 || filters%groups != 0:
		p.fail(p.s.line, "groups=%d does not divide %d channels and %d filters", groups, in.c, filters)
	case dilation > 1 && 2*pad != window-1:
		p.fail(p.s.line, "dilation=%d with the padding %d and the size %d is not supported: Darknet cuts off the edge then; size %d with pad=1 is", dilation, pad, window, window|1)
	}
	out := size{filters, (in.h+2*pad-window)/rows + 1, (in.w+2*pad-window)/columns + 1}
	if in.h+2*pad < window || in.w+2*pad < window {
		p.fail(p.s.line, "a window of %d does not fit into the image %v with the padding %d", window, in, pad)
	}
	if p.err != nil {
		return
	}
	conv := &layers.Conv{
		Filters: filters, Kernel: layers.Square(window), Pad: layers.Around(pad * dilation),
		Stride: layers.Size{H: rows, W: columns}, Dilation: layers.Square(dilation), Groups: groups, NoBias: normalized,
	}
	b.add("conv", i, conv)
	b.last.size = out
	if normalized {
		b.want("bn", i, "bias", filters)
		b.statistics(i, filters)
		b.normalize(i)
	} else {
		b.want("conv", i, "bias", filters)
	}
	b.want("conv", i, "weight", filters, in.c/groups, window, window)
	b.activate(p, i, "logistic")
}

// connected adds a dense layer, its batch normalisation and its activation.
func (b *builder) connected(p *problems, i int) {
	n := p.integer("output", 1, 1, mostChannels)
	normalized := p.integer("batch_normalize", 0, 0, math.MaxInt32) != 0
	in := b.last.c * b.last.h * b.last.w
	if p.err != nil {
		return
	}
	b.add("fc", i, &layers.Dense{Out: n, NoBias: normalized})
	b.last.size = size{n, 1, 1}
	biased := "fc"
	if normalized {
		biased = "bn"
	}
	b.want(biased, i, "bias", n)
	b.want("fc", i, "weight", n, in)
	if normalized {
		b.statistics(i, n)
		b.normalize(i)
	}
	b.activate(p, i, "logistic")
}

// maxpool adds maximum pooling. Its padding is size-1 in all, less of it before the image.
func (b *builder) maxpool(p *problems, i int) {
	p.refuse("antialiasing", "0", "the nearest is a convolution of its own, with fixed weights")
	p.refuse("maxpool_depth", "0", "the nearest is the layer maxout, for neighbouring channels")
	b.pool(p, i, device.MaxPool)
}

// averagePool adds average pooling, which does not count the padding.
func (b *builder) averagePool(p *problems, i int) { b.pool(p, i, device.AveragePool) }

func (b *builder) pool(p *problems, i int, op device.PoolOp) {
	stride := p.integer("stride", 1, 1, largestImage)
	rows, columns := p.integer("stride_y", stride, 1, largestImage), p.integer("stride_x", stride, 1, largestImage)
	window := p.integer("size", stride, 1, largestWindow)
	padding := p.integer("padding", window-1, 0, 2*largestWindow)
	in := b.last.size
	if in.h+padding < window || in.w+padding < window {
		p.fail(p.s.line, "a window of %d does not fit into the image %v with the padding %d", window, in, padding)
	}
	if p.err != nil {
		return
	}
	before, after := padding/2, padding-padding/2
	kind := "maxpool"
	if op == device.AveragePool {
		kind = "avgpool"
	}
	b.add(kind, i, &layers.Pool{
		Op: op, Window: layers.Square(window), Stride: layers.Size{H: rows, W: columns},
		Pad: layers.Pad{Top: before, Bottom: after, Left: before, Right: after},
	})
	b.last.size = size{in.c, (in.h+padding-window)/rows + 1, (in.w+padding-window)/columns + 1}
}

// globalPool adds the mean of each channel.
func (b *builder) globalPool(_ *problems, i int) {
	b.add("avgpool", i, &layers.Pool{Op: device.AveragePool, Global: true})
	b.last.h, b.last.w = 1, 1
}

// softmax turns all numbers of a sample into probabilities.
func (b *builder) softmax(p *problems, i int) {
	p.refuse("groups", "1", "the nearest is a softmax over all of a sample")
	p.refuse("tree", "", "the nearest is a softmax over all of a sample")
	p.refuse("spatial", "0", "the nearest is a softmax over all of a sample")
	temperature := p.number("temperature", 1)
	if temperature <= 0 {
		p.fail(p.s.line, "temperature=%g must be above 0", temperature)
	}
	if p.err != nil {
		return
	}
	b.add("flatten", i, &layers.Flatten{})
	if temperature != 1 {
		b.add("scale", i, &layers.Scale{Factor: float32(1 / temperature)})
	}
	b.scores = b.last.value
	b.last.size = size{b.last.c * b.last.h * b.last.w, 1, 1}
	b.add("softmax", i, &layers.Softmax{})
}

// dropout adds dropout, which matters in training only.
func (b *builder) dropout(p *problems, i int) {
	probability := p.number("probability", 0.5)
	p.refuse("dropblock", "0", "the nearest is dropout of single numbers")
	if !(probability >= 0 && probability < 1) {
		p.fail(p.s.line, "probability=%g must be from 0 to below 1", probability)
	}
	if p.err == nil {
		b.add("dropout", i, &layers.Dropout{P: float32(probability)})
	}
}

// at is what a layer of a number makes; numbers below 0 count back from layer i.
func (b *builder) at(p *problems, key string, i, number int) made {
	if number < 0 {
		number += i
	}
	if number < 0 || number >= i {
		p.fail(p.s.line, "%s names layer %d, which is not before layer %d", key, number, i)
		return made{}
	}
	l := b.layers[number]
	if l.isHead {
		p.fail(p.s.line, "%s reads layer %d, the boxes of a detection layer, which are not computed", key, number)
	}
	return l
}

// route joins the channels of layers, or takes a part of them.
func (b *builder) route(p *problems, i int) {
	list := p.integers("layers")
	groups := p.integer("groups", 1, 1, mostChannels)
	group := p.integer("group_id", 0, 0, mostChannels)
	p.refuse("maxpool_depth", "0", "the nearest is the layer maxout, for neighbouring channels")
	if p.err == nil && len(list) == 0 {
		p.fail(p.s.line, "layers is missing, such as layers=-1,8")
	}
	if group >= groups {
		p.fail(p.s.line, "group_id=%d is none of the %d groups", group, groups)
	}
	var values []string
	var out size
	for k, number := range list {
		l := b.at(p, "layers", i, number)
		if p.err != nil {
			return
		}
		if k > 0 && (l.h != out.h || l.w != out.w) {
			p.fail(p.s.line, "layers joins images of the sizes %v and %v: their height and width must be the same", b.at(p, "layers", i, list[0]).size, l.size)
			return
		}
		if l.c%groups != 0 {
			p.fail(p.s.line, "groups=%d does not divide the %d channels of layer %d", groups, l.c, number)
			return
		}
		value, channels := l.value, l.c/groups
		if groups > 1 {
			value = b.net.Add(fmt.Sprintf("part%d_%d", i, k), &layers.Slice{Begin: group * channels, End: (group + 1) * channels}, value)
		}
		values = append(values, value)
		out = size{out.c + channels, l.h, l.w}
	}
	if p.err != nil {
		return
	}
	if out.c > mostChannels {
		p.fail(p.s.line, "%d channels are more than the %d allowed", out.c, mostChannels)
		return
	}
	b.last.value, b.last.size, b.last.isHead = values[0], out, false
	if len(values) > 1 {
		b.add("route", i, &layers.Concat{}, values[1:]...)
	}
}

// shortcut adds what other layers make.
func (b *builder) shortcut(p *problems, i int) {
	from := p.integers("from")
	p.refuse("weights_type", "none", "the nearest is the layer add, with fixed coefficients")
	p.text("weights_normalization", "")
	alpha, beta := p.number("alpha", 1), p.number("beta", 1)
	if p.err == nil && len(from) == 0 {
		p.fail(p.s.line, "from is missing, such as from=-3")
	}
	var values []string
	for _, number := range from {
		l := b.at(p, "from", i, number)
		if p.err == nil && l.size != b.last.size {
			p.fail(p.s.line, "from=%d is of the shape %v, and the layer before of %v: sums of a part are not supported", number, l.size, b.last.size)
		}
		values = append(values, l.value)
	}
	if p.err != nil {
		return
	}
	sum := &layers.Add{}
	if alpha != 1 || beta != 1 {
		sum.Coefficients = append([]float32{float32(alpha)}, slices.Repeat([]float32{float32(beta)}, len(values))...)
	}
	b.add("shortcut", i, sum, values...)
	b.activate(p, i, "linear")
}

// upsample repeats pixels.
func (b *builder) upsample(p *problems, i int) {
	stride := p.integer("stride", 2, 1, largestImage)
	scale := p.number("scale", 1)
	if p.err != nil {
		return
	}
	out := size{b.last.c, b.last.h * stride, b.last.w * stride}
	if max(out.h, out.w) > largestImage {
		p.fail(p.s.line, "stride=%d makes an image of %v, which is too large", stride, out)
		return
	}
	b.add("upsample", i, &layers.Upsample{Scale: layers.Square(stride)})
	b.last.size = out
	if scale != 1 {
		b.add("scale", i, &layers.Scale{Factor: float32(scale)})
	}
}

// activation adds an activation alone.
func (b *builder) activation(p *problems, i int) { b.activate(p, i, "linear") }

// head ends a branch: what it reads is an output, and the boxes are left to whoever uses it.
func (b *builder) head(p *problems, i int) {
	b.model.Values[fmt.Sprint("head", b.heads)] = b.last.value
	b.heads++
	b.last.isHead = true
	var options []string
	for k := range p.s.options {
		o := &p.s.options[k]
		o.read = true
		if o.key == "anchors" || o.key == "mask" || o.key == "classes" {
			options = append(options, fmt.Sprintf("%s=%s", shown(o.key), shown(o.value)))
		}
	}
	b.model.Lost = append(b.model.Lost, fmt.Sprintf("line %d: layer %d, [%s], computes no boxes: what it reads is the output %s (%s)",
		p.s.line, i, p.s.name, b.last.value, strings.Join(options, ", ")))
}

// cost is the loss of older classifiers, which trains what softmax makes.
func (b *builder) cost(p *problems, _ int) {
	for k := range p.s.options {
		p.s.options[k].read = true
	}
}
