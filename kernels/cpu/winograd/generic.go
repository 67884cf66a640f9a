package winograd

// The transforms in Go, for every machine, and what the assembly computes.
// Products are converted to float32 before they are added, which forbids to
// fuse the two: the result is the same bits on every platform.

// line is a row or a column of a tile.
type line [Points]float32

// image is B d.
func image(d line) (f line) {
	f[0] = d[6] + float32(table.e4[0]*d[4]) + float32(table.e2[0]*d[2]) + float32(table.e0[0]*d[0])
	for i := range table.pair {
		c := &table.pair[i]
		even := d[6] + float32(c.s[0]*d[4]) + float32(c.t[0]*d[2])
		odd := float32(c.p[0]*d[5]) + float32(c.ps[0]*d[3]) + float32(c.pt[0]*d[1])
		f[2*i+1], f[2*i+2] = even+odd, even-odd
	}
	return f
}

// evaluate5 is S E₅ w, and evaluate3 S E₃ w.
func evaluate5(w line) (f line) {
	f[0] = table.n[0] * w[0]
	for i := range table.pair {
		c := &table.pair[i]
		even := float32(c.n0[0]*w[0]) + float32(c.n2[0]*w[2]) + float32(c.n4[0]*w[4])
		odd := float32(c.n1[0]*w[1]) + float32(c.n3[0]*w[3])
		f[2*i+1], f[2*i+2] = even+odd, even-odd
	}
	return f
}

func evaluate3(w line) (f line) {
	f[0] = table.n[0] * w[0]
	for i := range table.pair {
		c := &table.pair[i]
		even := float32(c.n0[0]*w[0]) + float32(c.n2[0]*w[2])
		odd := c.n1[0] * w[1]
		f[2*i+1], f[2*i+2] = even+odd, even-odd
	}
	return f
}

// interpolate5 is E₅ᵀ f, and its first three elements E₃ᵀ f.
func interpolate5(f line) (y line) {
	y[0] = f[0]
	for i := range table.pair {
		c := &table.pair[i]
		sum, difference := f[2*i+1]+f[2*i+2], f[2*i+1]-f[2*i+2]
		y[0] += sum
		y[1] += float32(c.p1[0] * difference)
		y[2] += float32(c.p2[0] * sum)
		y[3] += float32(c.p3[0] * difference)
		y[4] += float32(c.p4[0] * sum)
	}
	return y
}

// spread is Bᵀ f.
func spread(f line) (y line) {
	y[0] = table.e0[0] * f[0]
	y[2] = table.e2[0] * f[0]
	y[4] = table.e4[0] * f[0]
	y[6] = f[0]
	for i := range table.pair {
		c := &table.pair[i]
		sum, difference := f[2*i+1]+f[2*i+2], f[2*i+1]-f[2*i+2]
		y[1] += float32(c.pt[0] * difference)
		y[2] += float32(c.t[0] * sum)
		y[3] += float32(c.ps[0] * difference)
		y[4] += float32(c.s[0] * sum)
		y[5] += float32(c.p[0] * difference)
		y[6] += sum
	}
	return y
}

func (g *Gather) generic(transform func(line) line, size, lanes int) {
	var half, tile [Points]line
	for n := range g.N {
		for l := range min(lanes, g.Store) {
			src := g.Base + n*g.SrcStep + g.Patches.Offset[l]
			for r := range size {
				var d line
				for c := range size {
					if g.Patches.Columns[r][l]>>c&1 != 0 {
						d[c] = g.Src[src+r*g.Pitch+c]
					}
				}
				d = transform(d)
				for q := range d {
					half[q][r] = d[q]
				}
			}
			for q := range half {
				tile[q] = transform(half[q])
			}
			for q := range tile {
				for p, v := range tile[q] {
					g.Dst[n*g.DstStep+(p*Points+q)*g.Step+l] = v
				}
			}
		}
	}
}

func (s *Scatter) generic(size, lanes int) {
	var half [Points]line
	for n := range s.N {
		for l := range lanes {
			if s.Columns[l] == 0 {
				continue
			}
			for q := range Points {
				var f line
				for p := range f {
					f[p] = s.Src[(p*Points+q)*s.Step+n*lanes+l]
				}
				f = interpolate5(f)
				for i := range size {
					half[i][q] = f[i]
				}
			}
			for i := range min(s.Rows, size) {
				y := interpolate5(half[i])
				for j, v := range y[:size] {
					if s.Columns[l]>>j&1 == 0 {
						continue
					}
					if s.Bias != nil {
						v += s.Bias[n*lanes+l]
					}
					if s.ReLU && v < 0 { // a NaN stays
						v = 0
					}
					at := s.Base + (n*lanes+l)*s.Plane + i*s.Pitch + j
					if s.Accumulate {
						v += s.Dst[at]
					}
					s.Dst[at] = v
				}
			}
		}
	}
}

func (s *Spread) generic(lanes int) {
	var half [Points]line
	for l := range s.N * lanes {
		for q := range Points {
			var f line
			for p := range f {
				f[p] = s.Src[(p*Points+q)*s.Step+l]
			}
			for i, v := range spread(f) {
				half[i][q] = v
			}
		}
		for i := range half {
			for j, v := range spread(half[i]) {
				s.Dst[i*s.Pitch+j*s.Pixel+l] += v
			}
		}
	}
}
