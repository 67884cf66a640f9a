//go:build amd64 && !purego

package depthwise

import "golang.org/x/sys/cpu"

func init() {
	if cpu.X86.HasAVX2 && cpu.X86.HasFMA {
		paths = append(paths, &Loops{"avx2", correlateAVX2, dotsAVX2, splitAVX2, mergeAVX2})
	}
	if cpu.X86.HasAVX512F {
		paths = append(paths, &Loops{"avx512", correlate512, dots512, split512, merge512})
	}
}

//go:noescape
func correlateAVX2(y, x, w []float32, at []int, start float32)

//go:noescape
func correlate512(y, x, w []float32, at []int, start float32)

//go:noescape
func dotsAVX2(sums, y, x []float32, at []int)

//go:noescape
func dots512(sums, y, x []float32, at []int)

//go:noescape
func splitAVX2(even, odd, x []float32)

//go:noescape
func split512(even, odd, x []float32)

//go:noescape
func mergeAVX2(x, even, odd []float32)

//go:noescape
func merge512(x, even, odd []float32)
