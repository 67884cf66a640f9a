package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/live"
	"github.com/hubel-go/hubel/solver"
)

// folder is a run's folder as the checkpoint in it describes it.
type folder struct {
	dir string
	run *live.Run

	mu       sync.Mutex
	config   *solver.Config // of the last checkpoint; nil before the first
	about    live.About
	modified time.Time // the checkpoint
	known    bool
}

// Folder opens a run's folder and adds it to a server. Its error is one line. The pictures of
// the test set are read where the run has found them, if they are still there.
func Folder(s *live.Server, dir string) (*live.Folder, error) {
	f := &folder{dir: dir}
	f.run = s.AddRun(dir, live.RunOptions{Pictures: &pictures{open: f.testSet}})
	l := &live.Folder{Dir: dir, Run: f.run, Describe: f.describe}
	return l, l.Open()
}

// describe reads the checkpoint, if it is a new one. A run has one from its beginning on, but it
// may just be replaced.
func (f *folder) describe() (live.About, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, err := os.Stat(filepath.Join(f.dir, solver.CheckpointFile))
	switch {
	case errors.Is(err, fs.ErrNotExist) && f.known:
		return f.about, nil
	case errors.Is(err, fs.ErrNotExist): // only its log is left
		f.about.Folder = f.dir
		f.run.About(f.about)
		f.known = true
		return f.about, nil
	case err != nil:
		return f.about, err
	case f.known && at.ModTime().Equal(f.modified):
		return f.about, nil
	}
	c, err := solver.PeekCheckpoint(f.dir)
	if err != nil {
		return f.about, err
	}
	if f.known { // it was written while we looked
		f.run.Saved(c.Iteration, solver.CheckpointFile)
	}
	f.known, f.modified, f.config = true, at.ModTime(), &c.Config
	t, same, err := traits(c)
	if err != nil {
		return f.about, err
	}
	p, err := c.Config.Plan(t)
	if err != nil {
		return f.about, fmt.Errorf("%s: %w", c.Path, err)
	}
	f.about = about(&c.Config, c.Samples, 0, p)
	f.about.Folder, f.about.Device = f.dir, c.Arithmetic
	f.about.Ended = c.Early(c.Config.Patience)
	f.run.About(f.about)
	f.run.Graph(network(p))
	if same {
		f.run.Plan(plan(p))
	}
	return f.about, nil
}

// traits are those of the device that a run was trained on, or of the CPU where this program does
// not know that device: shapes are the same, memory is not.
func traits(c *solver.Checkpoint) (t device.Traits, same bool, err error) {
	o := device.Options{DirectConv: c.Config.DirectConv, TF32: c.Config.TF32}
	if words := strings.Fields(c.Arithmetic); len(words) > 0 {
		if words[0] == "cpu" && len(words) > 1 {
			o.CPUPath = words[1]
		}
		if t, err = device.TraitsOf(words[0], o); err == nil {
			return t, true, nil
		}
	}
	t, err = device.TraitsOf("cpu", device.Options{DirectConv: c.Config.DirectConv})
	return t, false, err
}

// testSet opens the data set that the last test was made on.
func (f *folder) testSet(ctx context.Context) (data.Dataset, error) {
	f.mu.Lock()
	c := f.config
	f.mu.Unlock()
	if c == nil {
		return nil, fmt.Errorf("%s has no %s, which names the data set", f.dir, solver.CheckpointFile)
	}
	return testSet(ctx, c)
}
