package serve

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hubel-go/hubel/predict"
)

// batcher runs the pictures of several requests through a Predictor together.
//
// One batch runs at a time, and uses all of the device. The next one starts when it is
// full, when as many pictures wait as are to be expected, or when a batch that could have
// started has waited long enough. Expected are those that were answered or waiting when the
// last batch ended: clients that got an answer often ask again. So a client alone never
// waits for others, and eight that ask in turn share a batch.
type batcher struct {
	predictor *predict.Predictor
	full      int           // pictures of a batch
	wait      time.Duration // for more of them
	most      int           // places
	meter     *modelMeter

	mu       sync.Mutex
	places   int // that requests have taken
	waiting  []*job
	expected int
	closed   bool

	changed chan struct{} // of room for one: something waits, or closed was set
	ended   chan struct{} // closed when the loop has ended
}

// job is a picture of a request.
type job struct {
	ctx   context.Context
	views [][]float32 // for Predictor.Run
	since time.Time
	group *group

	y   predict.Prediction
	err error
}

// group is the jobs of a request.
type group struct {
	left atomic.Int64
	done chan struct{} // closed when none is left
}

// newBatcher starts a batcher.
func newBatcher(p *predict.Predictor, o *Options, m *modelMeter) *batcher {
	b := &batcher{
		predictor: p, full: max(1, p.Batch()/p.Views()), wait: o.Wait, most: o.Queue, meter: m,
		expected: 1, changed: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	go b.loop()
	return b
}

// take takes places for n pictures, which give has to return. If there are not enough, it is
// errFull.
func (b *batcher) take(n int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.places+n > b.most {
		return errFull
	}
	b.places += n
	return nil
}

func (b *batcher) give(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.places -= n
}

// length is how many pictures wait.
func (b *batcher) length() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiting)
}

// predict predicts for pictures, for which there are places. It ends when ctx does; what
// has not run then is dropped.
func (b *batcher) predict(ctx context.Context, pictures [][][]float32) ([]predict.Prediction, error) {
	g := &group{done: make(chan struct{})}
	g.left.Store(int64(len(pictures)))
	jobs := make([]*job, len(pictures))
	now := time.Now()
	for i, views := range pictures {
		jobs[i] = &job{ctx: ctx, views: views, since: now, group: g}
	}
	b.mu.Lock()
	b.waiting = append(b.waiting, jobs...)
	b.mu.Unlock()
	b.wake()
	select {
	case <-g.done:
	case <-ctx.Done():
		b.wake() // so that it is dropped now
		return nil, ctx.Err()
	}
	all := make([]predict.Prediction, len(jobs))
	for i, j := range jobs {
		if j.err != nil {
			return nil, j.err
		}
		all[i] = j.y
	}
	return all, nil
}

func (b *batcher) wake() {
	select {
	case b.changed <- struct{}{}:
	default: // it is going to look
	}
}

// close ends the batcher after what waits.
func (b *batcher) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.wake()
	<-b.ended
}

func (b *batcher) loop() {
	defer close(b.ended)
	for {
		jobs := b.collect()
		if jobs == nil {
			return
		}
		b.run(jobs)
	}
}

// collect waits for the next batch. It is nil after the last one.
func (b *batcher) collect() []*job {
	free := time.Now()
	timer := time.NewTimer(b.wait)
	defer timer.Stop()
	for {
		jobs, due, closed := b.ready(free)
		switch {
		case jobs != nil:
			return jobs
		case closed:
			return nil
		}
		if due > 0 {
			timer.Reset(due)
		}
		select {
		case <-b.changed:
		case <-timer.C:
		}
	}
}

// ready takes a batch if it may start now. Otherwise due is how long the first picture may
// still wait, 0 if there is none. No batch could run before free.
func (b *batcher) ready(free time.Time) (jobs []*job, due time.Duration, closed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.waiting)
	b.waiting = slices.DeleteFunc(b.waiting, func(j *job) bool { return j.ctx.Err() != nil })
	b.meter.dropped.Add(before - len(b.waiting))
	if len(b.waiting) == 0 {
		return nil, 0, b.closed
	}
	from := b.waiting[0].since
	if from.Before(free) {
		from = free
	}
	due = b.wait - time.Since(from)
	if due > 0 && !b.closed && len(b.waiting) < min(b.full, b.expected) {
		return nil, due, false
	}
	n := min(b.full, len(b.waiting))
	jobs = slices.Clone(b.waiting[:n])
	b.waiting = slices.Delete(b.waiting, 0, n)
	return jobs, 0, false
}

// run runs a batch, and tells those who wait for it.
func (b *batcher) run(jobs []*job) {
	var samples [][]float32
	for _, j := range jobs {
		samples = append(samples, j.views...)
	}
	start := time.Now()
	all, err := b.pass(samples)
	b.meter.passSeconds.UpdateDuration(start)
	b.meter.batchPictures.Update(float64(len(jobs)))
	b.meter.pictures.Add(len(jobs))

	b.mu.Lock()
	b.expected = len(jobs) + len(b.waiting)
	b.mu.Unlock()
	for _, j := range jobs {
		if j.err = err; err == nil {
			n := len(j.views)
			j.y, all = predict.Mean(all[:n]), all[n:]
			j.err = j.y.Answered()
		}
		if j.group.left.Add(-1) == 0 {
			close(j.group.done)
		}
	}
}

// pass is Predictor.Run, where a layer that panics is an error of its batch.
func (b *batcher) pass(samples [][]float32) (all []predict.Prediction, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the network panics: %v", p)
		}
	}()
	return b.predictor.Run(context.Background(), samples)
}
