package reference

import "github.com/hubel-go/hubel/device"

func (q *queue) CopyStrided(s device.Strided, dst, src device.Tensor, m device.Mode) {
	if q.Err != nil {
		return
	}
	if err := s.Check(dst, src); err != nil {
		q.Fail("strided copy", err)
		return
	}
	copyAxes(s.Axes[:], floats(dst)[s.Dst:], floats(src)[s.Src:], m)
}

// copyAxes copies the elements of some axes, the outer first. The first that goes to a
// place goes there by the mode, and others are added.
func copyAxes(axes []device.Axis, dst, src []float64, m device.Mode) {
	if len(axes) == 0 {
		store(&dst[0], src[0], m)
		return
	}
	a := axes[0]
	for i := range max(a.Len, 1) {
		if i > 0 && a.Dst == 0 {
			m = device.Accumulate
		}
		copyAxes(axes[1:], dst[i*a.Dst:], src[i*a.Src:], m)
	}
}
