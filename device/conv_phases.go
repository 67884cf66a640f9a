package device

// The gradient of a convolution's data by its phases (the polyphase decomposition of
// filter banks). With a stride, pixel h of dx meets only the taps r for which
// h+PadTop-r*DilationH is a multiple of StrideH. Pixels of equal
// (h+PadTop) mod StrideH and equal (w+PadLeft) mod StrideW, a phase, meet the same
// taps: their gradient is a convolution of dy of stride 1 with those taps, turned
// around, and no product with a zero between pixels is ever taken.

// Bounded is the same convolution with strides that are at most the padded
// image. A larger stride gives the same output, but phases without pixels.
func (c Conv) Bounded() Conv {
	c.StrideH = min(c.StrideH, c.H+c.PadTop+c.PadBottom)
	c.StrideW = min(c.StrideW, c.W+c.PadLeft+c.PadRight)
	return c
}

// Phases is the number of phases.
func (c Conv) Phases() int { return c.StrideH * c.StrideW }

// Phase is phase i along both axes.
func (c Conv) Phase(i int) (height, width PhaseAxis) {
	return phaseAxis(i/c.StrideW, c.H, c.R, c.PadTop, c.StrideH, c.DilationH),
		phaseAxis(i%c.StrideW, c.W, c.S, c.PadLeft, c.StrideW, c.DilationW)
}

// PhaseAxis is one axis of a phase. Its pixel i, for i below Count, is pixel
// First + i*Place of dx. It sees, for t below Taps, row i - Pad + t*Step of dy,
// which is 0 where there is none, through the filter's row
// Tap + (Taps-1-t)*Apart.
type PhaseAxis struct {
	Count        int
	First, Place int
	Taps         int // 0 where the phase meets none: its gradient is 0
	Tap, Apart   int
	Pad, Step    int // Pad may be negative
}

// phaseAxis is the axis of the pixels with (h+pad) mod stride = rho. Its taps
// are every stride/gcd(stride,dilation)-th.
func phaseAxis(rho, size, filter, pad, stride, dilation int) PhaseAxis {
	first := ((rho-pad)%stride + stride) % stride
	a := PhaseAxis{First: first, Place: stride, Step: 1}
	if first < size {
		a.Count = (size-1-first)/stride + 1
	}
	divisor := gcd(stride, dilation)
	a.Apart = stride / divisor
	for r := range min(a.Apart, filter) {
		if r*dilation%stride != rho {
			continue
		}
		a.Tap, a.Taps = r, (filter-1-r)/a.Apart+1
		a.Step = dilation / divisor
		a.Pad = (r*dilation-rho)/stride + (a.Taps-1)*a.Step - (first+pad-rho)/stride
	}
	return a
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
