package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/report"
	"github.com/hubel-go/hubel/solver"
)

// The pictures and tables in a run's folder.
const (
	curveFile     = "curve.png"
	filtersFile   = "filters.png"
	confusionFile = "confusion" // .png and .csv
)

// brokenError is one that came once training had begun.
type brokenError struct{ error }

// Unwrap is for errors.Is.
func (e brokenError) Unwrap() error { return e.error }

// newRun is the configuration of a run that -out begins.
func (o *options) newRun() (c solver.Config, err error) {
	c = solver.Config{
		Data:       o.data,
		Preprocess: preprocess,
		SGD: solver.SGD{
			Schedule: o.schedule(),
			Momentum: float32(o.momentum),
			Decay:    float32(o.decay),
			Nesterov: o.nesterov,
			ClipNorm: float32(o.clip),
		},
		Batch:      o.batch,
		Accumulate: o.accumulate,
		Seed:       o.seed,
		Frozen:     o.frozen,
		Fresh:      o.fresh,
		Dir:        o.out,
		Weights:    o.weights,
		Patience:   o.patience,
	}
	o.setHabits(&c)
	if err := c.SGD.Check(); err != nil {
		return c, err
	}
	if c.Dir == "" {
		c.Dir = filepath.Join("runs", o.runName())
	}
	if err := checkFolder(c.Dir); err != nil {
		return c, err
	}
	if o.weights != "" {
		m, err := solver.LoadWeights(o.weights)
		if err != nil {
			return c, err
		}
		c.Preprocess = m.Preprocess
	}
	if c.Network, c.Train, c.Test, err = o.networkAndData(); err != nil {
		return c, err
	}
	c.Iterations = o.iterations(c)
	return c, nil
}

// setHabits sets what decides no weights.
func (o *options) setHabits(c *solver.Config) {
	c.LogEvery, c.DebugEvery = o.logEvery, o.debug
	c.CheckpointEvery, c.CheckpointTime = o.checkpoint.iterations, o.checkpoint.time
}

// resumedRun is the configuration of a run that -resume goes on with.
func (o *options) resumedRun(stderr io.Writer) (solver.Config, error) {
	checkpoint, err := solver.ReadCheckpoint(o.resume)
	if err != nil {
		return solver.Config{}, err
	}
	if checkpoint.Damaged != nil {
		fmt.Fprintf(stderr, "train: %v; going on from the one before it, %s, of iteration %d\n", checkpoint.Damaged, checkpoint.Path, checkpoint.Iteration)
	}
	c := checkpoint.Config
	o.setHabits(&c)
	if o.given["patience"] {
		c.Patience = o.patience
	}
	if o.data != "" {
		c.Data = o.data
	}
	if c.Train, c.Test, err = o.openData(c.Data, c.Network); err != nil {
		return c, err
	}
	if o.given["epochs"] || o.given["iters"] {
		c.Iterations = o.iterations(c)
	}
	if checkpoint.Done(c.Iterations) {
		return c, fmt.Errorf("%s has %d of %d iterations behind it; a larger -epochs or -iters goes on with it", o.resume, checkpoint.Iteration, c.Iterations)
	}
	return c, nil
}

// checkFolder is an error if there is something where a run's files would go.
func checkFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("-out: %w", err)
	case len(entries) > 0:
		return fmt.Errorf("%s is there already: choose another folder with -out, go on with -resume %s, or remove it", dir, dir)
	}
	return nil
}

// iterations is the number of updates that -iters or -epochs ask for.
func (o *options) iterations(c solver.Config) int {
	if o.given["iters"] {
		return o.iters
	}
	return o.epochs * perEpoch(c)
}

// perEpoch is the number of updates of an epoch.
func perEpoch(c solver.Config) int {
	return solver.Iterations(1, c.Train.Len(), c.Batch*c.Accumulate)
}

// train trains, draws the pictures, and says what to do next. The program is
// what the user called it by.
func train(ctx context.Context, o *options, program string, stdout, stderr io.Writer) (err error) {
	var c solver.Config
	if o.mode == resuming {
		c, err = o.resumedRun(stderr)
	} else {
		c, err = o.newRun()
	}
	if err != nil {
		return err
	}
	if c.Device, err = device.Open(o.device, device.Options{Threads: o.threads}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Device.Close()) }()

	s := session{c: c, program: program, stdout: stdout, stderr: stderr, progress: newProgress(stderr), started: time.Now()}
	c.Progress, c.Tested, c.Notice = s.update, s.tested, s.notice
	result, err := solver.Train(ctx, c)
	s.progress.clear()
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return s.stopped(result, err)
	case err != nil && s.diverged(err), err != nil && s.begun:
		return brokenError{err}
	case err != nil:
		return err
	}
	return s.finished(result)
}

// session is what is shown of one training.
type session struct {
	c        solver.Config
	program  string
	stdout   io.Writer
	stderr   io.Writer
	progress *progress
	started  time.Time

	begun  bool
	last   solver.Progress
	losses float64 // sum since the last test
	count  int
}

