package layers

import "math"

// Fold returns one layer that computes in inference what two compute, if only the second
// reads the first. The first is a convolution or a dense layer. The second is a batch-norm,
// which multiplies each of its channels by a factor and adds a summand. w1 and w2 are the
// values of parameters and state, by the layers' own names for them; weight and bias are
// those of the new layer. ok is false for other layers, and if a new value is not finite.
func Fold(first, second Layer, w1, w2 map[string][]float32) (l Layer, weight, bias []float32, ok bool) {
	norm, ok := second.(*BatchNorm)
	if !ok {
		return nil, nil, nil, false
	}
	switch f := first.(type) {
	case *Conv:
		withBias := *f
		withBias.NoBias, l = false, &withBias
	case *Dense:
		withBias := *f
		withBias.NoBias, l = false, &withBias
	default:
		return nil, nil, nil, false
	}
	factors, summands := norm.factors(w2)
	finite := true
	rounded := func(v float64) float32 {
		finite = finite && math.Abs(v) <= math.MaxFloat32
		return float32(v)
	}
	row := len(w1["weight"]) / len(factors)
	for i, v := range w1["weight"] {
		weight = append(weight, rounded(float64(v)*factors[i/row]))
	}
	for c, v := range summands {
		if b := w1["bias"]; b != nil {
			v += float64(b[c]) * factors[c]
		}
		bias = append(bias, rounded(v))
	}
	return l, weight, bias, finite
}

// factors are those of the channels in inference: y = factor x + summand.
func (l *BatchNorm) factors(w map[string][]float32) (factors, summands []float64) {
	for c, m := range w["running_mean"] {
		mean, std := float64(m), 0.0
		eps := float64(l.eps())
		switch l.Convention {
		case caffe:
			scale := 0.0
			if sum := float64(w["scale_factor"][0]); sum != 0 {
				scale = 1 / sum
			}
			mean *= scale
			std = math.Sqrt(float64(w["running_var"][c])*scale + eps)
		case matconvnet:
			std = float64(w["running_std"][c])
		default:
			std = math.Sqrt(float64(w["running_var"][c]) + eps)
		}
		weight, bias := 1.0, 0.0
		if l.on(true) {
			weight, bias = float64(w["weight"][c]), float64(w["bias"][c])
		}
		factors = append(factors, weight/std)
		summands = append(summands, bias-mean*weight/std)
	}
	return factors, summands
}
