package onnx

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/layers"
)

// exported is a layer that is being written: the names of its inputs, the shapes of the
// first input and the first output, and its Spec.
type exported struct {
	e    *exporter
	in   []string
	x, y tensor.Shape
	spec layers.Spec
}

// one is a single output.
func one(name string) ([]string, error) { return []string{name}, nil }

// layer writes the nodes of a layer and returns its outputs.
func (x exported) layer(l layers.Layer) ([]string, error) {
	e := x.e
	switch l := l.(type) {
	case *layers.Conv:
		return x.conv("Conv", l, layers.Size{})
	case *layers.Deconv:
		return x.conv("ConvTranspose", &l.Conv, l.OutputPad)
	case *layers.Dense:
		return x.dense(l)
	case *layers.DropConnect:
		return x.dense(&l.Dense)
	case *layers.Pool:
		if l.Switches {
			return nil, fmt.Errorf("max-pool with switches has no operator: write the network without unpool")
		}
		return one(x.pool(l, x.in[0], l.Op == device.AveragePool, l.CountPad))
	case *layers.L2Pool:
		return x.l2Pool(l)
	case *layers.AdaptivePool:
		return x.adaptive(l)
	case *layers.Unary:
		names := map[device.UnaryOp]string{device.ReLU: "Relu", device.Sigmoid: "Sigmoid", device.Tanh: "Tanh"}
		if l.Op == device.LeakyReLU {
			return one(e.op("LeakyRelu", x.in, real("alpha", l.Function().Slope)))
		}
		return one(e.op(names[l.Op], x.in))
	case *layers.Dropout, *layers.GaussianNoise:
		return one(e.op("Identity", x.in))
	case *layers.PReLU:
		shape := overChannels(x.x)
		if l.Shared {
			shape = []int{1}
		}
		slope, err := e.weight("weight", shape...)
		if err != nil {
			return nil, err
		}
		return one(e.op("PRelu", []string{x.in[0], slope}))
	case *layers.Maxout:
		parts := e.op("Reshape", []string{x.in[0], e.integers("pieces", 0, x.y[1], l.Pieces, -1)})
		most := e.op("ReduceMax", []string{parts}, list("axes", 2), whole("keepdims", 0))
		return one(e.op("Reshape", []string{most, e.integers("shape", sameShape(x.y)...)}))
	case *layers.Softmax:
		return one(e.op("Softmax", x.in, whole("axis", 1)))
	case *layers.ArgMax:
		place := e.op("ArgMax", x.in, whole("axis", 1), whole("keepdims", 1))
		return one(e.op("Cast", []string{place}, whole("to", int(typeFloat))))
	case *layers.LRN:
		return x.lrn(l)
	case *layers.BatchNorm, *layers.GroupNorm, *layers.InstanceNorm, *layers.LayerNorm, *layers.L2Norm:
		return x.norm(l)
	case *layers.Flatten, *layers.Reshape, *layers.Permute, *layers.ChannelShuffle, *layers.Concat, *layers.Split,
		*layers.Slice, *layers.Crop, *layers.Padding, *layers.Upsample:
		return x.move(l)
	case *layers.Add:
		return x.program(x.spec.Programs[0])
	}
	if f, ok := reflect.TypeOf(l).Elem().FieldByName("Elementwise"); ok && f.Anonymous && len(x.spec.Programs) > 0 {
		return x.program(x.spec.Programs[0])
	}
	return nil, fmt.Errorf("a layer of the type %s is not written as ONNX, which has no operator for it", l.Type())
}

// operatorsOf are the operators of a program's operations.
var operatorsOf = map[expr.Op]string{
	expr.OpAdd: "Add", expr.OpSub: "Sub", expr.OpMul: "Mul", expr.OpDiv: "Div", expr.OpMin: "Min", expr.OpMax: "Max",
	expr.OpAbs: "Abs", expr.OpSqrt: "Sqrt", expr.OpExp: "Exp", expr.OpLog: "Log", expr.OpTanh: "Tanh", expr.OpErf: "Erf",
	expr.OpSigmoid: "Sigmoid", expr.OpLess: "Less", expr.OpLessEqual: "LessOrEqual", expr.OpEqual: "Equal", expr.OpSelect: "Where",
}

// program writes an element-wise program, operation by operation.
func (x exported) program(p *expr.Program) ([]string, error) {
	code, results := p.Code()
	names := make([]string, len(code))
	for i, step := range code {
		switch step.Op {
		case expr.OpInput:
			if step.Axes != expr.Whole || step.Integer || step.Index >= len(x.in) {
				return nil, fmt.Errorf("its program %v reads more than whole inputs", p)
			}
			names[i] = x.in[step.Index]
		case expr.OpConst:
			names[i] = x.e.constant("constant", nil, []float32{step.Value})
		default:
			op, ok := operatorsOf[step.Op]
			if !ok {
				return nil, fmt.Errorf("its program %v has an operation without an operator", p)
			}
			var in []string
			for _, a := range step.Args[:step.Op.Args()] {
				in = append(in, names[a])
			}
			names[i] = x.e.op(op, in)
		}
	}
	y := names[results[0]]
	if slices.Contains(x.in, y) || code[results[0]].Op == expr.OpConst {
		y = x.e.op("Identity", []string{y})
	}
	return one(y)
}

