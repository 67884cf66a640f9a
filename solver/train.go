package solver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/results"
)

// Train trains a network. It tests at each epoch's end and at the end of the
// run, and writes weights and checkpoints into the run's folder.
//
// Everything is checked before memory is allocated or the folder is touched; an
// error that came only when the folder was touched is a FailedError.
// Where ctx is cancelled, training stops after the update it is in, writes a
// checkpoint, and returns an error that wraps ctx.Err(); where that could not
// be written, the error does not. A test that is cut short so is made up for
// when the run is resumed. A loss that is not a finite number stops training
// and writes no checkpoint. Result says in any case how far training came.
func Train(ctx context.Context, c Config) (Result, error) {
	t, err := newTrainer(c)
	if err != nil {
		return Result{}, err
	}
	err = t.run(ctx)
	if err == nil && c.Ended != nil {
		err = c.Ended(t.result())
	}
	err = cmp.Or(err, t.close())
	if t.stillborn {
		err = cmp.Or(err, t.discard())
	}
	return t.result(), cmp.Or(err, t.unlock())
}

// trainer is a run: what it works with, and how far it is.
type trainer struct {
	c        Config
	sets     sets // of c
	perEpoch int  // updates

	weights  *graph.Weights
	exec     *graph.Executor
	sgd      *updater
	eval     *evaluator // nil without a test set
	feed     *feed
	log      *logWriter // nil without a folder
	debugLog *logWriter // nil where there is none
	probe    *probe     // nil before the first use
	opened   []func() error
	lock     io.Closer // of the folder; nil without one

	stillborn bool      // the first checkpoint could not be written
	iteration int       // updates done
	last      reading   // of a batch
	test      *Test     // the last one
	standing  standing  // after it
	saved     time.Time // when the last checkpoint was written
	speed     speedometer
	bound     bool // that input is the bound has been said
}

func (t *trainer) result() Result {
	r := Result{Began: true, Iteration: t.iteration, Loss: t.last.Loss, Test: t.test, Early: t.standing.over(t.c.Patience)}
	if t.standing.Best != nil {
		r.Best = t.standing.Best.Iteration
	}
	return r
}

// run trains to the last iteration, or until patience is over.
func (t *trainer) run(ctx context.Context) error {
	if t.c.Retest {
		return t.retest(ctx)
	}
	if t.c.Dir != "" && !t.c.Resume { // so that it can be resumed at any time, and a full disk shows now
		if err := t.save(); err != nil {
			t.stillborn = true
			return fmt.Errorf("the first checkpoint: %w", err)
		}
	}
	t.saved = time.Now()
	t.speed.input = func() data.Throughput { return t.feed.loader.Throughput() }
	t.speed.start()
	if t.standing.Due {
		if err := t.finish(ctx, work{test: true, log: true, save: true}); err != nil {
			return err
		}
	}
	for first := true; t.iteration < t.c.Iterations && !t.standing.over(t.c.Patience); first = false {
		if ctx.Err() != nil {
			return t.stop(ctx)
		}
		after := t.after(t.iteration + 1)
		after.save = after.save || t.saveIsDue()
		read := first || after.log || after.save
		samples, r, err := t.step(read)
		if err != nil {
			return fmt.Errorf("iteration %d: %w", t.iteration+1, err)
		}
		if read {
			if !isFinite(r.Loss) {
				return t.diagnose(ctx, fmt.Errorf("iteration %d: the loss is %g", t.iteration+1, r.Loss))
			}
			t.last = r
		}
		t.iteration++
		t.speed.add(samples)
		if t.c.Progress != nil {
			t.c.Progress(t.progress())
		}
		if err := t.finish(ctx, after); err != nil {
			if bad := (notFinite{}); errors.As(err, &bad) {
				return t.diagnose(ctx, fmt.Errorf("after iteration %d: %w", t.iteration, bad))
			}
			return err
		}
	}
	return t.exec.Sync() // the last update may still be under way
}

// retest repeats the last test of a run that has come to its end.
func (t *trainer) retest(ctx context.Context) error {
	test, err := t.eval.run(ctx)
	if err != nil {
		return fmt.Errorf("the last test, once more: %w", err)
	}
	test.Iteration, test.Epoch = t.iteration, t.epoch()
	t.test = &test
	return nil
}

// work is what is due after an update.
type work struct{ test, log, save bool }

// saveIsDue reports whether the time for a checkpoint has come.
func (t *trainer) saveIsDue() bool {
	return t.c.Dir != "" && t.c.CheckpointTime > 0 && time.Since(t.saved) >= t.c.CheckpointTime
}

// after is the work that is due after update k, counted from 1.
func (t *trainer) after(k int) work {
	last := k == t.c.Iterations
	test := t.eval != nil && (last || k%t.perEpoch == 0)
	return work{
		test: test,
		log:  test || last || k == 1 || k%t.c.LogEvery == 0,
		save: t.c.Dir != "" && (last || t.c.CheckpointEvery > 0 && k%t.c.CheckpointEvery == 0),
	}
}

// step makes an update from the next batches. What it reads back, only if
// asked, waits for the device. It allocates nothing.
func (t *trainer) step(read bool) (samples int, r reading, err error) {
	var keep *kept
	if t.debugIsDue() {
		keep = &kept{}
	}
	if samples, r, err = t.gradients(read, keep); err != nil {
		return 0, reading{}, err
	}
	if keep != nil {
		if err := t.debug(keep); err != nil {
			return 0, reading{}, fmt.Errorf("debugging: %w", err)
		}
	}
	t.sgd.update(t.iteration)
	return samples, r, nil
}

