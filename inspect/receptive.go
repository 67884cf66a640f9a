package inspect

import (
	"fmt"
	"image"
	"math"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// Field is the receptive field of a layer: which pixels of the network's image an
// output of the layer depends on.
type Field struct {
	Layer, Type   string
	Out           []int // shape of one sample
	Rows, Columns Span
}

// Shape is Out as 6x28x28.
func (f Field) Shape() string { return dims(f.Out) }

// Span is a receptive field along one axis. Output i depends on Size pixels from
// Offset + i Stride on. Some of them may lie in the padding, outside the image.
// Stride is 0 if each output depends on all that there is.
type Span struct{ Size, Stride, Offset float64 }

// At is where the field of output i begins and ends.
func (s Span) At(i int) (from, to float64) {
	from = s.Offset + float64(i)*s.Stride
	return from, from + s.Size
}

// At is the field of the output in a row and a column, in pixels of the image.
func (f Field) At(row, column int) image.Rectangle {
	top, bottom := f.Rows.At(row)
	left, right := f.Columns.At(column)
	return image.Rect(int(math.Floor(left)), int(math.Floor(top)), int(math.Ceil(right)), int(math.Ceil(bottom)))
}

// through is the span of a layer's outputs, from that of its input.
func (s Span) through(w layers.Window) Span {
	return Span{Size: s.Size + (w.Size-1)*s.Stride, Stride: w.Stride * s.Stride, Offset: s.Offset + w.Start*s.Stride}
}

// all is the span of an output that depends on n outputs.
func (s Span) all(n int) Span {
	return Span{Size: s.Size + float64(n-1)*s.Stride, Offset: s.Offset}
}

// with is the smallest span that holds two, of branches that come together.
func (s Span) with(t Span) Span {
	from, to := min(s.Offset, t.Offset), max(s.Offset+s.Size, t.Offset+t.Size)
	return Span{Size: to - from, Stride: max(s.Stride, t.Stride), Offset: from}
}

// ReceptiveFields are those of all layers that the network's outputs depend on, in
// order, for an image of the network's size. They follow from the windows and strides
// of the layers alone (Araujo et al. 2019, "Computing receptive fields of convolutional
// neural networks"). Of branches that come together it is the largest. Statistics that a
// normalisation takes of the whole image are left out.
func ReceptiveFields(t device.Traits, n *graph.Network) ([]Field, error) {
	in, err := imageOf(n)
	if err != nil {
		return nil, err
	}
	plan, err := n.Plan(t, graph.PlanOptions{Mode: graph.Infer, Batch: 1})
	if err != nil {
		return nil, err
	}
	type value struct {
		shape         tensor.Shape
		rows, columns Span
	}
	pixel := Span{Size: 1, Stride: 1}
	values := map[string]value{in.Name: {append(tensor.Shape{1}, in.Shape...), pixel, pixel}}
	var fields []Field
	for _, s := range plan.Steps {
		node, out := n.Nodes[s.Node], plan.Specs[s.Node].Out
		var seen value
		found := false
		for k, name := range node.In {
			x, ok := values[name]
			if _, windowed := node.Layer.(layers.Windowed); !ok || windowed && k > 0 {
				continue // it does not depend on the image, or gives a crop its size alone
			}
			x.rows, x.columns = x.rows.of(node.Layer, x.shape, out[0].Shape, 0), x.columns.of(node.Layer, x.shape, out[0].Shape, 1)
			if found {
				x.rows, x.columns = x.rows.with(seen.rows), x.columns.with(seen.columns)
			}
			seen, found = x, true
		}
		if !found {
			continue
		}
		for i, o := range out {
			name := node.Name
			if i > 0 {
				name = fmt.Sprintf("%s:%d", node.Name, i)
			}
			seen.shape = o.Shape
			values[name] = seen
		}
		fields = append(fields, Field{node.Name, node.Layer.Type(), out[0].Shape[1:], seen.rows, seen.columns})
	}
	return fields, nil
}

// of is the span of a layer's outputs along the rows, axis 0, or the columns, from that
// of its input. A layer that has no windows, and keeps the size of images, works on
// each pixel by itself; of any other, an output depends on the whole input.
func (s Span) of(l layers.Layer, in, out tensor.Shape, axis int) Span {
	size, images := sizeOf(in)
	if !images {
		return s
	}
	if w, ok := l.(layers.Windowed); ok {
		rows, columns := w.Windows(in)
		return s.through([]layers.Window{rows, columns}[axis])
	}
	_, permuted := l.(*layers.Permute)
	_, reshaped := l.(*layers.Reshape)
	if outSize, _ := sizeOf(out); outSize == size && !permuted && !reshaped {
		return s
	}
	return s.all(size[axis])
}

// sizeOf is the height and the width of images [N,C,H,W] or [N,C,L].
func sizeOf(s tensor.Shape) (size [2]int, images bool) {
	switch len(s) {
	case 3:
		return [2]int{1, s[2]}, true
	case 4:
		return [2]int{s[2], s[3]}, true
	}
	return size, false
}
