//go:build amd64 && !purego

package gemm

import "unsafe"

// indirectKernel is Tile.indirect in assembly; add is 0 or 1.
type indirectKernel func(k int, x *float32, rows, steps *int, b, c *float32, add int)

//go:noescape
func indirect12x32(k int, x *float32, rows, steps *int, b, c *float32, add int)

//go:noescape
func indirect6x16(k int, x *float32, rows, steps *int, b, c *float32, add int)

func indirectAssembly(f indirectKernel) func(c, x []float32, rows, steps []int, b []float32, add bool) {
	return func(c, x []float32, rows, steps []int, b []float32, add bool) {
		flag := 0
		if add {
			flag = 1
		}
		f(len(steps), unsafe.SliceData(x), unsafe.SliceData(rows), unsafe.SliceData(steps), unsafe.SliceData(b), unsafe.SliceData(c), flag)
	}
}
