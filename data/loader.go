package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync/atomic"

	"gorgonia.org/tensor"
)

// LoaderOptions says which batches a Loader makes.
type LoaderOptions struct {
	Batch int // samples of a batch; the last one of an epoch may be smaller

	// Shuffle makes the order of each epoch a permutation drawn from Seed and
	// the epoch's number. Otherwise samples come in the data set's order, as
	// evaluation wants them.
	Shuffle bool
	Seed    uint64

	Epochs int // after so many, Next returns io.EOF; 0 means no end

	// Start is the first iteration. The batches of an iteration depend on its
	// number and the other options alone, so a run that stopped before
	// iteration k goes on with Start k.
	Start int

	Prefetch   int // batches made ahead; 0 means 2
	Preprocess Preprocess
}

// Batch is some samples in host memory. It belongs to the caller from Next to
// Release.
type Batch struct {
	X       *tensor.Dense // [N,C,H,W] float32
	Labels  *tensor.Dense // [N] int32
	Targets *tensor.Dense // [N,T] float32 of a Regression, otherwise nil
	N       int

	Iteration int // counted from the start of training, over all epochs
	Epoch     int
	First     int   // the place in the epoch of the batch's first sample
	Samples   []int // [N], indexes in the data set

	loader  *Loader
	held    atomic.Bool
	x       []float32
	labels  []int32
	targets []float32
	samples []int
	full    views // of Batch samples
	last    views // of the last, smaller batch
}

// views are a batch's memory as tensors of one number of samples.
type views struct{ x, labels, targets *tensor.Dense }

// Release gives the batch back to be filled again. Call it once nothing reads
// the batch any more: after the event of an upload has passed. Releasing twice
// panics.
func (b *Batch) Release() {
	if !b.held.CompareAndSwap(true, false) {
		panic("data: a batch is released twice")
	}
	b.loader.heldBatches.Add(-1)
	b.loader.free <- b
}

// Loader makes batches of a data set in a goroutine of its own, ahead of their
// use, in a fixed set of memory: a warm loader allocates nothing.
//
// Next belongs to one goroutine at a time; Release and Close may be called
// from any.
type Loader struct {
	data      Dataset
	targets   Regression // data, if it is one
	perSample int        // numbers of a target
	o         LoaderOptions
	batches   int // of an epoch
	sampleLen int
	order     []int32 // of the epoch orderEpoch; nil where not shuffled
	ordered   int     // the epoch that order is of; -1 before the first

	ctx         context.Context
	cancel      context.CancelCauseFunc
	free, ready chan *Batch
	heldBatches atomic.Int32
	err         error // why ready is closed; set before it is
	done        chan struct{}
}

var errClosed = errors.New("the data loader is closed")

// NewLoader starts a loader. It ends when it is closed or ctx is cancelled.
func NewLoader(ctx context.Context, d Dataset, o LoaderOptions) (*Loader, error) {
	if err := checkShape(d.Shape()); err != nil {
		return nil, fmt.Errorf("data loader: %w", err)
	}
	if err := o.Preprocess.Check(d.Shape()); err != nil {
		return nil, fmt.Errorf("data loader: %w", err)
	}
	switch n := d.Len(); {
	case n < 1 || n > math.MaxInt32:
		return nil, fmt.Errorf("data loader: a data set of %d samples is empty or too large", n)
	case o.Batch < 1:
		return nil, fmt.Errorf("data loader: batch %d must be at least 1", o.Batch)
	case o.Epochs < 0 || o.Start < 0 || o.Prefetch < 0:
		return nil, fmt.Errorf("data loader: epochs %d, start %d and prefetch %d must not be negative", o.Epochs, o.Start, o.Prefetch)
	}
	if o.Prefetch == 0 {
		o.Prefetch = 2
	}
	slots := o.Prefetch + 1 // one is with the caller
	l := &Loader{
		data:      d,
		o:         o,
		batches:   (d.Len() + o.Batch - 1) / o.Batch,
		sampleLen: d.Shape().TotalSize(),
		ordered:   -1,
		free:      make(chan *Batch, slots),
		ready:     make(chan *Batch, slots),
		done:      make(chan struct{}),
	}
	if r, ok := d.(Regression); ok {
		if l.targets, l.perSample = r, r.Targets(); l.perSample < 1 {
			return nil, fmt.Errorf("data loader: a target of %d numbers must have at least 1", l.perSample)
		}
	}
	if o.Shuffle {
		l.order = make([]int32, d.Len())
	}
	for range slots {
		l.free <- l.newBatch()
	}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	go l.run()
	return l, nil
}

