package data

import "math"

// taps are the weights of one axis of a resampling: output i is the sum of
// weight[i*n+k] times input first[i]+k, over k below n.
type taps struct {
	n      int
	first  []int32
	weight []float32
}

// set makes the taps of a triangle filter that is as wide as the larger of an
// input and an output pixel: linear interpolation where the picture grows, an
// average without gaps where it shrinks. Output i, of outputs, lies at
// scale*i+offset of the picture's coordinates, input j, of inputs, at x0+j*sx.
// What lies outside is the nearest input. Each output has at least so many
// weights; where there are fewer inputs, some are of inputs that are not there,
// and 0.
func (t *taps) set(outputs, minTaps int, scale, offset float64, inputs int, x0, sx float64) {
	radius := max(1, math.Abs(scale)/sx)
	t.first = grown(t.first, outputs)
	t.n = minTaps
	span := func(i int) (centre float64, first, last int) {
		centre = (scale*(float64(i)+0.5) + offset - x0) / sx
		return centre, int(math.Floor(centre-radius-0.5)) + 1, int(math.Ceil(centre+radius-0.5)) - 1
	}
	edge := inputs - 1
	for i := range outputs {
		_, first, last := span(i)
		t.n = max(t.n, min(max(last, 0), edge)-min(max(first, 0), edge)+1)
	}
	t.weight = grown(t.weight, outputs*t.n)
	clear(t.weight)
	for i := range outputs {
		centre, first, last := span(i)
		start := max(min(first, inputs-t.n), 0)
		t.first[i] = int32(start)
		weight := t.weight[i*t.n : (i+1)*t.n]
		sum := 0.
		for j := first; j <= last; j++ {
			sum += 1 - math.Abs(float64(j)+0.5-centre)/radius
		}
		for j := first; j <= last; j++ {
			weight[min(max(j, 0), edge)-start] += float32((1 - math.Abs(float64(j)+0.5-centre)/radius) / sum)
		}
	}
}

// reach is the span of inputs that have a weight.
func (t *taps) reach() (from, to int) {
	from, to = math.MaxInt, 0
	for _, first := range t.first {
		from, to = min(from, int(first)), max(to, int(first)+t.n)
	}
	return from, to
}

// grown is s with n elements, which may be anything.
func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// resampler resamples planes, in memory that it keeps.
type resampler struct {
	x, y   taps
	row    []float32
	middle []float32 // an upright step of a plane that is turned
}

// plane fills dst [h,w] with what the map shows of a plane.
func (r *resampler) plane(dst []float32, h, w int, p *plane, m affine) {
	switch {
	case m.upright():
		r.upright(dst, h, w, p, m)
	case m.a == 0 && m.e == 0: // rows are columns
		r.middle = grown(r.middle, h*w)
		r.upright(r.middle, w, h, p, affine{a: m.b, c: m.c, e: m.d, f: m.f})
		for y := range h {
			for x := range w {
				dst[y*w+x] = r.middle[x*h+y]
			}
		}
	default:
		r.turned(dst, h, w, p, m)
	}
}

// upright resamples rows and columns apart.
func (r *resampler) upright(dst []float32, h, w int, p *plane, m affine) {
	r.x.set(w, 4, m.a, m.c, p.w, p.x0, p.sx)
	r.y.set(h, 1, m.e, m.f, p.h, p.y0, p.sy)
	from, to := r.x.reach()
	for i := range r.x.first {
		r.x.first[i] -= int32(from)
	}
	r.row = grown(r.row, to-from)
	there := min(to, p.w) - from
	clear(r.row[there:])
	for y := range h {
		first := int(r.y.first[y])
		weight := r.y.weight[y*r.y.n : (y+1)*r.y.n]
		if p.values != nil {
			blendValues(r.row[:there], p.values[first*p.stride+from:], p.stride, weight)
		} else {
			blendRows(r.row[:there], p.pix[first*p.stride+from:], p.stride, weight)
		}
		gatherRow(dst[y*w:(y+1)*w], r.row, &r.x)
	}
}

// blendValues is blendRows of a plane of float32.
func blendValues(dst, values []float32, stride int, weight []float32) {
	clear(dst)
	for k, f := range weight {
		for x, v := range values[k*stride:][:len(dst)] {
			dst[x] += float32(f * v)
		}
	}
}

// gatherRow sets dst to the weighted sums that the taps say.
func gatherRow(dst, src []float32, t *taps) {
	if t.n == 4 {
		gatherFour(dst, src, t.first, t.weight)
		return
	}
	for i, first := range t.first[:len(dst)] {
		w := t.weight[i*t.n:][:t.n]
		sum := float32(0)
		for k, v := range src[first:][:len(w)] {
			sum += float32(w[k] * v)
		}
		dst[i] = sum
	}
}

// turned resamples a plane that is turned: first upright, to the size that it
// has in the sample, then by linear interpolation.
func (r *resampler) turned(dst []float32, h, w int, p *plane, m affine) {
	scale := max(1, math.Sqrt(math.Abs(m.a*m.e-m.b*m.d)))
	x0, y0, x1, y1 := m.bounds(h, w)
	x0, x1 = clip(x0-2*scale, x1+2*scale, p.x0, p.x0+float64(p.w)*p.sx)
	y0, y1 = clip(y0-2*scale, y1+2*scale, p.y0, p.y0+float64(p.h)*p.sy)
	// A column and a row more than there is, copies of the last, so that each
	// pixel has neighbours.
	mw, mh := max(1, int(math.Ceil((x1-x0)/scale)))+1, max(1, int(math.Ceil((y1-y0)/scale)))+1
	r.middle = grown(r.middle, mw*mh)
	r.upright(r.middle, mh, mw, p, affine{a: scale, c: x0, e: scale, f: y0})

	// The map from the sample's pixels to those of the middle, in steps of
	// 1/65536 of them.
	m = affine{a: 1 / scale, c: -x0/scale - 0.5, e: 1 / scale, f: -y0/scale - 0.5}.after(m)
	const one = 1 << 16
	right, bottom := (mw-2)*one, (mh-2)*one
	du, dv := int(math.Round(m.a*one)), int(math.Round(m.d*one))
	for y := range h {
		fu, fv := m.apply(0.5, float64(y)+0.5)
		u, v := int(math.Round(fu*one)), int(math.Round(fv*one))
		row := dst[y*w : (y+1)*w]
		for x := range row {
			cu, cv := min(max(u, 0), right), min(max(v, 0), bottom)
			ax, ay := float32(cu%one)*(1./one), float32(cv%one)*(1./one)
			q := r.middle[(cv/one)*mw+cu/one:][:mw+2]
			above := q[0] + float32(ax*(q[1]-q[0]))
			below := q[mw] + float32(ax*(q[mw+1]-q[mw]))
			row[x] = above + float32(ay*(below-above))
			u += du
			v += dv
		}
	}
}

// clip is the part of a to b that is between lo and hi; where none is, the
// nearer end.
func clip(a, b, lo, hi float64) (float64, float64) {
	a, b = min(max(a, lo), hi), min(max(b, lo), hi)
	if a == b {
		a, b = max(lo, a-1), min(hi, b+1)
	}
	return a, b
}
