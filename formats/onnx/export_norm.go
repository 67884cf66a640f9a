package onnx

import (
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/layers"
)

// norm writes the layers that normalise.
func (x exported) norm(l layers.Layer) ([]string, error) {
	switch l := l.(type) {
	case *layers.BatchNorm:
		return x.batchNorm(l)
	case *layers.GroupNorm:
		return x.groupNorm(l.Groups, or(l.Eps, 1e-5))
	case *layers.InstanceNorm:
		return x.groupNorm(x.x[1], or(l.Eps, 1e-5))
	case *layers.LayerNorm:
		return x.layerNorm(l)
	}
	e := x.e
	norm := e.op("ReduceL2", x.in, list("axes", 1), whole("keepdims", 1))
	norm = e.op("Max", []string{norm, e.constant("smallest", nil, []float32{1e-12})})
	return one(e.op("Div", []string{x.in[0], norm}))
}

// affine multiplies by the weight and adds the bias of the layer, if there are any.
func (x exported) affine(y string, shape []int) ([]string, error) {
	if len(x.spec.Params) == 0 {
		return one(y)
	}
	weight, err := x.e.weight("weight", shape...)
	if err != nil {
		return nil, err
	}
	bias, err := x.e.weight("bias", shape...)
	if err != nil {
		return nil, err
	}
	return one(x.e.op("Add", []string{x.e.op("Mul", []string{y, weight}), bias}))
}

// batchNorm writes running statistics as mean and variance, whatever the convention.
func (x exported) batchNorm(l *layers.BatchNorm) ([]string, error) {
	e, channels := x.e, x.x[1]
	mean, err := e.values("running_mean")
	if err != nil {
		return nil, err
	}
	eps := or(l.Eps, 1e-5)
	var variance []float32
	switch l.Convention {
	case "caffe":
		if variance, err = e.values("running_var"); err != nil {
			return nil, err
		}
		factor, err := e.values("scale_factor")
		if err != nil {
			return nil, err
		}
		scale := float32(0)
		if factor[0] != 0 {
			scale = 1 / factor[0]
		}
		over := func(v float32) float32 { return v * scale }
		mean, variance = each(mean, over), each(variance, over)
	case "matconvnet":
		std, err := e.values("running_std")
		if err != nil {
			return nil, err
		}
		eps = 1e-12 // std has it in it
		variance = each(std, func(v float32) float32 { return max(v*v-eps, 0) })
	default:
		if variance, err = e.values("running_var"); err != nil {
			return nil, err
		}
	}
	in := []string{x.in[0]}
	for i, name := range []string{"weight", "bias"} {
		if len(x.spec.Params) == 0 {
			in = append(in, e.constant(name, []int{channels}, slices.Repeat([]float32{float32(1 - i)}, channels)))
			continue
		}
		weight, err := e.weight(name, channels)
		if err != nil {
			return nil, err
		}
		in = append(in, weight)
	}
	if len(mean) != channels || len(variance) != channels {
		return nil, fmt.Errorf("there are %d means and %d variances for %d channels", len(mean), len(variance), channels)
	}
	in = append(in, e.constant("running_mean", []int{channels}, mean), e.constant("running_var", []int{channels}, variance))
	return one(e.op("BatchNormalization", in, real("epsilon", eps)))
}

// groupNorm writes the normalisation of groups as that of the channels of another shape.
func (x exported) groupNorm(groups int, eps float32) ([]string, error) {
	e := x.e
	y := e.op("Reshape", []string{x.in[0], e.integers("groups", 0, groups, -1)})
	ones := e.constant("ones", []int{groups}, slices.Repeat([]float32{1}, groups))
	zeros := e.constant("zeros", []int{groups}, make([]float32, groups))
	y = e.op("InstanceNormalization", []string{y, ones, zeros}, real("epsilon", eps))
	y = e.op("Reshape", []string{y, e.integers("shape", sameShape(x.y)...)})
	return x.affine(y, overChannels(x.x))
}

