package cuda

import (
	"errors"
	"math"
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// copyKernels are the kernels of copy.cu.
type copyKernels struct{ one, four driver.Function }

func (k *copyKernels) declare(d driver.Driver) {
	declare(d, "copy", map[string]*driver.Function{"copy_strided": &k.one, "copy_strided_4": &k.four})
}

func (q *queue) CopyStrided(s device.Strided, dst, src device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	c, n, err := s.Compact(dst, src)
	for _, a := range c.Axes[:n] {
		if err == nil && max(a.Dst, a.Src) > math.MaxUint32 {
			err = errors.New("elements lie 2^32 or more apart")
		}
	}
	if err != nil {
		q.Fail("strided copy", err)
		return
	}
	p := copyLaunch{f: q.kernels.copies.one, axes: c.Axes, rank: n, m: m,
		to: q.at(dst).Offset(4 * int64(s.Dst)), from: q.at(src).Offset(4 * int64(s.Src)), bytes: 4}
	p.byFour(q.kernels.copies.four)
	q.copy(p)
}

// copyLaunch is a copy with its axes compact, in elements of so many bytes.
type copyLaunch struct {
	f        driver.Function
	axes     [device.MaxAxes]device.Axis
	rank     int
	to, from driver.Ptr
	bytes    int64
	m        device.Mode
}

// byFour moves four floats at a time, where they lie together and aligned.
func (p *copyLaunch) byFour(f driver.Function) {
	four := *p
	four.f, four.bytes = f, 16
	inner := slices.IndexFunc(four.axes[:p.rank], func(a device.Axis) bool { return a.Dst == 1 && a.Src == 1 })
	if inner < 0 || p.axes[inner].Len%4 != 0 || p.to%16 != 0 || p.from%16 != 0 {
		return
	}
	for i := range four.axes[:p.rank] {
		a := &four.axes[i]
		if i == inner {
			a.Len /= 4
			continue
		}
		if a.Dst%4 != 0 || a.Src%4 != 0 {
			return
		}
		a.Dst /= 4
		a.Src /= 4
	}
	*p = four
}

// copy launches the kernel, several times where there are more elements than a launch
// may number.
func (q *queue) copy(p copyLaunch) {
	n, terms := 1, 1
	for _, a := range p.axes[:p.rank] {
		n *= a.Len
		if a.Dst == 0 {
			terms *= a.Len
		}
	}
	if n > limits.elements {
		q.copyParts(p, n)
		return
	}
	q.args.Reset().Ptr(p.to).Ptr(p.from).Int(n / terms).Int(terms).Int(int(p.m)).Int(p.rank)
	for i := range p.axes {
		a := device.Axis{Len: 1}
		if k := p.rank - 1 - i; k >= 0 {
			a = p.axes[k]
		}
		q.args.Uint64(divisor(a.Len)).Int(a.Len).Uint32(uint32(a.Dst)).Uint32(uint32(a.Src))
	}
	q.launch(p.f, driver.Dim{X: ceil(n/terms, elementThreads)}, elementThreads)
}

// copyParts cuts a copy of n elements along the outermost axis that is longer than 1.
func (q *queue) copyParts(p copyLaunch, n int) {
	i := slices.IndexFunc(p.axes[:p.rank], func(a device.Axis) bool { return a.Len > 1 })
	whole := p.axes[i]
	each := max(1, limits.elements/(n/whole.Len))
	for first := 0; first < whole.Len; first += each {
		part := p
		part.axes[i].Len = min(each, whole.Len-first)
		part.to = p.to.Offset(p.bytes * int64(first) * int64(whole.Dst))
		part.from = p.from.Offset(p.bytes * int64(first) * int64(whole.Src))
		if first > 0 && whole.Dst == 0 {
			part.m = device.Accumulate
		}
		q.copy(part)
	}
}
