// Package vec holds the inner loops of the element-wise kernels, over slices
// of one length. Destinations come first and may be one of the sources.
//
// A product that is added is converted to float32 in between: the language
// then forbids to fuse the two, and every platform computes the same bits.
package vec

// Add is y = a + b.
func Add(y, a, b []float32) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] = a[i] + b[i]
	}
}

// AddScalar is y += v.
func AddScalar(y []float32, v float32) {
	for i := range y {
		y[i] += v
	}
}

// Scale is y = alpha x.
func Scale(y, x []float32, alpha float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] = alpha * x[i]
	}
}

// AddScaled is y += alpha x.
func AddScaled(y, x []float32, alpha float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += float32(alpha * x[i])
	}
}

// AddSquares is y += x².
func AddSquares(y, x []float32) {
	x = x[:len(y)]
	for i := range y {
		y[i] += float32(x[i] * x[i])
	}
}

// Fill sets every element of y to v.
func Fill(y []float32, v float32) {
	for i := range y {
		y[i] = v
	}
}

// Sum adds the elements in double precision, four sums at a time.
func Sum(x []float32) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		s0 += float64(x[0])
		s1 += float64(x[1])
		s2 += float64(x[2])
		s3 += float64(x[3])
	}
	for _, v := range x {
		s0 += float64(v)
	}
	return (s0 + s1) + (s2 + s3)
}

// SumSquares adds the squares of the elements in double precision, where
// each is exact, four sums at a time.
func SumSquares(x []float32) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		s0 += float64(float64(x[0]) * float64(x[0]))
		s1 += float64(float64(x[1]) * float64(x[1]))
		s2 += float64(float64(x[2]) * float64(x[2]))
		s3 += float64(float64(x[3]) * float64(x[3]))
	}
	for _, v := range x {
		s0 += float64(float64(v) * float64(v))
	}
	return (s0 + s1) + (s2 + s3)
}
