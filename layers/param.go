package layers

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// weights are the options of a layer's weight and bias.
type weights struct {
	noBias                 bool
	weight, bias           Filler
	weightRate, biasRate   *float32
	weightDecay, biasDecay *float32
}

// params makes the weight of a shape and, unless there is none, the bias of so many
// outputs.
func (w weights) params(shape tensor.Shape, outputs int, fan Fan) ([]Param, error) {
	if err := checkShape("weight", shape); err != nil {
		return nil, err
	}
	if w.weight == (Filler{}) {
		w.weight = Xavier()
	}
	weight, err := param("weight", shape, fan, w.weight, w.weightRate, w.weightDecay)
	if err != nil || w.noBias {
		return []Param{weight}, err
	}
	fan.Kernel = Size{} // a bias has none
	bias, err := param("bias", tensor.Shape{outputs}, fan, w.bias, w.biasRate, w.biasDecay)
	return []Param{weight, bias}, err
}

func param(name string, shape tensor.Shape, fan Fan, f Filler, rate, decay *float32) (Param, error) {
	p := Param{Name: name, Shape: shape, Fan: fan, Filler: f, Rate: or(rate, 1), Decay: or(decay, 1)}
	if err := f.Check(); err != nil {
		return p, fmt.Errorf("%s: %w", name, err)
	}
	if f.Type == "bilinear" && fan.Kernel == (Size{}) {
		return p, fmt.Errorf("%s: filler bilinear is for the weights of conv and deconv, which have a kernel", name)
	}
	if f.Type == "orthogonal" && (len(shape) < 2 || shape[0]*fan.In != device.Elements(shape)) {
		return p, fmt.Errorf("%s: filler orthogonal is for the weights of conv, deconv and dense", name)
	}
	if !isFactor(p.Rate) || !isFactor(p.Decay) {
		return p, fmt.Errorf("%s: the multipliers of rate %g and decay %g must be finite and not negative", name, p.Rate, p.Decay)
	}
	return p, nil
}

// or is an option's value, or what it is unless given.
func or(option *float32, otherwise float32) float32 {
	if option == nil {
		return otherwise
	}
	return *option
}

// scaleRows multiplies the rows of a weight [K,...] by a factor each.
func scaleRows(weight *tensor.Dense, factors []float64) {
	w := weight.Float32s()
	row := len(w) / len(factors)
	for i := range w {
		w[i] = float32(float64(w[i]) * factors[i/row])
	}
}

func isFactor(v float32) bool { return v >= 0 && v <= math.MaxFloat32 }
