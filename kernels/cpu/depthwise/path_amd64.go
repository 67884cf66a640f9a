//go:build amd64 && !purego

package depthwise

import "golang.org/x/sys/cpu"

func init() {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		paths = append(paths, &Loops{"avx2", correlateAVX2, dotsAVX2, padAVX2, splitAVX2, unpadAVX2, mergeAVX2})
	}
	if cpu.X86.HasAVX512F {
		paths = append(paths, &Loops{"avx512", correlate512, dots512, pad512, split512, unpad512, merge512})
	}
}

//go:noescape
func correlateAVX2(y, x, w []float32, at []int, bias []float32, n int, p Planes)

//go:noescape
func dotsAVX2(sums, y, x []float32, at []int)

//go:noescape
func padAVX2(padded, image []float32, r Rows)

//go:noescape
func splitAVX2(even, odd, image []float32, r Rows)

//go:noescape
func unpadAVX2(image, padded []float32, r Rows)

//go:noescape
func mergeAVX2(image, even, odd []float32, r Rows)

//go:noescape
func correlate512(y, x, w []float32, at []int, bias []float32, n int, p Planes)

//go:noescape
func dots512(sums, y, x []float32, at []int)

//go:noescape
func pad512(padded, image []float32, r Rows)

//go:noescape
func split512(even, odd, image []float32, r Rows)

//go:noescape
func unpad512(image, padded []float32, r Rows)

//go:noescape
func merge512(image, even, odd []float32, r Rows)
