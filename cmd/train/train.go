package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/report"
	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
)

// The pictures and tables in a run's folder.
const (
	curveFile     = "curve.png"
	filtersFile   = "filters.png"
	confusionFile = "confusion" // .png and .csv
)

// newRun is the configuration of a run that -out begins, and its data.
func (o *options) newRun(ctx context.Context, progress io.Writer) (c solver.Config, s sets, err error) {
	c = solver.Config{
		Data:       o.dataText(),
		DirectConv: o.deviceOptions().DirectConv,
		TF32:       o.tf32,
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
	c.LogEvery, c.DebugEvery = o.logEvery, o.debug
	c.CheckpointEvery, c.CheckpointTime = o.checkpoint.iterations, o.checkpoint.time
	if err := c.SGD.Check(); err != nil {
		return c, s, err
	}
	if c.Dir == "" {
		c.Dir = filepath.Join("runs", o.runName())
	}
	if err := checkFolder(c.Dir); err != nil && !o.check {
		return c, s, err
	}
	var known *data.Preprocess
	if o.weights != "" {
		m, err := modelfile.Read(o.weights)
		if err != nil {
			return c, s, err
		}
		known = &m.Preprocess
		if o.given["augment"] {
			known.Augment = o.augment
		}
	}
	if c.Network, s, err = o.networkAndData(ctx, known, progress); err != nil {
		return c, s, err
	}
	c.Train, c.Test, c.Preprocess = s.train, s.test, s.preprocess
	c.Preprocess.TenCrops = c.Preprocess.TenCrops || o.tenCrop
	c.Iterations = o.iterations(c)
	return c, s, nil
}

// resumedRun is the configuration of a run that -resume goes on with, and its
// data.
func (o *options) resumedRun(ctx context.Context, stderr io.Writer) (c solver.Config, s sets, err error) {
	checkpoint, err := solver.ReadCheckpoint(o.resume)
	if err != nil {
		return c, s, err
	}
	if checkpoint.Damaged != nil {
		fmt.Fprintf(stderr, "train: %s; going on from the one before it, %s, of iteration %d\n", printable.Line(checkpoint.Damaged.Error()), printable.Name(checkpoint.Path), checkpoint.Iteration)
	}
	c = checkpoint.Config
	c.DebugEvery = o.debug
	if o.given["log-every"] {
		c.LogEvery = o.logEvery
	}
	if o.given["checkpoint"] {
		c.CheckpointEvery, c.CheckpointTime = o.checkpoint.iterations, o.checkpoint.time
	}
	if o.given["patience"] {
		c.Patience = o.patience
	}
	if o.data != "" {
		c.Data = o.dataText()
	}
	if err := o.knowsSamples(checkpoint, c.Data, stderr); err != nil {
		return c, s, err
	}
	s, err = o.openData(ctx, c.Data, c.Network, &c.Preprocess, stderr)
	if err != nil && o.data == "" {
		err = fmt.Errorf("%w; if the data has moved, -data says where to, with -val or -split as before", err)
	}
	if err != nil {
		return c, s, err
	}
	c.Train, c.Test = s.train, s.test
	if o.given["epochs"] || o.given["iters"] {
		c.Iterations = o.iterations(c)
	}
	// The name of the CPU alone is no word on its path, which the program chose.
	c.OtherArithmetic = o.given["cpu-path"] || o.given["device"] && (o.device != "cpu" || kindOf(checkpoint.Arithmetic) != "cpu")
	done := checkpoint.Done(c.Iterations)
	c.Retest = (done || checkpoint.Early(c.Patience)) && !drawn(c.Dir, checkpoint)
	if c.Train.Len() == checkpoint.Samples && done && !c.Retest {
		return c, s, fmt.Errorf("%s has %d of %d iterations behind it; a larger -epochs or -iters goes on with it", o.resume, checkpoint.Iteration, c.Iterations)
	}
	return c, s, nil
}

// knowsSamples refuses a run whose checkpoint does not say which pictures it was
// trained on, where it cannot be found out either: such a run was begun when a
// split still followed the order in which files were stored.
func (o *options) knowsSamples(c *solver.Checkpoint, dataText string, stderr io.Writer) error {
	if c.Named() || !data.IsPath(data.ParsePhotoSpec(dataText).Train) {
		return nil
	}
	if split := splitElsewhere(c, dataText); split != "" {
		return fmt.Errorf("%s was begun when -split %s put other pictures aside than it does now, so that it would be tested on some that it was trained on; "+
			"begin a new run, with -weights %s where its weights may have seen some of them",
			o.resume, split, quoted(filepath.Join(o.resume, solver.WeightsFile)))
	}
	fmt.Fprintln(stderr, "train: the run was begun when pictures of tar files still came in the order in which they are stored: they now come in that of their names, and it does not end with the bytes that it would have had")
	return nil
}

// splitElsewhere is the -split of a run on that data, if it put other pictures aside
// then than it would now.
func splitElsewhere(c *solver.Checkpoint, dataText string) string {
	spec := data.ParsePhotoSpec(dataText)
	if split, err := data.ParseSplit(spec.Split); c.Named() || !data.IsPath(spec.Train) || err != nil || split.List != nil {
		return ""
	}
	return spec.Split
}

// drawn reports whether the pictures of a run that has come to its end are there.
// The one that is drawn last is then not older than the last checkpoint.
func drawn(dir string, last *solver.Checkpoint) bool {
	picture, err := os.Stat(filepath.Join(dir, curveFile))
	if err != nil {
		return false
	}
	checkpoint, err := os.Stat(last.Path)
	return err == nil && !picture.ModTime().Before(checkpoint.ModTime())
}

// checkFolder is an error if there is something where a run's files would go.
func checkFolder(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("-out: %w", err)
	case len(entries) == 0:
		return nil
	case slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == solver.CheckpointFile || e.Name() == solver.PreviousFile }):
		return fmt.Errorf("%s is there already: choose another folder with -out, go on with -resume %s, or remove it", dir, quoted(dir))
	}
	return fmt.Errorf("%s is there already: choose another folder with -out, or remove it", dir)
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
	var opened sets
	if o.mode == resuming {
		c, opened, err = o.resumedRun(ctx, stderr)
	} else {
		c, opened, err = o.newRun(ctx, stderr)
	}
	if err != nil {
		return err
	}
	if c.Device, err = o.openDevice(c); err != nil {
		return err
	}
	defer command.Close(c.Device, &err)

	s := session{c: c, skipped: opened.skipped, parts: opened.parts, program: program, stdout: stdout, stderr: stderr, progress: newProgress(stderr), started: time.Now()}
	c.Progress, c.Tested, c.Notice, c.Ended = s.update, s.tested, s.notice, s.finished
	result, err := solver.Train(ctx, c)
	s.progress.clear()
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return s.stopped(result, err)
	case err != nil && s.diverged(err), err != nil && result.Began:
		return command.BrokenError{Err: err}
	}
	return goingOn(err)
}

