package solver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/dist"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/results"
)

// Train trains a network. It tests at each epoch's end and at the end of the
// run, and writes weights and checkpoints into the run's folder.
//
// Everything is checked before memory is allocated or the folder is changed; an
// error after the folder was changed is a FailedError. If ctx is cancelled,
// training stops after the current update, writes a checkpoint, and returns an
// error that wraps ctx.Err(). If the checkpoint could not be written, the error
// does not wrap it. A test that was interrupted is repeated when the run is
// resumed. A loss that is not finite stops training, and no checkpoint is
// written. Result always says how far training came.
func Train(ctx context.Context, c Config) (Result, error) {
	t, err := newTrainer(c)
	if err != nil {
		return Result{}, err
	}
	ctx, t.cancel = context.WithCancel(ctx)
	defer t.cancel()
	err = t.end(ctx, t.run(ctx))
	err = cmp.Or(err, t.close(), t.release())
	return t.result(), err
}

// trainer is a run: what it works with, and how far it is.
type trainer struct {
	c         Config
	ranks     ranks
	cancel    context.CancelFunc // of this training
	sets      sets               // of c
	perEpoch  int                // updates
	duties    []duty
	observers // the recorder first

	weights *graph.Weights
	exec    *graph.Executor
	joint   *joint // nil of one rank that adds as its passes do
	updater *Updater
	eval    *evaluator // nil without a test set, and of ranks that do not test
	feed    *feed
	record  *recorder // nil without a folder, and of ranks that do not write it
	doctor  *doctor
	opened  []func() error
	notice  string // of the start: what is odd; mostly empty

	iteration int             // updates done
	last      reading         // of a batch
	read      []reading       // of the passes of this rank in an update
	line      results.LogLine // of the last update that makes one
	test      *Test           // the last one
	history   history         // of the tests
	speed     speedometer
	toldBound bool // that input is the bound has been said
}

func (t *trainer) result() Result {
	r := Result{Began: true, Iteration: t.iteration, Loss: t.last.Loss, Test: t.test, Early: t.early()}
	if t.joint != nil {
		r.Exchange = t.joint.times()
	}
	if t.history.Best != nil {
		r.Best = t.history.Best.Iteration
	}
	return r
}

// early reports whether patience with the run is over.
func (t *trainer) early() bool { return t.history.exhausts(t.c.Patience) }

// run trains to the last iteration, or until patience is over.
func (t *trainer) run(ctx context.Context) error {
	if err := t.begin(ctx); err != nil || t.c.Retest {
		return err
	}
	for first := true; t.iteration < t.c.Iterations && !t.early(); first = false {
		w := t.due(t.iteration + 1)
		if first {
			w |= readLoss
		}
		stop, w, err := t.intent(ctx, w)
		if err != nil {
			return err
		}
		if stop {
			return t.stop(ctx)
		}
		samples, r, err := t.step(w)
		if err != nil {
			if t.record != nil && t.iteration == 0 && !t.c.Resume {
				t.record.abandoned = true
			}
			return fmt.Errorf("iteration %d: %w", t.iteration+1, err)
		}
		if w&readLoss != 0 {
			if !isFinite(r.Loss) && t.ranks.size() > 1 {
				return t.ranks.agree(fmt.Errorf("iteration %d: the loss is %g%s", t.iteration+1, r.Loss, t.diagnosable()))
			}
			if !isFinite(r.Loss) {
				return t.doctor.diagnose(ctx, fmt.Errorf("iteration %d: the loss is %g", t.iteration+1, r.Loss))
			}
			t.last = r
		}
		t.iteration++
		t.speed.add(samples)
		if err := t.tell(t.progress()); err != nil {
			return err
		}
		if err := t.perform(ctx, w); err != nil {
			if bad := (notFinite{}); errors.As(err, &bad) && t.ranks.size() == 1 {
				return t.doctor.diagnose(ctx, fmt.Errorf("after iteration %d: %w", t.iteration, bad))
			}
			return err
		}
	}
	return t.exec.Sync() // the last update may still be under way
}

// begin does what is due before the first update.
func (t *trainer) begin(ctx context.Context) error {
	if err := t.tell(t.started()); err != nil {
		return err
	}
	if t.notice != "" {
		if err := t.tell(Notice{t.notice}); err != nil {
			return err
		}
	}
	if t.c.Retest {
		return t.retest(ctx)
	}
	if t.c.Dir != "" && !t.c.Resume { // so that it can be resumed at any time, and a full disk shows now
		if err := t.save(ctx); err != nil {
			if t.record != nil {
				t.record.abandoned = !t.record.saved
			}
			return fmt.Errorf("the first checkpoint: %w", err)
		}
	}
	now := time.Now()
	for i := range t.duties {
		t.duties[i].done = now
	}
	t.speed.input = func() data.Throughput { return t.feed.loader.Throughput() }
	t.speed.start()
	if t.history.Due {
		return t.perform(ctx, evaluationWork|logWork|checkpointWork)
	}
	return nil
}

