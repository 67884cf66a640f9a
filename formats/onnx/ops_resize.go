package onnx

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/hubel-go/hubel/layers"
)

// resampling is how Resize or Upsample computes elements along an axis.
type resampling struct {
	mode, coordinates, nearest string
	ceilBelowOne               bool    // "floor" is "ceil" where the scale is less than 1
	cubic                      float64 // the coefficient a
	excludeOutside, antialias  bool
	extrapolation              float32
}

// resize reads Resize and Upsample of all versions.
func resize(im *importer, n *node) ([]*value, error) {
	x, err := n.numbers(0)
	if err != nil {
		return nil, err
	}
	r, scales, lengths, err := im.resizing(n, x)
	if err != nil {
		return nil, err
	}
	roi, err := n.roi(im.opset, x.rank())
	if err != nil {
		return nil, err
	}
	if x.batch {
		if lengths[0] != 1 {
			return nil, &batchError{"samples are resized"}
		}
		scales, lengths, roi = scales[1:], lengths[1:], append(slices.Clone(roi[1:x.rank()]), roi[x.rank()+1:]...)
	}
	if y, err := im.upsample(n, r, x, lengths, scales); y != nil || err != nil {
		return []*value{y}, err
	}
	y := x
	for axis, length := range lengths {
		in := x.sample[axis]
		if in == length && (scales[axis] == 1) && r.coordinates != "tf_crop_and_resize" {
			continue
		}
		suffix := fmt.Sprintf("axis%d", axis+1)
		if r.bilinear(length) && !r.antialias && scales[axis] == float64(length/in) && length%in == 0 {
			if y, err = im.enlarge(n, suffix, y, axis, &layers.Upsample{Scale: layers.Size{H: length / in, W: 1}, Mode: "bilinear"}); err != nil {
				return nil, err
			}
			continue
		}
		if r.mode == "nearest" {
			if err := im.take(length); err != nil {
				return nil, err
			}
			places, err := r.places(in, length, scales[axis], roi[axis], roi[len(lengths)+axis])
			if err != nil {
				return nil, err
			}
			if places != nil {
				if y, err = im.pick(n, suffix, y, axis, places); err != nil {
					return nil, err
				}
				continue
			}
		}
		if err := im.takeMatrix(length, in); err != nil {
			return nil, err
		}
		matrix, err := r.matrix(in, length, scales[axis], roi[axis], roi[len(lengths)+axis])
		if err != nil {
			return nil, err
		}
		if y, err = im.linear(n, suffix, y, axis, length, matrix); err != nil {
			return nil, err
		}
	}
	if r.coordinates == "tf_crop_and_resize" && r.extrapolation != 0 {
		if err := im.take(product(y.sample)); err != nil {
			return nil, err
		}
		c, err := r.extrapolated(x.sample, lengths, scales, roi)
		if err != nil {
			return nil, err
		}
		if y, err = im.binary(n, "outside", binaries["Add"], y, &value{constant: c, kind: c.kind}); err != nil {
			return nil, err
		}
	}
	return []*value{y}, nil
}

// extrapolated is what is added where an output lies outside of the inputs, along any axis.
// The sum that is there is 0.
func (r resampling) extrapolated(in, lengths []int, scales, roi []float64) (*constant, error) {
	c := &constant{kind: typeFloat, shape: lengths, floats: make([]float32, product(lengths))}
	for axis, length := range lengths {
		behind := product(lengths[axis+1:])
		for o := range length {
			x, err := r.position(o, in[axis], length, scales[axis], roi[axis], roi[len(lengths)+axis])
			if err != nil {
				return nil, err
			}
			for i := o * behind; r.outside(x, in[axis]) && i < len(c.floats); i += length * behind {
				for k := range behind {
					c.floats[i+k] = r.extrapolation
				}
			}
		}
	}
	return c, nil
}

// outside reports whether x lies outside of the inputs where that counts.
func (r resampling) outside(x float64, in int) bool {
	return r.coordinates == "tf_crop_and_resize" && (x < 0 || x > float64(in-1))
}