// gradients computes those of the next update, and keeps a copy of what it
// makes them from, if asked.
func (t *trainer) gradients(read bool, keep *kept) (samples int, r reading, err error) {
	whole := t.c.Batch * t.c.Accumulate
	samples = min(whole, t.c.Train.Len()-t.iteration%t.perEpoch*whole)
	pass := graph.Pass{Seed: t.c.Seed, Iteration: uint32(t.iteration), WholeBatch: samples}
	mode := device.Overwrite
	if keep != nil {
		if err := t.exec.Sync(); err != nil { // the last pass may still be writing it
			return 0, reading{}, err
		}
		if keep.state, err = t.weights.State(); err != nil {
			return 0, reading{}, err
		}
	}
	for pass.FirstSample < samples {
		b, err := t.feed.next()
		if err != nil {
			return 0, reading{}, err
		}
		if keep != nil {
			keep.add(b, t.c.Train)
		}
		t.exec.Forward(pass)
		t.exec.Backward(pass, mode)
		t.feed.ahead()
		if read {
			if err := r.add(t.exec, float64(b.N)/float64(samples)); err != nil {
				return 0, reading{}, err
			}
		}
		pass.FirstSample += b.N
		if err := t.feed.done(); err != nil {
			return 0, reading{}, err
		}
		mode = device.Accumulate
	}
	return samples, r, nil
}

// add adds what the last pass achieved, weighed by its part of the whole batch.
func (r *reading) add(e *graph.Executor, weight float64) error {
	loss, err := e.Loss()
	if err != nil {
		return err
	}
	if r.Metrics == nil {
		r.Metrics = newMetrics(e.Plan().Network)
	}
	r.Loss += loss * weight
	return addMetrics(r.Metrics, e, weight)
}

// finish does the work that is due after an update.
func (t *trainer) finish(ctx context.Context, w work) error {
	if w == (work{}) {
		return nil
	}
	t.speed.stop()
	defer t.speed.start()
	if text := t.speed.inputBound(); text != "" && !t.bound && t.c.Notice != nil {
		t.bound = true
		t.c.Notice(text)
	}
	line := results.LogLine{
		Iteration:       t.iteration,
		Epoch:           float64(t.iteration) / float64(t.perEpoch),
		Loss:            t.last.Loss,
		Rate:            t.sgd.rate(t.iteration - 1),
		ImagesPerSecond: t.speed.now().imagesPerSecond(),
		Train:           t.last.Metrics,
	}
	if w.test {
		// The test reads, on a queue of its own, weights that the update may
		// still be writing.
		if err := t.exec.Sync(); err != nil {
			return fmt.Errorf("iteration %d: %w", t.iteration, err)
		}
		t.standing.Due = true
		test, err := t.eval.run(ctx)
		if err != nil && ctx.Err() != nil {
			if err := t.logLine(line); err != nil {
				return err
			}
			return t.stop(ctx)
		}
		if err != nil {
			return fmt.Errorf("after iteration %d: %w", t.iteration, err)
		}
		if !isFinite(test.Loss) {
			return t.diagnoseTest(ctx, test.Loss)
		}
		test.Iteration, test.Epoch = t.iteration, t.epoch()
		line.TestLoss, line.Test = &test.Loss, test.Metrics
		t.test = &test
		if err := t.judge(&test); err != nil {
			return err
		}
		w.save = w.save || t.c.Dir != "" && t.standing.over(t.c.Patience)
		if t.c.Tested != nil {
			t.c.Tested(test)
		}
	}
	if w.log {
		if err := t.logLine(line); err != nil {
			return err
		}
	}
	if w.save {
		if err := t.save(); err != nil {
			return err
		}
	}
	return nil
}

// logLine writes a line, if there is a log.
func (t *trainer) logLine(line results.LogLine) error {
	if t.log == nil {
		return nil
	}
	return t.log.write(line)
}

// stop ends a training that was cancelled.
func (t *trainer) stop(ctx context.Context) error {
	done := fmt.Sprintf("stopped after %d of %d iterations", t.iteration, t.c.Iterations)
	if t.c.Dir == "" {
		return fmt.Errorf("%s; nothing is saved without a folder: %w", done, ctx.Err())
	}
	if err := t.save(); err != nil {
		return fmt.Errorf("%s, and the checkpoint could not be written: %w", done, err)
	}
	return fmt.Errorf("%s; resume %s to go on: %w", done, t.c.Dir, ctx.Err())
}

// epoch is the one that the last update belongs to, counted from 1.
func (t *trainer) epoch() int { return (t.iteration-1)/t.perEpoch + 1 }

func (t *trainer) progress() Progress {
	speed := t.speed.now()
	return Progress{
		Iteration:       t.iteration,
		Iterations:      t.c.Iterations,
		Epoch:           t.epoch(),
		Loss:            t.last.Loss,
		Metrics:         t.last.Metrics,
		Rate:            t.sgd.rate(t.iteration - 1),
		ImagesPerSecond: speed.imagesPerSecond(),
		InputPerSecond:  speed.input.PerSecond(),
	}
}