// kindOf is the kind of device, as -device takes it, of an arithmetic.
func kindOf(arithmetic string) string {
	kind, _, _ := strings.Cut(arithmetic, " ")
	return kind
}

// goingOn adds to a device.Device.Arithmetic that is not the run's the flags that
// go on as before, and those that go on here.
func goingOn(err error) error {
	var other *solver.ArithmeticError
	if !errors.As(err, &other) {
		return err
	}
	was, is := "-device "+kindOf(other.Was), "-device "+kindOf(other.Is)
	if was == is {
		was, is = strings.Replace(other.Was, "cpu", "-cpu-path", 1), strings.Replace(other.Is, "cpu", "-cpu-path", 1)
	}
	return fmt.Errorf("%w: %s goes on as before where it can be had, %s goes on all the same", err, was, is)
}

// openDevice opens the device of a run, whose arithmetic is the run's.
func (o *options) openDevice(c solver.Config) (device.Device, error) {
	d := o.deviceOptions()
	d.DirectConv, d.TF32 = c.DirectConv, c.TF32
	return device.Open(o.device, d)
}

// session is what is shown of one training.
type session struct {
	c        solver.Config
	skipped  []data.Skip
	parts    []string // of the data, where it has some
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
		fmt.Fprintf(s.stdout, "%s on %s into %s: %d images to train, %d to test; %d iterations of %d on %s%s\n",
			printable.Name(s.c.Network.Name), printable.Name(dataName(s.c.Data)), printable.Name(s.c.Dir), s.c.Train.Len(), s.c.Test.Len(), p.Iterations, s.c.Batch*s.c.Accumulate, s.c.Device.Name(), someClasses(s.c.Train.Classes()))
		if len(s.parts) > 1 {
			fmt.Fprintf(s.stdout, "parts of the data: %q to train on, %q to test on%s\n", s.parts[0], s.parts[1], forEval(s.parts[2:]))
		}
		if n := len(s.skipped); n > 0 {
			fmt.Fprintf(s.stdout, "files that cannot be used and are left out: %d; they are listed at the end\n", n)
		}
	}
	s.last = p
	s.losses += p.Loss
	s.count++
	s.progress.update(p)
}

// forEval says what a part is for that is beside those of training.
func forEval(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return fmt.Sprintf(", %q for -eval alone", parts[0])
}

// someClasses is how many classes there are, and the names of the first few.
func someClasses(classes []string) string {
	const few = 5
	if len(classes) == 0 {
		return ""
	}
	var names []string
	for _, c := range classes[:min(few, len(classes))] {
		names = append(names, strconv.Quote(c))
	}
	if len(classes) > few {
		names = append(names, "...")
	}
	return fmt.Sprintf("; %d classes: %s", len(classes), strings.Join(names, ", "))
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
	fmt.Fprintf(s.stderr, "train: %s\n", printable.Line(text))
}

