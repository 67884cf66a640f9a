package caffe

import (
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/layers"
)

// converter makes layers of the network of a layer of one of Caffe's types.
type converter struct {
	make func(b *builder, l *layer, in []*value) ([]value, error)

	bottoms, most int  // the least and the largest number of bottoms; most is 0 for any
	tops          int  // the largest number, 0 for any
	loss          bool // it has a weight in the loss
	raw           bool // it looks at what data layers make itself
}

// check counts bottoms and tops.
func (c converter) check(l *layer) error {
	switch {
	case len(l.bottom) < c.bottoms || c.most > 0 && len(l.bottom) > c.most:
		want := fmt.Sprint(c.bottoms)
		if c.most == 0 {
			want += " or more"
		} else if c.most > c.bottoms {
			want += fmt.Sprintf(" to %d", c.most)
		}
		return l.fail("it has %d bottoms, and takes %s", len(l.bottom), want)
	case c.tops > 0 && len(l.top) > c.tops:
		return l.fail("it has %d tops; hubel's has %d", len(l.top), c.tops)
	case len(l.top) == 0 && !c.loss && !c.raw:
		return l.fail("it has no top")
	}
	return nil
}

// converters are those of all types that hubel reads, but for data layers.
var converters map[string]converter

func init() {
	single := func(f func(b *builder, l *layer, x *value) (*value, error)) converter {
		return converter{bottoms: 1, most: 1, tops: 1, make: func(b *builder, l *layer, in []*value) ([]value, error) {
			y, err := f(b, l, in[0])
			if err != nil {
				return nil, err
			}
			return []value{*y}, nil
		}}
	}
	several := func(least, most, tops int, f func(b *builder, l *layer, in []*value) ([]value, error)) converter {
		return converter{bottoms: least, most: most, tops: tops, make: f}
	}
	loss := func(least, most int, f func(b *builder, l *layer, in []*value) ([]value, error)) converter {
		return converter{bottoms: least, most: most, tops: 2, loss: true, raw: true, make: f}
	}
	converters = map[string]converter{
		"Convolution": single(convolution), "Deconvolution": single(convolution), "InnerProduct": single(innerProduct),
		"Pooling": several(1, 1, 2, pooling), "SPP": single(spp), "LRN": single(lrn),

		"BatchNorm": single(batchNorm), "Scale": several(1, 2, 1, scale), "Bias": several(1, 2, 1, bias), "MVN": single(mvn),
		"Dropout": single(dropout),

		"ReLU": single(relu), "PReLU": single(prelu), "ELU": single(elu), "Sigmoid": single(sigmoid), "TanH": single(tanh),
		"BNLL": single(bnll), "AbsVal": single(absVal), "Power": single(power), "Exp": single(exp), "Log": single(log),
		"Threshold": single(threshold), "Clip": single(clip), "Swish": single(swish),

		"Eltwise": several(2, 0, 1, eltwise), "Concat": several(1, 0, 1, concat), "Slice": several(1, 1, 0, slice),
		"Split":   {bottoms: 1, most: 1, raw: true, make: split},
		"Flatten": single(flatten), "Reshape": single(reshape), "Crop": several(2, 2, 1, crop), "Tile": single(tile),
		"Softmax": single(softmax), "ArgMax": single(argMax), "Reduction": single(reduction),

		"SoftmaxWithLoss": loss(2, 3, softmaxLoss), "MultinomialLogisticLoss": loss(2, 2, multinomialLoss),
		"SigmoidCrossEntropyLoss": loss(2, 2, sigmoidLoss), "EuclideanLoss": loss(2, 2, euclideanLoss),
		"HingeLoss": loss(2, 2, hingeLoss), "ContrastiveLoss": loss(3, 3, contrastiveLoss),
		"Accuracy":   {bottoms: 2, most: 2, tops: 2, raw: true, make: accuracy},
		"Silence":    {bottoms: 1, raw: true, make: silence},
		"HDF5Output": {bottoms: 1, raw: true, make: silence},
	}
}

// ends are the layers that end a network.
func isEnd(l layers.Layer) bool {
	switch l.(type) {
	case *layers.SoftmaxLoss, *layers.LogisticLoss, *layers.L2Loss, *layers.HingeLoss, *layers.ContrastiveLoss, *layers.Accuracy:
		return true
	}
	return false
}

// axis is an axis of Caffe's, which may be counted from the end.
func (l *layer) axis(x *value, option string, axis int64) (int, error) {
	n := int64(len(x.shape))
	if axis < -n || axis >= n {
		return 0, l.fail("%s %d is no axis of its bottom, which has %d", option, axis, n)
	}
	return int((axis + n) % n), nil
}

// behindBatch is axis for layers that cannot work along the batch.
func (l *layer) behindBatch(x *value, option string, axis int64) (int, error) {
	a, err := l.axis(x, option, axis)
	if err == nil && a == 0 {
		err = l.fail("%s %d is the batch, and hubel's layers see one sample each", option, axis)
	}
	return a, err
}

// toChannels makes an axis the channels, if it is not: back undoes that for what is made of it.
func (b *builder) toChannels(l *layer, suffix string, x *value, axis int) (y *value, back func(y *value) (*value, error), err error) {
	if axis == 1 {
		return x, func(y *value) (*value, error) { return y, nil }, nil
	}
	order := make([]int, len(x.shape))
	for i := range order {
		order[i] = i
	}
	order[1], order[axis] = axis, 1
	y, err = b.one(l, suffix+"_axis", &layers.Permute{Order: order}, x)
	return y, func(y *value) (*value, error) {
		return b.one(l, suffix+"_back", &layers.Permute{Order: slices.Clone(order)}, y)
	}, err
}

// reshaped gives the samples of a value another shape.
func (b *builder) reshaped(l *layer, suffix string, x *value, shape ...int) (*value, error) {
	if slices.Equal(x.shape[1:], shape) {
		return x, nil
	}
	return b.one(l, suffix, &layers.Reshape{Shape: shape}, x)
}
