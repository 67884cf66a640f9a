package vec

import "math"

func largest(x []float32) float32 { return larger(float32(math.Inf(-1)), x) }

// larger is the largest of v and the elements of x.
func larger(v float32, x []float32) float32 {
	for _, e := range x {
		if e > v {
			v = e
		}
	}
	return v
}

func expSum(y, x []float32, largest float32) float64 {
	var sums [8]float64
	return addExp(y, x, largest, &sums)
}

// addExp continues with given sums.
func addExp(y, x []float32, largest float32, sums *[8]float64) float64 {
	x = x[:len(y)]
	for i, v := range x {
		e := Exp(float64(v) - float64(largest))
		y[i] = float32(e)
		sums[i%8] += e
	}
	return Total(sums)
}

func scaleWide(y, x []float32, factor float64) {
	x = x[:len(y)]
	for i, v := range x {
		y[i] = float32(float64(v) * factor)
	}
}
