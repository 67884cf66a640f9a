package device

import (
	"fmt"

	"gorgonia.org/tensor"
)

// MaxAxes is the maximal number of axes of a Strided.
const MaxAxes = 6

// Axis is an axis of a Strided: its length, and its strides in the destination
// and in the source, in elements.
type Axis struct{ Len, Dst, Src int }

// Strided describes a copy of elements between two tensors. Element (i, j, ...)
// of the axes goes from src[Src + i Axes[0].Src + j Axes[1].Src + ...] to
// dst[Dst + i Axes[0].Dst + j Axes[1].Dst + ...]. A zero Axis is absent.
//
// An axis whose Src is 0 repeats elements of the source. An axis whose Dst is 0
// adds them up, in the order of the axes; the last axis changes fastest.
// Otherwise no two elements may go to one place. Places that no element goes to
// are not changed; use Fill first to make them constant.
type Strided struct {
	Axes     [MaxAxes]Axis
	Dst, Src int // offset of the first element
}

// StridedKernels copies elements between tensors with any strides. Control.Copy
// copies whole tensors of any type.
type StridedKernels interface {
	// CopyStrided writes, or adds, elements of src to dst. Both are float32 and
	// share no memory.
	CopyStrided(s Strided, dst, src Tensor, m Mode)
}

// Box is the copy of a box of the given size between the first corners of two
// tensors. All have the same number of dimensions, at most MaxAxes.
func Box(size, dst, src tensor.Shape) Strided {
	var s Strided
	toStep, fromStep := 1, 1
	for i := len(size) - 1; i >= 0; i-- {
		s.Axes[i] = Axis{size[i], toStep, fromStep}
		toStep *= dst[i]
		fromStep *= src[i]
	}
	return s
}

// Reversed is the copy of the same elements back. It computes the gradient of
// src from that of dst: elements that were repeated are added up.
func (s Strided) Reversed() Strided {
	s.Dst, s.Src = s.Src, s.Dst
	for i, a := range s.Axes {
		s.Axes[i] = Axis{a.Len, a.Src, a.Dst}
	}
	return s
}

// Moved returns how many elements of dst are written and how many of src are
// read, each counted once.
func (s Strided) Moved() (written, read int) {
	written, read = 1, 1
	for _, a := range s.Axes {
		if a.Dst != 0 {
			written *= a.Len
		}
		if a.Src != 0 {
			read *= a.Len
		}
	}
	return written, read
}

// Compact is the same copy with as few axes as possible, or an error if it
// cannot be made between these tensors. First come the axes that do not add up,
// by falling stride in dst, then those that add up, in their order, then absent
// ones.
func (s *Strided) Compact(dst, src Tensor) (c Strided, axes int, err error) {
	if err := s.check(dst, src); err != nil {
		return c, 0, err
	}
	c.Dst, c.Src = s.Dst, s.Src
	n := 0
	for i := range s.Axes {
		a := &s.Axes[i]
		if a.Len <= 1 { // absent, or the same for all
			continue
		}
		k := n
		for ; k > 0 && c.Axes[k-1].Dst < a.Dst; k-- {
			c.Axes[k] = c.Axes[k-1]
		}
		c.Axes[k] = *a
		n++
	}
	end := 1 // of the inner axes
	for i := n - 1; i >= 0; i-- {
		if a := &c.Axes[i]; a.Dst != 0 {
			if a.Dst < end {
				return c, 0, fmt.Errorf("the axes %v bring two elements to one place", s.used())
			}
			end += (a.Len - 1) * a.Dst
		}
	}
	for i := range n {
		a := c.Axes[i]
		if axes > 0 {
			if outer := &c.Axes[axes-1]; outer.Dst == a.Dst*a.Len && outer.Src == a.Src*a.Len {
				*outer = Axis{outer.Len * a.Len, a.Dst, a.Src}
				continue
			}
		}
		c.Axes[axes] = a
		axes++
	}
	clear(c.Axes[axes:])
	return c, axes, nil
}

// Check returns an error if the copy cannot be made between these tensors.
func (s Strided) Check(dst, src Tensor) error {
	_, _, err := s.Compact(dst, src)
	return err
}

// check is Check, but for elements that meet.
func (s *Strided) check(dst, src Tensor) error {
	if dst.DType != Float32 || src.DType != Float32 {
		return fmt.Errorf("from %v to %v; only float32 is copied", src.DType, dst.DType)
	}
	to, from := dst.Len()-1-s.Dst, src.Len()-1-s.Src // left behind the last element
	for i := range s.Axes {
		a := &s.Axes[i]
		if a.Len == 0 && a.Dst == 0 && a.Src == 0 {
			continue
		}
		if a.Len < 1 || a.Dst < 0 || a.Src < 0 {
			return fmt.Errorf("axis %d has %d elements that lie %d apart in the destination and %d in the source: at least 1, and no step is negative", i, a.Len, a.Dst, a.Src)
		}
		if a.Len > 1 && a.Dst == 0 && a.Src == 0 {
			return fmt.Errorf("axis %d has %d elements, all one and the same", i, a.Len)
		}
		to, from = behind(to, a.Len-1, a.Dst), behind(from, a.Len-1, a.Src)
	}
	if s.Dst < 0 || to < 0 {
		return fmt.Errorf("the axes %v from element %d on leave a destination of %d elements", s.used(), s.Dst, dst.Len())
	}
	if s.Src < 0 || from < 0 {
		return fmt.Errorf("the axes %v from element %d on leave a source of %d elements", s.used(), s.Src, src.Len())
	}
	return nil
}

// behind is what is left of so many elements behind some steps; below 0 if they do not
// go so far.
func behind(left, steps, step int) int {
	if left < 0 || step > 0 && steps > left/step {
		return -1
	}
	return left - steps*step
}

// used are the axes that are not absent.
func (s *Strided) used() []Axis {
	var used []Axis
	for _, a := range s.Axes {
		if a != (Axis{}) {
			used = append(used, a)
		}
	}
	return used
}
