// Package bench measures how fast devices run matrix products, layers and
// whole networks, beside what the machine can do at most.
package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/bench/roof"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/kernels/cpu/gemm"
	"github.com/hubel-go/hubel/kernels/cuda/costmodel"
	"github.com/hubel-go/hubel/models"
)

// cpuDevice is the device whose roof is measured and which has threads.
const cpuDevice = "cpu"

// Options are what to measure, and where.
type Options struct {
	Kinds   []string // KindGEMM, KindLayers, KindNet
	Models  []string
	Batch   int
	Memory  int64 // limit of the plan of a training step, graph.PlanOptions.Memory, with KindNet alone; 0 for none
	Devices []string
	Threads []int // of device "cpu"
	Runs    int   // samples of each time, after a warm run

	DirectConv bool   // device.Options.DirectConv
	TF32       bool   // device.Options.TF32
	CPUPath    string // device.Options.CPUPath

	// GPUs are cards whose times are predicted, in place of measuring the
	// simulator ptxsim.
	GPUs []costmodel.Card

	// Shapes are matrix products to measure in place of the networks'.
	Shapes []device.GEMM

	// Progress gets a line before each part; nil means none.
	Progress io.Writer
}

// bench is a run under way.
type bench struct {
	ctx context.Context
	Options
	report *Report

	spec   graph.PlanOptions
	device *timedDevice
	plan   *graph.Plan // training
	common Result      // what all results of this part share
}

// Run measures. Devices, networks and memory are checked before anything is
// timed or allocated. Beside an error it returns what was measured before.
func Run(ctx context.Context, o Options) (*Report, error) {
	b := &bench{ctx: ctx, Options: o, report: &Report{DirectConv: o.DirectConv, TF32: o.TF32}}
	if err := o.check(); err != nil {
		return b.report, err
	}
	if b.Progress == nil {
		b.Progress = io.Discard
	}
	if err := b.everywhere(b.checkMemory); err != nil {
		return b.report, err
	}
	if err := b.machine(); err != nil {
		return b.report, err
	}
	if err := b.everywhere(b.model); err != nil {
		return b.report, FailedError{err}
	}
	return b.report, nil
}

// FailedError is one that came once measuring had begun; others are about the
// options.
type FailedError struct{ error }

// Unwrap is for errors.Is.
func (e FailedError) Unwrap() error { return e.error }

// maxRuns bounds the samples that are kept of each time.
const maxRuns = 100_000

func (o *Options) check() error {
	switch {
	case o.Memory < 0:
		return fmt.Errorf("a limit of %d bytes of memory must be above 0", o.Memory)
	case o.Memory > 0 && !slices.Equal(o.Kinds, []string{KindNet}):
		return errors.New("a limit of memory is for whole steps, and other things are measured too")
	case o.Batch < 1:
		return fmt.Errorf("batch %d must be at least 1", o.Batch)
	case o.Runs < 1 || o.Runs > maxRuns:
		return fmt.Errorf("runs %d must be 1 to %d", o.Runs, maxRuns)
	}
	for _, k := range o.Kinds {
		if !slices.Contains(kinds, k) {
			return fmt.Errorf("%q is unknown; there are %s", k, strings.Join(kinds, ", "))
		}
	}
	for _, t := range o.Threads {
		if t < 1 {
			return fmt.Errorf("threads %d must be at least 1", t)
		}
	}
	cards := make([]string, len(o.GPUs))
	for i, c := range o.GPUs {
		cards[i] = c.Name
	}
	return cmp.Or(once("model", o.Models), once("device", o.Devices), once("number of threads", o.Threads),
		once("card", cards), once("shape", o.Shapes))
}

// once is an error if something is in the list twice: a report has one result
// for a thing and a place.
func once[T comparable](what string, list []T) error {
	for i, x := range list {
		if slices.Contains(list[:i], x) {
			return fmt.Errorf("%s %v is given twice", what, x)
		}
	}
	return nil
}

