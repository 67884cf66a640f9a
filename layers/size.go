package layers

import (
	"encoding/json"
	"fmt"

	"gorgonia.org/tensor"
)

// Size is a height and a width, in pixels. In JSON it is one number if both are
// the same, or [height,width]. The zero Size means that the option was not
// given.
type Size struct{ H, W int }

// Square is a size with height n and width n.
func Square(n int) Size { return Size{n, n} }

// String returns the size as height x width: "3x5".
func (s Size) String() string { return fmt.Sprintf("%dx%d", s.H, s.W) }

// MarshalJSON writes a number or [height,width].
func (s Size) MarshalJSON() ([]byte, error) {
	if s.H == s.W {
		return json.Marshal(s.H)
	}
	return json.Marshal([]int{s.H, s.W})
}

// UnmarshalJSON reads a number or [height,width].
func (s *Size) UnmarshalJSON(b []byte) error {
	v, ok := numbers(b)
	if !ok || len(v) > 2 {
		return fmt.Errorf("size %s is neither a number nor [height,width]", b)
	}
	*s = Size{v[0], v[len(v)-1]}
	return nil
}

// or is the size, or n by n where none was given.
func (s Size) or(n int) Size {
	if s == (Size{}) {
		return Square(n)
	}
	return s
}

// of is the size for an input: where that is [N,C,L], the width alone counts.
func (s Size) of(x tensor.Shape) Size {
	if len(x) == 3 {
		s.H = 1
	}
	return s
}

// Pad is the number of zero rows and columns around an image. In JSON it is one
// number for all sides, [rows,columns] if opposite sides are the same, or
// [top,bottom,left,right].
type Pad struct{ Top, Bottom, Left, Right int }

// Around is a pad of n on all four sides.
func Around(n int) Pad { return Pad{n, n, n, n} }

// of is the pad for an input: where that is [N,C,L], its two ends alone have one.
func (p Pad) of(x tensor.Shape) Pad {
	if len(x) == 3 {
		p.Top, p.Bottom = 0, 0
	}
	return p
}

// MarshalJSON writes the shortest of the three forms.
func (p Pad) MarshalJSON() ([]byte, error) {
	switch {
	case p == Around(p.Top):
		return json.Marshal(p.Top)
	case p.Top == p.Bottom && p.Left == p.Right:
		return json.Marshal([]int{p.Top, p.Left})
	}
	return json.Marshal([]int{p.Top, p.Bottom, p.Left, p.Right})
}

// UnmarshalJSON reads any of the three forms.
func (p *Pad) UnmarshalJSON(b []byte) error {
	v, ok := numbers(b)
	switch {
	case ok && len(v) == 1:
		*p = Around(v[0])
	case ok && len(v) == 2:
		*p = Pad{v[0], v[0], v[1], v[1]}
	case ok && len(v) == 4:
		*p = Pad{v[0], v[1], v[2], v[3]}
	default:
		return fmt.Errorf("pad %s is neither a number nor [rows,columns] nor [top,bottom,left,right]", b)
	}
	return nil
}

// numbers reads one integer or a list of at least one.
func numbers(b []byte) ([]int, bool) {
	var one int
	if json.Unmarshal(b, &one) == nil {
		return []int{one}, true
	}
	var list []int
	return list, json.Unmarshal(b, &list) == nil && len(list) > 0
}
