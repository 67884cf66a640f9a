package device

// Dropout sets elements of x to zero with probability P and scales the others
// by 1/(1-P), so that inference needs no scaling (Srivastava et al. 2014, in
// its inverted form). Samples is the first dimension of x, Elems the number
// of elements of one sample.
type Dropout struct {
	Samples, Elems int
	P              float32 // in [0, 1)
}

// DropoutKernels is dropout and its gradient. Element e of sample n is kept,
// and its mask byte 1, where
//
//	r.Uint32(n, e) >= Threshold()
//
// and dropped, its mask byte 0, otherwise: the same elements on every device.
// y may be x, and dx may be dy.
type DropoutKernels interface {
	DropoutForward(d Dropout, y, mask, x Tensor, r Random)
	DropoutBackward(d Dropout, dx, dy, mask Tensor, m Mode)
}

// Threshold is the number of 32-bit draws that drop an element: P * 2^32,
// rounded down.
func (d Dropout) Threshold() uint32 { return uint32(float64(d.P) * (1 << 32)) }

// Scale is the factor of the kept elements, 1/(1-P).
func (d Dropout) Scale() float32 { return float32(1 / (1 - float64(d.P))) }
