package tflite

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/layers"
)

// operatorNames are those of TensorFlow's schema.fbs, by their numbers.
var operatorNames = strings.Fields(`
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED
HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU
RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM
EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE
UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE
BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN
TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD
REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD
RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE
RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4
NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE
BROADCAST_TO RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM
MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1`)

// name is the operator's.
func (op *operator) name() string {
	if op.code >= 0 && op.code < len(operatorNames) {
		if name := operatorNames[op.code]; name != "CUSTOM" {
			return name
		}
		return "CUSTOM " + printable.Name(fmt.Sprintf("%.60s", op.custom))
	}
	return fmt.Sprint("number ", op.code)
}

// readers are the operators that are read. docs/interop/tflite.md has the list.
var readers map[string]reader

// folders are those that are computed of constants, or of shapes.
var folders map[string]reader

func init() {
	readers = map[string]reader{
		"CONV_2D": conv, "DEPTHWISE_CONV_2D": depthwiseConv, "TRANSPOSE_CONV": transposedConv, "FULLY_CONNECTED": fullyConnected,
		"SPACE_TO_BATCH_ND": spaceToBatch, "BATCH_TO_SPACE_ND": batchToSpace,
		"MAX_POOL_2D": pool(device.MaxPool), "AVERAGE_POOL_2D": pool(device.AveragePool),
		"MEAN": globalPool(device.AveragePool), "REDUCE_MAX": globalPool(device.MaxPool),

		"RESHAPE": reshape, "SQUEEZE": squeeze, "EXPAND_DIMS": expandDims, "TRANSPOSE": transpose, "PAD": pad, "PADV2": pad,
		"CONCATENATION": concatenation, "TILE": tile, "RESIZE_BILINEAR": resize, "RESIZE_NEAREST_NEIGHBOR": resize,

		"ADD": arithmetic(add), "SUB": arithmetic(subtract), "MUL": arithmetic(multiply), "DIV": arithmetic(divide),
		"MAXIMUM": arithmetic(maximum), "MINIMUM": arithmetic(minimum), "SQUARED_DIFFERENCE": arithmetic(squaredDifference), "ADD_N": addN,

		"SOFTMAX": softmax, "PRELU": prelu, "LEAKY_RELU": leakyReLU, "GELU": gelu,
		"RELU": function(unary(device.ReLU)), "LOGISTIC": function(unary(device.Sigmoid)), "TANH": function(unary(device.Tanh)),
		"RELU6": function(relu6), "HARD_SWISH": function(hardSwish), "ELU": function(elu),
		"RELU_N1_TO_1": function(formula("max(min(x, 1), -1)")), "RELU_0_TO_1": function(formula("max(min(x, 1), 0)")),
		"EXP": function(formula("exp(x)")), "LOG": function(formula("log(x)")), "ABS": function(formula("abs(x)")), "NEG": function(formula("-x")),
		"SQRT": function(formula("sqrt(x)")), "RSQRT": function(formula("1 / sqrt(x)")), "SQUARE": function(formula("x * x")),
	}
	folders = map[string]reader{
		"DEQUANTIZE": dequantized, "SHAPE": shapeOf, "STRIDED_SLICE": stridedSlice, "PACK": pack, "CONCATENATION": joined, "RESHAPE": reshaped,
	}
}

// nearest is what hubel has in place of operators that are not read.
var nearest = map[string]string{
	"QUANTIZE": "none: the model is quantised; convert it without optimizations", "DEQUANTIZE": "none: the model is quantised; convert it without optimizations",
	"FAKE_QUANT": "none: train without quantisation", "LSTM": "none: there are no recurrent layers", "RNN": "none: there are no recurrent layers",
	"UNIDIRECTIONAL_SEQUENCE_LSTM": "none: there are no recurrent layers", "UNIDIRECTIONAL_SEQUENCE_RNN": "none: there are no recurrent layers",
	"BIDIRECTIONAL_SEQUENCE_LSTM": "none: there are no recurrent layers", "BIDIRECTIONAL_SEQUENCE_RNN": "none: there are no recurrent layers",
	"L2_NORMALIZATION": "l2-norm", "L2_POOL_2D": "l2-pool", "LOCAL_RESPONSE_NORMALIZATION": "lrn", "LOG_SOFTMAX": "softmax",
	"DEPTH_TO_SPACE": "reshape and permute", "SPACE_TO_DEPTH": "reshape and permute",
	"SPLIT": "slice", "SPLIT_V": "slice", "SLICE": "slice", "STRIDED_SLICE": "slice", "UNPACK": "slice", "GATHER": "slice", "PACK": "concat", "BROADCAST_TO": "upsample",
	"MIRROR_PAD": "pad, with one value", "ARG_MAX": "argmax", "POW": "formula", "SUM": "average-pool", "BATCH_MATMUL": "dense, whose weights are constants",
	"SELECT": "formula", "SELECT_V2": "formula", "SIN": "none", "COS": "none", "FLOOR": "none", "CEIL": "none", "ROUND": "none", "CAST": "none", "CONV_3D": "conv, of images [C,H,W]",
	"TOPK_V2": "none: cut the model before it", "NON_MAX_SUPPRESSION_V4": "none: cut the model before it", "NON_MAX_SUPPRESSION_V5": "none: cut the model before it",
	"IF": "none: convert the branch that is taken", "WHILE": "none: convert it without loops",
}