// resizing reads how, and the scale and the length of every axis. That of a batch is 1.
func (im *importer) resizing(n *node, x *value) (r resampling, scales []float64, lengths []int, err error) {
	a := n.read()
	r.mode = a.text("mode", "nearest")
	if r.mode == "bilinear" || r.mode == "bicubic" {
		r.mode = r.mode[2:]
	}
	r.coordinates, r.nearest = "asymmetric", "floor" // of Upsample, and of Resize before opset 11
	sizesAt, scalesAt := -1, 1
	if n.op == "Resize" && im.opset >= 11 {
		r.coordinates = a.text("coordinate_transformation_mode", "half_pixel")
		r.nearest = a.text("nearest_mode", "round_prefer_floor")
		sizesAt, scalesAt = 3, 2
	}
	r.ceilBelowOne = n.op == "Resize" && im.opset < 11 // as its node case has it
	r.cubic = float64(a.float("cubic_coeff_a", -0.75))
	r.excludeOutside, r.antialias = a.integer("exclude_outside", 0) != 0, a.integer("antialias", 0) != 0
	r.extrapolation = a.float("extrapolation_value", 0)
	policy, axes := a.text("keep_aspect_ratio_policy", "stretch"), a.integers("axes")
	p, err := n.attribute("scales", kindFloats)
	if err = errors.Join(err, a.err); err != nil {
		return
	}
	rank := x.rank()
	if axes == nil {
		for i := range rank {
			axes = append(axes, i)
		}
	}
	if axes, err = axesOf(axes, rank); err != nil {
		return
	}
	scales, lengths = slices.Repeat([]float64{1}, rank), make([]int, rank)
	have := im.shapeConstant(x).ints
	for i, d := range have {
		lengths[i] = int(d)
	}
	var given []float32
	switch v := n.input(scalesAt); {
	case p != nil:
		given = p.floats
	case n.op == "Upsample" && im.opset < 7 && n.has("height_scale"):
		given = []float32{1, 1, a.float("height_scale", 1), a.float("width_scale", 1)}
	case v != nil && v.constant != nil && v.len() > 0:
		given = v.floats
	}
	var sizes *constant
	if v := n.input(sizesAt); sizesAt > 0 && v != nil {
		if sizes = v.constant; sizes == nil || !sizes.integral() {
			err = errors.New("its sizes must be constant integers, or follow from shapes")
			return
		}
	}
	switch {
	case sizes != nil && sizes.len() == len(axes):
		err = r.bySizes(im, x, sizes, axes, policy, have, scales, lengths)
	case len(given) == len(axes) && sizes == nil:
		for i, axis := range axes {
			scales[axis] = float64(given[i])
			to := math.Floor(float64(float32(have[axis]) * given[i])) // in float32, as shape inference has it
			if !(to >= 1 && to < 1<<31) {
				err = fmt.Errorf("scales %v are out of range for %s", given, x.text())
				return
			}
			lengths[axis] = int(to)
		}
	default:
		err = fmt.Errorf("its scales or sizes are not constants, or not those of the axes %v of %s", axes, x.text())
	}
	return
}

// bySizes fills scales and lengths from the lengths that are wanted.
func (r resampling) bySizes(im *importer, x *value, sizes *constant, axes []int, policy string, have []int64, scales []float64, lengths []int) error {
	common := 0.0
	for i, axis := range axes {
		to := sizes.ints[i]
		if axis == 0 && x.batch && (sizes.ofBatch(i) && to == 1 || im.batch > 1 && !im.single && to == int64(im.batch)) {
			to = 1 // the batch stays
		} else if sizes.ofBatch(i) {
			return &batchError{"a size is that of the batch"}
		}
		if to < 1 || to >= 1<<31 {
			return fmt.Errorf("its sizes %v are out of range", sizes.ints)
		}
		lengths[axis], scales[axis] = int(to), float64(to)/float64(have[axis])
		switch {
		case policy == "not_larger" && (i == 0 || scales[axis] < common), policy == "not_smaller" && (i == 0 || scales[axis] > common):
			common = scales[axis]
		}
	}
	switch policy {
	case "stretch":
	case "not_larger", "not_smaller":
		for _, axis := range axes {
			lengths[axis] = max(int(math.Floor(common*float64(have[axis])+0.5)), 1)
			scales[axis] = common
		}
	default:
		return fmt.Errorf("keep_aspect_ratio_policy is %q", policy)
	}
	return nil
}

