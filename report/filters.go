package report

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/internal/atomicfile"
)

// filtersWidth is about how many pixels wide a picture of filters is.
const filtersWidth = 640

// gapColour is no grey, so that no weight looks like it.
var gapColour = color.RGBA{0xb8, 0xcc, 0xe4, 0xff}

// Filters writes the picture of DrawFilters to a PNG file.
func Filters(path string, w *tensor.Dense) error {
	picture, err := DrawFilters(w)
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(out io.Writer) error { return png.Encode(out, picture) })
}

// DrawFilters draws the filters of a convolution, w [K,C,R,S] float32, as a
// grid, magnified without smoothing, a gap of one weight between them. Each
// filter is scaled by its own largest weight: zero is mid-grey, white is that
// weight, black its negative. Three channels are shown as red, green and blue;
// any other number as its mean, in grey.
func DrawFilters(w *tensor.Dense) (image.Image, error) {
	if w.Dims() != 4 || w.Dtype() != tensor.Float32 || w.RequiresIterator() || w.DataOrder().IsColMajor() {
		return nil, fmt.Errorf("picture of filters: the weights are %v %v, not a plain float32 tensor [K,C,R,S]", w.Dtype(), []int(w.Shape()))
	}
	return drawFilters(w.Float32s(), w.Shape()), nil
}

// drawFilters draws weights of the shape [K,C,R,S].
func drawFilters(w []float32, shape []int) *image.RGBA {
	k, c, r, s := shape[0], shape[1], shape[2], shape[3]
	columns := int(math.Ceil(math.Sqrt(float64(k))))
	rows := (k + columns - 1) / columns
	width, height := columns*(s+1)+1, rows*(r+1)+1
	zoom := max(1, filtersWidth/width)

	m := image.NewRGBA(image.Rect(0, 0, width*zoom, height*zoom))
	draw.Draw(m, m.Bounds(), image.NewUniform(gapColour), image.Point{}, draw.Src)
	for i := range k {
		at := colours(w[i*c*r*s:(i+1)*c*r*s], c)
		x0, y0 := i%columns*(s+1)+1, i/columns*(r+1)+1
		for p := range r * s {
			fill(m, x0+p%s, y0+p/s, zoom, at(p))
		}
	}
	return m
}

// colours returns the colour of every position of one filter of c channels.
func colours(w []float32, c int) func(p int) color.RGBA {
	shown := w // [channels, positions]
	positions := len(w) / c
	if c != 3 {
		shown = make([]float32, positions)
		for i, v := range w {
			shown[i%positions] += v / float32(c)
		}
	}
	largest := float32(0)
	for _, v := range shown {
		largest = max(largest, v, -v)
	}
	level := func(v float32) uint8 {
		if largest == 0 {
			return 128
		}
		return uint8(127.5 + 127.5*v/largest)
	}
	return func(p int) color.RGBA {
		if c == 3 {
			return color.RGBA{level(shown[p]), level(shown[positions+p]), level(shown[2*positions+p]), 0xff}
		}
		v := level(shown[p])
		return color.RGBA{v, v, v, 0xff}
	}
}

// fill paints one magnified pixel.
func fill(m *image.RGBA, x, y, zoom int, c color.RGBA) {
	for j := range zoom {
		for i := range zoom {
			m.SetRGBA(x*zoom+i, y*zoom+j, c)
		}
	}
}
