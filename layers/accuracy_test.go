package layers_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// hit is the accuracy of one sample, by its definition.
func hit(scores []float32, label int32, k int) float32 {
	if label < 0 || int(label) >= len(scores) || math.IsNaN(float64(scores[label])) {
		return 0
	}
	ahead := 0
	for c, v := range scores {
		if v > scores[label] || v == scores[label] && c < int(label) {
			ahead++
		}
	}
	if ahead < k {
		return 1
	}
	return 0
}

func TestAccuracyByHand(t *testing.T) {
	scores := floatsOf(6, 1, 2, 2, 3, nan32, 1, nan32, 5, 5, nan32, nan32, nan32, -1, -1, -1, 0, 0, 0)
	labels := labelsOf(2, 2, 2, 1, 0, 1)
	for _, name := range everyDevice {
		for k, want := range map[int][]float32{
			0: {0, 0, 0, 0, 1, 0}, // 1 unless given
			1: {0, 0, 0, 0, 1, 0},
			2: {1, 1, 1, 0, 1, 1},
			3: {1, 1, 1, 0, 1, 1},
		} {
			p := newPass(t, name, &layers.Accuracy{TopK: k}, graph.Infer, nil, scores, labels)
			require.Equal(t, want, p.out(), "%s, top %d", name, k)
		}
	}
}

// Ties, NaN, infinities, numbers below the smallest normal one and labels that are no class,
// of few and of many classes and samples.
func TestAccuracyOfManyScores(t *testing.T) {
	inf := float32(math.Inf(1))
	values := []float32{0, float32(math.Copysign(0, -1)), 1, 1, -2, 1e-45, -1e-45, 2e-45, 3e38, inf, -inf, nan32}
	r := rand.New(rand.NewPCG(1, 2))
	for _, size := range [][3]int{{1, 1, 1}, {70, 3, 2}, {33, 10, 1}, {33, 10, 5}, {33, 10, 10}, {9, 1000, 5}, {9, 1000, 400}} {
		n, c, k := size[0], size[1], size[2]
		scores, labels := make([]float32, n*c), make([]int32, n)
		var want []float32
		for s := range n {
			from := values
			if s%2 == 0 {
				from = values[:8] // else few samples of many classes are hits
			}
			for i := range c {
				scores[s*c+i] = from[r.IntN(len(from))]
			}
			labels[s] = int32(r.IntN(c))
			if s%8 == 7 {
				labels[s] = []int32{-1, int32(c), math.MinInt32, math.MaxInt32}[r.IntN(4)]
			}
			want = append(want, hit(scores[s*c:][:c], labels[s], k))
		}
		if n > 9 {
			require.Contains(t, want, float32(1))
		}
		for _, name := range everyDevice {
			p := newPass(t, name, &layers.Accuracy{TopK: k}, graph.Infer, nil,
				tensor.New(tensor.WithShape(n, c), tensor.WithBacking(scores)), labelsOf(labels...))
			require.Equal(t, want, p.out(), fmt.Sprint(name, size))
		}
	}
}