func (l *Loader) newBatch() *Batch {
	n := min(l.o.Batch, l.data.Len())
	b := &Batch{
		loader:  l,
		x:       make([]float32, n*l.sampleLen),
		labels:  make([]int32, n),
		targets: make([]float32, n*l.perSample),
		samples: make([]int, n),
	}
	b.full = l.views(b, n)
	b.last = l.views(b, l.data.Len()-(l.batches-1)*l.o.Batch)
	return b
}

func (l *Loader) views(b *Batch, n int) views {
	s := l.data.Shape()
	v := views{
		x:      tensor.New(tensor.WithShape(n, s[0], s[1], s[2]), tensor.WithBacking(b.x[:n*l.sampleLen])),
		labels: tensor.New(tensor.WithShape(n), tensor.WithBacking(b.labels[:n])),
	}
	if l.targets != nil {
		v.targets = tensor.New(tensor.WithShape(n, l.perSample), tensor.WithBacking(b.targets[:n*l.perSample]))
	}
	return v
}

// BatchesPerEpoch is the number of batches of an epoch, the smaller one at its
// end included.
func (l *Loader) BatchesPerEpoch() int { return l.batches }

// Next returns the next batch. It waits for it if need be. After the last one
// its error is io.EOF; an error of the data set comes when all batches before
// it have been delivered, and stays.
//
// At most Prefetch+1 batches can be held at once, and while more than one is,
// fewer are made ahead.
func (l *Loader) Next() (*Batch, error) {
	if l.ctx.Err() != nil {
		return nil, context.Cause(l.ctx)
	}
	if n := int(l.heldBatches.Load()); n == cap(l.free) {
		return nil, fmt.Errorf("data loader: all %d batches are held; release one, or prefetch more", n)
	}
	select {
	case b, ok := <-l.ready:
		if !ok {
			return nil, l.err
		}
		b.held.Store(true)
		l.heldBatches.Add(1)
		return b, nil
	case <-l.ctx.Done():
		return nil, context.Cause(l.ctx)
	}
}

// Close ends the loader and waits until its goroutine has ended. Batches that
// are held stay as they are.
func (l *Loader) Close() {
	l.cancel(errClosed)
	<-l.done
}

// run makes batches until the last epoch's end, an error, or cancellation.
func (l *Loader) run() {
	defer close(l.done)
	defer close(l.ready)
	for iteration := l.o.Start; ; iteration++ {
		if l.o.Epochs > 0 && iteration/l.batches >= l.o.Epochs {
			l.err = io.EOF
			return
		}
		select {
		case b := <-l.free:
			if l.err = l.fill(b, iteration); l.err != nil {
				return
			}
			l.ready <- b // never waits: there is room for every batch
		case <-l.ctx.Done():
			l.err = context.Cause(l.ctx)
			return
		}
	}
}

// fill makes the batch of the iteration.
func (l *Loader) fill(b *Batch, iteration int) error {
	b.Iteration = iteration
	b.Epoch = iteration / l.batches
	b.First = iteration % l.batches * l.o.Batch
	b.N = min(l.o.Batch, l.data.Len()-b.First)
	v := b.full
	if b.N < len(b.labels) {
		v = b.last
	}
	b.X, b.Labels, b.Targets, b.Samples = v.x, v.labels, v.targets, b.samples[:b.N]

	if l.order != nil && l.ordered != b.Epoch {
		permute(l.order, l.o.Seed, b.Epoch)
		l.ordered = b.Epoch
	}
	classes := len(l.data.Classes())
	for n := range b.N {
		if l.ctx.Err() != nil {
			return context.Cause(l.ctx)
		}
		i := b.First + n
		if l.order != nil {
			i = int(l.order[i])
		}
		x := b.x[n*l.sampleLen : (n+1)*l.sampleLen]
		label, err := l.data.Read(x, i)
		if err != nil {
			return fmt.Errorf("sample %d: %w", i, err)
		}
		if l.targets != nil {
			if err := l.targets.ReadTarget(b.targets[n*l.perSample:(n+1)*l.perSample], i); err != nil {
				return fmt.Errorf("target of sample %d: %w", i, err)
			}
		} else if label < 0 || int(label) >= classes {
			return fmt.Errorf("sample %d: label %d is not one of the %d classes", i, label, classes)
		}
		l.o.Preprocess.Apply(x)
		b.samples[n] = i
		b.labels[n] = label
	}
	return nil
}
