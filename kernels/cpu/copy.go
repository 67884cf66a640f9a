package cpu

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cpu/vec"
)

// CopyStrided goes over rows, which are the axis along which dst is dense, and vectors
// move them where src is dense there too. A transposition goes tile by tile, so that a
// line of the cache is used whole on both sides.
func (q *queue) CopyStrided(s device.Strided, dst, src device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	c, n, err := s.Compact(dst, src)
	if err != nil {
		q.Fail("strided copy", err)
		return
	}
	t := &q.strided
	t.axes = c.Axes
	t.set(n)
	t.loops, t.dst, t.src, t.m = q.loops(), floats(dst)[s.Dst:], floats(src)[s.Src:], m
	run(q, t, t.items())
}

// stridedTask is cut along the elements of the destination, or along tiles of a
// transposition. The axes that add up belong to each of its elements.
type stridedTask struct {
	loops    *vec.Loops
	dst, src []float32
	m        device.Mode

	axes             [device.MaxAxes]device.Axis
	outer, sums      []device.Axis // of axes
	row              device.Axis
	written          int         // elements of dst
	across           device.Axis // of tiles, in place of the last of outer
	acrosses, alongs int         // tiles of one transposition; 0 where there is none
}

const (
	tileSide   = 64               // rows that a tile has at most: some lines of the cache of src, one behind the other
	tileLength = grain / tileSide // elements of each
	shortRow   = 8                // below which another axis makes a better row
	shortSide  = 16               // below which there are no tiles
)

// set chooses rows and tiles for the first n axes.
func (t *stridedTask) set(n int) {
	t.row, t.written = device.Axis{Len: 1}, 1
	places := n
	for places > 0 && t.axes[places-1].Dst == 0 {
		places--
	}
	t.sums = t.axes[places:n]
	for _, a := range t.axes[:places] {
		t.written *= a.Len
	}
	if places == 0 {
		return
	}
	last := places - 1
	t.outer, t.row = t.axes[:last], t.axes[last]
	if last == 0 {
		return
	}
	if before := t.axes[last-1]; t.row.Len < shortRow && before.Len > t.row.Len {
		t.axes[last-1], t.row = t.row, before
		return
	}
	if t.row.Dst != 1 || t.row.Src <= 1 || t.row.Len < shortSide || len(t.sums) > 0 {
		return
	}
	for i, a := range t.outer {
		if a.Src == 1 && a.Len >= shortSide {
			t.across, t.axes[i], t.outer = a, t.axes[last-1], t.axes[:last-1]
			t.acrosses, t.alongs = (a.Len+tileSide-1)/tileSide, (t.row.Len+tileLength-1)/tileLength
			return
		}
	}
}

func (t *stridedTask) items() int {
	if t.acrosses > 0 {
		return t.written / (t.across.Len * t.row.Len) * t.acrosses * t.alongs
	}
	return chunks(t.written)
}

func (t *stridedTask) Run(item, _ int) {
	if t.acrosses > 0 {
		t.tile(item)
		return
	}
	i, end := chunk(item, t.written)
	var w walk
	to, from := w.begin(t.outer, i/t.row.Len)
	skip := i % t.row.Len
	straight := t.row.Dst == 1 && t.row.Src == 1 && len(t.sums) == 0
	add := t.m == device.Accumulate
	for {
		n := min(t.row.Len-skip, end-i)
		switch {
		case straight && add:
			y := t.dst[to+skip:][:n]
			t.loops.Add(y, y, t.src[from+skip:][:n])
		case straight:
			copy(t.dst[to+skip:][:n], t.src[from+skip:][:n])
		default:
			t.elements(to+skip*t.row.Dst, from+skip*t.row.Src, n)
		}
		if i += n; i == end {
			return
		}
		skip = 0
		to, from = w.next(t.outer, to, from)
	}
}

// elements makes n of the destination, from to on.
func (t *stridedTask) elements(to, from, n int) {
	m := t.m
	if len(t.sums) == 0 {
		t.move(to, from, n, m)
		return
	}
	terms := 1
	for _, a := range t.sums {
		terms *= a.Len
	}
	var w walk
	for same := to; terms > 0; terms-- {
		t.move(to, from, n, m)
		m = device.Accumulate
		same, from = w.next(t.sums, same, from)
	}
}

