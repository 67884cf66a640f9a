package reference

import "github.com/hubel-go/hubel/device"

func (q *queue) GEMM(g device.GEMM, c, a, b device.Tensor, _ device.Buffer) {
	if q.Err != nil {
		return
	}
	gemm(g, floats(c), floats(a), floats(b))
}

func gemm(g device.GEMM, c, a, b []float64) {
	aRow, aCol := g.K, 1
	if g.TransA {
		aRow, aCol = 1, g.M
	}
	alpha, beta := float64(g.Alpha), float64(g.Beta)
	for i := range g.M {
		row := c[i*g.N : (i+1)*g.N]
		for j := range row {
			if beta == 0 {
				row[j] = 0 // whatever was there, NaN too
			} else {
				row[j] *= beta
			}
		}
		// Both orders go through b as it lies in memory.
		if g.TransB {
			for j := range row {
				sum := 0.0
				for k := range g.K {
					sum += a[i*aRow+k*aCol] * b[j*g.K+k]
				}
				row[j] += alpha * sum
			}
		} else {
			for k := range g.K {
				f := alpha * a[i*aRow+k*aCol]
				for j := range row {
					row[j] += f * b[k*g.N+j]
				}
			}
		}
	}
}
