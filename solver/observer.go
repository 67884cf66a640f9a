package solver

import (
	"github.com/hubel-go/hubel/results"
)

// Observer watches a run: what is printed, the logs in the run's folder, a page or a
// file for another program all are one.
//
// Train calls Observe for each event, in order, from the goroutine that trains, and
// of Config.Observers one after the other. By then what the event tells of is in the
// run's folder. Training waits for Observe: one that is slow, such as a network's
// client, keeps a copy of the event and works elsewhere. Its error ends the run: Train
// returns it, unless there is another already. One that can live with its error, as a
// page can whose reader is gone, returns nil.
//
// What an event holds may be kept, and must not be changed.
type Observer interface {
	Observe(e Event) error
}

// ObserverFunc is a function that observes.
type ObserverFunc func(e Event) error

// Observe calls f.
func (f ObserverFunc) Observe(e Event) error { return f(e) }

// Event is something that happens in a run: a Started, Progress, Test, Logged,
// DebugLine, Saved, Notice or Ended, or of CheckSanity a Sanity. There may be more
// kinds later.
type Event interface{ event() }

func (Started) event()   {}
func (Progress) event()  {}
func (Test) event()      {}
func (Logged) event()    {}
func (DebugLine) event() {}
func (Saved) event()     {}
func (Notice) event()    {}
func (Ended) event()     {}
func (Sanity) event()    {}

// Started is the first event of a run, when all is in order and the folder is there.
// Exactly one Ended follows it.
type Started struct {
	Network, Device       string // names
	Dir                   string // empty without one
	Samples, Tests        int    // to train on, and to test on
	PerEpoch              int    // iterations
	Iteration, Iterations int    // updates done before, of a run that is resumed, and in all
}

// Progress is where training stands after an update. The loss and the metrics are
// those that were read back last, which is not after each.
type Progress struct {
	Iteration, Iterations int // updates done, and in all
	Epoch                 int // that the last update belongs to, counted from 1
	Loss                  float64
	Metrics               results.Metrics // of the batch that the loss is of
	Rate                  float32         // of the last update
	ImagesPerSecond       float64         // without tests and checkpoints
	InputPerSecond        float64         // images that could be read, decoded and augmented
}

// Test is what a network achieves on a data set.
type Test struct {
	Iteration int // updates done; 0 from Evaluate
	Epoch     int // counted from 1; 0 from Evaluate
	Samples   int
	Loss      float64         // mean over the samples, without weight decay
	Metrics   results.Metrics // those of the network, means over the samples

	Confusion *results.Confusion // of a network with a softmax loss
}

// Logged is a line of the log, every Config.LogEvery iterations and with each test.
type Logged struct{ results.LogLine }

// DebugLine is the numbers of every layer in one update, every Config.DebugEvery
// iterations.
type DebugLine struct {
	Iteration int          `json:"iteration"` // counted from 1
	Layers    []LayerStats `json:"layers"`
}

// At is the iteration that the line is of.
func (l DebugLine) At() int { return l.Iteration }

// Saved is a file that was written: a checkpoint, with WeightsFile beside it, or the
// best weights so far.
type Saved struct {
	Iteration int // updates done
	Path      string
	Best      bool // it is BestFile
}

// Notice is what a user should know of: a thing that is odd, or takes time.
type Notice struct{ Text string }

// Ended is the last event of a run, while its folder is still this process's alone.
type Ended struct {
	Result
	Reason Reason
	Err    error // of training; nil where the run came to its end
}

// Reason is why a run ended.
type Reason string

// The reasons. Only after the first two has the run come to its end.
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
