package onnx

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/layers"
)

// batchNorm reads BatchNormalization as inference has it.
func batchNorm(im *importer, n *node) ([]*value, error) {
	x, err := n.numbers(0)
	if err != nil {
		return nil, err
	}
	a := n.read()
	eps, momentum := a.float("epsilon", 1e-5), a.float("momentum", 0.9)
	training, spatial := a.integer("training_mode", 0), a.integer("spatial", 1)
	n.ignore("is_test", "consumed_inputs")
	if a.err != nil {
		return nil, a.err
	}
	if x, err = im.batched(x); err != nil {
		return nil, err
	}
	if len(x.sample) < 1 {
		return nil, fmt.Errorf("its input %s has no channels", x.text())
	}
	channels := x.sample[0]
	switch {
	case training != 0:
		return nil, errors.New("training_mode is 1: the model normalises by its batch; export it for inference (model.eval())")
	case spatial == 0 && len(x.sample) > 1:
		return nil, errors.New("spatial is 0: each element has its own statistics; nearest is batch-norm of channels")
	}
	l := &layers.BatchNorm{}
	if eps != 1e-5 {
		l.Eps = &eps
	}
	if m := 1 - momentum; momentum != 0.9 {
		l.Momentum = &m
	}
	y, err := im.emit(n, "", l, x)
	if err != nil {
		return nil, err
	}
	for i, name := range []string{"weight", "bias", "running_mean", "running_var"} {
		c, err := n.weight(1+i, name)
		if err != nil {
			return nil, err
		}
		if c == nil || c.len() != channels {
			return nil, fmt.Errorf("its %s does not have an element for each of the %d channels", name, channels)
		}
		im.setWeight(y.name, name, c.floats, channels)
	}
	return []*value{y}, nil
}

// scales are the constants of a normalisation.
func (n *node) scales(required bool) (weight, bias *constant, err error) {
	if weight, err = n.weight(1, "scale"); err != nil {
		return
	}
	if bias, err = n.weight(2, "bias"); err != nil {
		return
	}
	if required && (weight == nil || bias == nil) {
		err = errors.New("its scale or its bias is missing")
	}
	return
}

// instanceNorm reads InstanceNormalization.
func instanceNorm(im *importer, n *node) ([]*value, error) {
	x, err := im.normalised(n)
	if err != nil {
		return nil, err
	}
	weight, bias, err := n.scales(true)
	if err != nil {
		return nil, err
	}
	a := n.read()
	eps := a.float("epsilon", 1e-5)
	n.ignore("consumed_inputs")
	if a.err != nil {
		return nil, a.err
	}
	on := true
	l := &layers.InstanceNorm{Eps: &eps, Affine: layers.Affine{On: &on}}
	return im.scaled(n, l, x, weight.floats, bias.floats)
}

// normalised is the input of a normalisation, with channels.
func (im *importer) normalised(n *node) (*value, error) {
	x, err := n.numbers(0)
	if err != nil {
		return nil, err
	}
	if x, err = im.batched(x); err != nil {
		return nil, err
	}
	if len(x.sample) < 1 {
		return nil, fmt.Errorf("its input %s has no channels", x.text())
	}
	return x, nil
}

// scaled emits a layer with weight and bias of each channel.
func (im *importer) scaled(n *node, l layers.Layer, x *value, weight, bias []float32) ([]*value, error) {
	channels := x.sample[0]
	if len(weight) != channels || len(bias) != channels {
		return nil, fmt.Errorf("it has %d scales and %d biases for %d channels", len(weight), len(bias), channels)
	}
	y, err := im.emit(n, "", l, x)
	if err != nil {
		return nil, err
	}
	im.setWeight(y.name, "weight", weight, channels)
	im.setWeight(y.name, "bias", bias, channels)
	return []*value{y}, nil
}

