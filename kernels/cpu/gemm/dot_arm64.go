//go:build arm64 && !purego

package gemm

import "unsafe"

// dotNEON adds the last steps, fewer than a vector has, in Go.
func dotNEON(k int, a []float32, m int, b []float32, n int, c []float32, ldc int, s *Store) {
	dot4x4(k&^3, unsafe.SliceData(a), m, unsafe.SliceData(b), n, &s.edge[0], k)
	if p := k &^ 3; p < k {
		for i := range m {
			for j := range n {
				for q := p; q < k; q++ {
					s.edge[i*4+j] += float32(a[i*k+q] * b[j*k+q])
				}
			}
		}
	}
	s.merge(4, c, ldc, m)
}

// dot4x4 writes the dot products of the first k elements, a multiple of 4, of m <= 4 rows
// and n <= 4 rows, ld elements long each: sums[i*4+j]. Rows that are not there are the last
// again.
//
//go:noescape
func dot4x4(k int, a *float32, m int, b *float32, n int, sums *float32, ld int)
