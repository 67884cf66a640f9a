// Package depthwise holds the inner loops of depthwise convolutions: sums of a plane that is
// shifted by the taps of a filter, and the dot products of two planes for each shift.
//
// A plane is one row of pixels here: its rows lie one after the other, at a pitch that has
// room for the padding. So the vectors are full also where an image has seven columns, and
// what lies between the columns of outputs is computed and thrown away.
package depthwise

// Width is what lengths of outputs are a multiple of, and the number of partial sums of a
// dot product.
const Width = 16

// Planes are the outputs and the pixels of some channels: how many, and how far each lies
// from the one before it.
type Planes struct {
	Count int
	Y, X  int
}

// Rows are rows of some planes of an image, and where they stand in planes with padding.
// Lengths and distances are in elements. What is written behind a padded row is written
// again with the next one; behind the last 2*Width elements are room enough.
type Rows struct {
	Planes, Rows, Width int

	Next, NextPlane int // from row to row and from plane to plane of the image

	Head, Left, Tail int // zeros before the rows, before each of them, and behind them
	Pitch, Plane     int // from row to row and from plane to plane with padding
	LeftOdd          int // Left of the odd pixels' plane
}

// Loops are the inner loops of one path. Correlate and Dots fuse products with sums in
// assembly, and do not in Go; the others copy.
type Loops struct {
	Name string // the path's

	// Correlate is, for each plane i and each j below n, a multiple of Width,
	//
	//	y[i*Y+j] = bias[i] + the sum over t of w[i*len(at)+t] x[i*X+at[t]+j]
	//
	// in the order of t. Without a bias it is 0. y and x do not overlap.
	Correlate func(y, x, w []float32, at []int, bias []float32, n int, p Planes)

	// Dots adds, for each t, the products y[j] x[at[t]+j] to sums[t*Width+j%Width], in the
	// order of j. len(y) is a multiple of Width, and sums are Width times as many as at.
	Dots func(sums, y, x []float32, at []int)

	// Pad copies rows of an image between zeros, up to the pitch.
	Pad func(padded, image []float32, r Rows)
	// Split is Pad of the even pixels of each row, and of the odd ones.
	Split func(even, odd, image []float32, r Rows)
	// Unpad copies the rows that begin where padded does back into an image.
	Unpad func(image, padded []float32, r Rows)
	// Merge is Unpad of rows of which even has every other pixel, from the first on, and
	// odd the rest.
	Merge func(image, even, odd []float32, r Rows)
}

// Generic is the loops in Go, for every machine.
var Generic = Loops{Name: "generic", Correlate: correlate, Dots: dots, Pad: pad, Split: split, Unpad: unpad, Merge: merge}

// paths are those that this machine can run.
var paths = []*Loops{&Generic}

// Named is the path that goes with a register tile of the name.
func Named(name string) *Loops {
	for _, l := range paths {
		if l.Name == name {
			return l
		}
	}
	return &Generic
}

func correlate(y, x, w []float32, at []int, bias []float32, n int, p Planes) {
	for i := range p.Count {
		y := y[i*p.Y:][:n]
		clear(y)
		if bias != nil {
			for j := range y {
				y[j] = bias[i]
			}
		}
		for t, first := range at {
			v := w[i*len(at)+t]
			for j, pixel := range x[i*p.X+first:][:n] {
				y[j] += float32(v * pixel)
			}
		}
	}
}

func dots(sums, y, x []float32, at []int) {
	for t, first := range at {
		s, p := (*[Width]float32)(sums[t*Width:]), x[first:][:len(y)]
		for j := 0; j < len(y); j += Width {
			for i := range s {
				s[i] += float32(y[j+i] * p[j+i])
			}
		}
	}
}

func pad(padded, image []float32, r Rows) { PadEvery(padded, image, r, r.Left, 0, 1) }

func split(even, odd, image []float32, r Rows) {
	PadEvery(even, image, r, r.Left, 0, 2)
	PadEvery(odd, image, r, r.LeftOdd, 1, 2)
}

// PadEvery is Pad of the pixels of each row from first on, step apart, behind left zeros.
func PadEvery(padded, image []float32, r Rows, left, first, step int) {
	for i := range r.Planes {
		to, from := padded[i*r.Plane:], image[i*r.NextPlane:]
		clear(to[:r.Head+r.Rows*r.Pitch+r.Tail])
		for k := range r.Rows {
			to := to[r.Head+k*r.Pitch:][:r.Pitch]
			for j, at := left, k*r.Next+first; j < r.Pitch && at < k*r.Next+r.Width; at += step {
				to[j] = from[at]
				j++
			}
		}
	}
}

func unpad(image, padded []float32, r Rows) {
	for i := range r.Planes {
		for k := range r.Rows {
			copy(image[i*r.NextPlane+k*r.Next:][:r.Width], padded[i*r.Plane+k*r.Pitch:])
		}
	}
}

func merge(image, even, odd []float32, r Rows) {
	for i := range r.Planes {
		for k := range r.Rows {
			to, at := image[i*r.NextPlane+k*r.Next:][:r.Width], i*r.Plane+k*r.Pitch
			for j := range to {
				if j%2 == 0 {
					to[j] = even[at+j/2]
				} else {
					to[j] = odd[at+j/2]
				}
			}
		}
	}
}
