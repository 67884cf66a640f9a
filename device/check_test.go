package device

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// one is the smallest geometry of each kind, and uneven has another number for
// each of its members.
var (
	oneConv = Conv{N: 1, C: 1, H: 1, W: 1, K: 1, R: 1, S: 1, StrideH: 1, StrideW: 1, DilationH: 1, DilationW: 1, Groups: 1}
	onePool = Pool{N: 1, C: 1, H: 1, W: 1, R: 1, S: 1, StrideH: 1, StrideW: 1}
	oneLRN  = LRN{N: 1, C: 1, H: 1, W: 1, Size: 1, K: 1}

	unevenConv = Conv{N: 5, C: 4, H: 11, W: 13, K: 6, R: 3, S: 7, PadTop: 1, PadBottom: 2, PadLeft: 3, PadRight: 4,
		StrideH: 8, StrideW: 9, DilationH: 5, DilationW: 2, Groups: 2}
	unevenPool = Pool{N: 5, C: 4, H: 11, W: 13, R: 6, S: 7, PadTop: 1, PadBottom: 2, PadLeft: 3, PadRight: 4,
		StrideH: 8, StrideW: 9}
	unevenLRN = LRN{N: 5, C: 4, H: 11, W: 13, Size: 3, Alpha: 6, Beta: 7, K: 8}
)