// move copies or adds n elements that lie as those of a row do.
func (t *stridedTask) move(to, from, n int, m device.Mode) {
	switch a := t.row; {
	case a.Dst == 1 && a.Src == 1 && m == device.Overwrite:
		copy(t.dst[to:][:n], t.src[from:][:n])
	case a.Dst == 1 && a.Src == 1:
		y := t.dst[to:][:n]
		t.loops.Add(y, y, t.src[from:][:n])
	case a.Dst == 1 && a.Src == 0 && m == device.Overwrite:
		t.loops.Fill(t.dst[to:][:n], t.src[from])
	default:
		moveStrided(t.dst[to:], t.src[from:], n, a.Dst, a.Src, m)
	}
}

// moveStrided copies or adds n elements one by one.
func moveStrided(dst, src []float32, n, dstStep, srcStep int, m device.Mode) {
	to, from := 0, 0
	if m == device.Accumulate {
		for range n {
			dst[to] += src[from]
			to, from = to+dstStep, from+srcStep
		}
		return
	}
	for range n {
		dst[to] = src[from]
		to, from = to+dstStep, from+srcStep
	}
}

// tile transposes some rows, a part of each, four by four elements at a time.
func (t *stridedTask) tile(item int) {
	along, rest := item%t.alongs, item/t.alongs
	across, rest := rest%t.acrosses, rest/t.acrosses
	var w walk
	to, from := w.begin(t.outer, rest)
	end := min((along+1)*tileLength, t.row.Len)
	first, last := across*tileSide, min((across+1)*tileSide, t.across.Len)
	e := along * tileLength
	for ; e+4 <= end; e += 4 {
		r := first
		for ; r+4 <= last; r += 4 {
			transpose4(t.dst[to+r*t.across.Dst+e:], t.src[from+r+e*t.row.Src:], t.across.Dst, t.row.Src, t.m)
		}
		for ; r < last; r++ {
			moveStrided(t.dst[to+r*t.across.Dst+e:], t.src[from+r+e*t.row.Src:], 4, 1, t.row.Src, t.m)
		}
	}
	for ; e < end; e++ {
		moveStrided(t.dst[to+first*t.across.Dst+e:], t.src[from+first+e*t.row.Src:], last-first, t.across.Dst, 1, t.m)
	}
}

// transpose4 copies or adds the columns of four rows of src to the rows of dst.
func transpose4(dst, src []float32, dstStep, srcStep int, m device.Mode) {
	a, b := (*[4]float32)(src), (*[4]float32)(src[srcStep:])
	c, d := (*[4]float32)(src[2*srcStep:]), (*[4]float32)(src[3*srcStep:])
	for k := range 4 {
		y := (*[4]float32)(dst[k*dstStep:])
		v := [4]float32{a[k], b[k], c[k], d[k]}
		if m == device.Accumulate {
			v[0], v[1], v[2], v[3] = y[0]+v[0], y[1]+v[1], y[2]+v[2], y[3]+v[3]
		}
		*y = v
	}
}

// walk is where in some axes an element is.
type walk [device.MaxAxes]int

// begin goes to the element of a number, the last axis being the fastest.
func (w *walk) begin(axes []device.Axis, number int) (to, from int) {
	for k := len(axes) - 1; k >= 0; k-- {
		a := axes[k]
		w[k], number = number%a.Len, number/a.Len
		to, from = to+w[k]*a.Dst, from+w[k]*a.Src
	}
	return to, from
}

// next goes one element on, from the places of this one.
func (w *walk) next(axes []device.Axis, to, from int) (int, int) {
	for k := len(axes) - 1; k >= 0; k-- {
		a := axes[k]
		w[k]++
		to, from = to+a.Dst, from+a.Src
		if w[k] < a.Len {
			break
		}
		w[k] = 0
		to, from = to-a.Len*a.Dst, from-a.Len*a.Src
	}
	return to, from
}
