//go:build amd64 && !purego

package gemm

import "unsafe"

//go:noescape
func indirect13x32(k int, x *float32, rows, steps *int, b, c, plus *float32, ld int)

//go:noescape
func indirect13x24(k int, x *float32, rows, steps *int, b, c, plus *float32, ld int)

//go:noescape
func indirect13x16(k int, x *float32, rows, steps *int, b, c, plus *float32, ld int)

//go:noescape
func indirect6x16(k int, x *float32, rows, steps *int, b, c, plus *float32, ld int)

// indirect512 is 13x32, with less work for up to 24 and up to 16 columns.
func indirect512(c, x []float32, rows []int, first int, steps []int, b []float32, n int, plus []float32, ld int) {
	f := indirect13x32
	switch {
	case n <= 16:
		f = indirect13x16
	case n <= 24:
		f = indirect13x24
	}
	f(len(steps), unsafe.SliceData(x[first/4:]), unsafe.SliceData(rows), unsafe.SliceData(steps), unsafe.SliceData(b), unsafe.SliceData(c), unsafe.SliceData(plus), ld)
}

func indirect2(c, x []float32, rows []int, first int, steps []int, b []float32, _ int, plus []float32, ld int) {
	indirect6x16(len(steps), unsafe.SliceData(x[first/4:]), unsafe.SliceData(rows), unsafe.SliceData(steps), unsafe.SliceData(b), unsafe.SliceData(c), unsafe.SliceData(plus), ld)
}