// roi is the region of tf_crop_and_resize: starts and then ends, 0 and 1 unless given.
func (n *node) roi(opset, rank int) ([]float64, error) {
	roi := append(make([]float64, rank), slices.Repeat([]float64{1}, rank)...)
	v := n.input(1)
	if n.op == "Resize" && opset >= 11 && v != nil && v.constant == nil {
		return nil, errors.New("its roi is computed; a constant one is read")
	}
	if n.op != "Resize" || opset < 11 || v == nil || v.len() == 0 {
		return roi, nil
	}
	a := n.read()
	axes := a.integers("axes")
	if axes == nil {
		axes = upTo(rank)
	}
	axes, err := axesOf(axes, rank)
	if err = errors.Join(a.err, err); err != nil {
		return nil, err
	}
	if v.integral() || v.len() != 2*len(axes) {
		return nil, fmt.Errorf("its roi has %d numbers, want %d", v.len(), 2*len(axes))
	}
	for i, axis := range axes {
		roi[axis], roi[rank+axis] = float64(v.floats[i]), float64(v.floats[len(axes)+i])
	}
	return roi, nil
}

// upsample emits an upsample layer where rows and columns are enlarged by whole numbers in
// a way that one has, and nothing otherwise.
func (im *importer) upsample(n *node, r resampling, x *value, lengths []int, scales []float64) (*value, error) {
	if len(x.sample) != 3 || lengths[0] != x.sample[0] || r.antialias {
		return nil, nil
	}
	scale := layers.Size{H: lengths[1] / x.sample[1], W: lengths[2] / x.sample[2]}
	if scale.H*x.sample[1] != lengths[1] || scale.W*x.sample[2] != lengths[2] || scales[1] != float64(scale.H) || scales[2] != float64(scale.W) {
		return nil, nil
	}
	l := &layers.Upsample{Scale: scale}
	switch {
	case r.mode == "nearest" && r.coordinates == "asymmetric" && r.nearest == "floor":
	case r.mode == "nearest" && (r.coordinates == "half_pixel" || r.coordinates == "pytorch_half_pixel" && lengths[1] > 1 && lengths[2] > 1) && (r.nearest == "round_prefer_floor" || r.nearest == "round_prefer_ceil"):
	case r.bilinear(lengths[1]) && r.bilinear(lengths[2]):
		l.Mode = "bilinear"
	default:
		return nil, nil
	}
	return im.emit(n, "", l, x)
}

// bilinear reports whether an upsample layer interpolates in this way to so many elements.
func (r resampling) bilinear(length int) bool {
	return r.mode == "linear" && (r.coordinates == "half_pixel" || r.coordinates == "pytorch_half_pixel" && length > 1)
}

// places are the inputs that nearest outputs are, nil if one lies outside.
func (r resampling) places(in, out int, scale, start, end float64) ([]int, error) {
	places := make([]int, out)
	for o := range places {
		x, err := r.position(o, in, out, scale, start, end)
		if err != nil {
			return nil, err
		}
		if r.outside(x, in) {
			return nil, nil
		}
		if places[o], err = r.near(x, in, scale); err != nil {
			return nil, err
		}
	}
	return places, nil
}

// near is the input nearest to x.
func (r resampling) near(x float64, in int, scale float64) (int, error) {
	nearest := r.nearest
	if r.ceilBelowOne && scale < 1 {
		nearest = "ceil"
	}
	switch nearest {
	case "round_prefer_floor":
		x = math.Ceil(x - 0.5)
	case "round_prefer_ceil":
		x = math.Floor(x + 0.5)
	case "floor":
		x = math.Floor(x)
	case "ceil":
		x = math.Ceil(x)
	default:
		return 0, fmt.Errorf("nearest_mode %q is not read", r.nearest)
	}
	return min(max(int(x), 0), in-1), nil
}

