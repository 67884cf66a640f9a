package bench

import (
	"encoding/json"
	"fmt"
	"io"
)

// traceEvent is an event of Chrome's trace format, which chrome://tracing and
// Perfetto show. Times are microseconds.
type traceEvent struct {
	Name  string         `json:"name"`
	Cat   string         `json:"cat,omitempty"`
	Phase string         `json:"ph"`
	Start float64        `json:"ts"`
	Dur   float64        `json:"dur,omitempty"`
	Pid   int            `json:"pid"`
	Tid   int            `json:"tid"`
	Args  map[string]any `json:"args,omitempty"`
}

// WriteTrace writes the timeline of one training step of each network on each
// device, each as a process of its own.
func (r *Report) WriteTrace(w io.Writer) error {
	events := []traceEvent{}
	for i, s := range r.Steps {
		events = append(events, traceEvent{
			Name: "process_name", Phase: "M", Pid: i + 1, Tid: 1,
			Args: map[string]any{"name": fmt.Sprintf("%s on %s", s.Model, where(s.Device, s.Threads))},
		})
		for _, x := range s.Spans {
			events = append(events, traceEvent{
				Name: x.Scope + ": " + x.Kernel, Cat: x.Pass, Phase: "X", Pid: i + 1, Tid: 1,
				Start: 1e6 * x.Start.Seconds(), Dur: 1e6 * x.Length.Seconds(),
				Args: map[string]any{"flops": x.FLOPs, "bytes": x.Bytes},
			})
		}
	}
	return json.NewEncoder(w).Encode(map[string]any{"traceEvents": events, "displayTimeUnit": "ms"})
}