// What is refused is named with all its numbers, each in its place.
func TestCheckNamesEachNumber(t *testing.T) {
	for _, c := range []Conv{oneConv, unevenConv} {
		require.NoError(t, c.Check())
	}
	for _, p := range []Pool{onePool, unevenPool} {
		require.NoError(t, p.Check())
	}
	for _, l := range []LRN{oneLRN, unevenLRN, {N: 1, C: 1, H: 1, W: 1, Size: 1, K: 1, Alpha: 1, Beta: 1}} {
		require.NoError(t, l.Check())
	}
	for says, spoil := range map[string]func(c *Conv){
		"input [0,4,11,13] is empty":                                           func(c *Conv) { c.N = 0 },
		"input [5,0,11,13] is empty":                                           func(c *Conv) { c.C = 0 },
		"input [5,4,0,13] is empty":                                            func(c *Conv) { c.H = 0 },
		"input [5,4,11,0] is empty":                                            func(c *Conv) { c.W = 0 },
		"0 filters of 3x7: each number must be at least 1":                     func(c *Conv) { c.K = 0 },
		"6 filters of 0x7: each number must be at least 1":                     func(c *Conv) { c.R = 0 },
		"6 filters of 3x0: each number must be at least 1":                     func(c *Conv) { c.S = 0 },
		"stride 0x9 must be at least 1":                                        func(c *Conv) { c.StrideH = 0 },
		"stride 8x0 must be at least 1":                                        func(c *Conv) { c.StrideW = 0 },
		"dilation 0x2 must be at least 1":                                      func(c *Conv) { c.DilationH = 0 },
		"dilation 5x0 must be at least 1":                                      func(c *Conv) { c.DilationW = 0 },
		"pad -1,2,3,4 must not be negative":                                    func(c *Conv) { c.PadTop = -1 },
		"pad 1,-1,3,4 must not be negative":                                    func(c *Conv) { c.PadBottom = -1 },
		"pad 1,2,-1,4 must not be negative":                                    func(c *Conv) { c.PadLeft = -1 },
		"pad 1,2,3,-1 must not be negative":                                    func(c *Conv) { c.PadRight = -1 },
		"groups 0 must be at least 1":                                          func(c *Conv) { c.Groups = 0 },
		"groups 2 does not divide 3 channels":                                  func(c *Conv) { c.C = 3 },
		"groups 2 does not divide 7 filters":                                   func(c *Conv) { c.K = 7 },
		"a window of 16x13 does not fit in an image of 11x13 with its padding": func(c *Conv) { c.R = 4 },
		"a window of 11x23 does not fit in an image of 11x13 with its padding": func(c *Conv) { c.S = 12 },
	} {
		c := unevenConv
		spoil(&c)
		require.EqualError(t, c.Check(), says)
	}
	for says, spoil := range map[string]func(p *Pool){
		"pooling operation 2 is unknown":                                      func(p *Pool) { p.Op = AveragePool + 1 },
		"input [0,4,11,13] is empty":                                          func(p *Pool) { p.N = 0 },
		"input [5,0,11,13] is empty":                                          func(p *Pool) { p.C = 0 },
		"input [5,4,0,13] is empty":                                           func(p *Pool) { p.H = 0 },
		"input [5,4,11,0] is empty":                                           func(p *Pool) { p.W = 0 },
		"window 0x7 must be at least 1":                                       func(p *Pool) { p.R = 0 },
		"window 6x0 must be at least 1":                                       func(p *Pool) { p.S = 0 },
		"stride 0x9 must be at least 1":                                       func(p *Pool) { p.StrideH = 0 },
		"stride 8x0 must be at least 1":                                       func(p *Pool) { p.StrideW = 0 },
		"pad -1,2,3,4 must not be negative":                                   func(p *Pool) { p.PadTop = -1 },
		"pad 1,-1,3,4 must not be negative":                                   func(p *Pool) { p.PadBottom = -1 },
		"pad 1,2,-1,4 must not be negative":                                   func(p *Pool) { p.PadLeft = -1 },
		"pad 1,2,3,-1 must not be negative":                                   func(p *Pool) { p.PadRight = -1 },
		"pad 6,2,3,4 must be smaller than the window 6x7":                     func(p *Pool) { p.PadTop = 6 },
		"pad 1,6,3,4 must be smaller than the window 6x7":                     func(p *Pool) { p.PadBottom = 6 },
		"pad 1,2,7,4 must be smaller than the window 6x7":                     func(p *Pool) { p.PadLeft = 7 },
		"pad 1,2,3,7 must be smaller than the window 6x7":                     func(p *Pool) { p.PadRight = 7 },
		"a window of 15x7 does not fit in an image of 11x13 with its padding": func(p *Pool) { p.R = 15 },
		"a window of 6x21 does not fit in an image of 11x13 with its padding": func(p *Pool) { p.S = 21 },
	} {
		p := unevenPool
		spoil(&p)
		require.EqualError(t, p.Check(), says)
	}
	average := onePool
	average.Op = AveragePool
	require.NoError(t, average.Check())
	for says, spoil := range map[string]func(l *LRN){
		"input [0,4,11,13] is empty":                             func(l *LRN) { l.N = 0 },
		"input [5,0,11,13] is empty":                             func(l *LRN) { l.C = 0 },
		"input [5,4,0,13] is empty":                              func(l *LRN) { l.H = 0 },
		"input [5,4,11,0] is empty":                              func(l *LRN) { l.W = 0 },
		"size 0 must be odd":                                     func(l *LRN) { l.Size = 0 },
		"k 0 must be positive, alpha 6 and beta 7 not negative":  func(l *LRN) { l.K = 0 },
		"k 8 must be positive, alpha -1 and beta 7 not negative": func(l *LRN) { l.Alpha = -1 },
		"k 8 must be positive, alpha 6 and beta -1 not negative": func(l *LRN) { l.Beta = -1 },
	} {
		l := unevenLRN
		spoil(&l)
		require.EqualError(t, l.Check(), says)
	}
}

// A window fits where it is no longer than the image with its padding, along
// either axis.
func TestWindowsThatJustFit(t *testing.T) {
	for window := 1; window <= 3; window++ {
		for dilation := 1; dilation <= 2; dilation++ {
			for before := range window {
				for after := range window {
					for size := 1; size <= 6; size++ {
						want := (window-1)*dilation+1 <= before+size+after
						high, wide := oneConv, oneConv
						high.H, high.R, high.DilationH, high.PadTop, high.PadBottom = size, window, dilation, before, after
						wide.W, wide.S, wide.DilationW, wide.PadLeft, wide.PadRight = size, window, dilation, before, after
						require.Equal(t, want, high.Check() == nil, "%+v", high)
						require.Equal(t, want, wide.Check() == nil, "%+v", wide)
						if dilation > 1 {
							continue
						}
						tall, broad := onePool, onePool
						tall.H, tall.R, tall.PadTop, tall.PadBottom = size, window, before, after
						broad.W, broad.S, broad.PadLeft, broad.PadRight = size, window, before, after
						require.Equal(t, want, tall.Check() == nil, "%+v", tall)
						require.Equal(t, want, broad.Check() == nil, "%+v", broad)
					}
				}
			}
		}
	}
}

