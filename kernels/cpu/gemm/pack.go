package gemm

// A panel is k steps of r elements: dst[step*r+i] is the element of row i of A
// (or column i of B) at that step of the sum. Where fewer than r rows are
// left, the others are zero.

// PackRows packs k steps of at most r rows into dst, a panel or the part of
// one that begins there. Row i begins at src[rows[i]] and its steps lie next to
// each other, so this is a transposition: of A as it stands, of B transposed,
// of the planes of an image.
//
//	dst[p*r+i] = src[rows[i]+p], 0 for i >= len(rows)
//
// It writes k*r elements of dst and reads k of each row, no others. The rows
// may overlap and come in any order.
func (t *Tile) PackRows(dst, src []float32, r int, rows []int, k int) {
	if k > 0 {
		t.packRows(dst[:k*r], src, r, rows, k)
	}
}

// PackColumns packs k steps of n <= r columns into dst, a panel or the part of
// one that begins there. The columns of a step lie next to each other and two
// steps lie ld apart, so this is a copy: of A transposed, of B as it stands.
//
//	dst[p*r+i] = src[p*ld+i], 0 for i >= n
//
// It writes k*r elements of dst and reads n of each step, no others.
func (t *Tile) PackColumns(dst, src []float32, r, n, k, ld int) {
	if k > 0 {
		t.packColumns(dst[:k*r], src, r, n, k, ld)
	}
}

// packRows is PackRows in Go.
func packRows(dst, src []float32, r int, rows []int, k int) {
	for i, row := range rows {
		p := i
		for _, v := range src[row : row+k] {
			dst[p] = v
			p += r
		}
	}
	if len(rows) == r {
		return
	}
	for p := 0; p < k*r; p += r {
		clear(dst[p+len(rows) : p+r])
	}
}

// packColumns is PackColumns in Go.
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

// Unpack is the way back, for the n <= r first columns of a panel of k steps:
//
//	dst[i*ld+p] = src[p*r+i]
//
// It writes k elements of each of n rows, ld apart, and no others.
func (t *Tile) Unpack(dst, src []float32, r, n, k, ld int) {
	if k > 0 && n > 0 {
		t.unpack(dst[:(n-1)*ld+k], src[:(k-1)*r+n], r, n, k, ld)
	}
}

// unpack is Unpack in Go.
func unpack(dst, src []float32, r, n, k, ld int) {
	for i := range n {
		p := i
		row := dst[i*ld:][:k]
		for j := range row {
			row[j] = src[p]
			p += r
		}
	}
}
