package live

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hubel-go/hubel/results"
)

// How often the files of a run are looked at, and after how long without a new line a run is
// Silent.
const (
	followEvery = time.Second
	silentAfter = 2 * time.Minute
)

// Folder is the folder of a run that is over, or that another process trains.
type Folder struct {
	Dir string
	Run *Run

	// Describe tells Run what the run is, where that has changed since the last call. An
	// error of the first one says that the folder is none of a run.
	Describe func() (About, error)

	about                 About
	log, monitor, filters tail
	answers, machine      os.FileInfo // of the last look
	last                  results.LogLine
	heard                 time.Time // when the log was last written
	complained            map[string]bool
}

// Open reads what there is so far. Its error is one line: the folder is not that of a run, or a
// file of it is damaged.
func (f *Folder) Open() error {
	f.complained = map[string]bool{}
	f.log.path = filepath.Join(f.Dir, results.LogFile)
	f.monitor.path = filepath.Join(f.Dir, results.MonitorFile)
	f.filters.path = filepath.Join(f.Dir, results.FiltersFile)
	if s, err := os.Stat(f.Dir); err == nil && !s.IsDir() {
		return fmt.Errorf("%s is not a folder, and so not that of a run", f.Dir)
	}
	if _, err := os.Stat(f.log.path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not the folder of a run: it has no %s, which train writes", f.Dir, results.LogFile)
	}
	return f.look()
}

// Follow reads what is added, until ctx is cancelled. It tells the pages of what is damaged,
// once for each file, and goes on.
func (f *Folder) Follow(ctx context.Context) {
	every := time.NewTicker(followEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			if err := f.look(); err != nil {
				f.complain(err)
			}
		}
	}
}

// complain tells the pages what is wrong, of the lines of a file only the first.
func (f *Folder) complain(err error) {
	what := err.Error()
	if line := (*damaged)(nil); errors.As(err, &line) {
		what = line.path
	}
	if !f.complained[what] && len(f.complained) < maxNotices {
		f.complained[what] = true
		f.Run.Notice(err.Error())
	}
}

// look reads what is new in all files.
func (f *Folder) look() error {
	about, err := f.Describe()
	if err != nil {
		return err
	}
	f.about = about
	var errs []error
	errs = append(errs,
		f.log.more(func() { f.Run.hub.forget(f.Run.id, "log") }, func(text []byte) error {
			return parse(text, func(l results.LogLine) { f.last = l; f.Run.Log(l) })
		}),
		f.monitor.more(func() { f.Run.hub.forget(f.Run.id, "monitor") }, func(text []byte) error { return parse(text, f.Run.Monitor) }),
		f.filters.more(func() { f.Run.hub.forget(f.Run.id, "filters") }, func(text []byte) error { return parse(text, f.Run.Filters) }),
		changed(filepath.Join(f.Dir, results.AnswersFile), &f.answers, func(a *results.Answers) { f.Run.Answers(a) }),
		changed(filepath.Join(f.Dir, results.MachineFile), &f.machine, f.Run.Machine),
	)
	f.state()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// parse gives a line of JSON to whom it concerns.
func parse[Line any](text []byte, to func(Line)) error {
	var l Line
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	to(l)
	return nil
}

// changed reads a file of one value again, where it is another than at the last look.
func changed[Value any](path string, known *os.FileInfo, to func(Value)) error {
	now, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !now.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case *known != nil && os.SameFile(*known, now) && now.ModTime().Equal((*known).ModTime()):
		return nil
	}
	*known = now
	if now.Size() > largestFile {
		return fmt.Errorf("%s has more than %d bytes", path, largestFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := parse(text, to); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// state tells how far the run is, as its log says.
func (f *Folder) state() {
	if f.log.known != nil {
		f.heard = f.log.known.ModTime()
	}
	l, a := f.last, f.about
	p := Progress{Iteration: l.Iteration, Iterations: a.Iterations, ImagesPerSecond: l.ImagesPerSecond, InputPerSecond: l.InputPerSecond, SecondsLeft: -1}
	if a.PerEpoch > 0 && l.Iteration > 0 {
		p.Epoch = (l.Iteration-1)/a.PerEpoch + 1
	}
	over := a.Iterations > 0 && l.Iteration >= a.Iterations
	switch {
	case over:
		p.SecondsLeft = 0
		f.Run.Status(Done, "")
	case a.Ended:
		f.Run.Status(Done, "ended early: no test was better for some time")
	case time.Since(f.heard) > silentAfter:
		f.Run.Status(Silent, "nothing was written since "+f.heard.Format("2006-01-02 15:04"))
	case l.Iteration == 0:
		f.Run.Status(Waiting, "")
	default:
		f.Run.Status(Training, "")
		if l.ImagesPerSecond > 0 {
			p.SecondsLeft = float64(a.Iterations-l.Iteration) * float64(a.Batch) / l.ImagesPerSecond
		}
	}
	f.Run.Progress(p)
}
