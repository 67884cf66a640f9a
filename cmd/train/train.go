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
	"github.com/hubel-go/hubel/report"
	"github.com/hubel-go/hubel/solver"
)

// The pictures in a run's folder.
const (
	curveFile   = "curve.png"
	filtersFile = "filters.png"
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
		Dir:        o.out,
		Weights:    o.weights,
		LogEvery:   o.logEvery,
	}
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

// resumedRun is the configuration of a run that -resume goes on with.
func (o *options) resumedRun() (solver.Config, error) {
	checkpoint, err := solver.ReadCheckpoint(o.resume)
	if err != nil {
		return solver.Config{}, err
	}
	c := checkpoint.Config
	c.LogEvery = o.logEvery
	if o.data != "" {
		c.Data = o.data
	}
	if c.Train, c.Test, err = o.openData(c.Data, c.Network); err != nil {
		return c, err
	}
	if o.given["epochs"] || o.given["iters"] {
		c.Iterations = o.iterations(c)
	}
	if c.Iterations <= checkpoint.Iteration {
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
		c, err = o.resumedRun()
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

	s := session{c: c, program: program, stdout: stdout, progress: newProgress(stderr), started: time.Now()}
	c.Progress, c.Tested = s.update, s.tested
	result, err := solver.Train(ctx, c)
	s.progress.clear()
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return s.stopped(result, err)
	case err != nil && s.begun:
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
	pictures, err := s.draw()
	if err != nil {
		return brokenError{err}
	}
	longer := fmt.Sprintf("-iters %d", 2*r.Iteration)
	if n := perEpoch(s.c); r.Iteration%n == 0 {
		longer = fmt.Sprintf("-epochs %d", 2*r.Iteration/n)
	}
	fmt.Fprintf(s.stdout, "\nDone in %v: test %s\n\n", time.Since(s.started).Round(time.Second), outcome(*r.Test))
	for _, name := range append([]string{solver.WeightsFile, solver.CheckpointFile, solver.LogFile}, pictures...) {
		fmt.Fprintln(s.stdout, " ", filepath.Join(s.c.Dir, name))
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
	fmt.Fprintf(s.stdout, "\nStopped and saved after %d of %d iterations.", r.Iteration, s.c.Iterations)
	if r.Iteration < s.c.Iterations {
		fmt.Fprintf(s.stdout, " To go on:\n  %s -resume %s\n", s.program, s.c.Dir)
		return err
	}
	fmt.Fprintf(s.stdout, " Only the test is missing:\n  %s -eval -weights %s -data %s\n",
		s.program, filepath.Join(s.c.Dir, solver.WeightsFile), s.c.Data)
	_, drawing := s.draw()
	return errors.Join(err, drawing)
}

// draw writes the pictures of a run and returns their names.
func (s *session) draw() (names []string, err error) {
	log, err := solver.ReadLog(filepath.Join(s.c.Dir, solver.LogFile))
	if err != nil {
		return nil, err
	}
	title := s.c.Network.Name + " on " + dataName(s.c.Data)
	if err := report.Curve(filepath.Join(s.c.Dir, curveFile), title, log); err != nil {
		return nil, err
	}
	name, ok := firstFilters(s.c.Network)
	if !ok {
		return []string{curveFile}, nil
	}
	m, err := solver.LoadWeights(filepath.Join(s.c.Dir, solver.WeightsFile))
	if err != nil {
		return nil, err
	}
	return []string{curveFile, filtersFile}, report.Filters(filepath.Join(s.c.Dir, filtersFile), m.Weights[name])
}