// outcome is the numbers of a test.
func outcome(t solver.Test) string {
	text := fmt.Sprintf("loss %.4f", t.Loss)
	for _, m := range t.Metrics {
		text += "  " + printable.Line(m.String())
	}
	return text
}

// finished draws the pictures and says what there is now and what can be done
// with it.
func (s *session) finished(r solver.Result) error {
	s.progress.clear()
	if s.c.Retest {
		fmt.Fprintf(s.stdout, "%s had come to its end, but not to its pictures: they are drawn now\n", s.c.Dir)
	}
	files, err := s.draw(r)
	if err != nil {
		return err
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
		fmt.Fprintf(s.stdout, "  %s%s\n", printable.Name(filepath.Join(s.c.Dir, name)), note)
	}
	listSkipped(s.stdout, s.skipped)
	fmt.Fprintln(s.stdout, "\nWhat next")
	w := tabwriter.NewWriter(s.stdout, 0, 0, 2, ' ', 0)
	d := data.ParsePhotoSpec(s.c.Data)
	d.Train, d.Val, d.Split = quoted(d.Train), quoted(d.Val), quoted(d.Split)
	fmt.Fprintf(w, "  test again\t%s -eval -weights %s -data %v\n", s.program, quoted(filepath.Join(s.c.Dir, solver.WeightsFile)), d)
	fmt.Fprintf(w, "  train twice as long\t%s -resume %s %s\n", s.program, quoted(s.c.Dir), longer)
	fmt.Fprintf(w, "  other networks and settings\t%s -h\n", s.program)
	return w.Flush()
}

// listSkipped lists the files that were left out, and why.
func listSkipped(w io.Writer, skipped []data.Skip) {
	if len(skipped) == 0 {
		return
	}
	fmt.Fprintf(w, "\nFiles left out: %d\n", len(skipped))
	for _, s := range skipped {
		fmt.Fprintf(w, "  %s: %s\n", printable.Name(s.Name), printable.Line(s.Reason))
	}
}

// quoted is a word of a command as a shell takes it.
func quoted(word string) string {
	if printable.Name(word) != word { // bytes in octal, as POSIX has it since 2024, and bash and zsh before
		var b strings.Builder
		for _, c := range []byte(word) {
			if c >= utf8.RuneSelf || c < ' ' || strings.ContainsRune("'\\\x7f", rune(c)) {
				fmt.Fprintf(&b, `\%03o`, c)
			} else {
				b.WriteByte(c)
			}
		}
		return "$'" + b.String() + "'"
	}
	if !strings.ContainsAny(word, " \t\n'\"`$&|;<>()[]{}*?#~!") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// stopped says how to go on after Ctrl-C.
func (s *session) stopped(r solver.Result, err error) error {
	listSkipped(s.stdout, s.skipped)
	fmt.Fprintf(s.stdout, "\nStopped and saved after %d of %d iterations. To go on:\n  %s -resume %s\n", r.Iteration, s.c.Iterations, s.program, quoted(s.c.Dir))
	return err
}

// draw writes the pictures and tables of a run, and returns the names of all
// its files.
func (s *session) draw(r solver.Result) (names []string, err error) {
	file := func(name string) string { return filepath.Join(s.c.Dir, name) }
	names = []string{solver.WeightsFile, solver.BestFile, solver.CheckpointFile, results.LogFile, curveFile}
	log, err := results.ReadLog(file(results.LogFile))
	if err != nil {
		return nil, err
	}
	title := s.c.Network.Name + " on " + dataName(s.c.Data)
	if r.Test.Confusion != nil {
		names = append(names, confusionFile+".png", confusionFile+".csv")
		if err := writeConfusion(s.c.Dir, title, r.Test); err != nil {
			return nil, err
		}
	}
	if name, ok := firstFilters(s.c.Network); ok {
		names = append(names, filtersFile)
		m, err := modelfile.Read(file(solver.WeightsFile))
		if err != nil {
			return nil, err
		}
		if err := report.Filters(file(filtersFile), m.Weights[name]); err != nil {
			return nil, err
		}
	}
	metric := results.Metric{}
	if len(r.Test.Metrics) > 0 {
		metric = r.Test.Metrics[0]
	}
	return names, report.Curve(file(curveFile), title, log, metric) // the last: see drawn
}

// writeConfusion draws a test's confusion matrix into a folder, and writes it
// as a table.
func writeConfusion(dir, title string, t *solver.Test) error {
	if len(t.Metrics) > 0 && t.Metrics[0].Share {
		title += fmt.Sprintf(": %.2f %% right", 100*t.Metrics[0].Value)
	}
	path := filepath.Join(dir, confusionFile)
	if err := report.Confusion(path+".png", title, t.Confusion); err != nil {
		return err
	}
	return atomicfile.Write(path+".csv", t.Confusion.WriteCSV)
}
