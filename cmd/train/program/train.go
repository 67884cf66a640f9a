package program

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/solver"
)

// newRun is the configuration of a run that -out begins, and its data.
func (o *options) newRun(ctx context.Context, progress io.Writer) (c solver.Config, s sets, err error) {
	c = solver.Config{
		Data:       o.dataText(),
		DirectConv: o.deviceOptions().DirectConv,
		TF32:       o.tf32,
		Optimiser:  o.optimiser(),
		Batch:      o.batch,
		Accumulate: o.accumulate,
		Group:      o.group,
		FixedOrder: o.distOrder == orderFixed,
		Sharded:    o.zero,
		SyncBN:     o.syncBN,
		Seed:       o.seed,
		Balance:    o.balance,
		Frozen:     o.frozen,
		Fresh:      o.fresh,
		DataInit:   o.dataInit,
		Dir:        o.folder(),
		Weights:    o.weights,
		Patience:   o.patience,
		Memory:     int64(o.memory),
	}
	c.LogEvery, c.DebugEvery = o.logEvery, o.debug
	c.CheckpointEvery, c.CheckpointTime = o.checkpoint.iterations, o.checkpoint.time
	if err := c.Optimiser.Check(); err != nil {
		return c, s, err
	}
	if err := checkFolder(c.Dir); err != nil && !o.check && o.mode == training {
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
	o.record(&c)
	return c, s, nil
}

// folder is that of a new run.
func (o *options) folder() string {
	return cmp.Or(o.out, filepath.Join("runs", o.runName()))
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
	c.Group, c.Sharded, c.DebugEvery = o.group, o.zero, o.debug
	if o.group != nil {
		if err := c.Spread(o.group.Size()); err != nil {
			return c, s, fmt.Errorf("%s: %w", o.resume, err)
		}
	}
	if o.given["log-every"] {
		c.LogEvery = o.logEvery
	}
	if o.given["checkpoint"] {
		c.CheckpointEvery, c.CheckpointTime = o.checkpoint.iterations, o.checkpoint.time
	}
	if o.given["patience"] {
		c.Patience = o.patience
	}
	c.Memory = int64(o.memory)
	if o.data != "" {
		if before := orderOf(c.Data); c.Data != "" && before != orderOf(o.dataText()) {
			return c, s, fmt.Errorf("%s was begun with -order %s, and the colours of three channels would not be what they were: give the same order", o.resume, before)
		}
		c.Data = o.dataText()
	}
	if c.Data == "" && checkpoint.WithoutData() {
		return c, s, fmt.Errorf("%s was converted, and has no data set yet: -data names it, with -val or -split", o.resume)
	}
	if err := o.knowsSamples(checkpoint, c.Data, stderr); err != nil {
		return c, s, err
	}
	s, err = o.openData(ctx, c.Data, c.Network, &c.Preprocess, stderr)
	if err != nil && o.data == "" {
		err = fmt.Errorf("%w; if the data has moved, -data says where to, with -val, -split, -classes, -each and -order as before", err)
	}
	if err != nil {
		return c, s, err
	}
	c.Train, c.Test = s.train, s.test
	if o.given["epochs"] || o.given["iters"] {
		c.Iterations = o.iterations(c)
	}
	o.record(&c)
	// The name of the CPU alone is no word on its path, which the program chose.
	c.OtherArithmetic = o.given["cpu-path"] || o.given["device"] && (o.device != "cpu" || kindOf(checkpoint.Arithmetic) != "cpu")
	done := checkpoint.Done(c.Iterations)
	c.Retest = (done || checkpoint.Early(c.Patience)) && !checkpoint.WithoutData() && !drawn(c.Dir, checkpoint)
	if (c.Train.Len() == checkpoint.Samples || checkpoint.WithoutData()) && done && !c.Retest {
		return c, s, fmt.Errorf("%s has %d of %d iterations behind it; a larger -epochs or -iters goes on with it", o.resume, checkpoint.Iteration, c.Iterations)
	}
	return c, s, nil
}

// orderOf is the order of channels that a dataText says or takes for granted.
func orderOf(text string) string { return cmp.Or(data.ParsePhotoSpec(text).Order, "bgr") }

// knowsSamples refuses a run whose checkpoint does not say which pictures it was
// trained on, where it cannot be found out either: such a run was begun when a
// split still followed the order in which files were stored.
func (o *options) knowsSamples(c *solver.Checkpoint, dataText string, stderr io.Writer) error {
	if c.Named() || c.WithoutData() || !data.IsPath(data.ParsePhotoSpec(dataText).Train) {
		return nil
	}
	if split := splitElsewhere(c, dataText); split != "" {
		return fmt.Errorf("%s was begun when -split %s put other pictures aside than it does now, so that it would be tested on some that it was trained on; "+
			"begin a new run, with -weights %s where its weights may have seen some of them",
			o.resume, split, command.Quoted(filepath.Join(o.resume, solver.WeightsFile)))
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
		return fmt.Errorf("%s is there already: choose another folder with -out, go on with -resume %s, or remove it", dir, command.Quoted(dir))
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
	return solver.Iterations(1, c.Train.Len(), c.Whole())
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
	if err == nil {
		c.Device, err = o.openDevice(c)
	}
	if err := o.agree(err); err != nil {
		return err
	}
	defer command.Close(c.Device, &err)
	if !o.first() {
		return o.trainBeside(ctx, c)
	}
	shown, err := o.watch(&c, stdout)
	if err != nil {
		return err
	}
	defer command.Close(shown, &err)
	s := session{c: c, skipped: opened.skipped, parts: opened.parts, index: opened.index, program: program, stdout: stdout, stderr: stderr, progress: newProgress(stderr), started: time.Now()}
	if o.logCSV {
		s.extras = append(s.extras, &csvLog{c: c})
	}
	if o.tensorBoard {
		s.extras = append(s.extras, &board{c: c})
	}
	for _, x := range s.extras {
		c.Observers = append(c.Observers, x)
	}
	c.Observers = append(c.Observers, &s) // it lists the others' files
	result, err := solver.Train(ctx, c)
	s.progress.clear()
	if errors.Is(err, context.Canceled) { // another rank's ctx, perhaps
		o.stop()
	}
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
