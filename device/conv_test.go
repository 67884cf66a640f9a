package device

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func square(n, c, size, k, kernel, pad, stride, groups int) Conv {
	return Conv{
		N: n, C: c, H: size, W: size, K: k, R: kernel, S: kernel,
		PadTop: pad, PadBottom: pad, PadLeft: pad, PadRight: pad,
		StrideH: stride, StrideW: stride, DilationH: 1, DilationW: 1, Groups: groups,
	}
}

func TestConvShapes(t *testing.T) {
	for _, c := range []struct {
		Conv
		y     tensor.Shape
		flops int64
	}{
		{square(1, 3, 227, 96, 11, 0, 4, 1), tensor.Shape{1, 96, 55, 55}, 2 * 105_415_200},
		{square(1, 96, 27, 256, 5, 2, 1, 2), tensor.Shape{1, 256, 27, 27}, 2 * 223_948_800},
		{square(2, 256, 13, 384, 3, 1, 1, 1), tensor.Shape{2, 384, 13, 13}, 2 * 2 * 149_520_384},
		{square(1, 1, 32, 6, 5, 0, 1, 1), tensor.Shape{1, 6, 28, 28}, 2 * 117_600},
	} {
		require.NoError(t, c.Check())
		require.Equal(t, c.y, c.YShape())
		require.Equal(t, c.flops, c.FLOPs())
	}
	c := Conv{N: 1, C: 6, H: 7, W: 9, K: 4, R: 3, S: 2, PadTop: 1, PadBottom: 2, PadRight: 1,
		StrideH: 2, StrideW: 3, DilationH: 2, DilationW: 4, Groups: 2}
	require.Equal(t, tensor.Shape{1, 6, 7, 9}, c.XShape())
	require.Equal(t, tensor.Shape{4, 3, 3, 2}, c.WShape())
	require.Equal(t, tensor.Shape{1, 4, 3, 2}, c.YShape(), "windows of 5x5 in 10x10")
}

// Every output size is the number of places where a window fits.
func TestConvOutputSizeCountsWindows(t *testing.T) {
	for h := 1; h < 9; h++ {
		for r := 1; r < 5; r++ {
			for pad := range 3 {
				for stride := 1; stride < 4; stride++ {
					for dilation := 1; dilation < 3; dilation++ {
						c := square(1, 1, h, 1, r, 0, 1, 1)
						c.PadTop, c.StrideH, c.DilationH = pad, stride, dilation
						c.W = 99
						fit := 0
						for top := 0; top+(r-1)*dilation < h+pad; top += stride {
							fit++
						}
						if fit == 0 {
							require.ErrorContains(t, c.Check(), "does not fit")
							continue
						}
						require.NoError(t, c.Check())
						require.Equal(t, fit, c.OutH(), "%+v", c)
					}
				}
			}
		}
	}
}

func TestConvCheck(t *testing.T) {
	for says, spoil := range map[string]func(c *Conv){
		"input [0,4,8,8] is empty":                 func(c *Conv) { c.N = 0 },
		"0 filters of 3x3":                         func(c *Conv) { c.K = 0 },
		"stride 1x0":                               func(c *Conv) { c.StrideW = 0 },
		"dilation 0x1":                             func(c *Conv) { c.DilationH = 0 },
		"pad 0,-1,0,0":                             func(c *Conv) { c.PadBottom = -1 },
		"groups 0 must be":                         func(c *Conv) { c.Groups = 0 },
		"groups 3 does not divide 4 channels":      func(c *Conv) { c.Groups = 3 },
		"groups 4 does not divide 6 filters":       func(c *Conv) { c.Groups = 4 },
		"a window of 3x9 does not fit in an image": func(c *Conv) { c.DilationW = 4 },
	} {
		c := square(1, 4, 8, 6, 3, 0, 1, 2)
		require.NoError(t, c.Check())
		spoil(&c)
		require.ErrorContains(t, c.Check(), says)
	}
}