// unsupported is the error of an operator that is not read.
func unsupported(op *operator) error {
	if strings.HasPrefix(op.name(), "CUSTOM") {
		return errors.New("operators of somebody's own have their code elsewhere: cut the model before it")
	}
	if near := nearest[op.name()]; near != "" {
		return fmt.Errorf("the operator is not read; the nearest that hubel has: %s", near)
	}
	return errors.New("the operator is not read; docs/interop/tflite.md lists those that are")
}

// activated adds the activation that an operator has with it, which field i of its options says.
func (im *importer) activated(c *call, field int, y *value) (*value, error) {
	var l layers.Layer
	suffix := ""
	switch a := c.options.byte(field); a {
	case 0:
		return y, nil
	case 1:
		l, suffix = unary(device.ReLU)(), "relu"
	case 2:
		l, suffix = formula("max(min(x, 1), -1)")(), "relu_n1_to_1"
	case 3:
		l, suffix = relu6(), "relu6"
	case 4:
		l, suffix = unary(device.Tanh)(), "tanh"
	default:
		return nil, fmt.Errorf("its fused activation %d is not read; RELU, RELU_N1_TO_1, RELU6 and TANH are", a)
	}
	x, err := im.Same(c.base, suffix, l, y.Value)
	return &value{Value: x}, err
}

func unary(op device.UnaryOp) func() layers.Layer {
	return func() layers.Layer { return &layers.Unary{Op: op} }
}

func formula(text string) func() layers.Layer {
	return func() layers.Layer { return &layers.Formula{Formula: text} }
}

func relu6() layers.Layer     { return &layers.Activation{Function: "relu6"} }
func hardSwish() layers.Layer { return &layers.HardSwish{} }
func elu() layers.Layer       { return &layers.ELU{Alpha: 1} }

// function reads an operator of each element.
func function(l func() layers.Layer) reader {
	return func(im *importer, c *call) (*value, error) { return im.each(c, l()) }
}

// each adds a layer that computes each element of input 0.
func (im *importer) each(c *call, l layers.Layer) (*value, error) {
	x, err := c.input(0)
	if err != nil {
		return nil, err
	}
	y, err := im.Same(c.base, "", l, x)
	return &value{Value: y}, err
}

// leakyReLU reads LEAKY_RELU.
func leakyReLU(im *importer, c *call) (*value, error) {
	slope := c.options.float(0)
	if slope >= 0 && slope < 1 {
		return im.each(c, &layers.Unary{Op: device.LeakyReLU, Slope: &slope})
	}
	return im.each(c, &layers.Formula{Formula: "select(0 < x, x, x * " + layers.FormulaNumber(slope) + ")"})
}

// gelu reads GELU.
func gelu(im *importer, c *call) (*value, error) {
	return im.each(c, &layers.GELU{Tanh: c.options.bool(0)})
}

// softmax reads SOFTMAX, over the channels: of beta times the scores.
func softmax(im *importer, c *call) (*value, error) {
	x, err := c.input(0)
	if err != nil {
		return nil, err
	}
	if x, err = im.Solid(x); err != nil {
		return nil, err
	}
	if beta := c.options.float(0); beta != 1 {
		if x, err = im.Emit(c.base, "beta", &layers.Scale{Factor: beta}, x); err != nil {
			return nil, err
		}
	}
	y, err := im.Emit(c.base, "", &layers.Softmax{}, x)
	return &value{Value: y}, err
}

// prelu reads PRELU whose slopes are one for each channel, or one for all.
func prelu(im *importer, c *call) (*value, error) {
	x, err := c.input(0)
	if err != nil {
		return nil, err
	}
	if x, err = im.Solid(x); err != nil {
		return nil, err
	}
	alpha, err := c.constant(1, "slope")
	if err != nil {
		return nil, err
	}
	if alpha == nil || alpha.len() != 1 && !alpha.ofChannels(x.Sample[0]) {
		return nil, fmt.Errorf("its slopes have the shape %v, and its input is %s; hubel's prelu has one for each channel, or one for all", alpha.size(), im.text(c.in[0]))
	}
	y, err := im.Emit(c.base, "", &layers.PReLU{Shared: alpha.len() == 1}, x)
	if err != nil {
		return nil, err
	}
	im.set(y, "weight", alpha, slices.Clone(alpha.floats), alpha.len())
	return &value{Value: y}, nil
}

// size is the shape, of none too.
func (c *constant) size() []int {
	if c == nil {
		return nil
	}
	return c.shape
}

// ofChannels reports whether there is one element for each of so many channels, the last axis.
func (c *constant) ofChannels(n int) bool {
	return c.len() == n && len(c.shape) > 0 && c.shape[len(c.shape)-1] == n
}
