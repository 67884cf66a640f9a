package keras

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/layers"
)

// several are the classes of layers that take several inputs.
var several = map[string]bool{
	"Add": true, "Subtract": true, "Multiply": true, "Average": true, "Maximum": true, "Minimum": true, "Concatenate": true,
}

// mostTerms is how many inputs an element-wise layer takes at a time.
const mostTerms = 7

// merge reads layers that compute element by element. More inputs than a layer takes are
// taken in turns.
func merge(op func(n int) layers.Layer) operator {
	return func(im *importer, c *call, in []*value) (*value, error) {
		if len(in) < 2 {
			return nil, fmt.Errorf("it is called with %d inputs, and takes at least two", len(in))
		}
		if c.class == "Subtract" && len(in) != 2 {
			return nil, fmt.Errorf("it is called with %d inputs, and takes two", len(in))
		}
		if c.class == "Average" && len(in) > mostTerms {
			return nil, fmt.Errorf("it is called with %d inputs; the mean of at most %d is read: put an Add and a Rescaling in its place", len(in), mostTerms)
		}
		in, err := im.together(c, in)
		if err != nil {
			return nil, err
		}
		for len(in) > mostTerms {
			part, err := im.emit(c.base, "part", op(mostTerms), in[:mostTerms]...)
			if err != nil {
				return nil, err
			}
			part.flat = in[0].flat
			in = append([]*value{part}, in[mostTerms:]...)
		}
		y, err := im.emit(c.base, "", op(len(in)), in...)
		if err == nil {
			y.flat = in[0].flat
		}
		return y, err
	}
}

// mean is the sum of n inputs divided by n.
func mean(n int) layers.Layer {
	return &layers.Add{Coefficients: slices.Repeat([]float32{1 / float32(n)}, n)}
}

// minimum is the least of n inputs.
func minimum(n int) layers.Layer {
	text := "x"
	for i := 1; i < n; i++ {
		text = fmt.Sprintf("min(%s, x%d)", text, i)
	}
	return &layers.Formula{Formula: text}
}

