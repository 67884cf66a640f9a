package reference

import "github.com/hubel-go/hubel/device"

func (q *queue) ConvForward(c device.Conv, y, x device.Tensor, w device.Filter, e device.Epilogue, _ device.Buffer) {
	if q.Err != nil {
		return
	}
	out, in, weights := floats(y), floats(x), floats(w.Tensor)
	clear(out)
	convRows(c, func(tap, y, x, n int) {
		f := weights[tap]
		for j := range n {
			out[y+j] += f * in[x+j*c.StrideW]
		}
	})
	q.epilogue(y, e, c.K, c.OutH()*c.OutW())
}

func (q *queue) ConvBackwardData(c device.Conv, dx, dy device.Tensor, w device.Filter, m device.Mode, _ device.Buffer) {
	if q.Err != nil {
		return
	}
	din, dout, weights := floats(dx), floats(dy), floats(w.Tensor)
	begin(din, m)
	convRows(c, func(tap, y, x, n int) {
		f := weights[tap]
		for j := range n {
			din[x+j*c.StrideW] += f * dout[y+j]
		}
	})
}

func (q *queue) ConvBackwardFilter(c device.Conv, dw, dbias, x, dy device.Tensor, m device.Mode, _ device.Buffer) {
	if q.Err != nil {
		return
	}
	biasBackward(dbias, floats(dy), c.K, c.OutH()*c.OutW(), m)
	if dw.IsNil() {
		return
	}
	dweights, in, dout := floats(dw), floats(x), floats(dy)
	begin(dweights, m)
	convRows(c, func(tap, y, x, n int) {
		sum := 0.0
		for j := range n {
			sum += dout[y+j] * in[x+j*c.StrideW]
		}
		dweights[tap] += sum
	})
}

// ConvPack has nothing to do: the weights are read as they are.
func (q *queue) ConvPack(device.Conv, device.Pass, device.Buffer, device.Tensor) {}

// convRows goes through all the products of a convolution, which its three
// passes share. It calls row for each weight and each row of outputs that the
// weight takes part in: weight tap joins the n outputs at y, y+1, … with the
// inputs at x, x+StrideW, …
func convRows(c device.Conv, row func(tap, y, x, n int)) {
	outH, outW := c.OutH(), c.OutW()
	cg, kg := c.C/c.Groups, c.K/c.Groups
	for n := range c.N {
		for k := range c.K {
			for ch := range cg {
				for r := range c.R {
					for s := range c.S {
						tap := ((k*cg+ch)*c.R+r)*c.S + s
						image := n*c.C + k/kg*cg + ch
						down, right := r*c.DilationH-c.PadTop, s*c.DilationW-c.PadLeft
						i0, i1 := within(outH, c.StrideH, down, c.H)
						j0, j1 := within(outW, c.StrideW, right, c.W)
						for i := i0; i < i1; i++ {
							y := ((n*c.K+k)*outH+i)*outW + j0
							x := (image*c.H+i*c.StrideH+down)*c.W + j0*c.StrideW + right
							row(tap, y, x, j1-j0)
						}
					}
				}
			}
		}
	}
}

// within returns the range of the outputs i in [0,out) whose input
// i*stride+offset lies in [0,in).
func within(out, stride, offset, in int) (lo, hi int) {
	for lo < out && lo*stride+offset < 0 {
		lo++
	}
	hi = lo
	for hi < out && hi*stride+offset < in {
		hi++
	}
	return lo, hi
}
