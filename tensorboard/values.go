package tensorboard

import (
	"bytes"
	"fmt"
	"image"
	"image/png"

	"github.com/hubel-go/hubel/results"
)

// Value is something with a tag at a step: see Writer.Write. TensorBoard shows
// values whose tags have the same beginning, up to a slash, together.
type Value struct{ encoded []byte }

// Scalar is a number; TensorBoard keeps float32.
func Scalar(tag string, x float64) Value {
	return Value{float(text(nil, valueTag, tag), valueSimple, float32(x))}
}

// Histogram is a histogram with the bins of a distribution. Its least and its
// largest number are not known exactly: they are the edges of the outer bins.
func Histogram(tag string, d *results.Distribution) Value {
	var h []byte
	var limits, counts []float64
	total := 0
	for i, n := range d.Counts {
		_, right := edges(d.First + i)
		limits, counts = append(limits, right), append(counts, float64(n))
		total += n
	}
	if len(limits) > 0 {
		left, _ := edges(d.First)
		h = double(h, histogramMin, left)
		h = double(h, histogramMax, limits[len(limits)-1])
	}
	h = double(h, histogramNumber, float64(total))
	h = double(h, histogramSum, d.Mean*float64(total))
	h = double(h, histogramSquares, d.Norm*d.Norm)
	h = doubles(h, histogramLimit, limits)
	h = doubles(h, histogramCount, counts)
	return Value{message(text(nil, valueTag, tag), valueHistogram, h)}
}

// edges are the ends of a bin: the one of 0 reaches to its neighbours.
func edges(bin int) (left, right float64) {
	left, right = results.BinEdge(bin), results.BinEdge(bin)
	if bin >= results.ZeroBin {
		right = results.BinEdge(bin + 1)
	}
	if bin <= results.ZeroBin {
		left = results.BinEdge(bin - 1)
	}
	return left, right
}

// Image is a picture. It is stored as PNG.
func Image(tag string, m image.Image) (Value, error) {
	const rgba = 4 // of a TensorFlow summary: the number of channels
	var file bytes.Buffer
	if err := png.Encode(&file, m); err != nil {
		return Value{}, fmt.Errorf("picture %s: %w", tag, err)
	}
	size := m.Bounds().Size()
	i := number(nil, imageHeight, int64(size.Y))
	i = number(i, imageWidth, int64(size.X))
	i = number(i, imageColourSpace, rgba)
	i = message(i, imageEncoded, file.Bytes())
	return Value{message(text(nil, valueTag, tag), valueImage, i)}, nil
}