// layerNorm writes LayerNormalization of a whole sample, or of the channels, which are the
// last axis for it.
func (x exported) layerNorm(l *layers.LayerNorm) ([]string, error) {
	e, eps := x.e, or(l.Eps, 1e-5)
	in, shape, axis := x.in[0], []int(x.x[1:]), 1
	rank := len(x.x)
	if l.Channels {
		order := append(append([]int{0}, upTo(rank)[2:]...), 1)
		in, shape, axis = e.op("Transpose", x.in, list("perm", order...)), []int{x.x[1]}, rank-1
	}
	ones := e.constant("ones", shape, slices.Repeat([]float32{1}, product(shape)))
	y := e.op("LayerNormalization", []string{in, ones}, whole("axis", axis), real("epsilon", eps))
	if l.Channels {
		order := append([]int{0, rank - 1}, upTo(rank - 1)[1:]...)
		y = e.op("Transpose", []string{y}, list("perm", order...))
		shape = overChannels(x.x)
	}
	return x.affine(y, shape)
}

// move writes the layers that move elements.
func (x exported) move(l layers.Layer) ([]string, error) {
	e := x.e
	switch l := l.(type) {
	case *layers.Permute:
		return one(e.op("Transpose", x.in, list("perm", l.Order...)))
	case *layers.ChannelShuffle:
		y := e.op("Reshape", []string{x.in[0], e.integers("groups", 0, l.Groups, x.x[1]/l.Groups, -1)})
		y = e.op("Transpose", []string{y}, list("perm", 0, 2, 1, 3))
		return one(e.op("Reshape", []string{y, e.integers("shape", sameShape(x.y)...)}))
	case *layers.Concat:
		return one(e.op("Concat", x.in, whole("axis", 1)))
	case *layers.Split:
		first := e.op("Split", []string{x.in[0], e.integers("parts", l.Channels...)}, whole("axis", 1))
		outs := []string{first}
		for range l.Channels[1:] {
			outs = append(outs, e.unique(e.layer+"_split"))
		}
		e.g.nodes[len(e.g.nodes)-1].out = slices.Clone(outs)
		return outs, nil
	case *layers.Slice:
		axis := max(l.Axis, 1)
		end := l.End
		if end == 0 {
			end = x.x[axis]
		}
		return one(e.op("Slice", []string{x.in[0], e.integers("starts", l.Begin), e.integers("ends", end), e.integers("axes", axis), e.integers("steps", max(l.Step, 1))}))
	case *layers.Crop:
		axis := l.Axis
		if axis == 0 {
			axis = 2
		}
		var starts, ends, axes []int
		for i := axis; i < len(x.x); i++ {
			offset := 0
			if len(l.Offset) == 1 {
				offset = l.Offset[0]
			} else if len(l.Offset) > 1 {
				offset = l.Offset[i-axis]
			}
			starts, ends, axes = append(starts, offset), append(ends, offset+x.y[i]), append(axes, i)
		}
		return one(e.op("Slice", []string{x.in[0], e.integers("starts", starts...), e.integers("ends", ends...), e.integers("axes", axes...)}))
	case *layers.Padding:
		p := l.Pad
		return one(e.op("Pad", []string{x.in[0], e.integers("pads", 0, 0, p.Top, p.Left, 0, 0, p.Bottom, p.Right), e.constant("value", nil, []float32{l.Value})}))
	case *layers.Upsample:
		scales := e.constant("scales", []int{4}, []float32{1, 1, float32(l.Scale.H), float32(l.Scale.W)})
		in := []string{x.in[0], "", scales}
		if l.Mode == "bilinear" {
			return one(e.op("Resize", in, word("mode", "linear"), word("coordinate_transformation_mode", "half_pixel")))
		}
		return one(e.op("Resize", in, word("mode", "nearest"), word("coordinate_transformation_mode", "asymmetric"), word("nearest_mode", "floor")))
	}
	return one(e.op("Reshape", []string{x.in[0], e.integers("shape", sameShape(x.y)...)})) // Flatten, Reshape
}