// position is where output o lies among the inputs. Where an input is chosen by it, it is in
// float32, as onnxruntime and PyTorch have it: a scale of 1/3 is a little more, and in float64
// output 1 would lie below 3.
func (r resampling) position(o, in, out int, scale, start, end float64) (float64, error) {
	if r.mode == "nearest" || r.coordinates == "tf_crop_and_resize" {
		x, err := positionOf(r.coordinates, float32(o), float32(in), float32(out), float32(scale), float32(start), float32(end))
		return float64(x), err
	}
	return positionOf(r.coordinates, float64(o), float64(in), float64(out), scale, start, end)
}

// positionOf rounds after each operation.
func positionOf[T float32 | float64](coordinates string, o, in, out, scale, start, end T) (T, error) {
	middle := T((o + 0.5) / scale)
	switch coordinates {
	case "half_pixel":
		return middle - 0.5, nil
	case "half_pixel_symmetric":
		adjustment := out / T(scale*in)
		return T(T(in/2*(1-adjustment))+middle) - 0.5, nil
	case "pytorch_half_pixel":
		if out == 1 {
			return 0, nil
		}
		return middle - 0.5, nil
	case "tf_half_pixel_for_nn":
		return middle, nil
	case "asymmetric":
		return o / scale, nil
	case "align_corners":
		if out == 1 {
			return 0, nil
		}
		return o * (in - 1) / (out - 1), nil
	case "tf_crop_and_resize":
		if out == 1 {
			return 0.5 * (start + end) * (in - 1), nil
		}
		return T(start*(in-1)) + T(o*(end-start)*(in-1)/(out-1)), nil
	}
	return 0, fmt.Errorf("coordinate_transformation_mode %q is not read", coordinates)
}

// matrix has the factors [out,in] of an axis.
func (r resampling) matrix(in, out int, scale, start, end float64) ([]float32, error) {
	m := make([]float32, out*in)
	for o := range out {
		x, err := r.position(o, in, out, scale, start, end)
		if err != nil {
			return nil, err
		}
		row := m[o*in : (o+1)*in]
		if r.outside(x, in) {
			continue
		}
		if err := r.taps(row, x, scale); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// taps adds the factors of an output at x.
func (r resampling) taps(row []float32, x, scale float64) error {
	last := len(row) - 1
	if r.mode == "nearest" {
		i, err := r.near(x, len(row), scale)
		if err == nil {
			row[i] = 1
		}
		return err
	}
	reach, kernel := 1.0, func(d float64) float64 { return max(1-math.Abs(d), 0) }
	switch r.mode {
	case "linear":
	case "cubic":
		reach, kernel = 2, r.cubicKernel
	default:
		return fmt.Errorf("mode %q is not read; nearest, linear and cubic are", r.mode)
	}
	shrink := 1.0
	if r.antialias {
		shrink = min(scale, 1)
	}
	first, end := int(math.Floor(x-reach/shrink))+1, int(math.Floor(x))+int(math.Ceil(reach/shrink))
	if end-first > 1<<24 {
		return fmt.Errorf("a scale of %g is out of range", scale)
	}
	factors := make([]float64, 0, end-first+1)
	sum := 0.0
	for i := first; i <= end; i++ {
		f := kernel((float64(i) - x) * shrink)
		if r.excludeOutside && (i < 0 || i > last) {
			f = 0
		}
		factors = append(factors, f)
		sum += f
	}
	if !r.excludeOutside && !r.antialias {
		sum = 1
	}
	all := make([]float64, len(row))
	for k, f := range factors {
		all[min(max(first+k, 0), last)] += f / sum
	}
	for i, f := range all {
		row[i] += float32(f)
	}
	return nil
}

// cubicKernel is Keys' function of the distance.
func (r resampling) cubicKernel(d float64) float64 {
	d, a := math.Abs(d), r.cubic
	switch {
	case d <= 1:
		return ((a+2)*d-(a+3))*d*d + 1
	case d < 2:
		return ((a*d-5*a)*d+8*a)*d - 4*a
	}
	return 0
}
