// Package matconvnet reads networks of MatConvNet (https://www.vlfeat.org/matconvnet), as
// its functions save them: SimpleNN in its oldest form, of filters and biases, and in the
// newer one, and DagNN. Files are MATLAB's of version 5 or 7.3.
//
// MATLAB counts the first index fastest, and has images as HxWxCxN and filters as
// HxWxInxOut. They become [N,C,H,W] and [Out,In,H,W].
package matconvnet

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/matfile"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
)

// Reader reads MatConvNet's files.
var Reader = formats.Reader{
	Name: "matconvnet",
	Is:   func(head []byte, _ string) bool { return bytes.HasPrefix(head, []byte("MATLAB ")) && matfile.Is(head) },
	Read: read,
}

func read(_ context.Context, paths []string, o formats.Options) (*formats.Model, error) {
	if len(paths) != 1 {
		return nil, fmt.Errorf("matconvnet: a network is one file, not %d", len(paths))
	}
	variables, err := matfile.Open(paths[0])
	if err != nil {
		return nil, err
	}
	m, err := convert(variables, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", paths[0], err)
	}
	return m, nil
}

// convert makes a model of the variables of a file: of "net", or of what net has as fields.
func convert(variables []matfile.Variable, o formats.Options) (*formats.Model, error) {
	net := &matfile.Value{Class: "struct", Dims: []int{1, 1}, Fields: map[string][]*matfile.Value{}}
	for _, v := range variables {
		if v.Name == "net" && v.Value.Class == "struct" {
			net = v.Value
			break
		}
		net.Fields[v.Name] = []*matfile.Value{v.Value}
	}
	list := net.Field("layers")
	if list == nil {
		return nil, fmt.Errorf("there is no network of MatConvNet: no variable net, and none of the name layers")
	}
	b := &builder{
		Model:    formats.Model{Model: modelfile.Model{Network: &graph.Network{}, Weights: map[string]*tensor.Dense{}}},
		channels: map[string]int{},
	}
	b.Values = map[string]string{}
	meta := net.Field("meta")
	if meta == nil {
		meta = net
	}
	input, err := b.inputShape(meta, o)
	if err != nil {
		return nil, err
	}
	if list.Class == "cell" {
		b.Format = "MatConvNet, SimpleNN"
		err = b.simple(list, input)
	} else {
		b.Format = "MatConvNet, DagNN"
		err = b.dag(net, list, input)
	}
	if err != nil {
		return nil, err
	}
	if b.moving > 0 {
		b.Lost = append(b.Lost, fmt.Sprintf("arrays of momentum of a training: %d; a training of the weights begins without any", b.moving))
	}
	b.Facts = append(b.Facts, b.shared.Join(b.Network, b.Weights)...)
	b.outputs()
	if err := b.preprocess(net, meta, input); err != nil {
		return nil, err
	}
	if err := b.classes(meta); err != nil {
		return nil, err
	}
	return &b.Model, b.Network.Check()
}

// largestImage bounds each dimension of images that a file asks for.
const largestImage = 1 << 16

// inputShape is [C,H,W], of the user or of meta.normalization.imageSize or meta.inputSize.
func (b *builder) inputShape(meta *matfile.Value, o formats.Options) ([]int, error) {
	if o.Input != nil && len(o.Input) != 3 {
		return nil, fmt.Errorf("the network takes images [C,H,W], and -input has the shape %v", o.Input)
	}
	size := meta.Field("normalization").Field("imageSize")
	if size == nil {
		size = meta.Field("inputSize")
	}
	if size != nil {
		n, err := integers(size)
		if err == nil && len(n) == 2 {
			n = append(n, 3)
		}
		if err == nil && len(n) >= 3 && slices.Min(n[:3]) > 0 && slices.Max(n[:3]) <= largestImage {
			if o.Input != nil && o.Input[0] != n[2] {
				return nil, fmt.Errorf("the network takes %d channels, and -input has the shape %v", n[2], o.Input)
			}
			if o.Input == nil {
				return []int{n[2], n[0], n[1]}, nil
			}
		}
	}
	if o.Input != nil {
		return o.Input, nil
	}
	return nil, fmt.Errorf("the file does not say how large its images are: give the shape of a sample, such as -input 3x224x224")
}

// outputs are the values that no layer reads.
func (b *builder) outputs() {
	read := map[string]bool{}
	for _, n := range b.Network.Nodes {
		for _, in := range n.In {
			read[in] = true
		}
	}
	for _, n := range b.Network.Nodes {
		switch n.Layer.(type) {
		case *layers.SoftmaxLoss, *layers.Accuracy:
			continue
		}
		if !read[n.Name] {
			b.Network.Outputs = append(b.Network.Outputs, n.Name)
		}
	}
}

// preprocess reads meta.normalization, or the imageMean of older files.
func (b *builder) preprocess(net, meta *matfile.Value, input []int) error {
	normalization := meta.Field("normalization")
	mean := normalization.Field("averageImage")
	if mean == nil {
		mean = net.Field("imageMean")
	}
	for _, name := range []string{"border", "keepAspect", "cropSize", "interpolation"} {
		if normalization.Field(name) != nil {
			b.Lost = append(b.Lost, fmt.Sprintf("meta.normalization.%s: how pictures are brought to %dx%d is left to who loads them", name, input[1], input[2]))
		}
	}
	if mean == nil || mean.Len() == 0 {
		return nil
	}
	x, err := mean.Float32s()
	if err != nil {
		return fmt.Errorf("the mean image: %w", err)
	}
	c, h, w := input[0], input[1], input[2]
	switch {
	case len(x) == 1:
		b.Preprocess.Mean = slices.Repeat(x, c)
	case len(x) == c:
		b.Preprocess.Mean = slices.Clone(x)
	case slices.Equal(mean.Dims, []int{h, w, c}) || c == 1 && slices.Equal(mean.Dims, []int{h, w}):
		image := make([]float32, len(x))
		for k := range c {
			for i := range h {
				for j := range w {
					image[(k*h+i)*w+j] = x[(k*w+j)*h+i]
				}
			}
		}
		b.Preprocess.Mean = image
	default:
		return fmt.Errorf("the mean image has the shape %v, which does not fit images of %dx%d with %d channels", mean.Dims, h, w, c)
	}
	return nil
}

// classes reads the names of classes: descriptions, or else names.
func (b *builder) classes(meta *matfile.Value) error {
	list := meta.Field("classes").Field("description")
	if list == nil {
		list = meta.Field("classes").Field("name")
	}
	if list == nil {
		return nil
	}
	for _, c := range list.Cells {
		name, err := c.Text()
		if err != nil {
			return fmt.Errorf("the names of classes: %w", err)
		}
		b.Classes = append(b.Classes, name)
	}
	return nil
}

// integers are the numbers of an option, each an integer that an int32 can hold.
func integers(v *matfile.Value) ([]int, error) {
	x, err := v.Float64s()
	if err != nil {
		return nil, err
	}
	n := make([]int, len(x))
	for i, f := range x {
		if !(f >= -1<<31 && f < 1<<31) || f != float64(int(f)) {
			return nil, fmt.Errorf("%v is not a whole number", f)
		}
		n[i] = int(f)
	}
	return n, nil
}