// groupNorm reads GroupNormalization. Before opset 21 scale and bias are of groups.
func groupNorm(im *importer, n *node) ([]*value, error) {
	x, err := im.normalised(n)
	if err != nil {
		return nil, err
	}
	weight, bias, err := n.scales(true)
	if err != nil {
		return nil, err
	}
	a := n.read()
	eps, groups := a.float("epsilon", 1e-5), a.integer("num_groups", 0)
	n.ignore("stash_type")
	if a.err != nil {
		return nil, a.err
	}
	channels := x.sample[0]
	if groups < 1 || channels%groups != 0 {
		return nil, fmt.Errorf("num_groups %d does not divide %d channels", groups, channels)
	}
	w, b := weight.floats, bias.floats
	if im.opset < 21 && len(w) == groups && len(b) == groups {
		w = stretched(w, []int{groups, 1}, []int{groups, channels / groups})
		b = stretched(b, []int{groups, 1}, []int{groups, channels / groups})
	}
	return im.scaled(n, &layers.GroupNorm{Groups: groups, Eps: &eps}, x, w, b)
}

// layerNorm reads LayerNormalization, over an axis and those behind it.
func layerNorm(im *importer, n *node) ([]*value, error) {
	x, err := n.numbers(0)
	if err != nil {
		return nil, err
	}
	weight, bias, err := n.scales(false)
	if err != nil {
		return nil, err
	}
	a := n.read()
	eps, axis := a.float("epsilon", 1e-5), a.integer("axis", -1)
	n.ignore("stash_type")
	if a.err != nil {
		return nil, a.err
	}
	if axis, err = axisOf(axis, x.rank()); err != nil {
		return nil, err
	}
	if x.batch && axis == 0 {
		if x, err = im.unbatched(x, "it normalises over all axes"); err != nil {
			return nil, err
		}
	}
	first := x.axis(axis)
	shape := x.sample[first:]
	all := product(shape)
	if weight != nil && (weight.len() != all || len(shape) == 0) {
		return nil, fmt.Errorf("its scale %v does not fit the axes %v that are normalised", weight.shape, shape)
	}
	if bias != nil && bias.len() != all {
		return nil, fmt.Errorf("its bias %v does not fit the axes %v that are normalised", bias.shape, shape)
	}
	if product(x.sample[:first]) == 1 && weight != nil {
		y, err := im.emit(n, "", &layers.LayerNorm{Eps: &eps}, x)
		if err != nil {
			return nil, err
		}
		b := make([]float32, all)
		if bias != nil {
			b = bias.floats
		}
		im.setWeight(y.name, "weight", weight.floats, x.sample...)
		im.setWeight(y.name, "bias", b, x.sample...)
		return []*value{y}, nil
	}
	y, err := im.emit(n, "", &layers.InstanceNorm{Eps: &eps}, x.as(product(x.sample[:first]), all))
	if err != nil {
		return nil, err
	}
	if weight != nil || bias != nil {
		var w, b []float32
		if weight != nil {
			w = weight.floats
		}
		if bias != nil {
			b = bias.floats
		}
		if y, err = im.affine(n, "affine", y, []int{1, all}, w, b); err != nil {
			return nil, err
		}
	}
	return []*value{y.as(x.sample...).like(x)}, nil
}

// lrnOf reads LRN.
func lrnOf(im *importer, n *node) ([]*value, error) {
	x, err := im.normalised(n)
	if err != nil {
		return nil, err
	}
	a := n.read()
	alpha, beta, bias, size := a.float("alpha", 1e-4), a.float("beta", 0.75), a.float("bias", 1), a.integer("size", 0)
	switch {
	case a.err != nil:
		return nil, a.err
	case size < 1 || size%2 == 0:
		return nil, fmt.Errorf("size %d is not odd, as that of an lrn layer is", size)
	case bias == 0:
		return nil, errors.New("bias is 0; k of an lrn layer is not")
	}
	l := &layers.LRN{Size: size, Alpha: &alpha, Beta: &beta, K: bias, AlphaOverSize: true}
	in := x
	if len(x.sample) != 3 {
		in = x.as(x.sample[0], 1, product(x.sample[1:]))
	}
	y, err := im.emit(n, "", l, in)
	if err != nil {
		return nil, err
	}
	return []*value{y.as(x.sample...)}, nil
}

