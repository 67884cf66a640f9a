package gemm

// MultiplyIndirect computes one tile c [MR,NR] from a panel b, [k][NR], and
// rows that are not packed but read where they lie, which spares a convolution
// its patches (Dukhan 2019, The Indirect Convolution Algorithm):
//
//	c[i*NR+j] = sum over p < k of x[(rows[i]+steps[0]+...+steps[p-1])/4] b[p*NR+j]
//
// and with add, plus what c holds. k is len(steps), and the last step is not
// taken. Places are in bytes, which spares the kernel a register; rows has MR.
func (t *Tile) MultiplyIndirect(c, x []float32, rows, steps []int, b []float32, add bool) {
	t.indirect(c[:t.MR*t.NR], x, rows[:t.MR], steps, b[:len(steps)*t.NR], add)
}

// indirect2x4 is the generic tile. Products are converted to float32 before
// they are added, as in multiply2x4.
func indirect2x4(c, x []float32, rows, steps []int, b []float32, add bool) {
	var c00, c01, c02, c03, c10, c11, c12, c13 float32
	at, second := rows[0]/4, (rows[1]-rows[0])/4
	for _, step := range steps {
		y := (*[4]float32)(b)
		x0, x1 := x[at], x[at+second]
		c00, c01, c02, c03 = c00+float32(x0*y[0]), c01+float32(x0*y[1]), c02+float32(x0*y[2]), c03+float32(x0*y[3])
		c10, c11, c12, c13 = c10+float32(x1*y[0]), c11+float32(x1*y[1]), c12+float32(x1*y[2]), c13+float32(x1*y[3])
		at += step / 4
		b = b[4:]
	}
	for i, sum := range [8]float32{c00, c01, c02, c03, c10, c11, c12, c13} {
		if add {
			sum += c[i]
		}
		c[i] = sum
	}
}
