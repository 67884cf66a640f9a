package reference

import (
	"math"

	"github.com/hubel-go/hubel/device"
)

func (q *queue) PoolForward(p device.Pool, y, index, x device.Tensor) {
	if q.Err != nil {
		return
	}
	out, in := floats(y), floats(x)
	poolWindows(p, func(o, plane int, w window) {
		image := in[plane : plane+p.H*p.W]
		if p.Op == device.AveragePool {
			out[o] = w.sum(p, image) / w.count(p)
			return
		}
		at := w.argmax(p, image)
		out[o] = image[at]
		if !index.IsNil() {
			ints(index)[o] = int64(at)
		}
	})
}

func (q *queue) PoolBackward(p device.Pool, dx, dy, index device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	din, dout := floats(dx), floats(dy)
	begin(din, m)
	poolWindows(p, func(o, plane int, w window) {
		dimage := din[plane : plane+p.H*p.W]
		if p.Op == device.MaxPool {
			if at := ints(index)[o]; at >= 0 && at < int64(len(dimage)) {
				dimage[at] += dout[o]
			}
			return
		}
		for i := w.i0; i < w.i1; i++ {
			for j := w.j0; j < w.j1; j++ {
				dimage[i*p.W+j] += dout[o] / w.count(p)
			}
		}
	})
}

func (q *queue) PoolGather(p device.Pool, y, index, x device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	out, in := floats(y), floats(x)
	begin(out, m)
	poolWindows(p, func(o, plane int, _ window) {
		if at := ints(index)[o]; at >= 0 && at < int64(p.H*p.W) {
			out[o] += in[plane+int(at)]
		}
	})
}

// window is the pixels [i0,i1) x [j0,j1) that a pooling window covers, and
// the number of places it covers in the padded image.
type window struct {
	i0, i1, j0, j1 int
	padded         int
}

// poolWindows visits every output element o, with the first element of its
// input's plane.
func poolWindows(p device.Pool, visit func(o, plane int, w window)) {
	outH, outW := p.OutH(), p.OutW()
	for nc := range p.N * p.C {
		for i := range outH {
			for j := range outW {
				top, left := i*p.StrideH-p.PadTop, j*p.StrideW-p.PadLeft
				bottom, right := min(top+p.R, p.H+p.PadBottom), min(left+p.S, p.W+p.PadRight)
				visit((nc*outH+i)*outW+j, nc*p.H*p.W, window{
					i0: max(top, 0), i1: min(bottom, p.H),
					j0: max(left, 0), j1: min(right, p.W),
					padded: (bottom - top) * (right - left),
				})
			}
		}
	}
}

func (w window) sum(p device.Pool, image []float64) float64 {
	sum := 0.0
	for i := w.i0; i < w.i1; i++ {
		for j := w.j0; j < w.j1; j++ {
			sum += image[i*p.W+j]
		}
	}
	return sum
}

// count is what an average divides by.
func (w window) count(p device.Pool) float64 {
	if p.CountPad {
		return float64(w.padded)
	}
	return float64((w.i1 - w.i0) * (w.j1 - w.j0))
}

// argmax is the first of the largest pixels, or the first NaN.
func (w window) argmax(p device.Pool, image []float64) int {
	best := w.i0*p.W + w.j0
	for i := w.i0; i < w.i1; i++ {
		for j := w.j0; j < w.j1; j++ {
			v, largest := image[i*p.W+j], image[best]
			if v > largest || math.IsNaN(v) && !math.IsNaN(largest) {
				best = i*p.W + j
			}
		}
	}
	return best
}