// together makes inputs of one shape: axes of one element are repeated, as Keras does. Values
// that are all flat stay so, if they lie alike.
func (im *importer) together(c *call, in []*value) ([]*value, error) {
	alike := true
	for _, v := range in[1:] {
		alike = alike && v.flat == in[0].flat && slices.Equal(v.sample, in[0].sample)
	}
	if alike {
		return in, nil
	}
	list, rank := make([]*value, len(in)), 0
	for i, v := range in {
		var err error
		if list[i], err = im.solid(v); err != nil {
			return nil, err
		}
		rank = max(rank, len(list[i].sample))
	}
	shape := slices.Repeat([]int{1}, rank)
	for i, v := range list {
		if len(v.sample) < rank {
			if !im.last || len(v.sample) != 1 {
				return nil, fmt.Errorf("its inputs %v and %v have different numbers of axes", list[0], v)
			}
			var err error // features are channels of one pixel
			if list[i], err = im.emit(c.base, fmt.Sprint("in", i), &layers.Reshape{Shape: with(v.sample, slices.Repeat([]int{1}, rank-1)...)}, v); err != nil {
				return nil, err
			}
		}
		for k, d := range list[i].sample {
			if d != 1 && shape[k] != 1 && shape[k] != d {
				return nil, fmt.Errorf("its inputs are %v and %v, which do not fit each other", list[0], v)
			}
			shape[k] = max(shape[k], d)
		}
	}
	for i, v := range list {
		var err error
		if list[i], err = im.expand(c, fmt.Sprint("in", i), v, shape); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// expand repeats elements along axes of one element that are longer in the shape.
func (im *importer) expand(c *call, suffix string, v *value, shape []int) (*value, error) {
	if len(shape) == 3 && v.sample[0] == shape[0] && v.sample[1] == 1 && v.sample[2] == 1 && !slices.Equal(v.sample, shape) {
		return im.emit(c.base, suffix+"_wide", &layers.Upsample{Scale: layers.Size{H: shape[1], W: shape[2]}}, v)
	}
	var err error
	for axis, n := range shape {
		if v.sample[axis] == n {
			continue
		}
		to := slices.Clone(v.sample)
		to[axis] = n
		around := []int{product(v.sample[:axis]), 1, product(v.sample[axis+1:])}
		for _, step := range []layers.Layer{&layers.Reshape{Shape: around}, &layers.Upsample{Scale: layers.Size{H: n, W: 1}}, &layers.Reshape{Shape: to}} {
			if v, err = im.emit(c.base, suffix+"_wide", step, v); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

// concatenate reads Concatenate. Axes that are no channels are made the first for it.
func concatenate(im *importer, c *call, in []*value) (*value, error) {
	list := make([]*value, len(in))
	for i, v := range in {
		var err error
		if list[i], err = im.solid(v); err != nil {
			return nil, err
		}
	}
	axis, err := im.axis(list[0], c.integer("axis", -1, -mostDims, mostDims))
	if err != nil {
		return nil, err
	}
	if axis == 0 {
		return im.emit(c.base, "", &layers.Concat{}, list...)
	}
	order := []int{0, axis + 1}
	for i := range list[0].sample {
		if i != axis {
			order = append(order, i+1)
		}
	}
	back := make([]int, len(order))
	for to, from := range order {
		back[from] = to
	}
	for i, v := range list {
		if len(v.sample) != len(list[0].sample) {
			return nil, fmt.Errorf("its inputs %v and %v have different numbers of axes", list[0], v)
		}
		if list[i], err = im.emit(c.base, fmt.Sprint("in", i), &layers.Permute{Order: order}, v); err != nil {
			return nil, err
		}
	}
	y, err := im.emit(c.base, "join", &layers.Concat{}, list...)
	if err != nil {
		return nil, err
	}
	return im.emit(c.base, "", &layers.Permute{Order: back}, y)
}

// nearest is what hubel has in place of classes of layers that are not read.
var nearest = map[string]string{
	"Conv3D": "conv, of images [C,H,W]", "Conv3DTranspose": "deconv, of images [C,H,W]", "MaxPooling3D": "max-pool, of images [C,H,W]",
	"AveragePooling3D": "average-pool, of images [C,H,W]", "GlobalAveragePooling3D": "average-pool, of images [C,H,W]", "GlobalMaxPooling3D": "max-pool, of images [C,H,W]",
	"ZeroPadding3D": "pad, of images [C,H,W]", "Cropping3D": "slice", "UpSampling3D": "upsample, of images [C,H,W]",
	"LocallyConnected1D": "conv, whose filters are the same at all places", "LocallyConnected2D": "conv, whose filters are the same at all places",
	"LSTM": "none: there are no recurrent layers", "GRU": "none: there are no recurrent layers", "SimpleRNN": "none: there are no recurrent layers",
	"RNN": "none: there are no recurrent layers", "Bidirectional": "none: there are no recurrent layers", "ConvLSTM2D": "none: there are no recurrent layers",
	"TimeDistributed": "none: put the layer into the model without it", "Embedding": "none", "MultiHeadAttention": "none", "Attention": "none", "AdditiveAttention": "none", "GroupedQueryAttention": "none",
	"EinsumDense": "dense", "Dot": "multiply", "RepeatVector": "upsample", "Masking": "none: samples have one shape",
	"Lambda": "formula, if it computes element by element: its code is not run, and may be read by nobody but Python", "TFOpLambda": "the layers of Keras: an operation of TensorFlow is none",
	"SlicingOpLambda": "slice: a Cropping2D in its place is read", "ClassMethod": "the layers of Keras: an operation of TensorFlow is none",
	"Resizing": "upsample, by whole numbers: UpSampling2D in its place is read", "UnitNormalization": "l2-norm", "RMSNormalization": "layer-norm", "SpectralNormalization": "none: its layer without it is read",
	"RandomCrop": "none: pictures are cropped as they are loaded", "TFSMLayer": "none: its code is not run", "LocalResponseNormalization": "lrn",
}

// unsupported is the error of a class that is not read.
func unsupported(class string) error {
	near, ok := nearest[class]
	switch {
	case ok:
	case strings.Contains(class, "Conv"):
		near = "conv"
	case strings.Contains(class, "Pool"):
		near = "max-pool or average-pool"
	case strings.Contains(class, "Norm"):
		near = "batch-norm, layer-norm or group-norm"
	default:
		return errors.New("layers of this class are not read; docs/interop/keras.md lists those that are")
	}
	return fmt.Errorf("layers of this class are not read; the nearest that hubel has: %s", near)
}
