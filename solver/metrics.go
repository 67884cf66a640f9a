package solver

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/results"
)

// metricValues are the values of a network that its metrics are the means of.
func metricValues(n *graph.Network) []string {
	var names []string
	for _, m := range n.Metrics {
		names = append(names, m.Value)
	}
	return names
}

// newMetrics are a network's metrics, all zero.
func newMetrics(n *graph.Network) results.Metrics {
	var list results.Metrics
	for _, m := range n.Metrics {
		hits, _ := n.Hits(m)
		list = append(list, results.Metric{Name: m.Value, Share: hits != nil})
	}
	return list
}

// addMetrics adds what the last pass achieved, weighed, to a network's metrics.
func addMetrics(sum results.Metrics, e *graph.Executor, weight float64) error {
	for i := range sum {
		mean, err := e.Mean(sum[i].Name)
		if err != nil {
			return err
		}
		sum[i].Value += mean * weight
	}
	return nil
}

// checkMetrics says which metric of a plan's network is not one number a sample,
// or cannot be logged under its name.
func checkMetrics(p *graph.Plan) error {
	for _, m := range p.Network.Metrics {
		if err := results.CheckMetric(m.Value); err != nil {
			return fmt.Errorf("%v: %w", p.Network, err)
		}
		i := slices.IndexFunc(p.Values, func(v graph.Value) bool { return v.Name == m.Value })
		if v := p.Values[i]; v.DType != device.Float32 || len(v.Shape) != 1 {
			return fmt.Errorf("%v: the metric %s is %v of the shape %v; it must be one float32 a sample, as a layer of the type accuracy makes",
				p.Network, m.Value, v.DType, []int(v.Shape))
		}
	}
	return nil
}

// reading is what is read back of a batch.
type reading struct {
	Loss    float64         `json:"loss"` // NaN before the first
	Metrics results.Metrics `json:"metrics,omitempty"`
}

// readingOf is what the last pass achieved, weighed by its part of the whole batch.
func readingOf(e *graph.Executor, weight float64) (reading, error) {
	loss, err := e.Loss()
	if err != nil {
		return reading{}, err
	}
	r := reading{Loss: loss * weight, Metrics: newMetrics(e.Plan().Network)}
	return r, addMetrics(r.Metrics, e, weight)
}

// plus adds a reading of the same batch.
func (r *reading) plus(x reading) {
	r.Loss += x.Loss
	if r.Metrics == nil {
		r.Metrics = slices.Clone(x.Metrics)
		return
	}
	for i := range r.Metrics {
		r.Metrics[i].Value += x.Metrics[i].Value
	}
}

// UnmarshalJSON reads a reading of a checkpoint.
func (r *reading) UnmarshalJSON(b []byte) (err error) {
	type plain reading
	if err = json.Unmarshal(b, (*plain)(r)); err == nil && r.Metrics == nil {
		r.Metrics, err = metricsByName(b)
	}
	return err
}

// score is how weights did in a test.
type score struct {
	Iteration int             `json:"iteration"`
	Loss      float64         `json:"loss"`
	Metrics   results.Metrics `json:"metrics,omitempty"`
}

// UnmarshalJSON reads a score of a checkpoint.
func (s *score) UnmarshalJSON(b []byte) (err error) {
	type plain score
	if err = json.Unmarshal(b, (*plain)(s)); err == nil && s.Metrics == nil {
		s.Metrics, err = metricsByName(b)
	}
	return err
}

// metricsByName are the metrics of checkpoints that are older than versions of
// networks (graph.Version): "accuracy" and "top5", beside the loss.
func metricsByName(b []byte) (list results.Metrics, err error) {
	var j struct {
		Accuracy, Top5 *float64
	}
	err = json.Unmarshal(b, &j)
	if j.Accuracy != nil {
		list = append(list, results.Metric{Name: "accuracy", Value: *j.Accuracy})
	}
	if j.Top5 != nil {
		list = append(list, results.Metric{Name: "top5", Value: *j.Top5})
	}
	return list, err
}

// better reports whether a test had a better outcome, by the first of a network's
// metrics or, where that is the same or there is none, by the loss. A metric that is
// NaN is worse than any other.
func (s *score) better(t *Test, metrics []graph.Metric) bool {
	if s == nil {
		return true
	}
	if len(metrics) > 0 {
		was, is := merit(s.Metrics, metrics[0]), merit(t.Metrics, metrics[0])
		if was != is {
			return is > was
		}
	}
	return t.Loss < s.Loss
}

// merit is the number of a metric, turned so that a higher one is better.
func merit(list results.Metrics, m graph.Metric) float64 {
	x, ok := list.Get(m.Value)
	switch {
	case !ok || math.IsNaN(x):
		return math.Inf(-1)
	case m.Better == graph.Lower:
		return -x
	}
	return x
}

// ofNetwork is a reading of a checkpoint with the metrics that the network has.
func (t *trainer) ofNetwork(r *reading) reading {
	list := newMetrics(t.c.Network)
	for i := range list {
		x, ok := r.Metrics.Get(list[i].Name)
		if !ok {
			x = math.NaN()
		}
		list[i].Value = x
	}
	return reading{r.Loss, list}
}
