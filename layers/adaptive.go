package layers

import (
	"fmt"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

func init() {
	Register(func() Layer { return &AdaptivePool{Op: device.MaxPool} })
	Register(func() Layer { return &AdaptivePool{Op: device.AveragePool} })
}

// AdaptivePool is max or average pooling to images of Size, by PyTorch's windows: of H
// rows and O outputs, output i sees the rows from i H/O, rounded down, to (i+1) H/O,
// rounded up. So windows may overlap, and differ by a row.
//
// Outputs whose windows are as large and lie equally far apart are one pooling. Where all
// are, as where O divides H, that is the layer: 13 rows to 6 too, by windows of 3 and
// stride 2. Else each block of such outputs is cut out of the image, pooled, and copied to
// its place. That takes 3 kernels a block where plain pooling takes one, and there are up
// to as many blocks as outputs: 9 from 7x7 to 4x4.
type AdaptivePool struct {
	Op   device.PoolOp `json:"-"` // the layer's type says which
	Size Size          `json:"size"`
}

// The largest AdaptivePool: outputs along an axis, and blocks.
const (
	adaptiveSize   = 1 << 16
	adaptiveBlocks = 4096
)

// span is outputs of one axis whose windows are as large and equally far apart.
type span struct {
	first, count      int // outputs
	start, step, taps int // where the first one's window begins, how far apart they are, and how large
}

// end is where the last window ends.
func (s span) end() int { return s.start + (s.count-1)*s.step + s.taps }

// spanFrom is the span of the outputs from first on, of an axis of so many pixels.
func spanFrom(first, size, outputs int) span {
	begin := func(i int) int { return i * size / outputs }
	taps := func(i int) int { return ((i+1)*size+outputs-1)/outputs - begin(i) }
	s := span{first: first, count: 1, start: begin(first), step: 1, taps: taps(first)}
	if size%outputs == 0 {
		s.count, s.step = outputs-first, s.taps
		return s
	}
	for i := first + 1; i < outputs && taps(i) == s.taps; i++ {
		step := begin(i) - begin(i-1)
		if step < 1 || i > first+1 && step != s.step {
			break
		}
		s.count, s.step = s.count+1, step
	}
	return s
}

// Type is "adaptive-max-pool" or "adaptive-average-pool".
func (l *AdaptivePool) Type() string {
	if l.Op == device.AveragePool {
		return "adaptive-average-pool"
	}
	return "adaptive-max-pool"
}

// Plan checks the size. Max pooling saves where each maximum lies in its block.
func (l *AdaptivePool) Plan(_ device.Traits, in []Input, o Options) (Spec, error) {
	if err := expectPixels(in, map[string]Size{"size": l.Size}, Pad{}); err != nil {
		return Spec{}, err
	}
	x := in[0].Shape
	size := l.Size.of(x)
	if min(size.H, size.W) < 1 || max(size.H, size.W) > adaptiveSize {
		return Spec{}, fmt.Errorf("size %v must be in 1 to %d", size, adaptiveSize)
	}
	if err := indexable(x); err != nil { // so that no product leaves an int
		return Spec{}, err
	}
	n, c, h, w := image(x)
	out := floats(shapeAs(x, tensor.Shape{n, c, size.H, size.W})...)
	if err := checkShape("output", out.Shape); err != nil {
		return Spec{}, err
	}
	s := Spec{Out: []Input{out}}
	blocks := 0
	for b, more := firstBlock(h, w, size), true; more; b, more = b.next() {
		if blocks++; blocks > adaptiveBlocks {
			return Spec{}, fmt.Errorf("size %v of images of %dx%d makes more than %d blocks of equal windows; a size that divides the image's makes one", size, h, w, adaptiveBlocks)
		}
		if l.Op == device.MaxPool && o.Train {
			index := poolIndex(tensor.Shape{n, c, b.rows.count, b.columns.count})
			index.Name += fmt.Sprint(blocks)
			s.Saved = append(s.Saved, index)
		}
	}
	if blocks > 1 {
		cut, pooled := l.room(x)
		s.Temporary = temporaries(cut, pooled)
	}
	return s, nil
}

// room is the elements of the largest part of x that a block is cut from, and of the
// largest block.
func (l *AdaptivePool) room(x tensor.Shape) (cut, pooled int) {
	n, c, h, w := image(x)
	for b, more := firstBlock(h, w, l.Size.of(x)), true; more; b, more = b.next() {
		cut = max(cut, n*c*(b.rows.end()-b.rows.start)*(b.columns.end()-b.columns.start))
		pooled = max(pooled, n*c*b.rows.count*b.columns.count)
	}
	return cut, pooled
}

// block is a rectangle of outputs of an image whose windows are as large and equally far
// apart.
type block struct {
	rows, columns span
	h, w          int // of the image
	size          Size
}

func firstBlock(h, w int, size Size) block {
	return block{spanFrom(0, h, size.H), spanFrom(0, w, size.W), h, w, size}
}

// next is the block behind, if there is one.
func (b block) next() (block, bool) {
	if end := b.columns.first + b.columns.count; end < b.size.W {
		b.columns = spanFrom(end, b.w, b.size.W)
		return b, true
	}
	b.columns = spanFrom(0, b.w, b.size.W)
	end := b.rows.first + b.rows.count
	if end < b.size.H {
		b.rows = spanFrom(end, b.h, b.size.H)
	}
	return b, end < b.size.H
}

// whole reports whether the block is the layer.
func (b block) whole() bool { return b.rows.count == b.size.H && b.columns.count == b.size.W }

// pooling is that of the part of x that the block sees.
func (b block) pooling(op device.PoolOp, x tensor.Shape) device.Pool {
	n, c, _, _ := image(x)
	return device.Pool{
		Op: op, N: n, C: c, H: b.rows.end() - b.rows.start, W: b.columns.end() - b.columns.start,
		R: b.rows.taps, S: b.columns.taps, StrideH: b.rows.step, StrideW: b.columns.step,
	}
}

// cut is the copy of that part to a tensor of its own.
func (b block) cut(g device.Pool) device.Strided {
	return device.Strided{Axes: [device.MaxAxes]device.Axis{
		{Len: g.N * g.C, Dst: g.H * g.W, Src: b.h * b.w},
		{Len: g.H, Dst: g.W, Src: b.w},
		{Len: g.W, Dst: 1, Src: 1},
	}, Src: b.rows.start*b.w + b.columns.start}
}

// place is the copy of the block to its place in y.
func (b block) place(g device.Pool) device.Strided {
	return device.Strided{Axes: [device.MaxAxes]device.Axis{
		{Len: g.N * g.C, Dst: b.size.H * b.size.W, Src: b.rows.count * b.columns.count},
		{Len: b.rows.count, Dst: b.size.W, Src: b.columns.count},
		{Len: b.columns.count, Dst: 1, Src: 1},
	}, Dst: b.rows.first*b.size.W + b.columns.first}
}

// parts are the temporary tensors of a block: of what it is cut from, and its own.
func (b block) parts(c *Call, g device.Pool) (cut, pooled device.Tensor) {
	return c.part(0, g.N, g.C, g.H, g.W), c.part(1, g.N, g.C, b.rows.count, b.columns.count)
}

// Forward enqueues the poolings.
func (l *AdaptivePool) Forward(q device.Queue, c *Call) {
	x, y := c.In[0], c.Out[0]
	_, _, h, w := image(x.Shape)
	for b, more, k := firstBlock(h, w, l.Size.of(x.Shape)), true, 0; more; b, more = b.next() {
		g, index := b.pooling(l.Op, x.Shape), device.Tensor{}
		if len(c.Saved) > 0 {
			index = c.Saved[k]
		}
		if b.whole() {
			q.PoolForward(g, y, index, x)
			return
		}
		cut, pooled := b.parts(c, g)
		q.CopyStrided(b.cut(g), cut, x, device.Overwrite)
		q.PoolForward(g, pooled, index, cut)
		q.CopyStrided(b.place(g), y, pooled, device.Overwrite)
		k++
	}
}

// Backward enqueues the gradients of the poolings, block by block: windows of different
// blocks may overlap, and add up in this order.
func (l *AdaptivePool) Backward(q device.Queue, c *Call) {
	if !c.WantsGradient(0) {
		return
	}
	dx, dy := c.DIn[0], c.DOut[0]
	_, _, h, w := image(dx.Shape)
	for b, more, k := firstBlock(h, w, l.Size.of(dx.Shape)), true, 0; more; b, more = b.next() {
		g, index := b.pooling(l.Op, dx.Shape), device.Tensor{}
		if len(c.Saved) > 0 {
			index = c.Saved[k]
		}
		if b.whole() {
			q.PoolBackward(g, dx, dy, index, c.Modes[0])
			return
		}
		if k == 0 && c.Modes[0] == device.Overwrite {
			q.Fill(dx, 0)
		}
		cut, pooled := b.parts(c, g)
		q.CopyStrided(b.place(g).Reversed(), pooled, dy, device.Overwrite)
		q.PoolBackward(g, cut, pooled, index, device.Overwrite)
		q.CopyStrided(b.cut(g).Reversed(), dx, cut, device.Accumulate)
		k++
	}
}
