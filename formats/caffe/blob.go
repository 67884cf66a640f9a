package caffe

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
)

// blob is a tensor of a file.
type blob struct {
	dims   []int // as the file has them: of the old form always four, the first ones 1 where there are fewer
	old    bool
	values []float32
}

// newBlob reads a BlobProto. The sizes that it names must be those of its data.
func newBlob(m *message) (*blob, error) {
	b := &blob{old: true}
	var dims []int64
	if shape := m.sub("shape"); shape != nil {
		b.old = false
		dims = shape.ints("dim")
	} else {
		for _, name := range []string{"num", "channels", "height", "width"} {
			dims = append(dims, m.int(name, 0))
		}
	}
	count := 0
	if f := m.get("double_data"); f != nil {
		count = len(f.raw) / 8
	} else if f := m.get("data"); f != nil {
		count = len(f.raw) / 4
	}
	n := int64(1)
	for _, d := range dims {
		if d < 0 || d > 0 && n > int64(count)/d { // so that nothing overflows
			return nil, fmt.Errorf("%v: a tensor of the shape %v has %d numbers", m.at, dims, count)
		}
		n *= d
		b.dims = append(b.dims, int(d))
	}
	if n != int64(count) {
		return nil, fmt.Errorf("%v: a tensor of the shape %v has %d numbers", m.at, dims, count)
	}
	b.values = m.floats32()
	return b, nil
}

// is reports whether the blob has a shape, as Caffe's Blob::ShapeEquals does: one of the old
// form may have ones before it.
func (b *blob) is(shape []int) bool {
	if len(b.values) == 1 && product(shape) == 1 { // such as a slope for all channels, which has no axes
		return true
	}
	if !b.old {
		return slices.Equal(b.dims, shape)
	}
	if len(shape) > len(b.dims) {
		return false
	}
	ones := len(b.dims) - len(shape)
	for _, d := range b.dims[:ones] {
		if d != 1 {
			return false
		}
	}
	return slices.Equal(b.dims[ones:], shape)
}

// load reads the network's weights from the layers of a file that have the same names, as
// Caffe does.
func (b *builder) load(weights *network) (map[string]*tensor.Dense, error) {
	byName := map[string]*layer{}
	for _, l := range weights.layers {
		if len(l.blobs) > 0 {
			byName[l.name] = l
		}
	}
	tensors := map[string]*tensor.Dense{}
	used := map[string]bool{}
	counts := map[*layer]int{}
	for _, s := range b.sources {
		counts[s.layer] = max(counts[s.layer], s.blob+1)
	}
	for _, s := range b.sources {
		if s.blob == ones {
			values := make([]float32, s.shape.TotalSize())
			for i := range values {
				values[i] = 1
			}
			tensors[s.name] = tensor.New(tensor.WithShape(s.shape.Clone()...), tensor.WithBacking(values))
			continue
		}
		if used[s.layer.name] = true; s.one {
			continue
		}
		from := byName[s.layer.name]
		if from == nil {
			return nil, s.layer.fail("the weights have no layer of this name with tensors")
		}
		if want := counts[s.layer]; len(from.blobs) != want {
			return nil, s.layer.fail("it has %d tensors, and the weights have %d for it", want, len(from.blobs))
		}
		x, err := newBlob(from.blobs[s.blob])
		if err != nil {
			return nil, s.layer.fail("the weights, %v", err)
		}
		dims := s.shape
		if s.dims != nil {
			dims = s.dims
		}
		if !x.is(dims) {
			return nil, s.layer.fail("its tensor %d has the shape %v in the network, and %v in the weights", s.blob, []int(dims), x.dims)
		}
		if s.turn {
			x.values = turned(x.values, dims[0])
		}
		tensors[s.name] = tensor.New(tensor.WithShape(s.shape.Clone()...), tensor.WithBacking(x.values))
	}
	for _, l := range weights.layers {
		if len(l.blobs) > 0 && !used[l.name] {
			b.facts = append(b.facts, fmt.Sprintf("the weights of layer %q are left out: the network has no such layer", l.name))
		}
	}
	return tensors, nil
}

// turned makes columns of rows.
func turned(x []float32, rows int) []float32 {
	y, columns := make([]float32, len(x)), len(x)/rows
	for i, v := range x {
		y[i%columns*rows+i/columns] = v
	}
	return y
}

// meanImage is a mean image [C,H,W], in the order of the network's channels.
type meanImage struct {
	path   string
	shape  [3]int
	values []float32
}

// newMean reads the mean image of a .binaryproto file.
func newMean(path string, m *message) (*meanImage, error) {
	b, err := newBlob(m)
	if err != nil {
		return nil, err
	}
	dims := b.dims
	for len(dims) > 3 && dims[0] == 1 {
		dims = dims[1:]
	}
	if len(dims) != 3 || len(b.values) == 0 {
		return nil, fmt.Errorf("a tensor of the shape %v is not a mean image, which has channels, rows and columns", b.dims)
	}
	return &meanImage{path, [3]int(dims), b.values}, nil
}

// centre is the part in the middle that is as large as a sample [C,H,W], and whether that is all
// of it. A mean image that is smaller is an error.
func (m *meanImage) centre(shape []int) (data.Floats, bool, error) {
	h, w := shape[1], shape[2]
	if m.shape[1] < h || m.shape[2] < w {
		return nil, false, fmt.Errorf("%s: the mean image has %dx%d pixels, and the network takes %dx%d", m.path, m.shape[1], m.shape[2], h, w)
	}
	top, left := (m.shape[1]-h)/2, (m.shape[2]-w)/2
	out := make(data.Floats, 0, m.shape[0]*h*w)
	for c := range m.shape[0] {
		for y := range h {
			row := m.values[(c*m.shape[1]+top+y)*m.shape[2]+left:]
			out = append(out, row[:w]...)
		}
	}
	return out, m.shape == [3]int{m.shape[0], h, w}, nil
}
