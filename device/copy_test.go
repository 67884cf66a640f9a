package device

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func TestStridedCompact(t *testing.T) {
	type axes = [MaxAxes]Axis
	whole := Tensor{Shape: tensor.Shape{1 << 20}}
	for _, c := range []struct {
		name      string
		from, are axes
		n         int
	}{
		{"nothing", axes{}, axes{}, 0},
		{"one element", axes{{1, 5, 7}}, axes{}, 0},
		{"one behind the other", axes{{2, 12, 12}, {3, 4, 4}, {4, 1, 1}}, axes{{24, 1, 1}}, 1},
		{"in another order", axes{{4, 1, 1}, {2, 12, 12}, {1, 9, 9}, {3, 4, 4}}, axes{{24, 1, 1}}, 1},
		{"with gaps in one", axes{{2, 12, 20}, {3, 4, 4}, {4, 1, 1}}, axes{{2, 12, 20}, {12, 1, 1}}, 2},
		{"transposed", axes{{3, 1, 4}, {4, 3, 1}}, axes{{4, 3, 1}, {3, 1, 4}}, 2},
		{"repeated", axes{{2, 6, 0}, {3, 2, 0}, {2, 1, 1}}, axes{{6, 2, 0}, {2, 1, 1}}, 2},
		{"added up", axes{{2, 0, 6}, {5, 1, 40}, {3, 0, 2}}, axes{{5, 1, 40}, {6, 0, 2}}, 2},
		{"added up in this order", axes{{3, 0, 2}, {5, 1, 40}, {2, 0, 6}}, axes{{5, 1, 40}, {3, 0, 2}, {2, 0, 6}}, 3},
	} {
		s := Strided{Axes: c.from, Dst: 3, Src: 4}
		got, n, err := s.Compact(whole, whole)
		require.NoError(t, err, c.name)
		require.Equal(t, c.n, n, c.name)
		require.Equal(t, Strided{Axes: c.are, Dst: 3, Src: 4}, got, c.name)
	}
}

func TestStridedCheck(t *testing.T) {
	six, ints := Tensor{Shape: tensor.Shape{6}}, Tensor{Shape: tensor.Shape{6}, DType: Int32}
	for _, c := range []struct {
		s        Strided
		dst, src Tensor
		says     string
	}{
		{Strided{}, six, ints, "from int32 to float32; only float32 is copied"},
		{Strided{}, ints, six, "from float32 to int32; only float32 is copied"},
		{Strided{Axes: [MaxAxes]Axis{1: {0, 1, 0}}}, six, six, "axis 1 has 0 elements that lie 1 apart in the destination and 0 in the source: at least 1, and no step is negative"},
		{Strided{Axes: [MaxAxes]Axis{{2, -1, 1}}}, six, six, "axis 0 has 2 elements that lie -1 apart"},
		{Strided{Axes: [MaxAxes]Axis{{2, 1, -1}}}, six, six, "axis 0 has 2 elements that lie 1 apart in the destination and -1 in the source"},
		{Strided{Axes: [MaxAxes]Axis{{2, 0, 0}}}, six, six, "axis 0 has 2 elements, all one and the same"},
		{Strided{Axes: [MaxAxes]Axis{{2, 1, 1}}, Dst: 5}, six, six, "the axes [{2 1 1}] from element 5 on leave a destination of 6 elements"},
		{Strided{Axes: [MaxAxes]Axis{{2, 1, 1}}, Src: 5}, six, six, "the axes [{2 1 1}] from element 5 on leave a source of 6 elements"},
		{Strided{Dst: 6}, six, six, "from element 6 on leave a destination"},
		{Strided{Dst: -1}, six, six, "from element -1 on leave a destination"},
		{Strided{Src: -1}, six, six, "from element -1 on leave a source"},
		{Strided{Axes: [MaxAxes]Axis{{4, 2, 0}}}, six, six, "leave a destination"},
		{Strided{Axes: [MaxAxes]Axis{{2, 3, 0}, {2, 2, 0}, {2, 1, 0}}}, six, six, "leave a destination"},
		{Strided{Axes: [MaxAxes]Axis{{math.MaxInt, math.MaxInt, 0}, {math.MaxInt, 1, 1}}}, six, six, "leave a destination"},
		{Strided{Axes: [MaxAxes]Axis{{math.MaxInt, 0, math.MaxInt}, {2, 1, 1}}}, six, six, "leave a source"},
		{Strided{Axes: [MaxAxes]Axis{{2, 1, 1}, {2, 1, 2}}}, six, six, "the axes [{2 1 1} {2 1 2}] bring two elements to one place"},
		{Strided{Axes: [MaxAxes]Axis{{2, 2, 1}, {3, 1, 2}}}, six, six, "bring two elements to one place"},
	} {
		require.ErrorContains(t, c.s.Check(c.dst, c.src), c.says)
	}
	for _, s := range []Strided{
		{}, {Dst: 5, Src: 5}, {Axes: [MaxAxes]Axis{{6, 1, 1}}}, {Axes: [MaxAxes]Axis{{3, 2, 1}}, Dst: 1},
		{Axes: [MaxAxes]Axis{{3, 1, 1}, {3, 0, 1}}}, {Axes: [MaxAxes]Axis{{2, 3, 0}, {3, 1, 2}}}, {Axes: [MaxAxes]Axis{{1, math.MaxInt, math.MaxInt}}},
	} {
		require.NoError(t, s.Check(six, six), "%+v", s)
		require.Equal(t, s, s.Reversed().Reversed())
	}
}

func TestStridedMoved(t *testing.T) {
	s := Strided{Axes: [MaxAxes]Axis{{5, 12, 3}, {2, 6, 0}, {3, 2, 1}, {4, 0, 100}}}
	written, read := s.Moved()
	require.Equal(t, []int{30, 60}, []int{written, read})
	written, read = Strided{}.Moved()
	require.Equal(t, []int{1, 1}, []int{written, read})
}

func TestBox(t *testing.T) {
	s := Box(tensor.Shape{2, 3}, tensor.Shape{4, 5}, tensor.Shape{6, 7})
	require.Equal(t, Strided{Axes: [MaxAxes]Axis{{2, 5, 7}, {3, 1, 1}}}, s)
}