// both is a size for each axis of pixels.
func (x exported) both(s layers.Size, otherwise int) []int {
	if s == (layers.Size{}) {
		s = layers.Square(otherwise)
	}
	if len(x.x) == 3 {
		return []int{s.W}
	}
	return []int{s.H, s.W}
}

// pads are those before and behind each axis of pixels.
func (x exported) pads(p layers.Pad) []int {
	if len(x.x) == 3 {
		return []int{p.Left, p.Right}
	}
	return []int{p.Top, p.Left, p.Bottom, p.Right}
}

// conv writes a convolution, or a transposed one.
func (x exported) conv(op string, l *layers.Conv, more layers.Size) ([]string, error) {
	in := slices.Clone(x.in)
	for _, p := range x.spec.Params {
		name, err := x.e.weight(p.Name, p.Shape...)
		if err != nil {
			return nil, err
		}
		in = append(in, name)
	}
	attributes := []attributeProto{
		list("kernel_shape", x.both(l.Kernel, 1)...), list("strides", x.both(l.Stride, 1)...), list("pads", x.pads(l.Pad)...),
		list("dilations", x.both(l.Dilation, 1)...), whole("group", cmp.Or(l.Groups, 1)),
	}
	if more != (layers.Size{}) {
		attributes = append(attributes, list("output_padding", x.both(more, 0)...))
	}
	return one(x.e.op(op, in, attributes...))
}

// dense writes a dense layer, which flattens.
func (x exported) dense(l *layers.Dense) ([]string, error) {
	in := slices.Clone(x.in)
	if len(x.x) != 2 {
		in[0] = x.e.op("Flatten", in, whole("axis", 1))
	}
	for _, p := range x.spec.Params {
		name, err := x.e.weight(p.Name, p.Shape...)
		if err != nil {
			return nil, err
		}
		in = append(in, name)
	}
	return one(x.e.op("Gemm", in, whole("transB", 1)))
}

// pool writes a pooling. What Ceil adds at the end is a pad.
func (x exported) pool(l *layers.Pool, in string, average, countPad bool) string {
	op := "MaxPool"
	if average {
		op = "AveragePool"
	}
	if l.Global {
		return x.e.op("Global"+op, []string{in})
	}
	window, stride, pads := x.both(l.Window, 0), x.both(l.Stride, 1), x.pads(l.Pad)
	attributes := []attributeProto{list("kernel_shape", window...), list("strides", stride...)}
	axes := len(window)
	if l.Ceil && countPad {
		attributes = append(attributes, whole("ceil_mode", 1)) // windows are clipped to the padded image
	} else if l.Ceil {
		for i := range axes {
			behind := (x.y[2+i]-1)*stride[i] + window[i] - x.x[2+i] - pads[i]
			pads[axes+i] = max(pads[axes+i], behind)
		}
	}
	attributes = append(attributes, list("pads", pads...))
	if average && countPad {
		attributes = append(attributes, whole("count_include_pad", 1))
	}
	return x.e.op(op, []string{in}, attributes...)
}

// l2Pool writes the root of the mean, or of the sum, of squares.
func (x exported) l2Pool(l *layers.L2Pool) ([]string, error) {
	squares := x.e.op("Mul", []string{x.in[0], x.in[0]})
	mean := x.pool(&l.Pool, squares, true, l.CountPad || l.Sum)
	if l.Sum {
		n := product(x.both(l.Window, 1))
		if l.Global {
			n = product(x.x[2:])
		}
		mean = x.e.op("Mul", []string{mean, x.e.constant("size", nil, []float32{float32(n)})})
	}
	return one(x.e.op("Sqrt", []string{mean}))
}

// adaptive writes an adaptive pooling whose windows are all alike.
func (x exported) adaptive(l *layers.AdaptivePool) ([]string, error) {
	p := layers.Pool{Op: l.Op}
	in, out := x.x[2:], x.y[2:]
	for i := range in {
		if in[i]%out[i] != 0 {
			return nil, fmt.Errorf("%s from %v to %v has windows of several sizes, and ONNX has no operator for it", l.Type(), []int(in), []int(out))
		}
	}
	p.Window = layers.Square(in[0] / out[0])
	if len(in) == 2 {
		p.Window.W = in[1] / out[1]
	}
	p.Stride = p.Window
	return one(x.pool(&p, x.in[0], l.Op == device.AveragePool, false))
}

// lrn writes a normalisation across channels.
func (x exported) lrn(l *layers.LRN) ([]string, error) {
	if l.Region == "within" {
		return nil, fmt.Errorf("lrn within channels has no operator of ONNX")
	}
	size, alpha := cmp.Or(l.Size, 5), or(l.Alpha, 1e-4)
	if !l.AlphaOverSize {
		alpha *= float32(size)
	}
	return one(x.e.op("LRN", x.in, whole("size", size), real("alpha", alpha), real("beta", or(l.Beta, 0.75)), real("bias", cmp.Or(l.K, 2))))
}