// retest repeats the last test of a run that has come to its end.
func (t *trainer) retest(ctx context.Context) error {
	test, err := t.testShared(ctx)
	if err != nil {
		err = fmt.Errorf("the last test, once more: %w", err)
		if t.ranks.size() > 1 && ctx.Err() != nil && errors.Is(err, ctx.Err()) { // of all ranks
			return &dist.AgreedError{Err: err}
		}
		return err
	}
	t.test = &test
	return nil
}

// step makes an update from the next batches, and does what is due inside it. What
// it reads back, only if that is due, waits for the device. It allocates nothing.
func (t *trainer) step(w work) (samples int, r reading, err error) {
	var s *batchCopy
	if t.wantsCopy(w) {
		s = &batchCopy{}
	}
	if samples, r, err = t.gradients(w&readLoss != 0, s); err != nil {
		return 0, reading{}, err
	}
	if s != nil {
		if err := t.performInside(w, s); err != nil {
			return 0, reading{}, err
		}
	}
	t.updater.Update(t.iteration)
	return samples, r, t.updater.spread()
}

// gradients computes those of the next update, and copies what it makes them from,
// if asked.
func (t *trainer) gradients(read bool, s *batchCopy) (samples int, r reading, err error) {
	whole := t.c.Whole()
	samples = min(whole, t.c.Train.Len()-t.iteration%t.perEpoch*whole)
	pass := graph.Pass{Seed: t.c.Seed, Iteration: uint32(t.iteration), WholeBatch: samples}
	mode := device.Overwrite
	if s != nil {
		if err := t.exec.Sync(); err != nil { // the last pass may still be writing it
			return 0, reading{}, err
		}
		if s.state, err = t.weights.State(); err != nil {
			return 0, reading{}, err
		}
	}
	from, to, all := t.share(samples)
	rounds := to - from
	if t.joint != nil && t.joint.sync {
		rounds = min(t.c.Accumulate, all)
	}
	readings := t.read[:0]
	pass.FirstSample = from * t.c.Batch
	for k := range to - from {
		if t.joint != nil {
			mode = t.joint.begin(k, rounds)
			pass.Across = t.across(samples, k)
		}
		b, err := t.feed.next()
		if err != nil {
			return 0, reading{}, err
		}
		if s != nil {
			s.add(b, t.c.Train)
		}
		t.exec.Forward(pass)
		t.exec.Backward(pass, mode)
		t.feed.ahead()
		if t.joint != nil {
			t.joint.end()
		}
		if read {
			r, err := readingOf(t.exec, float64(b.N)/float64(samples))
			if err != nil {
				return 0, reading{}, err
			}
			readings = append(readings, r)
		}
		pass.FirstSample += b.N
		if err := t.feed.done(); err != nil {
			return 0, reading{}, err
		}
		mode = device.Accumulate
	}
	for k := to - from; k < rounds; k++ {
		t.joint.none(k, rounds, graph.Pass{Across: t.across(samples, k)})
	}
	t.read = readings
	if t.joint != nil {
		if err := t.joint.finish(all); err != nil {
			return 0, reading{}, err
		}
	}
	if read {
		r, err = t.readings(readings)
	}
	return samples, r, err
}

// stop ends a training that was cancelled.
func (t *trainer) stop(ctx context.Context) error {
	done := fmt.Sprintf("stopped after %d of %d iterations", t.iteration, t.c.Iterations)
	if t.c.Dir == "" {
		return fmt.Errorf("%s; nothing is saved without a folder: %w", done, ctx.Err())
	}
	if err := t.save(ctx); err != nil {
		return fmt.Errorf("%s, and the checkpoint could not be written: %w", done, err)
	}
	err := fmt.Errorf("%s; resume %s to go on: %w", done, t.c.Dir, ctx.Err())
	if t.ranks.size() > 1 {
		return &dist.AgreedError{Err: err}
	}
	return err
}

// end tells of the run's end, and returns the error of training or else that of an
// observer.
func (t *trainer) end(ctx context.Context, err error) error {
	e := Ended{Result: t.result(), Reason: ReasonFailed, Err: err}
	switch {
	case err == nil && e.Early:
		e.Reason = ReasonEarly
	case err == nil:
		e.Reason = ReasonDone
	case errors.As(err, new(*Diverged)):
		e.Reason = ReasonDiverged
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		e.Reason = ReasonStopped
	}
	return cmp.Or(err, t.tell(e))
}

// epoch is the one that the last update belongs to, counted from 1.
func (t *trainer) epoch() int { return (t.iteration-1)/t.perEpoch + 1 }

func (t *trainer) started() Started {
	c := &t.c
	s := Started{
		Network: c.Network.Name, Device: c.Device.Name(), Dir: c.Dir, Samples: c.Train.Len(),
		PerEpoch: t.perEpoch, Iteration: t.iteration, Iterations: c.Iterations,
	}
	if c.Test != nil {
		s.Tests = c.Test.Len()
	}
	return s
}

func (t *trainer) progress() Progress {
	speed := t.speed.now()
	return Progress{
		Iteration:       t.iteration,
		Iterations:      t.c.Iterations,
		Epoch:           t.epoch(),
		Loss:            t.last.Loss,
		Metrics:         t.last.Metrics,
		Rate:            t.updater.rate(t.iteration - 1),
		ImagesPerSecond: speed.imagesPerSecond(),
		InputPerSecond:  speed.input.PerSecond(),
	}
}
