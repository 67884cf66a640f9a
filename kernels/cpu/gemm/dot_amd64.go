//go:build amd64 && !purego

package gemm

// dot512 is Tile.dot. Rows that are not there are others again.
func dot512(k int, a []float32, m int, b []float32, n int, sums []float32) {
	var rows [10]*float32
	for i := range 5 {
		rows[i] = &a[min(i, m-1)*k]
		rows[5+i] = &b[min(i, n-1)*k]
	}
	dot5x5(k, &rows, &sums[0])
}

func dot2(k int, a []float32, m int, b []float32, n int, sums []float32) {
	var rows [7]*float32
	for i := range 4 {
		rows[i] = &a[min(i, m-1)*k]
	}
	for i := range 3 {
		rows[4+i] = &b[min(i, n-1)*k]
	}
	dot4x3(k, &rows, &sums[0])
}

// dot5x5 writes the dot products of 5 rows and 5 rows, of k elements each:
// sums[i*5+j] of row i and row 5+j.
//
//go:noescape
func dot5x5(k int, rows *[10]*float32, sums *float32)

// dot4x3 writes those of 4 rows and 3 rows: sums[i*3+j] of row i and row 4+j.
//
//go:noescape
func dot4x3(k int, rows *[7]*float32, sums *float32)
