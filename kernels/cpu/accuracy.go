package cpu

import "github.com/hubel-go/hubel/device"

func (q *queue) Accuracy(a device.Accuracy, hit, x, label device.Tensor) {
	if q.Err != nil {
		return
	}
	q.accuracy = accuracyTask{a: a, hits: floats(hit), scores: floats(x), labels: ints(label)}
	run(q, &q.accuracy, rowItems(a.N, a.C))
}

type accuracyTask struct {
	a            device.Accuracy
	hits, scores []float32
	labels       []int32
}

func (t *accuracyTask) Run(item, _ int) {
	first, end := rows(item, t.a.N, t.a.C)
	for n := first; n < end; n++ {
		right := int(t.labels[n])
		t.hits[n] = 0
		if right < 0 || right >= t.a.C {
			continue
		}
		row := t.scores[n*t.a.C:][:t.a.C]
		score := row[right]
		ahead := 0
		for c, v := range row {
			if v > score || v == score && c < right {
				ahead++
			}
		}
		if ahead < t.a.K && score == score {
			t.hits[n] = 1
		}
	}
}
