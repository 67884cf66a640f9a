//go:build !purego

package data

import (
	"os"

	"golang.org/x/sys/cpu"
)

// useAVX2 is fixed at the start; HUBEL_CPU=generic turns it off.
var useAVX2 = cpu.X86.HasAVX2 && os.Getenv("HUBEL_CPU") != "generic"

// blendRowsAVX2 is blendRowsGo for n elements, a multiple of 8.
//
//go:noescape
func blendRowsAVX2(dst *float32, n int, pix *uint8, stride int, weight *float32, rows int)

// gatherFourAVX2 is gatherFourGo for n elements, a multiple of 4.
//
//go:noescape
func gatherFourAVX2(dst *float32, n int, src *float32, first *int32, weight *float32)

// shiftScaleAVX2 is shiftScaleGo for n elements, a multiple of 8.
//
//go:noescape
func shiftScaleAVX2(x *float32, n int, shift, scale float32)

// mixColoursAVX2 is mixColoursGo for n elements, a multiple of 8.
//
//go:noescape
func mixColoursAVX2(a, b, c *float32, n int, f *[3][4]float32)

func blendRows(dst []float32, pix []uint8, stride int, weight []float32) {
	n := len(dst) &^ 7
	if !useAVX2 || n == 0 {
		blendRowsGo(dst, pix, stride, weight)
		return
	}
	_ = pix[(len(weight)-1)*stride+len(dst)-1]
	blendRowsAVX2(&dst[0], n, &pix[0], stride, &weight[0], len(weight))
	if n < len(dst) {
		blendRowsGo(dst[n:], pix[n:], stride, weight)
	}
}

// gatherFour does not check that first[i]+4 is within src.
func gatherFour(dst, src []float32, first []int32, weight []float32) {
	n := len(dst) &^ 3
	if !useAVX2 || n == 0 {
		gatherFourGo(dst, src, first, weight)
		return
	}
	_, _ = first[n-1], weight[4*n-1]
	gatherFourAVX2(&dst[0], n, &src[0], &first[0], &weight[0])
	gatherFourGo(dst[n:], src, first[n:], weight[4*n:])
}

func shiftScale(x []float32, shift, scale float32) {
	n := len(x) &^ 7
	if !useAVX2 || n == 0 {
		shiftScaleGo(x, shift, scale)
		return
	}
	shiftScaleAVX2(&x[0], n, shift, scale)
	shiftScaleGo(x[n:], shift, scale)
}

func mixColours(a, b, c []float32, f *[3][4]float32) {
	n := len(a) &^ 7
	if !useAVX2 || n == 0 {
		mixColoursGo(a, b, c, f)
		return
	}
	_, _ = b[n-1], c[n-1]
	mixColoursAVX2(&a[0], &b[0], &c[0], n, f)
	mixColoursGo(a[n:], b[n:len(a)], c[n:len(a)], f)
}
