package cpu

import "github.com/hubel-go/hubel/device"

// A convolution with a stride s is one of stride 1 on phases: plane (a,b) of a
// channel holds the pixels of rows a, a+s, … and columns b, b+s, …, padding
// included, and the taps are cut likewise. AlexNet's first layer, 11x11 with
// stride 4, becomes 3x3 on 16 times the channels, a twelfth row and column of
// zeros added to each filter; that is a layer for Winograd's algorithm.

// unstride is the convolution of phases that c is, for the same stride in both
// directions; c itself where the stride is 1.
func unstride(c device.Conv) device.Conv {
	s := c.StrideH
	if s == 1 {
		return c
	}
	u := c
	u.R, u.S = (c.R+s-1)/s, (c.S+s-1)/s
	u.H, u.W = c.OutH()+u.R-1, c.OutW()+u.S-1
	u.C = c.C * s * s
	u.PadTop, u.PadBottom, u.PadLeft, u.PadRight = 0, 0, 0, 0
	u.StrideH, u.StrideW = 1, 1
	return u
}

// phaseSamples is the samples whose phases are in scratch at a time: for
// AlexNet's first layer 5 MiB, which stay in the shared cache.
const phaseSamples = 8

// phaseTask writes the phases of some samples; an item is a channel of one and, where those
// are fewer than workers, a band of its rows.
type phaseTask struct {
	c, u     device.Conv // with the stride, and of phases
	first    int         // sample
	dst, src []float32
	band     int // rows
}

// run writes the phases of n samples from first. The pool is acquired.
func (t *phaseTask) run(q *queue, first, n int) {
	planes, rows := n*t.c.C, t.c.StrideH*t.u.H
	bands := 1
	if workers := q.engine.CutFor; workers > planes {
		bands, t.band = evenly(rows, max(1, rows*planes/workers), 1)
	} else {
		t.band = rows
	}
	t.first = first
	q.pool.Run(t, planes*bands)
}

func (t *phaseTask) Run(item, _ int) {
	c, u, s := &t.c, &t.u, t.c.StrideH
	rows := s * u.H
	bands := (rows + t.band - 1) / t.band
	first, item := item%bands*t.band, item/bands
	src := t.src[(t.first*c.C+item)*c.H*c.W:][:c.H*c.W]
	dst := t.dst[item*s*s*u.H*u.W:][:s*s*u.H*u.W]
	for row := first; row < min(first+t.band, rows); row++ {
		h := row - c.PadTop
		to := dst[row%s*s*u.H*u.W+row/s*u.W:] // of the first of s phases
		if h < 0 || h >= c.H {
			for b := range s {
				clear(to[b*u.H*u.W:][:u.W])
			}
			continue
		}
		t.row(to, src[h*c.W:][:c.W])
	}
}

// row cuts a row of the image into the rows of its phases.
func (t *phaseTask) row(dst, src []float32) {
	s, plane, n := t.c.StrideH, t.u.H*t.u.W, t.u.W
	whole := 0
	if s == 4 && t.c.PadLeft == 0 { // as AlexNet's: four phases in one go
		whole = min(n, len(src)/4)
		d0, d1, d2, d3 := dst[:whole], dst[plane:][:whole], dst[2*plane:][:whole], dst[3*plane:][:whole]
		for j := range d0 {
			p := (*[4]float32)(src[4*j:])
			d0[j], d1[j], d2[j], d3[j] = p[0], p[1], p[2], p[3]
		}
	}
	for b := range s {
		to := dst[b*plane:][:n]
		for j := whole; j < n; j++ {
			to[j] = 0
			if at := j*s + b - t.c.PadLeft; at >= 0 && at < len(src) {
				to[j] = src[at]
			}
		}
	}
}

// phaseFilter writes a filter's taps [R,S] of a channel as those of its
// phases, [s*s,R',S'].
func phaseFilter(c, u *device.Conv, dst, src []float32) {
	s := c.StrideH
	for a := range s {
		for b := range s {
			to := dst[(a*s+b)*u.R*u.S:][:u.R*u.S]
			for r := range u.R {
				for q := range u.S {
					to[r*u.S+q] = 0
					if h, w := r*s+a, q*s+b; h < c.R && w < c.S {
						to[r*u.S+q] = src[h*c.S+w]
					}
				}
			}
		}
	}
}

// filterPhases is the way back, of a gradient.
func filterPhases(c, u *device.Conv, dst, src []float32, m device.Mode) {
	s := c.StrideH
	for h := range c.R {
		for w := range c.S {
			v := src[(h%s*s+w%s)*u.R*u.S+h/s*u.S+w/s]
			if m == device.Accumulate {
				v += dst[h*c.S+w]
			}
			dst[h*c.S+w] = v
		}
	}
}
