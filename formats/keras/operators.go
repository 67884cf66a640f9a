package keras

import (
	"github.com/hubel-go/hubel/layers"
)

// operators are the classes of layers that are read. docs/interop/keras.md has the list.
var operators map[string]operator

func init() {
	operators = map[string]operator{
		"InputLayer": identity, "Identity": identity, "Conv1D": convolution, "Conv2D": convolution,
		"DepthwiseConv1D": depthwiseConvolution, "DepthwiseConv2D": depthwiseConvolution,
		"SeparableConv1D": separableConvolution, "SeparableConv2D": separableConvolution,
		"Conv1DTranspose": transposedConvolution, "Conv2DTranspose": transposedConvolution, "Dense": dense,

		"MaxPooling1D": pool, "MaxPooling2D": pool, "AveragePooling1D": pool, "AveragePooling2D": pool,
		"GlobalMaxPooling1D": globalPool, "GlobalMaxPooling2D": globalPool, "GlobalAveragePooling1D": globalPool, "GlobalAveragePooling2D": globalPool,
		"AdaptiveMaxPooling1D": adaptivePool, "AdaptiveMaxPooling2D": adaptivePool, "AdaptiveAveragePooling1D": adaptivePool, "AdaptiveAveragePooling2D": adaptivePool,

		"BatchNormalization": batchNormalization, "BatchNormalizationV1": batchNormalization, "LayerNormalization": layerNormalization, "GroupNormalization": groupNormalization,
		"Rescaling": rescaling, "Normalization": normalization,

		"Flatten": flatten, "Reshape": reshape, "Permute": permute, "ZeroPadding1D": zeroPadding, "ZeroPadding2D": zeroPadding,
		"Cropping1D": cropping, "Cropping2D": cropping, "CenterCrop": cropping, "UpSampling1D": upSampling, "UpSampling2D": upSampling,

		"Activation": activate, "ReLU": relu, "LeakyReLU": leakyReLU, "ELU": elu, "ThresholdedReLU": thresholded, "PReLU": prelu, "Softmax": softmax,

		"Add":         merge(func(int) layers.Layer { return &layers.Add{} }),
		"Subtract":    merge(func(int) layers.Layer { return &layers.Add{Coefficients: []float32{1, -1}} }),
		"Multiply":    merge(func(int) layers.Layer { return &layers.Product{} }),
		"Maximum":     merge(func(int) layers.Layer { return &layers.Maximum{} }),
		"Average":     merge(mean),
		"Minimum":     merge(minimum),
		"Concatenate": concatenate,

		"Dropout": dropout, "SpatialDropout1D": dropout, "SpatialDropout2D": dropout, "GaussianNoise": noise,
		"AlphaDropout":           trainingAlone("it drops elements in training, and keeps mean and variance", "rate", "noise_shape"),
		"GaussianDropout":        trainingAlone("it multiplies by noise in training", "rate"),
		"ActivityRegularization": trainingAlone("it adds to the loss in training", "l1", "l2"),
	}
	for _, class := range []string{"RandomFlip", "RandomRotation", "RandomZoom", "RandomTranslation", "RandomContrast", "RandomBrightness", "RandomShear", "RandomHue", "RandomSaturation", "RandomColorJitter", "RandomErasing", "RandomGaussianBlur", "RandomGrayscale"} {
		operators[class] = trainingAlone("it changes pictures at random in training",
			"mode", "factor", "fill_mode", "fill_value", "interpolation", "height_factor", "width_factor", "value_range", "x_factor", "y_factor", "data_format")
	}
}
