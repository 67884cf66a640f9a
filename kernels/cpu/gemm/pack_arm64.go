//go:build arm64 && !purego

package gemm

// packRowsNEON transposes 4x4 elements at a time; rows and steps that are left are for the
// Go loop.
func packRowsNEON(dst, src []float32, r int, rows []int, k int) {
	whole := k &^ 3
	i := 0
	for ; whole > 0 && i+4 <= len(rows); i += 4 {
		transpose4(&dst[i], &src[0], &rows[i], whole, r)
		if whole < k {
			for l, row := range rows[i : i+4] {
				for p := whole; p < k; p++ {
					dst[p*r+i+l] = src[row+p]
				}
			}
		}
	}
	for l, row := range rows[i:] {
		p := i + l
		for _, v := range src[row : row+k] {
			dst[p] = v
			p += r
		}
	}
	for p := 0; len(rows) < r && p < k*r; p += r {
		clear(dst[p+len(rows) : p+r])
	}
}

// packColumnsNEON is packColumns, fast for whole panels of 8 and 12 columns.
func packColumnsNEON(dst, src []float32, r, n, k, ld int) {
	switch {
	case n == r && r == 8:
		copy8(&dst[0], &src[0], k, ld)
	case n == r && r == 12:
		copy12(&dst[0], &src[0], k, ld)
	default:
		packColumns(dst, src, r, n, k, ld)
	}
}

// unpackNEON transposes 4 steps of 4 columns at a time, and what is left step by step.
func unpackNEON(dst, src []float32, r, n, k, ld int) {
	columns, steps := n&^3, k&^3
	if columns > 0 {
		rows := [4]int{0, r, 2 * r, 3 * r}
		for p := 0; p < steps; p += 4 {
			transpose4(&dst[p], &src[p*r], &rows[0], columns, ld)
		}
		if steps < k {
			unpack(dst[steps:], src[steps*r:], r, columns, k-steps, ld)
		}
	}
	if columns < n {
		unpack(dst[columns*ld:], src[columns:], r, n-columns, k, ld)
	}
}

// transpose4 writes the k steps, a multiple of 4, of four rows, r elements apart.
//
//go:noescape
func transpose4(dst, src *float32, rows *int, k, r int)

// copy8 and copy12 copy k steps of 8 and 12 elements, ld apart.
//
//go:noescape
func copy8(dst, src *float32, k, ld int)

//go:noescape
func copy12(dst, src *float32, k, ld int)
