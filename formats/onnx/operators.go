package onnx

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// operators are those that are read, of what is computed. docs/interop.md has the list.
var operators map[string]operator

func init() {
	operators = map[string]operator{
		"Conv": conv, "ConvTranspose": convTranspose,
		"MaxPool": pool, "AveragePool": pool, "LpPool": pool,
		"GlobalAveragePool": global(func(*attributes) (layers.Layer, error) {
			return &layers.Pool{Op: device.AveragePool, Global: true}, nil
		}),
		"GlobalMaxPool": global(func(*attributes) (layers.Layer, error) { return &layers.Pool{Global: true}, nil }),
		"GlobalLpPool": global(func(a *attributes) (layers.Layer, error) {
			return &layers.L2Pool{Pool: layers.Pool{Global: true}, Sum: true}, squares(a)
		}),
		"Gemm": gemm, "MatMul": matMul,
		"BatchNormalization": batchNorm, "InstanceNormalization": instanceNorm, "GroupNormalization": groupNorm,
		"LayerNormalization": layerNorm, "LRN": lrnOf, "MeanVarianceNormalization": meanVariance, "LpNormalization": lpNorm,
		"Clip": clip, "PRelu": preluOf, "Sum": sums(false), "Mean": sums(true),
		"Softmax": softmax, "LogSoftmax": softmax,
		"Shape": shapeOp, "Size": sizeOp,
		"Reshape": reshape, "Flatten": flatten, "Squeeze": squeeze, "Unsqueeze": unsqueeze, "Transpose": transpose,
		"Identity": same, "Dropout": dropout, "Cast": cast, "CastLike": castLike,
		"Concat": concat, "Split": split, "Slice": slice, "Gather": gather, "Expand": expandOp, "Tile": tile,
		"DepthToSpace": blocks, "SpaceToDepth": blocks, "Pad": pad, "Resize": resize, "Upsample": resize,
		"Where": where, "ArgMax": argMax, "ArgMin": argMax,
	}
	for name, make := range functions {
		operators[name] = function(func(*attributes) layers.Layer { return make() })
	}
	for name, make := range parametric {
		operators[name] = function(make)
	}
	for name, b := range binaries {
		operators[name] = arithmetic(b)
	}
	for name, b := range comparisons {
		operators[name] = arithmetic(b)
	}
	for name, r := range reductions {
		operators[name] = reduce(r)
	}
}