// update is called after every iteration.
func (s *session) update(p solver.Progress) {
	if !s.begun {
		s.begun = true
		fmt.Fprintf(s.stdout, "%s on %s into %s: %d images to train, %d to test; %d iterations of %d on %s\n",
			s.c.Network.Name, dataName(s.c.Data), s.c.Dir, s.c.Train.Len(), s.c.Test.Len(), p.Iterations, s.c.Batch*s.c.Accumulate, s.c.Device.Name())
	}
	s.last = p
	s.losses += p.Loss
	s.count++
	s.progress.update(p)
}

// tested is called after every test.
func (s *session) tested(t solver.Test) {
	s.progress.clear()
	epochs := (s.last.Iterations + perEpoch(s.c) - 1) / perEpoch(s.c)
	fmt.Fprintf(s.stdout, "epoch %d/%d  loss %.4f  test %s  %.0f images/s\n",
		t.Epoch, epochs, s.losses/float64(s.count), outcome(t), s.last.ImagesPerSecond)
	s.losses, s.count = 0, 0
}

// notice is called with what a user should know of.
func (s *session) notice(text string) {
	s.progress.clear()
	fmt.Fprintf(s.stderr, "train: %s\n", text)
}

// outcome is the numbers of a test.
func outcome(t solver.Test) string {
	text := fmt.Sprintf("loss %.4f", t.Loss)
	if t.Accuracy != nil {
		text += fmt.Sprintf("  accuracy %.2f %%", 100**t.Accuracy)
	}
	if t.Top5 != nil {
		text += fmt.Sprintf("  top-5 %.2f %%", 100**t.Top5)
	}
	return text
}

// finished draws the pictures and says what there is now and what can be done
// with it.
func (s *session) finished(r solver.Result) error {
	files, err := s.draw(r)
	if err != nil {
		return brokenError{err}
	}
	longer := fmt.Sprintf("-iters %d", 2*r.Iteration)
	if n := perEpoch(s.c); r.Iteration%n == 0 {
		longer = fmt.Sprintf("-epochs %d", 2*r.Iteration/n)
	}
	if r.Early {
		fmt.Fprintf(s.stdout, "\nEnded early after %d of %d iterations: none of the last %d tests was better than that of iteration %d.\n",
			r.Iteration, s.c.Iterations, s.c.Patience, r.Best)
	}
	fmt.Fprintf(s.stdout, "\nDone in %v: test %s\n\n", time.Since(s.started).Round(time.Second), outcome(*r.Test))
	for _, name := range files {
		note := ""
		if name == solver.BestFile {
			note = fmt.Sprintf("  (of iteration %d)", r.Best)
		}
		fmt.Fprintf(s.stdout, "  %s%s\n", filepath.Join(s.c.Dir, name), note)
	}
	fmt.Fprintln(s.stdout, "\nWhat next")
	w := tabwriter.NewWriter(s.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "  test again\t%s -eval -weights %s -data %s\n", s.program, filepath.Join(s.c.Dir, solver.WeightsFile), s.c.Data)
	fmt.Fprintf(w, "  train twice as long\t%s -resume %s %s\n", s.program, s.c.Dir, longer)
	fmt.Fprintf(w, "  other networks and settings\t%s -h\n", s.program)
	return w.Flush()
}

// stopped says how to go on after Ctrl-C.
func (s *session) stopped(r solver.Result, err error) error {
	fmt.Fprintf(s.stdout, "\nStopped and saved after %d of %d iterations. To go on:\n  %s -resume %s\n", r.Iteration, s.c.Iterations, s.program, s.c.Dir)
	return err
}

// draw writes the pictures and tables of a run, and returns the names of all
// its files.
func (s *session) draw(r solver.Result) (names []string, err error) {
	file := func(name string) string { return filepath.Join(s.c.Dir, name) }
	names = []string{solver.WeightsFile, solver.BestFile, solver.CheckpointFile, solver.LogFile, curveFile}
	log, err := solver.ReadLog(file(solver.LogFile))
	if err != nil {
		return nil, err
	}
	title := s.c.Network.Name + " on " + dataName(s.c.Data)
	if err := report.Curve(file(curveFile), title, log); err != nil {
		return nil, err
	}
	if r.Test.Confusion != nil {
		names = append(names, confusionFile+".png", confusionFile+".csv")
		if err := writeConfusion(s.c.Dir, title, r.Test); err != nil {
			return nil, err
		}
	}
	name, ok := firstFilters(s.c.Network)
	if !ok {
		return names, nil
	}
	m, err := solver.LoadWeights(file(solver.WeightsFile))
	if err != nil {
		return nil, err
	}
	return append(names, filtersFile), report.Filters(file(filtersFile), m.Weights[name])
}

// writeConfusion draws a test's confusion matrix into a folder, and writes it
// as a table.
func writeConfusion(dir, title string, t *solver.Test) error {
	if t.Accuracy != nil {
		title += fmt.Sprintf(": %.2f %% right", 100**t.Accuracy)
	}
	path := filepath.Join(dir, confusionFile)
	if err := report.Confusion(path+".png", title, t.Confusion); err != nil {
		return err
	}
	return atomicfile.Write(path+".csv", t.Confusion.WriteCSV)
}
