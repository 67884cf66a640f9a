package live

import (
	"context"
	"image"
	"sync/atomic"
	"time"

	"github.com/hubel-go/hubel/results"
)

// The longest lists of a run. A longer one is thinned out.
const (
	maxLog     = 6000
	maxMonitor = 240
	maxFilters = 240
	maxNotices = 100
)

// progressEvery is how often pages are told of the progress.
const progressEvery = 250 * time.Millisecond

// Run is a run that pages show. Its methods may be called from any goroutine, copy what they
// are given, and never wait for a page.
type Run struct {
	hub      *hub
	id       int
	name     string
	control  Control
	pictures oneAtATime
	told     atomic.Int64 // when, of the last progress, in nanoseconds
}

// Control is what the buttons of a page do.
type Control interface {
	// Save asks for a checkpoint after the update that is under way.
	Save() error

	// Stop asks the run to save and end.
	Stop() error
}

// Pictures gives the pictures of a run's test set.
type Pictures interface {
	// Picture is that of a sample. It may be slow, and is called once at a time.
	Picture(ctx context.Context, sample int) (image.Image, error)
}

// RunOptions are those of a run; each may be nil.
type RunOptions struct {
	Control  Control  // of a run of this process
	Pictures Pictures // of the test set
}

// About says what a run is.
type About struct {
	Network    string         `json:"network"`
	Data       string         `json:"data"`
	Device     string         `json:"device,omitempty"`
	Folder     string         `json:"folder,omitempty"`
	Samples    int            `json:"samples"`         // to train on
	Tests      int            `json:"tests,omitempty"` // to test on, if known
	Batch      int            `json:"batch"`           // of an update
	PerEpoch   int            `json:"per_epoch"`       // updates
	Iterations int            `json:"iterations"`      // in all
	Metrics    []MetricAbout  `json:"metrics"`
	Settings   []results.Fact `json:"settings"` // what may differ between runs, in order
	Parameters int64          `json:"parameters"`
	Ended      bool           `json:"ended,omitempty"` // before its last iteration, because patience was over
}

// MetricAbout says what a metric of the network is.
type MetricAbout struct {
	Name  string `json:"name"`
	Share bool   `json:"share"` // from 0 to 1
}

// Progress is how far a run is.
type Progress struct {
	Iteration       int     `json:"iteration"`
	Iterations      int     `json:"iterations"`
	Epoch           int     `json:"epoch"` // counted from 1
	ImagesPerSecond float64 `json:"images_per_second"`
	InputPerSecond  float64 `json:"input_per_second,omitempty"` // that could be read; 0 if not known
	Memory          int64   `json:"memory,omitempty"`           // of the process in bytes; 0 if not known
	SecondsLeft     float64 `json:"seconds_left"`               // about; below 0 if not known
}

// State is what a run is doing.
type State string

// The states of a run.
const (
	Waiting  State = "waiting"  // for its first update
	Training State = "training" // and telling of it
	Silent   State = "silent"   // nothing was heard for some time; it may be over
	Done     State = "done"
	Stopped  State = "stopped" // and can be resumed
	Failed   State = "failed"
)

// About says what the run is.
func (r *Run) About(a About) { r.hub.replace(r.id, "about", a) }

// Status says what the run is doing, and why, if there is something to say.
func (r *Run) Status(s State, text string) {
	r.hub.replace(r.id, "status", struct {
		State State  `json:"state"`
		Text  string `json:"text,omitempty"`
	}{s, text})
}

// Due reports whether it is time for another Progress. It costs nothing, so that it can be
// asked after every update.
func (r *Run) Due(now time.Time) bool {
	last := r.told.Load()
	return now.UnixNano()-last >= int64(progressEvery) && r.told.CompareAndSwap(last, now.UnixNano())
}

// Progress says how far the run is.
func (r *Run) Progress(p Progress) { r.hub.replace(r.id, "progress", p) }

// Log adds a line of the log.
func (r *Run) Log(l results.LogLine) { r.hub.append(r.id, "log", l, l.TestLoss != nil, maxLog) }

// Monitor adds the numbers of the layers.
func (r *Run) Monitor(l results.MonitorLine) { r.hub.append(r.id, "monitor", l, false, maxMonitor) }

// Filters adds the filters of the first layer.
func (r *Run) Filters(l results.FiltersLine) { r.hub.append(r.id, "filters", l, false, maxFilters) }

// Answers replaces those of the last test.
func (r *Run) Answers(a *results.Answers) { r.hub.replace(r.id, "answers", a) }

// Machine says what the run is trained on.
func (r *Run) Machine(facts []results.Fact) { r.hub.replace(r.id, "machine", facts) }

// Graph gives the network.
func (r *Run) Graph(g Graph) { r.hub.replace(r.id, "graph", g) }

// Plan gives the memory plan.
func (r *Run) Plan(p Plan) { r.hub.replace(r.id, "plan", p) }

// Saved says that a file was written after an update.
func (r *Run) Saved(iteration int, file string) {
	r.hub.replace(r.id, "saved", struct {
		Iteration int    `json:"iteration"`
		File      string `json:"file"`
	}{iteration, file})
}

// Notice adds a message of the run.
func (r *Run) Notice(text string) { r.hub.append(r.id, "notices", text, false, maxNotices) }
