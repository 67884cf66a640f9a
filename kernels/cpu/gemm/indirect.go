package gemm

import "math"

// MultiplyIndirect computes one tile c [IR,NR] from a panel b, [k][NR], and
// rows that are not packed but read where they lie, which spares a convolution
// its patches (Dukhan 2019, The Indirect Convolution Algorithm):
//
//	c[i*NR+j] = plus[i*ld+j] + sum over p < k of x[(rows[i]+first+steps[0]+...+steps[p-1])/4] b[p*NR+j]
//
// k is len(steps), and the last step is not taken. Places are in bytes, which
// spares the kernel a register. plus may be c, a row of biases with ld 0, or
// nil, which is 0. Only the first n columns are wanted; the others may be
// computed or not.
func (t *Tile) MultiplyIndirect(c, x []float32, rows []int, first int, steps []int, b []float32, n int, plus []float32, ld int) {
	t.indirect(c[:t.IR*t.NR], x, rows[:t.IR], first, steps, b[:len(steps)*t.NR], n, plus, ld)
}

// indirect2x4 is the generic tile: it gathers rows for tile2x4, which is
// twice as fast as following their places with eight sums in registers.
func indirect2x4(c, x []float32, rows []int, first int, steps []int, b []float32, _ int, plus []float32, ld int) {
	for i := range 8 {
		sum := float32(0)
		if plus != nil {
			sum = plus[i/4*ld+i%4]
		}
		c[i] = sum
	}
	at, second := (rows[0]+first)/4, (rows[1]-rows[0])/4
	var a [2 * 64]float32
	for len(steps) > 0 {
		k := min(len(a)/2, len(steps))
		for p, step := range steps[:k] {
			pair := (*[2]float32)(a[2*p&(len(a)-1):])
			pair[0], pair[1] = x[at], x[at+second]
			at += step >> 2 // shifts, unlike divisions, cost nothing here
		}
		tile2x4(k, a[:], b, c, 4, 2, &Store{Alpha: 1, Beta: 1, Floor: float32(math.Inf(-1)), lanes: lanes(4)})
		steps, b = steps[k:], b[4*k:]
	}
}