// meanVariance reads MeanVarianceNormalization, over any axes.
func meanVariance(im *importer, n *node) ([]*value, error) {
	x, err := n.numbers(0)
	if err != nil {
		return nil, err
	}
	a := n.read()
	axes := a.integers("axes")
	if a.err != nil {
		return nil, a.err
	}
	if axes == nil {
		axes = []int{0, 2, 3}
	}
	if axes, err = axesOf(axes, x.rank()); err != nil {
		return nil, err
	}
	if x.batch && slices.Contains(axes, 0) {
		if x, err = im.unbatched(x, "it normalises over the batch"); err != nil {
			return nil, err
		}
	}
	order, kept := im.apart(x, axes)
	moved, err := im.permute(n, "front", x, order...)
	if err != nil {
		return nil, err
	}
	// The deviation is increased by 1e-9, and here the variance by its square.
	eps := float32(1e-18)
	y, err := im.emit(n, "", &layers.InstanceNorm{Eps: &eps}, moved.as(kept, product(x.sample)/max(kept, 1)))
	if err != nil {
		return nil, err
	}
	if y, err = im.permuteBack(n, y.as(moved.sample...), order); err != nil {
		return nil, err
	}
	return []*value{y.like(x)}, nil
}

// apart is the order of axes that puts these of the tensor behind the others, and how many
// elements the others have.
func (im *importer) apart(x *value, axes []int) (order []int, kept int) {
	kept = 1
	for i := range x.sample {
		if !slices.ContainsFunc(axes, func(a int) bool { return x.axis(a) == i }) {
			order, kept = append(order, i), kept*x.sample[i]
		}
	}
	for i := range x.sample {
		if slices.ContainsFunc(axes, func(a int) bool { return x.axis(a) == i }) {
			order = append(order, i)
		}
	}
	return order, kept
}

// lpNorm reads LpNormalization: elements divided by the norm along an axis.
func lpNorm(im *importer, n *node) ([]*value, error) {
	x, err := n.numbers(0)
	if err != nil {
		return nil, err
	}
	a := n.read()
	p, axis := a.integer("p", 2), a.integer("axis", -1)
	if a.err != nil {
		return nil, a.err
	}
	if p == 1 {
		return im.l1Norm(n, x, axis)
	}
	if p != 2 {
		return nil, fmt.Errorf("p is %d; an l2-norm layer has 2", p)
	}
	return im.alongChannels(n, x, axis, &layers.L2Norm{}, "it divides by the norm of the batch")
}

// l1Norm divides by the sum of magnitudes along an axis, or by 1e-12 if that is smaller, as
// an l2-norm layer does.
func (im *importer) l1Norm(n *node, x *value, axis int) ([]*value, error) {
	axis, err := axisOf(axis, x.rank())
	if err != nil {
		return nil, err
	}
	if x.batch && axis == 0 {
		if x, err = im.unbatched(x, "it divides by the norm of the batch"); err != nil {
			return nil, err
		}
	}
	order, kept := im.apart(x, []int{axis})
	moved, err := im.permute(n, "front", x, order...)
	if err != nil {
		return nil, err
	}
	rows := moved.as(kept, product(x.sample)/kept)
	sum, err := reductions["ReduceL1"](im, n, "sum", rows)
	if err != nil {
		return nil, err
	}
	if sum, err = im.expand(n, sum, rows.sample); err != nil {
		return nil, err
	}
	y, err := im.emit(n, "", &layers.Formula{Formula: "x / max(x1, 1e-12)"}, rows, sum)
	if err != nil {
		return nil, err
	}
	if y, err = im.permuteBack(n, y.as(moved.sample...), order); err != nil {
		return nil, err
	}
	return []*value{y.like(x)}, nil
}

// alongChannels applies a layer that works along the channels to another axis.
func (im *importer) alongChannels(n *node, x *value, axis int, l layers.Layer, why string) ([]*value, error) {
	axis, err := axisOf(axis, x.rank())
	if err != nil {
		return nil, err
	}
	if x.batch && axis == 0 {
		if x, err = im.unbatched(x, why); err != nil {
			return nil, err
		}
	}
	at := x.axis(axis)
	front, err := im.toFront(n, x, at)
	if err != nil {
		return nil, err
	}
	in := front
	if len(front.sample) != 1 && len(front.sample) != 3 {
		in = front.as(front.sample[0], product(front.sample[1:]))
	}
	y, err := im.emit(n, "", l, in)
	if err != nil {
		return nil, err
	}
	if y, err = im.toPlace(n, "back", y.as(front.sample...), at); err != nil {
		return nil, err
	}
	return []*value{y.like(x)}, nil
}
