package layers

import (
	"fmt"
	"math"
	"slices"

	"github.com/hubel-go/hubel/device"
)

// Filler says what a parameter starts as.
type Filler struct {
	// Type is "constant", "gaussian", "uniform", "xavier" or "msra"; empty is
	// constant.
	Type string `json:"type,omitempty"`

	Value float32 `json:"value,omitempty"` // constant's; uniform's bound: in [-Value, Value)
	Std   float32 `json:"std,omitempty"`   // gaussian's; its mean is 0
}

// Fan is the number of inputs and outputs of one neuron.
type Fan struct{ In, Out int }

// Constant fills with one value.
func Constant(v float32) Filler { return Filler{Type: "constant", Value: v} }

// Gaussian draws from a normal distribution with mean 0.
func Gaussian(std float32) Filler { return Filler{Type: "gaussian", Std: std} }

// Xavier draws uniformly within sqrt(3/fan-in), as Caffe does by default
// (after Glorot and Bengio 2010).
func Xavier() Filler { return Filler{Type: "xavier"} }

// MSRA draws from a normal distribution with deviation sqrt(2/fan-in)
// (He et al. 2015).
func MSRA() Filler { return Filler{Type: "msra"} }

// Check says what is wrong with the filler, if anything.
func (f Filler) Check() error {
	types := []string{"", "constant", "gaussian", "uniform", "xavier", "msra"}
	if !slices.Contains(types, f.Type) {
		return fmt.Errorf("filler %q is not constant, gaussian, uniform, xavier or msra", f.Type)
	}
	if f.Std < 0 || (f.Type == "uniform" && f.Value < 0) {
		return fmt.Errorf("filler %s: std %g and value %g must not be negative", f.Type, f.Std, f.Value)
	}
	return nil
}

// Fill writes the starting values of a parameter. Element i depends on r and
// i alone.
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
	}
}

func fillUniform(dst []float32, bound float64, r device.Random) {
	for i := range dst {
		u := float64(r.Uint32(0, i)) / (1 << 32) // [0,1)
		dst[i] = float32(bound * (2*u - 1))
	}
}

// fillGaussian makes two normal numbers from two uniform ones (Box and
// Muller 1958).
func fillGaussian(dst []float32, std float64, r device.Random) {
	for i := 0; i < len(dst); i += 2 {
		u := (float64(r.Uint32(0, i)) + 1) / (1 << 32) // (0,1]
		v := float64(r.Uint32(0, i+1)) / (1 << 32)
		radius := std * math.Sqrt(-2*math.Log(u))
		dst[i] = float32(radius * math.Cos(2*math.Pi*v))
		if i+1 < len(dst) {
			dst[i+1] = float32(radius * math.Sin(2*math.Pi*v))
		}
	}
}
