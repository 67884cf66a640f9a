package device

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func window(size, window, pad, stride int, ceil bool) Pool {
	return Pool{
		N: 1, C: 2, H: size, W: size, R: window, S: window,
		PadTop: pad, PadBottom: pad, PadLeft: pad, PadRight: pad,
		StrideH: stride, StrideW: stride, Ceil: ceil,
	}
}

func TestPoolOutputSize(t *testing.T) {
	for _, c := range []struct {
		Pool
		want int
	}{
		{window(55, 3, 0, 2, false), 27}, // AlexNet
		{window(24, 2, 0, 2, false), 12}, // LeNet
		{window(32, 3, 0, 2, false), 15},
		{window(32, 3, 0, 2, true), 16},  // Caffe's CIFAR-10 network
		{window(112, 3, 0, 2, true), 56}, // Caffe's GoogLeNet
		{window(3, 2, 0, 2, true), 2},
		{window(5, 2, 1, 2, false), 3},
		{window(5, 2, 1, 2, true), 3}, // a fourth would start in the padding
		{Pool{C: 2, N: 1, H: 6, W: 6, R: 2, S: 2, PadTop: 1, PadLeft: 1, StrideH: 3, StrideW: 3, Ceil: true}, 3}, // the third starts at the last pixel
		{Pool{C: 2, N: 1, H: 5, W: 5, R: 2, S: 2, PadBottom: 1, PadRight: 1, StrideH: 5, StrideW: 5, Ceil: true}, 1},
		{window(4, 1, 0, 3, true), 2},
		{window(3, 1, 0, 4, true), 1}, // a second would start beyond the image
		{window(2, 3, 0, 2, true), 1}, // larger than the image, by less than the stride
		{window(1, 7, 2, 3, true), 1},
	} {
		require.NoError(t, c.Check())
		require.Equal(t, tensor.Shape{1, 2, c.want, c.want}, c.YShape(), "%+v", c.Pool)
	}
}

// Whatever passes Check has windows that each see a pixel, and, rounded up,
// together see all that the stride lets them see.
func TestEveryPoolWindowSeesAPixel(t *testing.T) {
	checked := 0
	for h := 1; h < 8; h++ {
		for r := 1; r < 6; r++ {
			for before := range r + 1 {
				for after := range r + 1 {
					for stride := 1; stride < 6; stride++ {
						for _, ceil := range []bool{false, true} {
							p := Pool{N: 1, C: 1, H: h, W: 1, R: r, S: 1, PadTop: before, PadBottom: after, StrideH: stride, StrideW: 1, Ceil: ceil}
							n := outputs(p)
							if p.Check() != nil {
								require.True(t, n < 1 || max(before, after) >= r, "%+v", p)
								continue
							}
							checked++
							require.Equal(t, n, p.OutH(), "%+v", p)
							for i := range n {
								top := i*stride - before
								require.Less(t, max(top, 0), min(top+r, h), "window %d of %+v", i, p)
							}
							if end := (n-1)*stride - before + max(r, stride); ceil {
								require.GreaterOrEqual(t, end, h, "%+v", p)
							}
						}
					}
				}
			}
		}
	}
	require.Greater(t, checked, 1000)
}

// outputs is the number of rows by the formula of PyTorch's pooling, which is
// Caffe's where there is padding.
func outputs(p Pool) int {
	steps := float64(p.H+p.PadTop+p.PadBottom-p.R) / float64(p.StrideH)
	n := int(math.Floor(steps)) + 1
	if p.Ceil {
		n = int(math.Ceil(steps)) + 1
		if (n-1)*p.StrideH >= p.H+p.PadTop {
			n--
		}
	}
	return n
}

func TestPoolCheck(t *testing.T) {
	for says, spoil := range map[string]func(p *Pool){
		"operation 2 is unknown":          func(p *Pool) { p.Op = 2 },
		"input [1,0,8,8] is empty":        func(p *Pool) { p.C = 0 },
		"window 0x3":                      func(p *Pool) { p.R = 0 },
		"stride 0x1":                      func(p *Pool) { p.StrideH = 0 },
		"must not be negative":            func(p *Pool) { p.PadLeft = -1 },
		"must be smaller than the window": func(p *Pool) { p.PadRight = 3 },
		"a window of 3x9 does not fit":    func(p *Pool) { p.S = 9 },
		"a window of 10x3 does not fit":   func(p *Pool) { p.R, p.StrideH, p.Ceil = 10, 2, true },
		"a window of 9x3 does not fit":    func(p *Pool) { p.R, p.StrideH = 9, 2 },
	} {
		p := window(8, 3, 0, 1, false)
		require.NoError(t, p.Check())
		spoil(&p)
		require.ErrorContains(t, p.Check(), says)
	}
}
