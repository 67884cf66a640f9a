package data

// The loops over pixels that cost most, in Go. Where there is assembly it does
// the same operations in the same order and rounds alike; the conversions keep
// a compiler from fusing a product and a sum.

// blendRowsGo sets dst to the sum of rows of bytes, stride apart, each times
// its weight.
func blendRowsGo(dst []float32, pix []uint8, stride int, weight []float32) {
	for k, f := range weight {
		row := pix[k*stride:][:len(dst)]
		if k == 0 {
			for x, v := range row {
				dst[x] = f * float32(v)
			}
			continue
		}
		for x, v := range row {
			dst[x] += float32(f * float32(v))
		}
	}
}

// gatherFourGo sets dst[i] to the sum of four numbers from src[first[i]] on,
// each times its weight.
func gatherFourGo(dst, src []float32, first []int32, weight []float32) {
	for i := range dst {
		s, w := src[first[i]:][:4], weight[4*i:][:4]
		dst[i] = (float32(w[0]*s[0]) + float32(w[1]*s[1])) + (float32(w[2]*s[2]) + float32(w[3]*s[3]))
	}
}

// shiftScaleGo is x = (x - shift) * scale.
func shiftScaleGo(x []float32, shift, scale float32) {
	for i, v := range x {
		x[i] = (v - shift) * scale
	}
}

// mixColoursGo makes three channels of three components, in place.
func mixColoursGo(a, b, c []float32, f *[3][4]float32) {
	b, c = b[:len(a)], c[:len(a)]
	for i, x := range a {
		y, z := b[i], c[i]
		a[i] = float32(f[0][0]*x) + float32(f[0][1]*y) + float32(f[0][2]*z) + f[0][3]
		b[i] = float32(f[1][0]*x) + float32(f[1][1]*y) + float32(f[1][2]*z) + f[1][3]
		c[i] = float32(f[2][0]*x) + float32(f[2][1]*y) + float32(f[2][2]*z) + f[2][3]
	}
}
