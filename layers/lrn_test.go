package layers_test

import (
	"math"
	"testing"

	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// Within channels the sum of squares is over the pixels around each.
func TestLRNWithinChannels(t *testing.T) {
	const h, w = 5, 4
	x := normal(3, 2, 3, h, w)
	for _, c := range []struct {
		layer layers.LRN
		k, a  float64 // of the sum
		beta  float64
	}{
		{layers.LRN{}, 2, 1e-4, 0.75},
		{layers.LRN{Size: 3, Alpha: new(float32(0.5)), Beta: new(float32(0.3)), K: 1, AlphaOverSize: true}, 1, 0.5 / 9, 0.3},
		{layers.LRN{Size: 7, Alpha: new(float32(2))}, 2, 2, 0.75}, // the whole image
		{layers.LRN{Size: 1, Alpha: new(float32(2)), Beta: new(float32(0))}, 2, 2, 0},
	} {
		c.layer.Region = "within"
		r := 2
		if c.layer.Size > 0 {
			r = c.layer.Size / 2
		}
		var want []float64
		for at, v := range x.Float32s() {
			sum, i, j := 0.0, at/w%h, at%w
			for p := max(i-r, 0); p <= min(i+r, h-1); p++ {
				for q := max(j-r, 0); q <= min(j+r, w-1); q++ {
					u := float64(x.Float32s()[at-i*w-j+p*w+q])
					sum += u * u
				}
			}
			want = append(want, float64(v)*math.Pow(c.k+c.a*sum, -c.beta))
		}
		for _, name := range everyDevice {
			near(t, want, newPass(t, name, &c.layer, graph.Infer, nil, x).out(), 2e-6, name, c.layer)
			near(t, want, newPass(t, name, &c.layer, graph.Train, nil, x).out(), 2e-6, name, c.layer)
		}
	}
}
