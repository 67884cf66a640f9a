package serve

import (
	"fmt"
	"io"
	"time"

	"github.com/VictoriaMetrics/metrics"
)

// meter counts what /metrics says.
type meter struct{ set *metrics.Set }

// modelMeter is the part of a model.
type modelMeter struct {
	pictures, dropped, loaded, refused *metrics.Counter
	batchPictures, passSeconds         *metrics.PrometheusHistogram
}

// batchBounds are the upper bounds of the histogram of batch sizes.
var batchBounds = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256}

// secondsBounds are those of the histograms of times.
var secondsBounds = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

func newMeter() *meter { return &meter{set: metrics.NewSet()} }

// model makes the part of a model whose queue has a length. Its name needs no escape.
func (m *meter) model(name string, length func() int) *modelMeter {
	label := fmt.Sprintf("{model=%q}", name)
	loads := func(result string) *metrics.Counter {
		return m.set.NewCounter(fmt.Sprintf("hubel_model_loads_total{model=%q,result=%q}", name, result))
	}
	m.set.NewGauge("hubel_queue_length"+label, func() float64 { return float64(length()) })
	return &modelMeter{
		pictures:      m.set.NewCounter("hubel_pictures_total" + label),
		dropped:       m.set.NewCounter("hubel_pictures_dropped_total" + label),
		loaded:        loads("loaded"),
		refused:       loads("refused"),
		batchPictures: m.set.NewPrometheusHistogramExt("hubel_batch_pictures"+label, batchBounds),
		passSeconds:   m.set.NewPrometheusHistogramExt("hubel_pass_seconds"+label, secondsBounds),
	}
}

// answered counts a request of a route, which is a pattern and not what a client wrote.
func (m *meter) answered(route string, status int, since time.Time) {
	m.set.GetOrCreateCounter(fmt.Sprintf("hubel_requests_total{path=%q,code=\"%d\"}", route, status)).Inc()
	m.set.GetOrCreatePrometheusHistogramExt(fmt.Sprintf("hubel_request_seconds{path=%q}", route), secondsBounds).UpdateDuration(since)
}

// write writes all, and what is known of the process, as Prometheus reads it.
func (m *meter) write(w io.Writer) {
	m.set.WritePrometheus(w)
	metrics.WriteProcessMetrics(w)
}
