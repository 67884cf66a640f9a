//go:build !purego

package jpeg

import (
	"os"

	"golang.org/x/sys/cpu"
)

// useAVX2 is fixed at the start; HUBEL_CPU=generic turns it off.
var useAVX2 = cpu.X86.HasAVX2 && os.Getenv("HUBEL_CPU") != "generic"

// inverse8AVX2 is inverse8Go; dst has 7*stride+8 bytes.
//
//go:noescape
func inverse8AVX2(dst *uint8, stride int, c *[64]int16, multipliers *[64]float32)

// inverse4AVX2 is inverse4Go; dst has 3*stride+4 bytes.
//
//go:noescape
func inverse4AVX2(dst *uint8, stride int, c *[64]int16, multipliers *[64]float32)

func inverse4(dst []uint8, stride int, c *[64]int16, multipliers *[64]float32) {
	if useAVX2 {
		inverse4AVX2(&dst[0], stride, c, multipliers)
		return
	}
	inverse4Go(dst, stride, c, multipliers)
}

func inverse8(dst []uint8, stride int, c *[64]int16, multipliers *[64]float32) {
	if useAVX2 {
		inverse8AVX2(&dst[0], stride, c, multipliers)
		return
	}
	inverse8Go(dst, stride, c, multipliers)
}
