package reference

import (
	"math"

	"github.com/hubel-go/hubel/device"
)

func (q *queue) Accuracy(a device.Accuracy, hit, x, label device.Tensor) {
	if q.Err != nil {
		return
	}
	hits, scores := floats(hit), floats(x)
	for n, right := range ints(label)[:a.N] {
		hits[n] = 0
		if right < 0 || right >= int64(a.C) {
			continue
		}
		row := scores[n*a.C : (n+1)*a.C]
		ahead := 0
		for c, v := range row {
			if v > row[right] || v == row[right] && int64(c) < right {
				ahead++
			}
		}
		if ahead < a.K && !math.IsNaN(row[right]) {
			hits[n] = 1
		}
	}
}
