package layers

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/hubel-go/hubel/device"
)

// Filler says how a parameter is initialised.
type Filler struct {
	// Type is "constant", "gaussian", "uniform", "xavier", "msra", "orthogonal" or
	// "bilinear"; empty is constant.
	Type string `json:"type,omitempty"`

	Value float32 `json:"value,omitempty"` // constant's; uniform's bound: in [-Value, Value]; orthogonal's gain, where 0 means 1
	Std   float32 `json:"std,omitempty"`   // gaussian's; its mean is 0
}

// Fan is the number of inputs and outputs of one neuron, and the size of its kernel
// where it has one: the last two axes of the weight.
type Fan struct {
	In, Out int
	Kernel  Size
}

// Constant fills with one value.
func Constant(v float32) Filler { return Filler{Type: "constant", Value: v} }

// Gaussian draws from a normal distribution with mean 0.
func Gaussian(std float32) Filler { return Filler{Type: "gaussian", Std: std} }

// Xavier draws uniformly within sqrt(3/fan-in), as Caffe does by default
// (after Glorot and Bengio 2010).
func Xavier() Filler { return Filler{Type: "xavier"} }

// MSRA draws from a normal distribution with standard deviation sqrt(2/fan-in)
// (He et al. 2015).
func MSRA() Filler { return Filler{Type: "msra"} }

// Bilinear makes every kernel the one of bilinear interpolation, as Caffe does: a Deconv
// of a kernel 2s - s mod 2, the stride s, a pad ceil((s-1)/2), and as many groups and
// filters as channels enlarges images s times.
func Bilinear() Filler { return Filler{Type: "bilinear"} }

// Check says what is wrong with the filler, if anything.
func (f Filler) Check() error {
	types := []string{"", "constant", "gaussian", "uniform", "xavier", "msra", "orthogonal", "bilinear"}
	if !slices.Contains(types, f.Type) {
		return fmt.Errorf("filler %q is not constant, gaussian, uniform, xavier, msra, orthogonal or bilinear", f.Type)
	}
	if v := float64(f.Value); math.IsNaN(v) || math.IsInf(v, 0) || ((f.Type == "uniform" || f.Type == "orthogonal") && v < 0) {
		return fmt.Errorf("filler %s: value %g must be finite, and as a bound or a gain not negative", f.Type, v)
	}
	if !isFactor(f.Std) {
		return fmt.Errorf("filler %s: std %g must be finite and not negative", f.Type, f.Std)
	}
	return nil
}

// Fill writes the initial values of a parameter. Element i depends only on r
// and i, but of an orthogonal matrix on all.
func (f Filler) Fill(dst []float32, fan Fan, r device.Random) {
	switch f.Type {
	case "", "constant":
		for i := range dst {
			dst[i] = f.Value
		}
	case "uniform":
		fillUniform(dst, float64(f.Value), r)
	case "xavier":
		fillUniform(dst, math.Sqrt(3/float64(fan.In)), r)
	case "gaussian":
		fillGaussian(dst, float64(f.Std), r)
	case "msra":
		fillGaussian(dst, math.Sqrt(2/float64(fan.In)), r)
	case "orthogonal":
		fillOrthogonal(dst, fan.In, cmp.Or(float64(f.Value), 1), r)
	case "bilinear":
		for i := range dst {
			h, w := i/fan.Kernel.W%fan.Kernel.H, i%fan.Kernel.W
			dst[i] = float32(tent(h, fan.Kernel.H) * tent(w, fan.Kernel.W))
		}
	}
}

// tent is the weight of tap i in a kernel of bilinear interpolation of so many taps: 1
// in its middle, and falling to both sides.
func tent(i, taps int) float64 {
	f := float64((taps + 1) / 2)
	return 1 - math.Abs(float64(i)-float64(taps-1)/2)/f
}

// fillUniform maps the 32-bit draw of each element to [-bound, bound].
func fillUniform(dst []float32, bound float64, r device.Random) {
	for i := 0; i < len(dst); i += 4 {
		draws := r.Block(0, i/4)
		for j := i; j < min(i+4, len(dst)); j++ {
			dst[j] = float32(bound * (2*unit(draws[j-i]) - 1))
		}
	}
}

// fillGaussian makes two normal numbers from the draws of two elements (Box
// and Muller 1958): an even one is the radius, an odd one the angle.
func fillGaussian(dst []float32, std float64, r device.Random) {
	for i := 0; i < len(dst); i += 4 {
		draws := r.Block(0, i/4)
		for j := i; j < min(i+4, len(dst)); j += 2 {
			u, v := unit(draws[j-i])+1.0/(1<<32), unit(draws[j-i+1]) // u in (0,1]
			radius := std * math.Sqrt(-2*math.Log(u))
			sin, cos := math.Sincos(2 * math.Pi * v)
			dst[j] = float32(radius * cos)
			if j+1 < len(dst) {
				dst[j+1] = float32(radius * sin)
			}
		}
	}
}

// unit maps a draw to [0,1).
func unit(draw uint32) float64 { return float64(draw) / (1 << 32) }
