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

// Loops are the inner loops of one path. Correlate and Dots fuse products with sums in
// assembly, and do not in Go; Split and Merge are the same on all paths.
type Loops struct {
	Name string // the path's

	// Correlate is, for each j below len(y), which is a multiple of Width,
	//
	//	y[j] = start + the sum over t of w[t] x[at[t]+j]
	//
	// in the order of t. y and x do not overlap, and w is as long as at.
	Correlate func(y, x, w []float32, at []int, start float32)

	// Dots adds, for each t, the products y[j] x[at[t]+j] to sums[t*Width+j%Width], in the
	// order of j. len(y) is a multiple of Width, and sums are Width times as many as at.
	Dots func(sums, y, x []float32, at []int)

	// Split is even[i] = x[2i] and odd[i] = x[2i+1] for the elements of even and odd, which
	// are as many and a multiple of Width. x is twice as long.
	Split func(even, odd, x []float32)

	// Merge is x[2i] = even[i] and x[2i+1] = odd[i], of the same lengths.
	Merge func(x, even, odd []float32)
}

// Generic is the loops in Go, for every machine.
var Generic = Loops{Name: "generic", Correlate: correlate, Dots: dots, Split: split, Merge: merge}

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

func correlate(y, x, w []float32, at []int, start float32) {
	for j := range y {
		y[j] = start
	}
	for t, first := range at {
		v := w[t]
		for j, p := range x[first:][:len(y)] {
			y[j] += v * p
		}
	}
}

func dots(sums, y, x []float32, at []int) {
	for t, first := range at {
		s, p := (*[Width]float32)(sums[t*Width:]), x[first:][:len(y)]
		for j := 0; j < len(y); j += Width {
			for i := range s {
				s[i] += y[j+i] * p[j+i]
			}
		}
	}
}

func split(even, odd, x []float32) {
	x, odd = x[:2*len(even)], odd[:len(even)]
	for i := range even {
		even[i], odd[i] = x[2*i], x[2*i+1]
	}
}

func merge(x, even, odd []float32) {
	x, odd = x[:2*len(even)], odd[:len(even)]
	for i, v := range even {
		x[2*i], x[2*i+1] = v, odd[i]
	}
}
