package caffe

import (
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// batchNorm has running sums of mean and variance, and the factor that they are divided by.
func batchNorm(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("batch_norm_param")
	n := &layers.BatchNorm{
		Eps: new(p.float("eps", 1e-5)), Momentum: new(1 - p.float("moving_average_fraction", 0.999)),
		Convention: "caffe", Affine: layers.Affine{On: new(false)},
	}
	y, err := b.one(l, "", n, x)
	if err != nil {
		return nil, err
	}
	if p.bool("use_global_stats", false) {
		b.fixed = append(b.fixed, y.name)
	}
	return y, b.weights(l, x, 0, 1, 2)
}

// factors are how Scale and Bias lie on their first bottom: along so many axes from one on.
func (l *layer) factors(p *message, in []*value) (axis, axes int, err error) {
	if axis, err = l.axis(in[0], "axis", p.int("axis", 1)); err != nil {
		return 0, 0, err
	}
	left := len(in[0].shape) - axis
	if len(in) == 2 {
		axes = len(in[1].shape)
	} else if n := p.int("num_axes", 1); n == -1 {
		axes = left
	} else if n < 0 || n > int64(left) {
		return 0, 0, l.fail("num_axes %d from axis %d on: its bottom has %d axes", n, axis, len(in[0].shape))
	} else {
		axes = int(n)
	}
	if axes > left {
		return 0, 0, l.fail("its second bottom has %d axes, and the first %d from axis %d on", axes, left, axis)
	}
	return axis, axes, nil
}

// scale multiplies channels by learned factors, or by a second bottom. Behind a batch norm that
// nothing else reads it becomes that one's weight and bias. Elsewhere it is a convolution of
// 1x1 with a group for each channel, which computes the same.
func scale(b *builder, l *layer, in []*value) ([]value, error) {
	p := l.param("scale_param")
	axis, axes, err := l.factors(p, in)
	if err != nil {
		return nil, err
	}
	x, withBias := in[0], p.bool("bias_term", false)
	if len(in) == 2 {
		if withBias {
			return nil, l.fail("bias_term beside a second bottom: hubel's factors from another layer have no bias of their own; a layer Bias behind it has")
		}
		return b.spread(l, in, axis, &layers.Product{})
	}
	if axis != 1 || axes != 1 {
		return nil, l.fail("%d axes from axis %d on: hubel's learned factors are those of channels, one axis from axis 1 on", axes, axis)
	}
	if withBias && x.node >= 0 && x.readers == 1 && !x.alias {
		n, ok := b.net.Nodes[x.node].Layer.(*layers.BatchNorm)
		apart := b.run && slices.Contains(b.fixed, b.net.Nodes[x.node].Name) // it is trained, and the norm is not
		if ok && !*n.On && !apart {
			return b.joinNorm(l, p, x, n)
		}
	}
	w := b.filler(l, p.sub("filler"))
	if w == (layers.Filler{}) {
		w = layers.Constant(1)
	}
	c := &layers.Conv{
		Filters: x.shape[1], Groups: x.shape[1], Kernel: layers.Square(1), NoBias: !withBias, WeightFiller: w, BiasFiller: b.filler(l, p.sub("bias_filler")),
		WeightRate: l.spec(0).rate, WeightDecay: l.spec(0).decay, BiasRate: l.spec(1).rate, BiasDecay: l.spec(1).decay,
	}
	return b.pointwise(l, c, x, []int{0, 1}[:paramCount(!withBias)]...)
}

// joinNorm makes the factors and biases of a Scale those of the batch norm before it.
func (b *builder) joinNorm(l *layer, p *message, x *value, n *layers.BatchNorm) ([]value, error) {
	n.On = new(true)
	n.WeightFiller, n.BiasFiller = b.filler(l, p.sub("filler")), b.filler(l, p.sub("bias_filler"))
	n.WeightRate, n.WeightDecay = l.spec(0).rate, l.spec(0).decay
	n.BiasRate, n.BiasDecay = l.spec(1).rate, l.spec(1).decay
	if n.WeightFiller == (layers.Filler{}) {
		n.WeightFiller = layers.Constant(1)
	}
	node := &b.net.Nodes[x.node]
	y := *x
	if l.bottom[0] != l.top[0] { // what the norm made has no value of its own any more
		before := node.Name
		node.Name = b.names.Make(l.name)
		y.name = node.Name
		for i := range b.sources {
			if s := &b.sources[i]; s.layer == b.nodes[x.node] {
				s.name = node.Name + s.name[len(before):]
			}
		}
		for i, name := range b.fixed {
			if name == before {
				b.fixed[i] = node.Name
			}
		}
		b.blobs[l.bottom[0]] = &value{shape: x.shape, dtype: x.dtype}
	}
	b.trained.nodes = min(b.trained.nodes, x.node)
	channels := tensor.Shape{x.shape[1]}
	for i, name := range []string{".weight", ".bias"} {
		b.source(source{name: node.Name + name, shape: channels, layer: l, blob: i})
	}
	return []value{y}, nil
}

// pointwise adds a convolution of 1x1 with a group for each channel. blobs are those of its
// parameters, which Caffe has as [C].
func (b *builder) pointwise(l *layer, c *layers.Conv, x *value, blobs ...int) ([]value, error) {
	sample := slices.Clone([]int(x.shape[1:]))
	image, err := b.reshaped(l, "_image", x, sample[0], 1, product(sample[1:]))
	if len(sample) == 3 {
		image, err = x, nil
	}
	if err != nil {
		return nil, err
	}
	y, err := b.one(l, "", c, image)
	if err != nil {
		return nil, err
	}
	before := len(b.sources)
	if err := b.weights(l, image, blobs...); err != nil {
		return nil, err
	}
	for i := range b.sources[before:] {
		b.sources[before+i].dims = tensor.Shape{sample[0]}
	}
	if y, err = b.reshaped(l, "_shape", y, sample...); err != nil {
		return nil, err
	}
	return []value{*y}, nil
}

// spread joins two bottoms by an operation on values of one shape, the second repeated along
// the axes that it does not have.
func (b *builder) spread(l *layer, in []*value, axis int, op layers.Layer) ([]value, error) {
	x, s := in[0], in[1]
	if axis != 0 {
		return nil, l.fail("its second bottom lies along axis %d and those behind: hubel's values have the batch first, so axis 0 is read alone", axis)
	}
	if !slices.Equal(s.shape, x.shape[:len(s.shape)]) {
		return nil, l.fail("its second bottom is %v, and the first %v: from axis 0 on they must be equal", []int(s.shape[1:]), []int(x.shape[1:]))
	}
	if len(s.shape) < len(x.shape) {
		if len(s.shape) < 2 {
			return nil, l.fail("its second bottom has one number of each sample; it needs the channels")
		}
		kept := product(s.shape[1:])
		var err error
		if s, err = b.reshaped(l, "_one", s, kept, 1, 1); err != nil {
			return nil, err
		}
		if s, err = b.one(l, "_spread", &layers.Upsample{Scale: layers.Size{H: 1, W: product(x.shape[1:]) / kept}}, s); err != nil {
			return nil, err
		}
		if s, err = b.reshaped(l, "_shape", s, x.shape[1:]...); err != nil {
			return nil, err
		}
	}
	return b.node(l, "", op, x, s)
}

// bias adds learned numbers to channels, or a second bottom. The learned ones are the biases of
// a convolution of 1x1 whose weights stay 1.
func bias(b *builder, l *layer, in []*value) ([]value, error) {
	p := l.param("bias_param")
	axis, axes, err := l.factors(p, in)
	if err != nil {
		return nil, err
	}
	if len(in) == 2 {
		return b.spread(l, in, axis, &layers.Add{})
	}
	if axis != 1 || axes != 1 {
		return nil, l.fail("%d axes from axis %d on: hubel's learned biases are those of channels, one axis from axis 1 on", axes, axis)
	}
	x := in[0]
	c := &layers.Conv{
		Filters: x.shape[1], Groups: x.shape[1], Kernel: layers.Square(1), WeightFiller: layers.Constant(1), WeightRate: new(float32(0)),
		WeightDecay: new(float32(0)), BiasFiller: b.filler(l, p.sub("filler")), BiasRate: l.spec(0).rate, BiasDecay: l.spec(0).decay,
	}
	return b.pointwise(l, c, x, ones, 0)
}

// ones is the blob of a tensor that no file has, and that is 1 everywhere.
const ones = -1

// mvn takes the mean off each channel of a sample, or off all, and divides by the deviation.
// Caffe adds its eps to the deviation, hubel the square of it to the variance: for the usual
// 1e-9 these differ by less than a float32 tells apart, but for channels that are constant to
// nine digits.
func mvn(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("mvn_param")
	across := p.bool("across_channels", false)
	if len(x.shape) != 4 {
		return nil, l.fail("its bottom has %d axes; it is of images [N,C,H,W]", len(x.shape))
	}
	if p.bool("normalize_variance", true) {
		eps := p.float("eps", 1e-9)
		if !(eps > 0 && eps <= 1e-6) {
			return nil, l.fail("eps %g is added to the deviation, which hubel's norms, whose eps is added to the variance, come near to for one above 0 and at most 1e-6", eps)
		}
		groups := x.shape[1]
		if across {
			groups = 1
		}
		return b.one(l, "", &layers.GroupNorm{Groups: groups, Eps: new(eps * eps), Affine: layers.Affine{On: new(false)}}, x)
	}
	sample := slices.Clone([]int(x.shape[1:]))
	rows := []int{sample[0], 1, sample[1] * sample[2]}
	if across {
		rows = []int{1, 1, product(sample)}
	}
	y, err := b.reshaped(l, "_rows", x, rows...)
	if err != nil {
		return nil, err
	}
	mean, err := b.one(l, "_mean", &layers.Pool{Op: device.AveragePool, Global: true}, y)
	if err != nil {
		return nil, err
	}
	if mean, err = b.one(l, "_spread", &layers.Upsample{Scale: layers.Size{H: 1, W: rows[2]}}, mean); err != nil {
		return nil, err
	}
	if y, err = b.one(l, "", &layers.Add{Coefficients: []float32{1, -1}}, y, mean); err != nil {
		return nil, err
	}
	return b.reshaped(l, "_shape", y, sample...)
}

// dropout scales what remains, in training, or everything in a test.
func dropout(b *builder, l *layer, x *value) (*value, error) {
	p := l.param("dropout_param")
	ratio := p.float("dropout_ratio", 0.5)
	y, err := b.one(l, "", &layers.Dropout{P: ratio}, x)
	if err != nil || p.bool("scale_train", true) {
		return y, err
	}
	return b.one(l, "_scale", &layers.Scale{Factor: 1 - ratio}, y)
}
