//go:build amd64 && !purego

package gemm

import "unsafe"

// packRows512 is packRows for any r, 16 rows at a time.
func packRows512(dst, src []float32, r int, rows []int, k int) {
	for i := 0; i < r; i += 16 {
		some := rows[min(i, len(rows)):min(i+16, len(rows))]
		transpose16(&dst[i], unsafe.SliceData(src), unsafe.SliceData(some), len(some), k, r, lanes(min(16, r-i)))
	}
}

// packColumns512 is packColumns for r up to 32.
func packColumns512(dst, src []float32, r, n, k, ld int) {
	if r > 32 {
		packColumns(dst, src, r, n, k, ld)
		return
	}
	copy16(&dst[0], unsafe.SliceData(src), k, ld, r, lanes(n), lanes(r))
}

// packRows2 is packRows, fast for panels of 6 and of multiples of 8 rows.
func packRows2(dst, src []float32, r int, rows []int, k int) {
	if r != 6 && r%8 != 0 {
		packRows(dst, src, r, rows, k)
		return
	}
	for i := 0; i < r; i += 8 {
		some := rows[min(i, len(rows)):min(i+8, len(rows))]
		transpose8(&dst[i], unsafe.SliceData(src), unsafe.SliceData(some), len(some), k, r, min(8, r-i))
	}
}

// packColumns2 is packColumns, fast for whole panels of 6 and 16 columns.
func packColumns2(dst, src []float32, r, n, k, ld int) {
	switch {
	case n == r && r == 6:
		copy6(&dst[0], &src[0], k, ld)
	case n == r && r == 16:
		copy2x8(&dst[0], &src[0], k, ld)
	default:
		packColumns(dst, src, r, n, k, ld)
	}
}

// unpack512 transposes 16 steps at a time: the steps of a panel are the rows
// of transpose16.
func unpack512(dst, src []float32, r, n, k, ld int) {
	var steps [16]int
	for i := range steps {
		steps[i] = i * r
	}
	for p := 0; p < k; p += 16 {
		some := min(16, k-p)
		transpose16(&dst[p], &src[p*r], &steps[0], some, n, ld, lanes(some))
	}
}

// unpack2 transposes 8 steps at a time, and what is left step by step.
func unpack2(dst, src []float32, r, n, k, ld int) {
	var steps [8]int
	for i := range steps {
		steps[i] = i * r
	}
	p := 0
	for ; p+8 <= k; p += 8 {
		transpose8(&dst[p], &src[p*r], &steps[0], 8, n, ld, 8)
	}
	if p < k {
		unpack(dst[p:], src[p*r:], r, n, k-p, ld)
	}
}

// transpose16 writes the k steps of n <= 16 rows, r elements apart, and of
// each the lanes of the mask.
//
//go:noescape
func transpose16(dst, src *float32, rows *int, n, k, r int, mask uint32)

// transpose8 writes the k steps of n <= 8 rows, r elements apart, and of each
// the first width lanes, 6 or 8.
//
//go:noescape
func transpose8(dst, src *float32, rows *int, n, k, r, width int)

// copy16 copies k steps, ld elements apart and r apart at dst; load and store
// are the lanes of each, at most 32.
//
//go:noescape
func copy16(dst, src *float32, k, ld, r int, load, store uint32)

// copy6 and copy2x8 copy k steps of 6 and 16 elements, ld apart.
//
//go:noescape
func copy6(dst, src *float32, k, ld int)

//go:noescape
func copy2x8(dst, src *float32, k, ld int)
