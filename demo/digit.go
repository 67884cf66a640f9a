package demo

import "math"

// Side is the height and the width of a digit, and box is that of the box that MNIST
// scales digits into.
const (
	Side = 28
	box  = 20
)

// Normalise makes a digit, Side rows of Side pixels from 0 to 255, of a drawing: rows of w
// pixels, 0 where there is no ink. It does what MNIST's authors did (LeCun et al. 1998): the
// smallest rectangle that holds the ink is scaled so that its longer side has 20 pixels, and
// moved so that its centre of mass is in the middle. A pixel is the mean of the drawing's
// pixels that it covers. The digit of a drawing without ink is empty.
func Normalise(drawing []uint8, w int) []float32 {
	digit := make([]float32, Side*Side)
	left, top, right, bottom := w, len(drawing), 0, 0
	for i, ink := range drawing {
		if ink > 0 {
			x, y := i%w, i/w
			left, right = min(left, x), max(right, x+1)
			top, bottom = min(top, y), max(bottom, y+1)
		}
	}
	if right <= left {
		return digit
	}
	step := float64(max(right-left, bottom-top)) / box // pixels of the drawing in one of the digit
	columns := min(box, max(1, int(math.Round(float64(right-left)/step))))
	rows := min(box, max(1, int(math.Round(float64(bottom-top)/step))))
	scaled := make([]float64, rows*columns)
	var mass, sumX, sumY float64
	for y := range rows {
		for x := range columns {
			v := meanOf(drawing, w, part(left, right, x, columns), part(top, bottom, y, rows))
			scaled[y*columns+x] = v
			mass += v
			sumX += v * (float64(x) + 0.5)
			sumY += v * (float64(y) + 0.5)
		}
	}
	// The box fits wherever the centre of mass is moved to, except for an odd drawing, whose
	// border is cut.
	dx, dy := int(math.Round(Side/2-sumX/mass)), int(math.Round(Side/2-sumY/mass))
	for y := range rows {
		for x := range columns {
			if u, v := x+dx, y+dy; u >= 0 && u < Side && v >= 0 && v < Side {
				digit[v*Side+u] = float32(math.Round(scaled[y*columns+x]))
			}
		}
	}
	return digit
}

// span is a piece of an axis.
type span struct{ from, to float64 }

// part is part i of n equal ones.
func part(from, to, i, n int) span {
	size := float64(to-from) / float64(n)
	return span{float64(from) + float64(i)*size, float64(from) + float64(i+1)*size}
}

// meanOf is the mean of a drawing over a rectangle, whose border may cut pixels.
func meanOf(drawing []uint8, w int, across, down span) float64 {
	sum := 0.0
	for y := int(down.from); float64(y) < down.to; y++ {
		for x := int(across.from); float64(x) < across.to; x++ {
			if at := y*w + x; at < len(drawing) { // rounding may reach beyond the last row
				sum += float64(drawing[at]) * across.of(x) * down.of(y)
			}
		}
	}
	return sum / ((across.to - across.from) * (down.to - down.from))
}

// of is how much of pixel i is in the piece.
func (s span) of(i int) float64 { return min(float64(i+1), s.to) - max(float64(i), s.from) }
