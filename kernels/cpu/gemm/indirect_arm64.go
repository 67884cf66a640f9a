//go:build arm64 && !purego

package gemm

import "unsafe"

//go:noescape
func indirect8x12(k int, x *float32, rows, steps *int, b, c, plus *float32, ld int)

func indirectNEON(c, x []float32, rows []int, first int, steps []int, b []float32, _ int, plus []float32, ld int) {
	indirect8x12(len(steps), unsafe.SliceData(x[first/4:]), unsafe.SliceData(rows), unsafe.SliceData(steps), unsafe.SliceData(b), unsafe.SliceData(c), unsafe.SliceData(plus), ld)
}
