package data

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"
)

// Preprocess is what happens to every value of a raw sample before a network
// sees it:
//
//	y[c,h,w] = (x[c,h,w] - Mean[c]) * Scale
//
// A network that was trained with it must be used with it, so it is kept, as
// JSON, in the file of the weights. The zero Preprocess changes nothing.
type Preprocess struct {
	Mean  []float32 `json:"mean,omitempty"`  // one a channel; none means 0
	Scale float32   `json:"scale,omitempty"` // 0 means 1
}

// Check says what is wrong with the preprocessing for samples of the shape
// [C,H,W], if anything.
func (p Preprocess) Check(sample tensor.Shape) error {
	if len(p.Mean) != 0 && len(p.Mean) != sample[0] {
		return fmt.Errorf("preprocessing has a mean for %d channels, but a sample has %d", len(p.Mean), sample[0])
	}
	for _, v := range append([]float32{p.Scale}, p.Mean...) {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("preprocessing: mean %v and scale %v must be finite", p.Mean, p.Scale)
		}
	}
	return nil
}

// Apply changes one sample, [C,H,W], in place.
func (p Preprocess) Apply(x []float32) {
	scale := p.Scale
	if scale == 0 {
		scale = 1
	}
	if len(p.Mean) == 0 {
		if scale != 1 {
			for i := range x {
				x[i] *= scale
			}
		}
		return
	}
	plane := len(x) / len(p.Mean)
	for c, mean := range p.Mean {
		channel := x[c*plane : (c+1)*plane]
		for i := range channel {
			channel[i] = (channel[i] - mean) * scale
		}
	}
}
