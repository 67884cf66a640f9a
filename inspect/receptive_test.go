package inspect

import (
	"image"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/models"
)

func fieldOf(t *testing.T, n *graph.Network, layer string) Field {
	t.Helper()
	fields, err := ReceptiveFields(reference.New().Traits(), n)
	require.NoError(t, err)
	for _, f := range fields {
		if f.Layer == layer {
			return f
		}
	}
	t.Fatalf("no layer %s", layer)
	return Field{}
}

// AlexNet's, VGG-16's and MobileNet's fields are those of Araujo et al. 2019 (195 and 212
// behind the last pooling, and 315) and of Dang Ha The Hien's table. GoogLeNet's follow from the kernels
// and strides in table 1 of Szegedy et al. 2015, by way of the 5x5 of each module.
func TestPublishedReceptiveFields(t *testing.T) {
	for model, layers := range map[string]map[string][2]float64{
		"alexnet":      {"conv1": {11, 4}, "pool1": {19, 8}, "conv2": {51, 8}, "pool2": {67, 16}, "conv3": {99, 16}, "conv4": {131, 16}, "conv5": {163, 16}, "pool5": {195, 32}},
		"vgg16":        {"conv1_2": {5, 1}, "pool1": {6, 2}, "pool2": {16, 4}, "conv3_3": {40, 4}, "pool3": {44, 8}, "conv4_3": {92, 8}, "pool4": {100, 16}, "conv5_3": {196, 16}, "pool5": {212, 32}},
		"mobilenet-v1": {"conv14_pw": {315, 32}},
		"googlenet":    {"pool1": {11, 4}, "pool2": {27, 8}, "pool3": {107, 16}, "pool4": {459, 32}, "pool5": {907, 32}},
	} {
		n, err := models.Build(model, models.Options{})
		require.NoError(t, err)
		for layer, want := range layers {
			f := fieldOf(t, n, layer)
			require.Equal(t, want, [2]float64{f.Rows.Size, f.Rows.Stride}, "%s %s", model, layer)
			require.Equal(t, f.Rows, f.Columns)
		}
	}
	n, err := models.Build("vgg16", models.Options{})
	require.NoError(t, err)
	f := fieldOf(t, n, "fc6")
	require.Equal(t, 404.0, f.Rows.Size, "all of pool5")
	require.Equal(t, []int{4096}, f.Out)
	require.Equal(t, image.Rect(-90, -90, 106, 106), fieldOf(t, n, "conv5_3").At(0, 0), "the padding is seen too")
}

// ones are weights of 1 for a network, so that a gradient is above 0 wherever there is
// a way.
func ones(t *testing.T, n *graph.Network) *modelfile.Model {
	t.Helper()
	w, err := graph.NewWeights(n, reference.New())
	require.NoError(t, err)
	defer w.Close()
	m := &modelfile.Model{Network: n, Weights: map[string]*tensor.Dense{}}
	for _, name := range w.Names() {
		x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(w.Shape(name)...))
		require.NoError(t, x.Memset(float32(1)))
		m.Weights[name] = x
	}
	return m
}

// reached is the rectangle of the image that the gradient of a unit reaches.
func reached(t *testing.T, b *backward, sample []float32, unit, width int) (r image.Rectangle) {
	t.Helper()
	require.NoError(t, b.run(sample, b.oneHot(unit)))
	gradient, err := b.read("data/d")
	require.NoError(t, err)
	for i, v := range gradient {
		if p := i % (len(gradient) / b.of.image.Shape[0]); v != 0 {
			r = r.Union(image.Rect(p%width, p/width, p%width+1, p/width+1))
		}
	}
	return r
}

