//go:build amd64 && !purego

package gemm

import "unsafe"

func dot512(k int, a []float32, m int, b []float32, n int, c []float32, ldc int, s *Store) {
	pa, pb := unsafe.SliceData(a), unsafe.SliceData(b)
	if m == 5 && n == 5 && s.Beta == 0 {
		dot5x5(k, pa, m, pb, n, &c[0], ldc, s)
		return
	}
	dot5x5(k, pa, m, pb, n, &s.edge[0], 5, &plain16)
	s.merge(5, c, ldc, m)
}

func dot2(k int, a []float32, m int, b []float32, n int, c []float32, ldc int, s *Store) {
	dot4x3(k, unsafe.SliceData(a), m, unsafe.SliceData(b), n, &s.edge[0])
	s.merge(3, c, ldc, m)
}

// dot5x5 stores the dot products of m <= 5 rows and n <= 5 rows, of k elements
// each, as s says with Beta 0: at c[i*ldc+j] that of rows i and j. Rows that are
// not there are the last again.
//
//go:noescape
func dot5x5(k int, a *float32, m int, b *float32, n int, c *float32, ldc int, s *Store)

// dot4x3 writes those of m <= 4 rows and n <= 3 rows: sums[i*3+j].
//
//go:noescape
func dot4x3(k int, a *float32, m int, b *float32, n int, sums *float32)
