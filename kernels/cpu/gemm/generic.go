package gemm

import "github.com/hubel-go/hubel/kernels/cpu/vec"

// generic is the register tile in Go, for every machine. Eight sums are what
// the compiler keeps in registers together with the factors: tiles of 3x4 and
// 4x4 spill and reach half the speed.
var generic = Tile{Name: "generic", MR: 2, NR: 4, Low: 2, Narrow: 4, KC: 256, MC: 128, NC: 2048, Loops: &vec.Generic,
	multiply: multiply2x4, dot: dot2x2, DM: 2, DN: 2, packRows: packRows, packColumns: packColumns, unpack: unpack,
	IR: 2, indirect: indirect2x4}

// multiply2x4 is Tile.multiply, tile by tile.
func multiply2x4(k int, a []float32, _ int, b []float32, _ int, c []float32, ldc, rows int, s *Store) {
	one := *s
	for i := range s.tiles {
		if s.ColBias != nil {
			one.ColBias = s.ColBias[i*s.nextBias:]
		}
		tile2x4(k, a[i*s.nextA:], b[i*s.nextB:], c[i*s.nextC:], ldc, rows, &one)
	}
}

// tile2x4 takes eight steps at a time, to spare loop control. Products
// are converted to float32 before they are added: that forbids to fuse the
// two, and the result is the same bits on every platform.
func tile2x4(k int, a, b, c []float32, ldc, rows int, s *Store) {
	var c00, c01, c02, c03, c10, c11, c12, c13 float32
	var x0, x1, y0, y1, y2, y3 float32
	a, b = a[:2*k], b[:4*k]
	for len(a) >= 16 && len(b) >= 32 {
		p, q := (*[16]float32)(a), (*[32]float32)(b)
		x0, x1, y0, y1, y2, y3 = p[0], p[1], q[0], q[1], q[2], q[3]
		c00, c01, c02, c03 = c00+float32(x0*y0), c01+float32(x0*y1), c02+float32(x0*y2), c03+float32(x0*y3)
		c10, c11, c12, c13 = c10+float32(x1*y0), c11+float32(x1*y1), c12+float32(x1*y2), c13+float32(x1*y3)
		x0, x1, y0, y1, y2, y3 = p[2], p[3], q[4], q[5], q[6], q[7]
		c00, c01, c02, c03 = c00+float32(x0*y0), c01+float32(x0*y1), c02+float32(x0*y2), c03+float32(x0*y3)
		c10, c11, c12, c13 = c10+float32(x1*y0), c11+float32(x1*y1), c12+float32(x1*y2), c13+float32(x1*y3)
		x0, x1, y0, y1, y2, y3 = p[4], p[5], q[8], q[9], q[10], q[11]
		c00, c01, c02, c03 = c00+float32(x0*y0), c01+float32(x0*y1), c02+float32(x0*y2), c03+float32(x0*y3)
		c10, c11, c12, c13 = c10+float32(x1*y0), c11+float32(x1*y1), c12+float32(x1*y2), c13+float32(x1*y3)
		x0, x1, y0, y1, y2, y3 = p[6], p[7], q[12], q[13], q[14], q[15]
		c00, c01, c02, c03 = c00+float32(x0*y0), c01+float32(x0*y1), c02+float32(x0*y2), c03+float32(x0*y3)
		c10, c11, c12, c13 = c10+float32(x1*y0), c11+float32(x1*y1), c12+float32(x1*y2), c13+float32(x1*y3)
		x0, x1, y0, y1, y2, y3 = p[8], p[9], q[16], q[17], q[18], q[19]
		c00, c01, c02, c03 = c00+float32(x0*y0), c01+float32(x0*y1), c02+float32(x0*y2), c03+float32(x0*y3)
		c10, c11, c12, c13 = c10+float32(x1*y0), c11+float32(x1*y1), c12+float32(x1*y2), c13+float32(x1*y3)
		x0, x1, y0, y1, y2, y3 = p[10], p[11], q[20], q[21], q[22], q[23]
		c00, c01, c02, c03 = c00+float32(x0*y0), c01+float32(x0*y1), c02+float32(x0*y2), c03+float32(x0*y3)
		c10, c11, c12, c13 = c10+float32(x1*y0), c11+float32(x1*y1), c12+float32(x1*y2), c13+float32(x1*y3)
		x0, x1, y0, y1, y2, y3 = p[12], p[13], q[24], q[25], q[26], q[27]
		c00, c01, c02, c03 = c00+float32(x0*y0), c01+float32(x0*y1), c02+float32(x0*y2), c03+float32(x0*y3)
		c10, c11, c12, c13 = c10+float32(x1*y0), c11+float32(x1*y1), c12+float32(x1*y2), c13+float32(x1*y3)
		x0, x1, y0, y1, y2, y3 = p[14], p[15], q[28], q[29], q[30], q[31]
		c00, c01, c02, c03 = c00+float32(x0*y0), c01+float32(x0*y1), c02+float32(x0*y2), c03+float32(x0*y3)
		c10, c11, c12, c13 = c10+float32(x1*y0), c11+float32(x1*y1), c12+float32(x1*y2), c13+float32(x1*y3)
		a, b = a[16:], b[32:]
	}
	for len(a) >= 2 && len(b) >= 4 {
		x0, x1, y0, y1, y2, y3 = a[0], a[1], b[0], b[1], b[2], b[3]
		c00, c01, c02, c03 = c00+float32(x0*y0), c01+float32(x0*y1), c02+float32(x0*y2), c03+float32(x0*y3)
		c10, c11, c12, c13 = c10+float32(x1*y0), c11+float32(x1*y1), c12+float32(x1*y2), c13+float32(x1*y3)
		a, b = a[2:], b[4:]
	}
	if s.lanes == 0xf {
		store4([4]float32{c00, c01, c02, c03}, c, s)
		if rows == 2 {
			store4([4]float32{c10, c11, c12, c13}, c[ldc:], s)
		}
		return
	}
	copy(s.edge, []float32{c00, c01, c02, c03, c10, c11, c12, c13})
	s.merge(4, c, ldc, rows)
}

// store4 stores one whole row of a tile.
func store4(sum [4]float32, c []float32, s *Store) {
	out := (*[4]float32)(c)
	for j, v := range sum {
		v = float32(s.Alpha * v)
		if s.Beta != 0 {
			v += float32(s.Beta * out[j])
		}
		if s.ColBias != nil {
			v += s.ColBias[j]
		}
		if v < s.Floor { // a NaN stays
			v = s.Floor
		}
		out[j] = v
	}
}
