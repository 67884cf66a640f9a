package watch

import (
	"path/filepath"
	"time"

	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/live"
	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
)

// Observer tells a run's pages of the events of its training. It never fails, and never waits
// for a page.
type Observer struct {
	run      *live.Run
	c        *solver.Config
	begun    time.Time
	first    int // iterations that were done before
	last     solver.Progress
	memory   int64
	measured time.Time // the memory
}

// NewObserver makes the observer of a run of that configuration.
func NewObserver(run *live.Run, c *solver.Config) *Observer { return &Observer{run: run, c: c} }

var _ solver.Observer = (*Observer)(nil)

// Observe tells the pages.
func (o *Observer) Observe(e solver.Event) error {
	switch e := e.(type) {
	case solver.Started:
		o.started(e)
	case solver.Progress:
		o.last = e
		if now := time.Now(); o.run.Due(now) {
			o.run.Status(live.Training, "")
			o.progress(now)
		}
	case solver.Logged:
		o.run.Log(e.LogLine)
	case solver.Monitored:
		o.run.Monitor(e.MonitorLine)
	case solver.Filtered:
		o.run.Filters(e.FiltersLine)
	case solver.Test:
		if e.Answers != nil {
			o.run.Answers(e.Answers)
		}
	case solver.Saved:
		o.run.Saved(e.Iteration, filepath.Base(e.Path))
	case solver.Notice:
		o.run.Notice(e.Text)
	case solver.Ended:
		o.ended(e)
	}
	return nil
}

// started tells what the run is, and what was before it was resumed.
func (o *Observer) started(e solver.Started) {
	o.begun, o.first = time.Now(), e.Iteration
	o.last = solver.Progress{Iteration: e.Iteration, Iterations: e.Iterations}
	p, err := o.c.Plan(o.c.Device.Traits())
	if err != nil { // it was planned before the run started
		o.run.Notice(err.Error())
		p = nil
	}
	a := about(o.c, e.Samples, e.Tests, p)
	a.Device = e.Device
	o.run.About(a)
	o.network(p)
	o.run.Machine(o.c.Watch.Machine)
	o.run.Status(live.Waiting, "")
	o.progress(o.begun)
	if e.Iteration > 0 && e.Dir != "" {
		o.past(e.Dir)
	}
}

func (o *Observer) network(p *graph.Plan) {
	if p != nil {
		o.run.Graph(network(p))
		o.run.Plan(plan(p))
	}
}

// past tells what the logs have of the iterations before.
func (o *Observer) past(dir string) {
	tell(o.run, filepath.Join(dir, results.LogFile), o.run.Log)
	if o.c.MonitorEvery > 0 {
		tell(o.run, filepath.Join(dir, results.MonitorFile), o.run.Monitor)
	}
	if o.c.Watch.FiltersEvery > 0 {
		tell(o.run, filepath.Join(dir, results.FiltersFile), o.run.Filters)
	}
}

// tell gives the lines of a log to whom they concern. The recorder has read it before.
func tell[Line any](run *live.Run, path string, to func(Line)) {
	lines, err := results.ReadLines[Line](path)
	if err != nil {
		run.Notice(err.Error())
	}
	for _, l := range lines {
		to(l)
	}
}

// memoryEvery is how often the memory of the process is measured.
const memoryEvery = 2 * time.Second

// progress tells how far training is.
func (o *Observer) progress(now time.Time) {
	if now.Sub(o.measured) >= memoryEvery {
		o.memory, o.measured = memory(), now
	}
	p := live.Progress{
		Iteration: o.last.Iteration, Iterations: o.last.Iterations, Epoch: o.last.Epoch,
		ImagesPerSecond: o.last.ImagesPerSecond, InputPerSecond: o.last.InputPerSecond,
		Memory: o.memory, SecondsLeft: -1,
	}
	if done := o.last.Iteration - o.first; done > 0 {
		p.SecondsLeft = now.Sub(o.begun).Seconds() * float64(o.last.Iterations-o.last.Iteration) / float64(done)
	}
	o.run.Progress(p)
}

// ended tells how the run ended.
func (o *Observer) ended(e solver.Ended) {
	o.progress(time.Now())
	text := ""
	if e.Err != nil {
		text = e.Err.Error()
	}
	switch e.Reason {
	case solver.ReasonDone:
		o.run.Status(live.Done, "")
	case solver.ReasonEarly:
		o.run.Status(live.Done, "ended early: no test was better for some time")
	case solver.ReasonStopped:
		o.run.Status(live.Stopped, text)
	default:
		o.run.Status(live.Failed, text)
	}
}
