package caffe

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// dataTop is what a data layer makes, before it is known what it is used for.
type dataTop struct {
	layer *layer
	top   int
	shape []int // of a sample, where an Input gives it; otherwise sampleShape finds it

	image, label, target *value // the inputs of the network that it became
}

// dataTypes are the types of layers that read data sets.
var dataTypes = []string{"Data", "ImageData", "WindowData", "HDF5Data", "MemoryData", "DummyData"}

func isData(l *layer) bool { return slices.Contains(dataTypes, l.typ) }

// isInput reports whether a layer has no bottoms that hubel could see.
func isInput(l *layer) bool { return isData(l) || l.typ == "Input" }

// inputs makes the inputs of the network whose shapes the file gives, and remembers the others.
func (b *builder) inputs(n *network, list []*layer) error {
	for _, in := range n.inputs {
		if err := b.input(in, func(format string, args ...any) error {
			return fmt.Errorf("%v: input %q: %s", in.at, in.name, fmt.Sprintf(format, args...))
		}); err != nil {
			return err
		}
	}
	for _, l := range list {
		switch {
		case l.typ == "Input":
			if err := b.inputLayer(l); err != nil {
				return err
			}
		case isData(l):
			if len(l.bottom) > 0 {
				return l.fail("it has bottoms, and reads data")
			}
			for _, param := range []string{"data_param", "image_data_param", "window_data_param", "hdf5_data_param", "memory_data_param"} {
				if n := l.param(param).int("batch_size", 0); b.batch == 0 {
					b.batch = n
				}
			}
			for i, top := range l.top {
				b.define(top, value{data: &dataTop{layer: l, top: i}, node: -1})
			}
			if err := b.preprocess.read(b, l); err != nil {
				return err
			}
		}
	}
	return nil
}

// inputLayer makes the inputs of a layer Input.
func (b *builder) inputLayer(l *layer) error {
	shapes := l.param("input_param").subs("shape")
	if len(shapes) > 1 && len(shapes) != len(l.top) {
		return l.fail("there are %d shapes for %d tops", len(shapes), len(l.top))
	}
	for i, top := range l.top {
		in := blobShape{name: top, at: l.at}
		if len(shapes) > 0 {
			in.dims = shapes[min(i, len(shapes)-1)].ints("dim")
		}
		if err := b.input(in, l.fail); err != nil {
			return err
		}
	}
	return nil
}

// mostInput bounds the elements of a sample.
const mostInput = 1 << 30

// input makes an input, whose shape has the batch first. Options.Input replaces that of the
// first one.
func (b *builder) input(in blobShape, fail func(format string, args ...any) error) error {
	var shape []int
	if len(b.net.Inputs) == 0 && b.o.Input != nil {
		shape = slices.Clone(b.o.Input)
		if len(in.dims) > 0 {
			b.batch = in.dims[0]
		}
	} else {
		if len(in.dims) == 0 {
			return fail("the file does not say what shape it has: give that of one sample, such as -input 3x224x224")
		}
		for _, d := range in.dims[1:] {
			if d < 1 || d > mostInput {
				return fail("the shape %v: each length must be at least 1", in.dims)
			}
			shape = append(shape, int(d))
		}
		if len(b.net.Inputs) == 0 {
			b.batch = in.dims[0]
		}
	}
	if n := product(shape); n < 0 || n > mostInput {
		return fail("the shape %v is too large", shape)
	}
	if len(b.net.Inputs) > 0 { // it may be labels or targets
		l := &layer{name: in.name, typ: "Input", at: in.at, top: []string{in.name}}
		b.define(in.name, value{data: &dataTop{layer: l, shape: shape}, node: -1})
		return nil
	}
	b.define(in.name, b.newInput(in.name, shape))
	return nil
}

// newInput adds an input. The first one that has the shape of images takes those.
func (b *builder) newInput(blob string, shape []int) value {
	name := b.names.Make(blob)
	if _, err := b.net.InputOf("image"); err != nil && len(shape) == 3 {
		b.net.Image(name, shape...)
	} else {
		b.net.Input(name, device.Float32, shape...)
	}
	return value{name: name, shape: append(tensor.Shape{1}, shape...), dtype: device.Float32, node: -1}
}

// image is what a data layer makes, as numbers that layers read.
func (b *builder) image(l *layer, i int, v *value) (*value, error) {
	d := v.data
	if d.image == nil {
		shape, err := b.sampleShape(d)
		if err != nil {
			return nil, err
		}
		if n := product(shape); n < 1 || n > mostInput || len(shape) == 0 {
			return nil, d.layer.fail("the shape %v of a sample is not one that can be read", shape)
		}
		image := b.newInput(d.layer.top[d.top], shape)
		d.image = &image
	}
	image := *d.image
	image.readers, image.data = v.readers, nil
	return &image, nil
}

// label is what a data layer makes, as the classes of samples.
func (b *builder) label(v *value) *value {
	if v.data == nil {
		return v
	}
	if d := v.data; d.label == nil {
		name := b.names.Make(d.layer.top[d.top])
		if _, err := b.net.InputOf("label"); err != nil {
			b.net.Label(name)
		} else {
			b.net.Input(name, device.Int32)
		}
		d.label = &value{name: name, shape: tensor.Shape{1}, dtype: device.Int32, node: -1}
	}
	return v.data.label
}

// target is what a data layer makes, as numbers to predict.
func (b *builder) target(l *layer, v *value, numbers int) (*value, error) {
	d := v.data
	if d.image != nil {
		return b.reshaped(l, "_target", d.image, numbers)
	}
	if d.target == nil {
		name := b.names.Make(d.layer.top[d.top])
		if _, err := b.net.InputOf("target"); err != nil {
			b.net.Target(name, numbers)
		} else {
			b.net.Input(name, device.Float32, numbers)
		}
		d.target = &value{name: name, shape: tensor.Shape{1, numbers}, dtype: device.Float32, node: -1}
	}
	if got := d.target.shape[1]; got != numbers {
		return nil, l.fail("its target %q has %d numbers, and the prediction %d", d.layer.top[d.top], got, numbers)
	}
	return d.target, nil
}

// sampleShape is the shape of one sample of what a data layer makes, as far as the file says, or
// the options.
func (b *builder) sampleShape(d *dataTop) ([]int, error) {
	l := d.layer
	if l.typ == "Input" {
		return d.shape, nil
	}
	if len(b.net.Inputs) == 0 && b.o.Input != nil {
		return slices.Clone(b.o.Input), nil
	}
	var dims []int64
	switch l.typ {
	case "MemoryData":
		p := l.param("memory_data_param")
		dims = []int64{p.int("channels", 0), p.int("height", 0), p.int("width", 0)}
	case "DummyData":
		p := l.param("dummy_data_param")
		if shapes := p.subs("shape"); len(shapes) > 0 {
			if list := shapes[min(d.top, len(shapes)-1)].ints("dim"); len(list) > 1 {
				dims = list[1:]
			}
			break
		}
		for _, name := range []string{"channels", "height", "width"} {
			if list := p.ints(name); len(list) > 0 {
				dims = append(dims, list[min(d.top, len(list)-1)])
			}
		}
	case "HDF5Data":
	default:
		dims = b.preprocess.shape(l)
	}
	if len(dims) == 0 {
		return nil, l.fail("the file does not say how large its samples %q are: give the shape of one, such as -input 1x28x28", l.top[d.top])
	}
	var shape []int
	for _, n := range dims {
		if n < 1 || n > mostInput {
			return nil, l.fail("the shape %v of a sample: each length must be at least 1", dims)
		}
		shape = append(shape, int(n))
	}
	return shape, nil
}
