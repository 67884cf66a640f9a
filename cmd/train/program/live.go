package program

import (
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/live"
	"github.com/hubel-go/hubel/live/watch"
	"github.com/hubel-go/hubel/solver"
)

// liveAddress is the flag -live: where the run is shown. The flag alone is a free port of this
// machine. Empty is nowhere.
type liveAddress struct{ command.Listen }

// Set implements flag.Value.
func (l *liveAddress) Set(text string) error {
	switch text {
	case "true":
		l.Listen = command.ListenLoopback
		return nil
	case "false":
		l.Listen = ""
		return nil
	}
	return l.Listen.Set(text)
}

// IsBoolFlag says that the flag stands alone, too.
func (l *liveAddress) IsBoolFlag() bool { return true }

// filtersKept is how often a run keeps its filters for those who look at it.
const filtersKept = 100

// record says what a run keeps for those who look at it.
func (o *options) record(c *solver.Config) {
	c.MonitorEvery = o.monitor.every(c.Iterations)
	if c.MonitorEvery > 0 || o.live.Listen != "" {
		c.Watch = solver.Watch{
			FiltersEvery: max(1, c.Iterations/filtersKept),
			Answers:      true,
			Machine:      watch.Machine(o.device, o.deviceOptions()),
		}
	}
}

// watcher shows a run in browsers, and does what the buttons of a page ask for; or nothing.
type watcher struct {
	server *live.Server // nil without -live
	stdout io.Writer
	stop   func()
	save   chan struct{}
	ended  atomic.Bool
}

// watch begins to show a run where -live asks for it.
func (o *options) watch(c *solver.Config, stdout io.Writer) (*watcher, error) {
	if o.live.Listen == "" {
		return &watcher{}, nil
	}
	s, err := live.Open(o.live.String())
	if err != nil {
		return nil, fmt.Errorf("-live: %w", err)
	}
	w := &watcher{server: s, stdout: stdout, stop: o.stop, save: make(chan struct{}, 1)}
	c.SaveNow = w.save
	run := s.AddRun(c.Dir, live.RunOptions{Control: w, Pictures: watch.Pictures(c.Test)})
	c.Observers = append(c.Observers, watch.NewObserver(run, c), w)
	return w, nil
}

// Observe prints where the run is shown when it begins, and notes its end.
func (w *watcher) Observe(e solver.Event) error {
	switch e.(type) {
	case solver.Started:
		fmt.Fprintf(w.stdout, "live at %s\n", w.server.URL())
	case solver.Ended:
		w.ended.Store(true)
	}
	return nil
}

// Close ends the server. Twice is once.
func (w *watcher) Close() error {
	if w.server == nil {
		return nil
	}
	return w.server.Close()
}

var errEnded = errors.New("the run has ended")

// Save asks for a checkpoint. Asking twice before it is written is asking once.
func (w *watcher) Save() error {
	if w.ended.Load() {
		return errEnded
	}
	select {
	case w.save <- struct{}{}:
	default:
	}
	return nil
}

// Stop ends the run as Ctrl-C does.
func (w *watcher) Stop() error {
	if w.ended.Load() {
		return errEnded
	}
	w.stop()
	return nil
}
