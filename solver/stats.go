package solver

import (
	"math"

	"github.com/hubel-go/hubel/graph"
)

// LayerStats are the statistics of a layer in one update. NaN and infinite
// values are counted in Bad and left out of the others.
type LayerStats struct {
	Layer     string  `json:"layer"`
	Mean      float64 `json:"mean"` // of the outputs
	Deviation float64 `json:"deviation"`
	Zeros     float64 `json:"zeros"`         // share, 0 to 1
	Largest   float64 `json:"largest"`       // magnitude
	Bad       int     `json:"bad,omitempty"` // outputs that are NaN or infinite

	// Gradient is the norm of the gradients of the layer's weights divided by the
	// norm of the weights, both without values that are not finite. It is nil for a
	// layer without trained weights, and if they are all zero.
	Gradient *float64 `json:"gradient_to_weight,omitempty"`
}

// statistics gather LayerStats over the passes of an update.
type statistics struct {
	layers []*layerSums // in the network's order
	byName map[string]*layerSums
}

type layerSums struct {
	name                  string
	count, zeros, bad     int
	sum, squares, largest float64
	weights, gradients    map[string]float64 // sums of squares, by the parameter
}

func newStatistics(n *graph.Network) *statistics {
	s := &statistics{byName: map[string]*layerSums{}}
	for _, node := range n.Nodes {
		l := &layerSums{name: node.Name, weights: map[string]float64{}, gradients: map[string]float64{}}
		s.layers = append(s.layers, l)
		s.byName[node.Name] = l
	}
	return s
}

// add takes a value of a pass into account.
func (s *statistics) add(v seen) {
	l := s.byName[v.layer]
	switch v.kind {
	case KindWeight:
		l.weights[v.name] = sumSquares(v.values)
	case KindWeightGradient: // of all passes so far
		l.gradients[v.name] = sumSquares(v.values)
	case KindOutput:
		for _, x := range v.values {
			y := float64(x)
			switch {
			case !isFinite(y):
				l.bad++
				continue
			case y == 0:
				l.zeros++
			}
			l.count++
			l.sum += y
			l.squares += y * y
			l.largest = max(l.largest, math.Abs(y))
		}
	}
}

// of are the numbers of the layers that have an output.
func (s *statistics) of() []LayerStats {
	var list []LayerStats
	for _, l := range s.layers {
		if l.count+l.bad == 0 {
			continue
		}
		n := float64(max(l.count, 1))
		mean := l.sum / n
		stats := LayerStats{
			Layer:     l.name,
			Mean:      mean,
			Deviation: math.Sqrt(max(0, l.squares/n-mean*mean)),
			Zeros:     float64(l.zeros) / n,
			Largest:   l.largest,
			Bad:       l.bad,
		}
		weights, gradients := 0.0, 0.0
		for name, sum := range l.gradients {
			weights += l.weights[name]
			gradients += sum
		}
		if weights > 0 {
			stats.Gradient = new(math.Sqrt(gradients / weights))
		}
		list = append(list, stats)
	}
	return list
}

// sumSquares is that of the finite elements.
func sumSquares(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		if y := float64(v); isFinite(y) {
			sum += y * y
		}
	}
	return sum
}

func isFinite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