// What the gradient of a unit reaches is its receptive field, or lies in it where the
// windows do not slide evenly.
func TestReceptiveFieldsOfLayers(t *testing.T) {
	four := layers.Size{H: 4, W: 3}
	for name, c := range map[string]struct {
		layer layers.Layer
		exact bool
	}{
		"deconv":          {&layers.Deconv{Conv: layers.Conv{Filters: 1, Kernel: layers.Size{H: 3, W: 4}, Stride: layers.Size{H: 1, W: 2}, Pad: layers.Around(1)}}, false},
		"deconv stride 1": {&layers.Deconv{Conv: layers.Conv{Filters: 1, Kernel: layers.Square(3), Pad: layers.Around(1)}}, true},
		"max pool":        {&layers.Pool{Op: device.MaxPool, Window: layers.Square(3), Stride: layers.Square(2)}, false},
		"l2 pool":         {&layers.L2Pool{Pool: layers.Pool{Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)}}, true},
		"adaptive even":   {&layers.AdaptivePool{Op: device.AveragePool, Size: four}, true},
		"adaptive":        {&layers.AdaptivePool{Op: device.AveragePool, Size: layers.Size{H: 5, W: 7}}, false},
		"lrn":             {&layers.LRN{}, true},
		"lrn within":      {&layers.LRN{Size: 3, Region: "within", Alpha: new(float32(1))}, true},
		"bilinear 2":      {&layers.Upsample{Scale: layers.Square(2), Mode: "bilinear"}, false},
		"bilinear 3":      {&layers.Upsample{Scale: layers.Square(3), Mode: "bilinear"}, false},
		"batch norm":      {&layers.BatchNorm{}, true},
		"softmax":         {&layers.Softmax{}, true},
		"flatten":         {&layers.Flatten{}, false},
		"permute":         {&layers.Permute{Order: []int{0, 1, 3, 2}}, false},
		"rows":            {&layers.Reshape{Shape: []int{2, 108}}, false},
	} {
		n := &graph.Network{Name: "one"}
		n.Outputs = []string{n.Add("layer", c.layer, n.Image("data", 2, 12, 9))}
		b, err := inspectorOf(t, ones(t, n)).backward("layer", Gradient)
		require.NoError(t, err, name)
		sample := make([]float32, 2*12*9)
		for i := range sample {
			sample[i] = float32(1 + i*37%11)
		}
		f, all := fieldOf(t, n, "layer"), image.Rect(0, 0, 9, 12)
		perChannel, width := 1, 1
		if len(f.Out) > 2 {
			perChannel, width = f.Out[1]*f.Out[2], f.Out[2]
		}
		for unit := range perChannel {
			got, field := reached(t, b, sample, unit, 9), f.At(unit/width, unit%width).Intersect(all)
			require.True(t, got.In(field), "%s %d: %v is not in %v", name, unit, got, field)
			require.False(t, got.Empty(), "%s %d", name, unit)
			if c.exact {
				require.Equal(t, field, got, "%s %d", name, unit)
			}
		}
		require.NoError(t, b.Close())
	}

	// Rows of pixels, and the way back through a pooling.
	n := &graph.Network{Name: "more"}
	x := n.Add("rows", &layers.Reshape{Shape: []int{1, 40}}, n.Add("line", &layers.Conv{Filters: 1, Kernel: layers.Square(1)}, n.Image("data", 1, 1, 40)))
	x = n.Add("conv", &layers.Conv{Filters: 1, Kernel: layers.Square(5), Stride: layers.Square(2), Pad: layers.Around(1)}, x)
	x = n.Add("pool", &layers.Pool{Op: device.MaxPool, Window: layers.Square(3), Stride: layers.Square(2), Switches: true}, x)
	n.Outputs = []string{n.Add("unpool", &layers.Unpool{Window: layers.Square(3), Stride: layers.Square(2)}, x, "pool:1")}
	require.Equal(t, Span{Size: 40}, fieldOf(t, n, "rows").Columns, "a reshape may mix all")
	require.Equal(t, 1.0, fieldOf(t, n, "conv").Rows.Size)
	rows, columns := (&layers.Unpool{Window: layers.Square(3), Stride: layers.Square(2)}).Windows(tensor.Shape{1, 1, 4, 4})
	require.Equal(t, rows, columns)
	require.Equal(t, layers.Window{Size: 2, Stride: 0.5, Start: -1}, rows)
}

func inspectorOf(t *testing.T, m *modelfile.Model) *Inspector {
	t.Helper()
	x, err := New(reference.New(), m)
	require.NoError(t, err)
	return x
}

// Layers that follow each other, with branches.
func TestReceptiveFieldsThroughLayers(t *testing.T) {
	conv := func(kernel, stride, pad, dilation int) *layers.Conv {
		return &layers.Conv{Filters: 2, Kernel: layers.Square(kernel), Stride: layers.Square(stride), Pad: layers.Around(pad), Dilation: layers.Square(dilation)}
	}
	n := &graph.Network{Name: "branches"}
	x := n.Image("data", 1, 24, 20)
	x = n.Add("pad", &layers.Padding{Pad: layers.Pad{Top: 2, Right: 1}}, x)
	x = n.Add("conv1", &layers.Conv{Filters: 2, Kernel: layers.Size{H: 3, W: 5}, Stride: layers.Size{H: 2, W: 1}, Pad: layers.Around(1)}, x)
	a := n.Add("dilated", conv(3, 1, 2, 2), x)
	b := n.Add("narrow", conv(1, 1, 0, 1), x)
	x = n.Add("joined", &layers.Concat{}, a, b)
	x = n.Add("relu", &layers.Unary{Op: device.ReLU}, x)
	x = n.Add("pool", &layers.Pool{Op: device.AveragePool, Window: layers.Square(3), Stride: layers.Square(2), Pad: layers.Around(1)}, x)
	x = n.Add("sliced", &layers.Slice{Axis: 3, Begin: 1, Step: 2}, x)
	exact := n.Add("last", conv(2, 1, 0, 1), x)
	x = n.Add("up", &layers.Upsample{Scale: layers.Square(2)}, exact)
	x = n.Add("smooth", conv(3, 1, 1, 1), x)
	x = n.Add("cropped", &layers.Crop{Offset: []int{1, 0}}, x, exact)
	n.Outputs = []string{n.Add("dense", &layers.Dense{Out: 2}, x)}
	inspector := inspectorOf(t, ones(t, n))
	sample := make([]float32, 24*20)
	for i := range sample {
		sample[i] = 1
	}
	for _, layer := range []string{"pad", "conv1", "dilated", "joined", "relu", "pool", "sliced", "last", "up", "smooth", "cropped"} {
		f := fieldOf(t, n, layer)
		back, err := inspector.backward(layer, Gradient)
		require.NoError(t, err)
		inside, blocks := 0, layer == "up" || layer == "smooth" || layer == "cropped"
		for row := range f.Out[1] {
			for column := range f.Out[2] {
				reached := reached(t, back, sample, row*f.Out[2]+column, 20)
				field, all := f.At(row, column), image.Rect(0, 0, 20, 24)
				require.True(t, reached.In(field), "%s %d,%d: %v is not in %v", layer, row, column, reached, field)
				// Behind up it is the field of a whole block, and at the border a hole of
				// the dilated one may be what lies inside.
				if !blocks && field.In(all) {
					inside++
					require.Equal(t, field, reached, "%s %d,%d", layer, row, column)
				}
			}
		}
		require.True(t, blocks || inside > 0, layer)
		require.NoError(t, back.Close())
	}
	f := fieldOf(t, n, "dense")
	require.Equal(t, []int{2}, f.Out)
	require.Zero(t, f.Rows.Stride)
	require.True(t, image.Rect(0, 0, 16, 22).In(f.At(0, 0)))
}
