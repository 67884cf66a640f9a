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

// watcher shows a run in browsers, or does nothing.
type watcher struct {
	server  *live.Server // nil without -live
	control *control
}

// watch begins to show a run where -live asks for it.
func (o *options) watch(c *solver.Config) (*watcher, error) {
	if o.live.Listen == "" {
		return &watcher{}, nil
	}
	s, err := live.Open(o.live.String())
	if err != nil {
		return nil, fmt.Errorf("-live: %w", err)
	}
	w := &watcher{server: s, control: &control{stop: o.stop, save: make(chan struct{}, 1)}}
	c.SaveNow = w.control.save
	run := s.AddRun(c.Dir, live.RunOptions{Control: w.control, Pictures: watch.Pictures(c.Test)})
	c.Observers = append(c.Observers, watch.NewObserver(run, c), solver.ObserverFunc(w.control.observe))
	return w, nil
}

// say prints where the run is shown.
func (w *watcher) say(stdout io.Writer) {
	if w.server != nil {
		fmt.Fprintf(stdout, "live at %s\n", w.server.URL())
	}
}

// Close ends the server. Twice is once.
func (w *watcher) Close() error {
	if w.server == nil {
		return nil
	}
	return w.server.Close()
}

// control does what the buttons of a page ask for.
type control struct {
	stop  func()
	save  chan struct{}
	ended atomic.Bool
}

var errEnded = errors.New("the run has ended")

// observe notes the end of the run.
func (c *control) observe(e solver.Event) error {
	if _, ok := e.(solver.Ended); ok {
		c.ended.Store(true)
	}
	return nil
}

// Save asks for a checkpoint. Asking twice before it is written is asking once.
func (c *control) Save() error {
	if c.ended.Load() {
		return errEnded
	}
	select {
	case c.save <- struct{}{}:
	default:
	}
	return nil
}

// Stop ends the run as Ctrl-C does.
func (c *control) Stop() error {
	if c.ended.Load() {
		return errEnded
	}
	c.stop()
	return nil
}