// everywhere calls f for every device with its threads, every card, and every
// model.
func (b *bench) everywhere(f func(*graph.Network) error) error {
	for _, name := range b.Devices {
		switch {
		case name == cpuDevice:
			for _, t := range b.Threads {
				if err := b.on(name, t, f); err != nil {
					return err
				}
			}
		case name == simulator && len(b.GPUs) > 0:
			for _, card := range b.GPUs {
				if err := b.onCard(card, f); err != nil {
					return err
				}
			}
		default:
			if err := b.on(name, 0, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// on calls f for every model on an open device.
func (b *bench) on(name string, threads int, f func(*graph.Network) error) error {
	d, err := device.Open(name, device.Options{Threads: threads, CPUPath: b.CPUPath, DirectConv: b.DirectConv, TF32: b.TF32})
	if err != nil {
		return err
	}
	return b.with(&timedDevice{Device: d}, Result{Device: inTF32(name, b.TF32), Threads: threads}, f)
}

// onCard calls f for every model on a card that is predicted.
func (b *bench) onCard(card costmodel.Card, f func(*graph.Network) error) error {
	d, err := newPredicted(card, device.Options{TF32: b.TF32})
	if err != nil {
		return err
	}
	return b.with(d, Result{Device: d.predicted.place()}, f)
}

// with calls f for every model on a device, and closes it. Shapes that are given
// belong to none: f gets nil.
func (b *bench) with(d *timedDevice, common Result, f func(*graph.Network) error) (err error) {
	b.device = d
	defer func() { err = cmp.Or(err, d.Close()) }()
	if len(b.Shapes) > 0 {
		b.common = common
		if err := f(nil); err != nil {
			return fmt.Errorf("%s: %w", b.common.Where(), err)
		}
		return nil
	}
	for _, m := range b.Models {
		n, err := models.Build(m, models.Options{})
		if err != nil {
			return err
		}
		b.spec = graph.PlanOptions{Mode: graph.Train, Batch: b.Batch, Memory: b.Memory}
		if b.plan, err = n.Plan(d.Traits(), b.spec); err != nil {
			return err
		}
		b.common = common
		b.common.Model, b.common.Batch = m, b.Batch
		if err := f(n); err != nil {
			return fmt.Errorf("%s: %w", b.common.Where(), err)
		}
	}
	return nil
}

// checkMemory is an error for a batch, or a shape, that does not fit.
func (b *bench) checkMemory(n *graph.Network) error {
	if n != nil {
		return checkPlan(b.device, b.plan)
	}
	for _, g := range b.Shapes {
		if err := checkShape(b.device, g); err != nil {
			return err
		}
	}
	return nil
}

// machine measures the processor.
func (b *bench) machine() error {
	tile, err := gemm.Named(b.CPUPath)
	if err != nil {
		return err
	}
	m := &b.report.Machine
	*m = Machine{CPU: cpuName(), Cores: runtime.NumCPU(), OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(), Path: tile.Name}
	threads := b.Threads
	if !slices.Contains(b.Devices, cpuDevice) {
		threads = nil
	}
	for _, t := range threads {
		fmt.Fprintf(b.Progress, "peak and bandwidth of the machine, threads %d\n", t)
		limits := Roof{Threads: t, FLOPS: roof.PeakFLOPS(tile.Name, t), Bandwidth: roof.Bandwidth(t)}
		if t > 1 {
			limits.Handoff = roof.Handoff().Seconds()
		}
		m.Roofs = append(m.Roofs, limits)
	}
	for _, card := range b.GPUs {
		m.Roofs = append(m.Roofs, roofOf(card, b.TF32))
	}
	debug.FreeOSMemory() // the arrays of the copy
	return nil
}

// cpuName is the processor's name as Linux tells it; elsewhere, or where it
// does not, the architecture's.
func cpuName() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(b)) {
			if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}

// model measures everything of one network on the open device.
func (b *bench) model(n *graph.Network) error {
	for _, kind := range b.Kinds {
		b.common.Kind = kind
		fmt.Fprintf(b.Progress, "%s, on %s\n", title(b.common), b.common.Where())
		part := map[string]func(*graph.Network) error{KindGEMM: b.gemm, KindLayers: b.layers, KindNet: b.net}[kind]
		if err := part(n); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) gemm(*graph.Network) error {
	q, err := b.device.NewQueue()
	if err != nil {
		return err
	}
	defer q.Close()
	products := shaped(b.Shapes)
	if len(products) == 0 {
		products = Products(b.plan)
	}
	for _, p := range products {
		samples, sum, err := b.product(b.device, q, p.GEMM)
		if err != nil {
			return fmt.Errorf("%s %s: %w", p.Layer, p.Pass, err)
		}
		r := b.common
		r.Name, r.Pass, r.Shape, r.FLOPs, r.Product = p.Layer, p.Pass, p.String(), p.FLOPs(), true
		r.Bytes = 4 * int64(p.M*p.K+p.K*p.N+p.M*p.N)
		r.Checksum, r.Limit = sum, b.device.limit()
		r.set(samples)
		b.report.Results = append(b.report.Results, r)
	}
	return nil
}

// layers records training steps, and adds up the kernels of each layer's passes; then passes
// of inference, where all kernels of a layer are one pass. A layer that a plan fused into
// another has no row.
func (b *bench) layers(n *graph.Network) (err error) {
	w, err := b.weights(n)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, w.Close()) }()
	rows, err := b.byLayer(b.plan, w)
	if err != nil {
		return err
	}
	if err := b.addChecksums(rows, n); err != nil {
		return err
	}
	b.report.Results = append(b.report.Results, rows...)
	if b.device.predicted != nil {
		return nil
	}
	p, folded, err := b.folded(w)
	if err != nil {
		return err
	}
	if folded != w {
		defer func() { err = cmp.Or(err, folded.Close()) }()
	}
	rows, err = b.byLayer(p, folded)
	b.report.Results = append(b.report.Results, rows...)
	return err
}

// byLayer records steps of a plan, and adds up the kernels of each layer's passes.
func (b *bench) byLayer(p *graph.Plan, w *graph.Weights) (_ []Result, err error) {
	s, err := newSession(b.device, p, w)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, s.close()) }()

	type part struct{ name, pass string }
	row := map[part]int{}
	var rows []Result
	var times [][]float64
	runs := b.runs()
	for run := range runs + 1 {
		if err := b.ctx.Err(); err != nil {
			return nil, err
		}
		spans, err := s.record()
		if err != nil {
			return nil, err
		}
		if p.Options.Mode == graph.Infer {
			// Weights are packed in the first pass alone.
			spans = slices.DeleteFunc(spans, func(x Span) bool { return x.Pass == pack })
			for i := range spans {
				spans[i].Pass = inference
			}
		}
		if run == 0 { // warm
			for _, x := range spans {
				i, ok := row[part{x.Scope, x.Pass}]
				if !ok {
					i = len(rows)
					row[part{x.Scope, x.Pass}] = i
					r := b.common
					r.Name, r.Pass = x.Scope, x.Pass
					rows, times = append(rows, r), append(times, make([]float64, runs))
				}
				rows[i].FLOPs += x.FLOPs
				rows[i].Product = rows[i].Product || x.Product
				rows[i].Limit = x.Limit
				rows[i].Bytes += x.Bytes
			}
			continue
		}
		for _, x := range spans {
			times[row[part{x.Scope, x.Pass}]][run-1] += x.Length.Seconds()
		}
		if run == runs && p.Options.Mode == graph.Train {
			b.report.Steps = append(b.report.Steps, Step{b.common.Model, b.common.Device, b.common.Threads, spans})
		}
	}
	for i := range rows {
		for k := range times[i] { // a clock may not see a short kernel
			times[i][k] = max(times[i][k], 1e-9)
		}
		rows[i].set(times[i])
	}
	return rows, nil
}

