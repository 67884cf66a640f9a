package layers

import (
	"cmp"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// Window is which rows, or columns, of a layer's input an output depends on: output i
// on Size of them from Start + i Stride on. A layer that enlarges has fractions. Where the
// windows of a layer do not slide evenly, these hold them.
type Window struct{ Size, Stride, Start float64 }

// Windowed is a layer of images each of whose outputs depends on a window of rows and
// columns of its first input.
type Windowed interface {
	Layer

	// Windows are those for an input of the shape x, [N,C,H,W], or [N,C,L] as an image of
	// height 1.
	Windows(x tensor.Shape) (rows, columns Window)
}

// Windows are those of the kernel.
func (l *Conv) Windows(x tensor.Shape) (rows, columns Window) {
	g := l.geometry(x)
	return window(device.Extent(g.R, g.DilationH), g.StrideH, g.PadTop), window(device.Extent(g.S, g.DilationW), g.StrideW, g.PadLeft)
}

// Windows are of those pixels whose filters reach an output.
func (l *Deconv) Windows(x tensor.Shape) (rows, columns Window) {
	rows, columns = l.Conv.Windows(x)
	return rows.transposed(), columns.transposed()
}

// Windows are those that are pooled.
func (l *Pool) Windows(x tensor.Shape) (rows, columns Window) {
	g := l.geometry(l.Op, x)
	return window(g.R, g.StrideH, g.PadTop), window(g.S, g.StrideW, g.PadLeft)
}

// Windows are of those pixels whose windows reach an output.
func (l *Unpool) Windows(x tensor.Shape) (rows, columns Window) {
	pool := Pool{Window: l.Window, Stride: l.Stride, Pad: l.Pad}
	rows, columns = pool.Windows(x)
	return rows.transposed(), columns.transposed()
}

// Windows are n/m pixels each, n made m, and rounded up at both ends unless m divides n.
func (l *AdaptivePool) Windows(x tensor.Shape) (rows, columns Window) {
	_, _, h, w := image(x)
	size := l.Size.of(x)
	along := func(n, m int) Window {
		step, rounded := float64(n)/float64(m), 0.0
		if n%m != 0 {
			rounded = 1 - 1/float64(m)
		}
		return Window{Size: step + 2*rounded, Stride: step, Start: -rounded}
	}
	return along(h, size.H), along(w, size.W)
}

// Windows are what is summed, within a channel, or else one pixel each.
func (l *LRN) Windows(tensor.Shape) (rows, columns Window) {
	if !l.within() {
		return window(1, 1, 0), window(1, 1, 0)
	}
	size := cmp.Or(l.Size, 5)
	return window(size, 1, size/2), window(size, 1, size/2)
}

// Windows are one pixel each.
func (l *Padding) Windows(tensor.Shape) (rows, columns Window) {
	return window(1, 1, l.Pad.Top), window(1, 1, l.Pad.Left)
}

// Windows are one pixel each.
func (l *Crop) Windows(x tensor.Shape) (rows, columns Window) {
	return alongAxes(x, func(axis int) Window {
		if axis < l.axis() {
			return window(1, 1, 0)
		}
		return window(1, 1, -l.offset(axis))
	})
}

// Windows are one pixel each.
func (l *Slice) Windows(x tensor.Shape) (rows, columns Window) {
	return alongAxes(x, func(axis int) Window {
		if axis != l.Axis {
			return window(1, 1, 0)
		}
		return window(1, max(l.Step, 1), -l.Begin)
	})
}

// Windows are one pixel each, the same one for a block of outputs, or the two that are
// interpolated between.
func (l *Upsample) Windows(tensor.Shape) (rows, columns Window) {
	block := func(n int) Window {
		step := 1 / float64(n)
		if l.bilinear() {
			return Window{Size: 3 - step, Stride: step, Start: step - 1.5}
		}
		return Window{Size: 2 - step, Stride: step, Start: step - 1}
	}
	return block(l.Scale.H), block(l.Scale.W)
}

func window(size, stride, pad int) Window {
	return Window{Size: float64(size), Stride: float64(stride), Start: -float64(pad)}
}

// transposed are the windows of the way back: output i of the layer lies in those of the
// inputs from (i - Start - Size + 1) / Stride to (i - Start) / Stride.
func (w Window) transposed() Window {
	return Window{Size: (w.Size-1)/w.Stride + 1, Stride: 1 / w.Stride, Start: (1 - w.Size - w.Start) / w.Stride}
}

// alongAxes are the windows along the axes of rows and of columns.
func alongAxes(x tensor.Shape, along func(axis int) Window) (rows, columns Window) {
	if len(x) == 3 {
		return window(1, 1, 0), along(2)
	}
	return along(2), along(3)
}
