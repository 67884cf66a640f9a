package vec

// A product that is added is converted to float32 in between: the language
// then forbids to fuse the two, and every platform computes the same bits.

func add(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] + b[i]
	}
}

func mul(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] * b[i]
	}
}

func fill(y []float32, v float32) {
	for i := range y {
		y[i] = v
	}
}

func spread(y, x []float32, inner int) {
	for i, v := range x {
		fill(y[i*inner:][:inner], v)
	}
}

func sum(x []float32) float64 {
	var sums [8]float64
	for i, v := range x {
		sums[i%8] += float64(v)
	}
	return Total(&sums)
}

// Total adds eight sums in the order in which halves of a vector are added.
func Total(s *[8]float64) float64 {
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}
