package solver

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/hubel-go/hubel/results"
)

// work is a set of what is due with an update.
type work uint

const (
	readLoss work = 1 << iota // the loss and the metrics of the batch are read back
	statisticsWork
	monitorWork
	evaluationWork
	logWork
	filterWork
	checkpointWork
)

// duty is something that a run does besides its updates, and when it is due. Updates
// are counted from 1.
type duty struct {
	is    work
	reads bool // it needs the loss of the batch

	every int             // so many updates; 0 is never
	phase int             // which of so many: 0 the last, 1 the first
	clock time.Duration   // after so much time; 0 is never
	first bool            // with the first update of the run
	last  bool            // with the last one, also where patience ends the run
	with  work            // where one of these, which stand before it, is due
	asked <-chan struct{} // when something can be received; nil is never

	// inside is called between the gradients of an update and the update, with a copy
	// of what they are made from. after is called after it.
	inside func(s *batchCopy) error
	after  func(ctx context.Context) error

	done time.Time // the last time
}

// workList lists all that a run does besides its updates, in the order in which it is
// done. Nothing else decides when. What is to be done once, when a run has ended, such
// as drawing its pictures, hangs on the event Ended.
func (t *trainer) workList() []duty {
	c := &t.c
	list := []duty{
		{is: statisticsWork, every: c.DebugEvery, phase: 1, inside: t.doctor.logStatistics},
		{is: monitorWork, every: c.MonitorEvery, phase: 1, inside: t.doctor.logMonitor},
	}
	if c.Test != nil {
		list = append(list, duty{is: evaluationWork, every: t.perEpoch, last: true, after: t.evaluate})
	}
	list = append(list, duty{is: logWork, every: c.LogEvery, first: true, last: true, with: evaluationWork, reads: true, after: t.logLine})
	if _, ok := FirstFilters(c.Network); ok && c.Watch.FiltersEvery > 0 {
		list = append(list, duty{is: filterWork, every: c.Watch.FiltersEvery, first: true, last: true, after: t.logFilters})
	}
	if c.Dir != "" {
		list = append(list, duty{is: checkpointWork, every: c.CheckpointEvery, clock: c.CheckpointTime, last: true, asked: c.SaveNow, reads: true, after: t.save})
	}
	return list
}

// due is what is due with update k.
func (t *trainer) due(k int) (w work) {
	for i := range t.duties {
		d := &t.duties[i]
		switch {
		case d.every > 0 && k%d.every == d.phase%d.every,
			d.first && k == 1,
			d.last && k == t.c.Iterations,
			d.with&w != 0,
			d.clock > 0 && time.Since(d.done) >= d.clock,
			isAsked(d.asked):
			w |= d.is
			if d.reads {
				w |= readLoss
			}
		}
	}
	return w
}

// isAsked reports whether something could be received.
func isAsked(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// wantsCopy reports whether a duty of a set wants to see what an update is made from.
func (t *trainer) wantsCopy(w work) bool {
	return slices.ContainsFunc(t.duties, func(d duty) bool { return d.is&w != 0 && d.inside != nil })
}

// performInside does what is due between the gradients and the update.
func (t *trainer) performInside(w work, s *batchCopy) error {
	for i := range t.duties {
		if d := &t.duties[i]; d.is&w != 0 && d.inside != nil {
			if err := d.inside(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// perform does what is due after an update.
func (t *trainer) perform(ctx context.Context, w work) error {
	if !slices.ContainsFunc(t.duties, func(d duty) bool { return d.is&w != 0 && d.after != nil }) {
		return nil
	}
	t.speed.stop()
	defer t.speed.start()
	if text := t.speed.inputBound(); text != "" && !t.toldBound {
		t.toldBound = true
		if err := t.tell(Notice{text}); err != nil {
			return err
		}
	}
	t.line = results.LogLine{
		Iteration:       t.iteration,
		Epoch:           float64(t.iteration) / float64(t.perEpoch),
		Loss:            t.last.Loss,
		Train:           t.last.Metrics,
		Rate:            t.updater.rate(t.iteration - 1),
		ImagesPerSecond: t.speed.now().imagesPerSecond(),
		InputPerSecond:  t.speed.now().input.PerSecond(),
	}
	for i := range t.duties {
		d := &t.duties[i]
		if d.after == nil || d.is&w == 0 && !(d.last && t.early()) {
			continue
		}
		d.done = time.Now()
		if err := d.after(ctx); err != nil {
			return err
		}
	}
	return nil
}

// evaluate tests the weights, and keeps them if they are the best so far.
func (t *trainer) evaluate(ctx context.Context) error {
	// The test reads, on a queue of its own, weights that the update may
	// still be writing.
	if err := t.exec.Sync(); err != nil {
		return fmt.Errorf("iteration %d: %w", t.iteration, err)
	}
	t.history.Due = true
	test, err := t.testShared(ctx)
	if err != nil && ctx.Err() != nil {
		if err := t.logLine(ctx); err != nil {
			return err
		}
		return t.stop(ctx)
	}
	if err != nil {
		return fmt.Errorf("after iteration %d: %w", t.iteration, err)
	}
	if !isFinite(test.Loss) && t.ranks.size() > 1 {
		return t.ranks.agree(fmt.Errorf("after iteration %d: the loss on the test set is %g%s", t.iteration, test.Loss, t.diagnosable()))
	}
	if !isFinite(test.Loss) {
		return t.doctor.diagnoseTest(ctx, test.Loss)
	}
	t.line.TestLoss, t.line.Test = &test.Loss, test.Metrics
	if a := test.Average; a != nil {
		t.line.AverageLoss, t.line.Average = &a.Loss, a.Metrics
	}
	t.test = &test
	plateau := 0
	if t.c.Optimiser.Schedule.Policy == Plateau {
		plateau = t.c.Optimiser.Schedule.Step
	}
	best := t.history.add(&test, t.c.Network.Metrics, plateau)
	t.updater.drops = t.history.Drops
	if best && t.record != nil {
		if err := t.saveBest(); err != nil {
			return err
		}
	}
	return t.tell(test)
}

// runTest tests the weights, and then their averages, if there are some.
func (t *trainer) runTest(ctx context.Context) (Test, error) {
	test, err := t.eval.run(ctx)
	if err != nil {
		return Test{}, err
	}
	test.Iteration, test.Epoch = t.iteration, t.epoch()
	if test.Answers != nil {
		test.Answers.Iteration = t.iteration
	}
	if !t.c.Optimiser.averages() || !isFinite(test.Loss) {
		return test, nil
	}
	return test, t.updater.withAverages(func() error {
		average, err := t.eval.run(ctx)
		average.Answers = nil
		average.Iteration, average.Epoch = test.Iteration, test.Epoch
		test.Average = &average
		return err
	})
}

// logLine tells of the line of the log that this update makes.
func (t *trainer) logLine(context.Context) error { return t.tell(Logged{t.line}) }

// save writes a checkpoint, and the weights. A rank that does not write gives its part of them.
func (t *trainer) save(context.Context) error {
	if t.record == nil {
		return t.updater.give()
	}
	s, err := t.snapshot()
	if err != nil {
		return err
	}
	path, err := t.record.checkpoint(s)
	if err != nil {
		return err
	}
	return t.tell(Saved{Iteration: t.iteration, Path: path})
}

// saveBest writes the weights as the best.
func (t *trainer) saveBest() error {
	tensors, metadata, err := t.model()
	if err != nil {
		return err
	}
	path, err := t.record.best(tensors, metadata, t.history.Best)
	if err != nil {
		return err
	}
	return t.tell(Saved{Iteration: t.iteration, Path: path, Best: true})
}