// addChecksums adds the values of a network's products to the rows of their passes.
func (b *bench) addChecksums(rows []Result, n *graph.Network) error {
	for _, node := range n.Nodes {
		if b.device.predicted != nil {
			break // the simulator left blocks out
		}
		sums, err := b.values(node)
		if err != nil {
			return fmt.Errorf("%s: %w", node.Name, err)
		}
		for pass, sum := range sums {
			if i := slices.IndexFunc(rows, func(r Result) bool { return r.Name == node.Name && r.Pass == pass }); i >= 0 {
				rows[i].Checksum = sum
			}
		}
	}
	return nil
}

// net times whole steps of training and passes of inference.
func (b *bench) net(n *graph.Network) (err error) {
	w, err := b.weights(n)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, w.Close()) }()
	if err := b.steps("training", b.plan, w); err != nil {
		return err
	}
	p, folded, err := b.folded(w)
	if err != nil {
		return err
	}
	if folded != w {
		defer func() { err = cmp.Or(err, folded.Close()) }()
	}
	return b.steps(inference, p, folded)
}

// folded is the plan of inference, and its weights, as predict has them: batch-norms are part
// of the layers before them. Without any the weights are w.
func (b *bench) folded(w *graph.Weights) (*graph.Plan, *graph.Weights, error) {
	infer := b.spec
	infer.Mode, infer.Memory = graph.Infer, 0
	n := w.Network()
	p, err := n.Plan(b.device.Traits(), infer)
	if err != nil {
		return nil, nil, err
	}
	values := map[string]*tensor.Dense{}
	for _, name := range w.Names() {
		if values[name], err = w.Get(name); err != nil {
			return nil, nil, err
		}
	}
	folded, values := p.Fold(values)
	if len(folded.Nodes) == len(n.Nodes) {
		return p, w, nil
	}
	if p, err = folded.Plan(b.device.Traits(), infer); err != nil {
		return nil, nil, err
	}
	own, err := graph.NewWeights(folded, b.device)
	if err != nil {
		return nil, nil, err
	}
	for _, name := range own.Names() {
		if err := own.Set(name, values[name]); err != nil {
			return nil, nil, cmp.Or(err, own.Close())
		}
	}
	return p, own, nil
}

