package gemm

// A panel is k steps of r elements: dst[step*r+i] is the element of row i of A
// (or column i of B) at that step of the sum. Where fewer than r rows are
// left, the others are zero.

// packRows packs n <= r rows whose k steps lie next to each other, the rows
// ld apart: A as it stands, or B transposed.
func packRows(dst, src []float32, r, n, k, ld int) {
	for i := range r {
		if i >= n {
			for p := i; p < r*k; p += r {
				dst[p] = 0
			}
			continue
		}
		p := i
		for _, v := range src[i*ld : i*ld+k] {
			dst[p] = v
			p += r
		}
	}
}

// packColumns packs n <= r columns whose rows, one a step, lie ld apart: A
// transposed, or B as it stands.
func packColumns(dst, src []float32, r, n, k, ld int) {
	switch {
	case n == r && r == 4: // copy is slow for so few
		for p := range k {
			*(*[4]float32)(dst[p*4:]) = *(*[4]float32)(src[p*ld:])
		}
	case n == r:
		for p := range k {
			copy(dst[p*r:p*r+r], src[p*ld:p*ld+r])
		}
	default:
		for p := range k {
			row := dst[p*r : p*r+r]
			copy(row, src[p*ld:p*ld+n])
			clear(row[n:])
		}
	}
}
