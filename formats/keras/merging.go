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
		in, err := im.Together(c.base, in)
		if err != nil {
			return nil, err
		}
		for len(in) > mostTerms {
			part, err := im.Emit(c.base, "part", op(mostTerms), in[:mostTerms]...)
			if err != nil {
				return nil, err
			}
			part.Flat = in[0].Flat
			in = append([]*value{part}, in[mostTerms:]...)
		}
		y, err := im.Emit(c.base, "", op(len(in)), in...)
		if err == nil {
			y.Flat = in[0].Flat
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

// concatenate reads Concatenate.
func concatenate(im *importer, c *call, in []*value) (*value, error) {
	axis := c.integer("axis", -1, -mostDims, mostDims)
	if c.err != nil {
		return nil, c.err
	}
	return im.Concatenated(c.base, axis, in)
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
