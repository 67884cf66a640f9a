package solver

import (
	"github.com/hubel-go/hubel/results"
)

// Observer receives the events of a run: examples are the terminal output, the
// logs in the run's folder, and a web page.
//
// Train calls Observe for each event, in order, from the goroutine that trains,
// one observer after the other. Files that the event names are then in the
// run's folder. Training waits for Observe. A slow observer, such as a network
// client, should keep the event and do its work in another goroutine. An error
// of Observe ends the run, and Train returns it, unless there is another error
// already. An observer that should not end the run returns nil.
//
// An observer may keep an event, but must not change it.
type Observer interface {
	Observe(e Event) error
}

// ObserverFunc is a function that observes.
type ObserverFunc func(e Event) error

// Observe calls f.
func (f ObserverFunc) Observe(e Event) error { return f(e) }

// Event is something that happens in a run: a Started, Progress, Test, Logged,
// DebugLine, Monitored, Filtered, Saved, Notice or Ended, or a Sanity of CheckSanity. Later versions
// may have more kinds.
type Event interface{ event() }

func (Started) event()   {}
func (Progress) event()  {}
func (Test) event()      {}
func (Logged) event()    {}
func (DebugLine) event() {}
func (Monitored) event() {}
func (Filtered) event()  {}
func (Saved) event()     {}
func (Notice) event()    {}
func (Ended) event()     {}
func (Sanity) event()    {}

// Started is the first event of a run, after all checks and when the folder
// exists. Exactly one Ended follows it.
type Started struct {
	Network, Device       string // names
	Dir                   string // empty without one
	Samples, Tests        int    // to train on, and to test on
	PerEpoch              int    // iterations
	Iteration, Iterations int    // updates done before the run was resumed, and in all
}

// Progress is the state of training after an update. The loss and the metrics
// are those that were last read back, which does not happen after every update.
type Progress struct {
	Iteration, Iterations int // updates done, and in all
	Epoch                 int // that the last update belongs to, counted from 1
	Loss                  float64
	Metrics               results.Metrics // of the same batch as the loss
	Rate                  float32         // of the last update
	ImagesPerSecond       float64         // without tests and checkpoints
	InputPerSecond        float64         // images that could be read, decoded and augmented
}

// Test is the result of a network on a data set.
type Test struct {
	Iteration int // updates done; 0 from Evaluate
	Epoch     int // counted from 1; 0 from Evaluate
	Samples   int
	Loss      float64         // mean over the samples, without weight decay
	Metrics   results.Metrics // those of the network, means over the samples

	Confusion *results.Confusion // of a network with a softmax loss
	Answers   *results.Answers   // the same with samples; nil unless Config.Watch asks for them

	Average *Test // of the averages of the weights; nil if there are none
}

// Logged is a line of the log, every Config.LogEvery iterations and with each test.
type Logged struct{ results.LogLine }

// DebugLine has the statistics of every layer in one update, every
// Config.DebugEvery iterations.
type DebugLine struct {
	Iteration int          `json:"iteration"` // counted from 1
	Layers    []LayerStats `json:"layers"`
}

// At is the iteration that the line is of.
func (l DebugLine) At() int { return l.Iteration }

// Monitored is a line of results.MonitorFile, every Config.MonitorEvery iterations.
type Monitored struct{ results.MonitorLine }

// Filtered has the filters of the first convolution, every Watch.FiltersEvery iterations.
type Filtered struct{ results.FiltersLine }

// Saved says that a file was written: a checkpoint, with WeightsFile beside it,
// or the best weights so far.
type Saved struct {
	Iteration int // updates done
	Path      string
	Best      bool // it is BestFile
}

// Notice is a message for the user: something is unusual, or takes time.
type Notice struct{ Text string }

// Ended is the last event of a run. The folder is still locked then.
type Ended struct {
	Result
	Reason Reason
	Err    error // of training; nil if the run was finished
}

// Reason is why a run ended.
type Reason string

// The reasons. Only with the first two is the run finished.
const (
	ReasonDone     Reason = "done"     // all iterations are
	ReasonEarly    Reason = "early"    // Patience is over
	ReasonStopped  Reason = "stopped"  // the context was cancelled, and the run can be resumed
	ReasonDiverged Reason = "diverged" // Err is a *Diverged
	ReasonFailed   Reason = "failed"   // Err says what did
)

// observers are those of a run. The files' recorder is the first of them.
type observers []Observer

// tell tells all of an event, and returns the first error.
func (o observers) tell(e Event) (err error) {
	for _, x := range o {
		if failed := x.Observe(e); err == nil {
			err = failed
		}
	}
	return err
}
