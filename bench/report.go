package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Report is what a run measured. It says nothing of when, so that two reports
// differ only in what matters.
type Report struct {
	Machine Machine  `json:"machine"`
	Results []Result `json:"results"`

	// DirectConv and TF32 are those of Options, which the times depend on.
	DirectConv bool `json:"direct_conv,omitempty"`
	TF32       bool `json:"tf32,omitempty"`

	// Steps are the kernels of one training step each, for WriteTrace.
	Steps []Step `json:"-"`
}

// Machine is what the numbers hold for.
type Machine struct {
	CPU   string `json:"cpu"`
	Cores int    `json:"cores"`
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	Go    string `json:"go"`
	Path  string `json:"path"` // avx512, avx2, neon or generic
	Roofs []Roof `json:"roofs"`
}

// Roof is what so many cores, or a card, can do at most.
type Roof struct {
	Device    string  `json:"device,omitempty"` // a card; nothing for the CPU
	Threads   int     `json:"threads,omitempty"`
	FLOPS     float64 `json:"flops"`     // float32 operations a second
	Bandwidth float64 `json:"bandwidth"` // bytes a second, read and written

	// Handoff is how many seconds a word takes from one thread to another and
	// back, on the CPU with at least two.
	Handoff float64 `json:"handoff,omitempty"`
}

// The kinds of results.
const (
	KindGEMM   = "gemm"
	KindLayers = "layers"
	KindNet    = "net"
)

var kinds = []string{KindGEMM, KindLayers, KindNet}

// Result is the time of one thing on one device.
type Result struct {
	Kind    string `json:"kind"`
	Model   string `json:"model"`
	Batch   int    `json:"batch"`
	Name    string `json:"name"`            // the layer
	Pass    string `json:"pass"`            // as in Span; training or inference for a net
	Shape   string `json:"shape,omitempty"` // of a matrix product
	Device  string `json:"device"`
	Threads int    `json:"threads,omitempty"` // of the CPU

	Seconds float64   `json:"seconds"` // median
	Spread  float64   `json:"spread"`  // half the interquartile range, as a fraction of the median
	Samples []float64 `json:"samples"` // seconds
	FLOPs   int64     `json:"flops,omitempty"`
	Bytes   int64     `json:"bytes,omitempty"`  // arguments read once and written once
	Images  int       `json:"images,omitempty"` // of a net

	// Product tells a matrix product or a convolution from what only moves
	// memory. Winograd's algorithm takes fewer operations than FLOPs says,
	// which are those of the definition.
	Product bool `json:"product,omitempty"`

	// Limit is what limits a predicted time: FMA, tensor, issue, shared, L2 or
	// DRAM.
	Limit string `json:"limit,omitempty"`

	// Checksum is of the result of a matrix product, or of a pass of a
	// convolution or dense layer alone.
	Checksum *Checksum `json:"checksum,omitempty"`

	// Slabs is the memory of a net's plan, Beyond what the process took
	// besides it and the batch, for devices whose memory is the process's.
	Slabs  int64 `json:"slabs,omitempty"`
	Beyond int64 `json:"beyond,omitempty"`
}

// Step is the timeline of one training step.
type Step struct {
	Model, Device string
	Threads       int
	Spans         []Span
}

// Where is the device with its threads: "cpu/2".
func (r Result) Where() string { return where(r.Device, r.Threads) }

func where(device string, threads int) string {
	if threads == 0 {
		return device
	}
	return fmt.Sprintf("%s/%d", device, threads)
}

// Key names what was measured: the same on every device and in every report.
func (r Result) Key() string {
	return fmt.Sprintf("%s/%s@%d/%s/%s", r.Kind, r.Model, r.Batch, r.Name, r.Pass)
}

// GFLOPS is 10⁹ operations a second, 0 where operations do not count.
func (r Result) GFLOPS() float64 { return float64(r.FLOPs) / r.Seconds / 1e9 }

// Intensity is operations a byte of traffic.
func (r Result) Intensity() float64 { return float64(r.FLOPs) / float64(r.Bytes) }

// PerSecond is images a second of a net.
func (r Result) PerSecond() float64 { return float64(r.Images) / r.Seconds }

// roof is what the machine can do at most where r was measured. It is false
// where that is not known.
func (m Machine) roof(r Result) (Roof, bool) {
	i := slices.IndexFunc(m.Roofs, func(f Roof) bool {
		return f.Threads == r.Threads && (f.Device == r.Device || f.Device == "" && r.Device == cpuDevice)
	})
	if i < 0 {
		return Roof{}, false
	}
	return m.Roofs[i], true
}

// OfRoof is the shortest time the machine could take, by its peak or by its
// bandwidth, as a fraction of what was measured (the roofline of Williams et al.
// 2009). It is false where the machine's limits are not known.
func (m Machine) OfRoof(r Result) (fraction float64, byBandwidth, ok bool) {
	roof, ok := m.roof(r)
	if !ok || r.FLOPs == 0 && r.Bytes == 0 {
		return 0, false, false
	}
	compute, memory := float64(r.FLOPs)/roof.FLOPS, float64(r.Bytes)/roof.Bandwidth
	return max(compute, memory) / r.Seconds, memory > compute, true
}

// set fills in the statistics of the samples.
func (r *Result) set(samples []float64) {
	r.Samples = samples
	r.Seconds, r.Spread = statistics(samples)
}

// statistics is the median of some numbers and half their interquartile range
// as a fraction of it.
func statistics(samples []float64) (median, spread float64) {
	s := slices.Sorted(slices.Values(samples))
	median = quantile(s, 0.5)
	if median == 0 {
		return 0, 0
	}
	return median, (quantile(s, 0.75) - quantile(s, 0.25)) / 2 / median
}

// quantile interpolates between the sorted numbers.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[i]
	}
	f := at - float64(i)
	return sorted[i]*(1-f) + sorted[i+1]*f
}

// WriteJSON writes the report.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", " ")
	return e.Encode(r)
}

// ReadFile reads a report that WriteJSON wrote.
func ReadFile(path string) (*Report, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := new(Report)
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("%s is not a report of bench: %w", path, err)
	}
	if len(r.Results) == 0 {
		return nil, fmt.Errorf("%s has no results of bench", path)
	}
	for _, x := range r.Results {
		if !slices.Contains(kinds, x.Kind) {
			return nil, fmt.Errorf("%s: a result of kind %q, which is none of %s", path, x.Kind, strings.Join(kinds, ", "))
		}
		if !(x.Seconds > 0) {
			return nil, fmt.Errorf("%s: %s took %g seconds, which cannot be", path, x.Key(), x.Seconds)
		}
	}
	return r, nil
}