// steps times one of the plans of a network.
func (b *bench) steps(name string, p *graph.Plan, w *graph.Weights) (err error) {
	s, err := newSession(b.device, p, w)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, s.close()) }()
	debug.FreeOSMemory() // what filled the weights and the batch
	r := b.common
	r.Name, r.Pass, r.Images = "step", name, p.Options.Batch
	samples, err := b.sample(func(times int) error {
		for range times {
			if err := s.step(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.set(samples)
	r.Limit = b.device.limit()
	for _, x := range p.Steps {
		r.FLOPs += x.FLOPs
	}
	r.Slabs = p.Memory().Total()
	if r.Device == cpuDevice {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		r.Beyond = int64(m.Sys-m.HeapReleased) - r.Slabs - p.StagingBytes(b.device.Traits()) // which the batch waits in
	}
	b.report.Results = append(b.report.Results, r)
	return nil
}

// weights are those a network starts with.
func (b *bench) weights(n *graph.Network) (*graph.Weights, error) {
	w, err := graph.NewWeights(n, b.device)
	if err != nil {
		return nil, err
	}
	if err := w.Fill(seed); err != nil {
		return nil, cmp.Or(err, w.Close())
	}
	return w, nil
}

// runs is the number of samples; a prediction is the same each time.
func (b *bench) runs() int {
	if b.device.predicted != nil {
		return 1
	}
	return b.Runs
}

// shortest is how long a sample is at least: what is shorter is repeated.
const shortest = 2 * time.Millisecond

// sample runs f, which does its work a number of times, once to warm up and
// then for each sample, in seconds for one time.
func (b *bench) sample(f func(times int) error) ([]float64, error) {
	if b.device.predicted != nil {
		return b.device.predict(func() error { return f(1) })
	}
	timed := func(times int) (time.Duration, error) {
		if err := b.ctx.Err(); err != nil {
			return 0, err
		}
		start := time.Now()
		err := f(times)
		return max(time.Since(start), 1), err
	}
	if _, err := timed(1); err != nil {
		return nil, err
	}
	once, err := timed(1)
	if err != nil {
		return nil, err
	}
	times := int(max(1, shortest/once))
	samples := make([]float64, b.Runs)
	for i := range samples {
		elapsed, err := timed(times)
		if err != nil {
			return nil, err
		}
		samples[i] = elapsed.Seconds() / float64(times)
	}
	return samples, nil
}
