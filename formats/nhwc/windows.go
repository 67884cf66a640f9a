package nhwc

import "github.com/hubel-go/hubel/layers"

// Windows are those of a layer that slides over pixels, for each of their axes, of which there
// are one or two.
type Windows struct {
	Kernel, Stride, Dilation []int
	Before, After            []int // pads
}

// Extent is how many pixels of an axis a window reaches over.
func (w *Windows) Extent(i int) int { return (w.Kernel[i]-1)*w.Dilation[i] + 1 }

// Same sets the pads to those of the padding "same" of a value: there is an output for each
// stride, and if what that needs is odd, the pixel more is at the end.
func (w *Windows) Same(v *Value) {
	for i, size := range v.Sample[1:] {
		out := (size + w.Stride[i] - 1) / w.Stride[i]
		all := max((out-1)*w.Stride[i]+w.Extent(i)-size, 0)
		w.Before[i], w.After[i] = all/2, all-all/2
	}
}

// Transposed sets the pads to those of a transposed convolution that makes so many pixels along
// an axis of size pixels, and returns how many pixels more there are at the end.
func (w *Windows) Transposed(i, size, out int) (more int) {
	all := (size-1)*w.Stride[i] + w.Extent(i) // that windows reach
	if out < all {
		w.Before[i] = (all - out) / 2
		w.After[i] = all - out - w.Before[i]
	}
	return max(out-all, 0)
}

// Size is a size for each axis as layers have it.
func Size(n []int) layers.Size { return layers.Size{H: n[0], W: n[len(n)-1]} }

// option is Size, or nothing where it is 1, which is the default.
func option(n []int) layers.Size {
	if s := Size(n); s != layers.Square(1) {
		return s
	}
	return layers.Size{}
}

// pad is what is put around the image.
func (w *Windows) pad() layers.Pad {
	p := layers.Pad{Left: w.Before[len(w.Before)-1], Right: w.After[len(w.After)-1]}
	if len(w.Before) == 2 {
		p.Top, p.Bottom = w.Before[0], w.After[0]
	}
	return p
}

// Conv is that of these windows, with filters and groups.
func (w *Windows) Conv(filters, groups int, bias bool) layers.Conv {
	l := layers.Conv{Filters: filters, Kernel: Size(w.Kernel), Stride: option(w.Stride), Dilation: option(w.Dilation), Pad: w.pad(), NoBias: !bias}
	if groups > 1 {
		l.Groups = groups
	}
	return l
}

// Pool is that of these windows.
func (w *Windows) Pool() layers.Pool {
	return layers.Pool{Window: Size(w.Kernel), Stride: option(w.Stride), Pad: w.pad()}
}
