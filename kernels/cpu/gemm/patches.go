package gemm

// Patches is the matrix that a convolution multiplies its weights with, taken
// straight from the image: column (n,i,j) holds the pixels under the window
// that begins at row i*StrideH-Top and column j*StrideW-Left of sample n, one
// row for each (c,r,s), zero outside of the plane. It is never written down as
// a whole: the methods pack parts of it into panels.
type Patches struct {
	X                []float32 // from the first channel of the first sample
	Sample           int       // distance of two samples
	H, W             int       // of a plane; channels lie H*W apart
	OutH, OutW       int       // windows
	StrideH, StrideW int
	Top, Left        int // may be negative: windows that begin inside
	R, S             int // taps of a window
	StepH, StepW     int // distance of two taps
}

// run is neighbouring windows of one row.
type run struct {
	at, n  int // first column of the panel (or step of the sum), and number
	sample int // offset of the sample
	h, w   int // where the first window begins
}

// split writes the columns [first,first+n) as runs.
func (p *Patches) split(dst []run, first, n int) []run {
	dst = dst[:0]
	plane := p.OutH * p.OutW
	for at := 0; at < n; {
		sample, place := (first+at)/plane, (first+at)%plane
		i, j := place/p.OutW, place%p.OutW
		k := min(p.OutW-j, n-at)
		dst = append(dst, run{at: at, n: k, sample: sample * p.Sample, h: i*p.StrideH - p.Top, w: j*p.StrideW - p.Left})
		at += k
	}
	return dst
}

// inside reports whether all taps of a run lie in the plane.
func (p *Patches) inside(r run) bool {
	return r.h >= 0 && r.h+(p.R-1)*p.StepH < p.H &&
		r.w >= 0 && r.w+(r.n-1)*p.StrideW+(p.S-1)*p.StepW < p.W
}

// tap walks over the rows (c,r,s) of the matrix.
type tap struct{ c, r, s int }

func (p *Patches) tap(row int) tap {
	return tap{row / (p.R * p.S), row / p.S % p.R, row % p.S}
}

func (p *Patches) next(t *tap) {
	t.s++
	if t.s == p.S {
		t.s = 0
		t.r++
		if t.r == p.R {
			t.r = 0
			t.c++
		}
	}
}

// offset of a tap from the pixel at which its window begins.
func (p *Patches) offset(t tap) int { return (t.c*p.H+t.r*p.StepH)*p.W + t.s*p.StepW }

// Pack packs n columns from first, and k rows from row, into panels of nr
// columns whose steps are the rows: B of the forward product.
func (p *Patches) Pack(w *Worker, dst []float32, nr, first, n, row, k int) {
	for j := 0; j < n; j += nr {
		panel := dst[j/nr*Panel(nr, k):][:nr*k]
		m := min(nr, n-j)
		runs := p.split(w.runs, first+j, m)
		if m < nr {
			clear(panel)
		}
		inside := true
		for _, r := range runs {
			inside = inside && p.inside(r)
		}
		switch {
		case !inside:
			p.packClipped(panel, nr, runs, row, k)
		case len(runs) == 1 && p.StrideW == 1 && m == 4 && nr == 4:
			p.packFour(panel, runs[0], row, k)
		default:
			p.packInside(panel, nr, runs, row, k)
		}
	}
}

// packFour packs a panel of four neighbouring windows.
func (p *Patches) packFour(panel []float32, r run, row, k int) {
	x := p.X[r.sample+r.h*p.W+r.w:]
	t := p.tap(row)
	for step := range k {
		*(*[4]float32)(panel[4*step:]) = *(*[4]float32)(x[p.offset(t):])
		p.next(&t)
	}
}

// packInside packs a panel of windows that lie in the plane.
func (p *Patches) packInside(panel []float32, nr int, runs []run, row, k int) {
	t := p.tap(row)
	for step := range k {
		offset := p.offset(t)
		for _, r := range runs {
			p.copy(panel[step*nr+r.at:][:r.n], r.sample+r.h*p.W+r.w+offset)
		}
		p.next(&t)
	}
}

// packClipped packs a panel of windows that overlap the edge of the plane.
// Which windows a tap is outside of is the same in every channel, so it goes
// through the channels for each tap.
func (p *Patches) packClipped(panel []float32, nr int, runs []run, row, k int) {
	clear(panel)
	taps := p.R * p.S
	for i := range taps {
		c := (row - i + taps - 1) / taps // the first channel at or after row
		channels := (row+k-i+taps-1)/taps - c
		if channels == 0 {
			continue
		}
		r, s := i/p.S*p.StepH, i%p.S*p.StepW
		for _, u := range runs {
			h, left := u.h+r, u.w+s
			begin, end := p.clip(left, u.n)
			if h < 0 || h >= p.H || begin >= end {
				continue
			}
			p.copyChannels(panel[(c*taps+i-row)*nr+u.at+begin:], p.X[u.sample+(c*p.H+h)*p.W+left+begin*p.StrideW:],
				end-begin, channels, taps*nr)
		}
	}
}

// copyChannels copies n pixels of each of some channels, to places step apart.
func (p *Patches) copyChannels(dst, x []float32, n, channels, step int) {
	plane := p.H * p.W
	switch {
	case n == 4 && p.StrideW == 1:
		for c := range channels {
			*(*[4]float32)(dst[c*step:]) = *(*[4]float32)(x[c*plane:])
		}
	case n > 4 && p.StrideW == 1:
		for c := range channels {
			copy(dst[c*step:c*step+n], x[c*plane:])
		}
	default:
		for j := range n {
			to, at := j, j*p.StrideW
			for range channels {
				dst[to] = x[at]
				to += step
				at += plane
			}
		}
	}
}

// clip returns which of n places, StrideW apart from left, lie in a row.
func (p *Patches) clip(left, n int) (begin, end int) {
	if left < 0 {
		begin = min(n, (-left+p.StrideW-1)/p.StrideW)
	}
	if left < p.W {
		end = min(n, (p.W-1-left)/p.StrideW+1)
	}
	return begin, end
}

// copy copies pixels that lie StrideW apart.
func (p *Patches) copy(dst []float32, at int) {
	if p.StrideW == 1 && len(dst) > 4 { // a loop is faster for fewer
		copy(dst, p.X[at:])
		return
	}
	x := p.X[at : at+(len(dst)-1)*p.StrideW+1]
	i := 0
	for j := range dst {
		dst[j] = x[i]
		i += p.StrideW
	}
}