// A geometry lying on its side has the outputs, and the phases of pixels, of
// the one that stands, with the axes exchanged.
func TestGeometryOnItsSide(t *testing.T) {
	for i := range 64 {
		bit := func(n int) int { return i >> n & 1 }
		c := Conv{N: 2, C: 4, H: 9 + bit(0), W: 14, K: 6, R: 3, S: 2 + bit(1), PadTop: 1, PadBottom: 2 * bit(2), PadLeft: 0, PadRight: 3 * bit(3),
			StrideH: 2 + 13*bit(4), StrideW: 3 + 17*bit(5), DilationH: 2, DilationW: 3, Groups: 2}
		require.NoError(t, c.Check())
		side := c
		side.H, side.R, side.PadTop, side.PadBottom, side.StrideH, side.DilationH = c.W, c.S, c.PadLeft, c.PadRight, c.StrideW, c.DilationW
		side.W, side.S, side.PadLeft, side.PadRight, side.StrideW, side.DilationW = c.H, c.R, c.PadTop, c.PadBottom, c.StrideH, c.DilationH
		require.Equal(t, c.OutH(), side.OutW())
		require.Equal(t, c.OutW(), side.OutH())
		require.Equal(t, c.FLOPs(), side.FLOPs())
		require.Equal(t, 2*int64(tensor.Shape(c.YShape()).TotalSize())*int64(c.C/c.Groups*c.R*c.S), c.FLOPs())
		c, side = c.Bounded(), side.Bounded()
		require.LessOrEqual(t, c.StrideH, c.H+c.PadTop+c.PadBottom)
		require.Equal(t, c.StrideH, side.StrideW)
		require.Equal(t, c.StrideW, side.StrideH)
		require.Equal(t, c.StrideH*c.StrideW, c.Phases())
		for phase := range c.Phases() {
			height, width := c.Phase(phase)
			height2, width2 := side.Phase(phase%c.StrideW*c.StrideH + phase/c.StrideW)
			require.Equal(t, fmt.Sprint(height, width), fmt.Sprint(width2, height2), "phase %d of %+v", phase, c)
		}

		p := Pool{N: 2, C: 3, H: 9 + bit(0), W: 14, R: 3, S: 4 + bit(1), PadTop: 1, PadBottom: 2 * bit(2), PadLeft: 0, PadRight: 3 * bit(3),
			StrideH: 2, StrideW: 3, Ceil: bit(4) == 1}
		require.NoError(t, p.Check())
		flat := p
		flat.H, flat.R, flat.PadTop, flat.PadBottom, flat.StrideH = p.W, p.S, p.PadLeft, p.PadRight, p.StrideW
		flat.W, flat.S, flat.PadLeft, flat.PadRight, flat.StrideW = p.H, p.R, p.PadTop, p.PadBottom, p.StrideH
		require.Equal(t, tensor.Shape{2, 3, p.OutH(), p.OutW()}, p.YShape())
		require.Equal(t, tensor.Shape{2, 3, p.OutW(), p.OutH()}, flat.YShape())
		require.Equal(t, tensor.Shape{2, 3, p.W, p.H}, flat.XShape())
	}
}

func TestFLOPs(t *testing.T) {
	require.Equal(t, int64(2*3*5*7), Dense{N: 3, In: 5, Out: 7}.FLOPs())
	require.Equal(t, int64(2*3*5*7), GEMM{M: 3, N: 5, K: 7}.FLOPs())
}
