package data

import "slices"

// What follows works on one channel of an image, as PIL's ImageOps does.

// autocontrast stretches values to 0 to 255. If all are the same, they stay.
func autocontrast(x []float32) {
	lo, hi := slices.Min(x), slices.Max(x)
	if hi > lo {
		shiftScale(x, lo, 255/(hi-lo))
	}
}

// asByte rounds a value to 0 to 255.
func asByte(v float32) uint8 { return uint8(min(max(v+0.5, 0), 255)) }

// equalize makes of values, which it rounds, their rank, so that all from 0 to
// 255 are equally frequent. If only few differ, they stay.
func equalize(x []float32) {
	var count [256]int
	for _, v := range x {
		count[asByte(v)]++
	}
	last := 255
	for count[last] == 0 {
		last--
	}
	step := (len(x) - count[last]) / 255
	if step == 0 {
		return
	}
	var table [256]float32
	n := step / 2
	for i, c := range count {
		table[i] = float32(min(n/step, 255))
		n += c
	}
	for i, v := range x {
		x[i] = table[asByte(v)]
	}
}

// solarize turns values from a threshold on around.
func solarize(x []float32, threshold float32) {
	for i, v := range x {
		if v >= threshold {
			x[i] = 255 - v
		}
	}
}

// posterize keeps the upper bits of values, which it rounds.
func posterize(x []float32, bits int) {
	mask := uint8(0xff) << (8 - bits)
	for i, v := range x {
		x[i] = float32(asByte(v) & mask)
	}
}

// sharpen multiplies the distance of values from those of a blurred image, in
// which a pixel counts 5 times and its eight neighbours once. Pixels at the edge
// stay.
func sharpen(x, blurred []float32, h, w int, factor float32) {
	copy(blurred, x)
	for y := 1; y < h-1; y++ {
		above, row, below := x[(y-1)*w:][:w], x[y*w:][:w], x[(y+1)*w:][:w]
		out := blurred[y*w:][:w]
		for i := 1; i < w-1; i++ {
			sum := above[i-1] + above[i] + above[i+1] + row[i-1] + row[i+1] + below[i-1] + below[i] + below[i+1]
			out[i] = (sum + float32(5*row[i])) / 13
		}
	}
	for i, b := range blurred {
		x[i] = b + float32(factor*(x[i]-b))
	}
}
