//go:build !amd64 || purego

package data

func blendRows(dst []float32, pix []uint8, stride int, weight []float32) {
	blendRowsGo(dst, pix, stride, weight)
}

func gatherFour(dst, src []float32, first []int32, weight []float32) {
	gatherFourGo(dst, src, first, weight)
}

func shiftScale(x []float32, shift, scale float32) { shiftScaleGo(x, shift, scale) }

func mixColours(a, b, c []float32, f *[3][4]float32) { mixColoursGo(a, b, c, f) }
