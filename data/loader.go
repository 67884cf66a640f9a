package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"gorgonia.org/tensor"
)

// LoaderOptions says which batches a Loader makes.
type LoaderOptions struct {
	Batch int // samples of a batch; the last one of an epoch may be smaller

	// Shuffle makes the order of each epoch a permutation drawn from Seed and
	// the epoch's number. Otherwise samples come in the data set's order, as
	// evaluation wants them.
	Shuffle bool
	Seed    uint64 // of the order, and of what varies in a Varied data set

	// Balance makes an epoch, which needs Shuffle, have each class equally often
	// instead of each sample once. The data set must be Labelled.
	Balance bool

	// OneHot brings, of a data set with classes, targets too: [N,classes], the share
	// of each class in a sample. It is 1 and 0, unless the set is Varied and the
	// Augment of Preprocess mixes samples; the label is then that of the larger share.
	OneHot bool

	Epochs int // after so many, Next returns io.EOF; 0 means no end

	// Start is the first iteration. The batches of an iteration depend on its
	// number and the other options alone, so a run that stopped before
	// iteration k goes on with Start k.
	Start int

	// Share makes the loader one of several that share the batches.
	Share Share

	Prefetch   int // batches made ahead; 0 means 2
	Workers    int // goroutines that make them; 0 means one for each core
	Preprocess Preprocess

	// Memory returns bytes of memory for a batch's values, aligned for float32,
	// such as page-locked memory, which the caller may have back once the loader
	// is closed. nil means the Go heap.
	Memory func(bytes int64) ([]byte, error)
}

// Batch is some samples in host memory. It belongs to the caller from Next to
// Release.
type Batch struct {
	X       *tensor.Dense // [N,C,H,W] float32
	Labels  *tensor.Dense // [N] int32
	Targets *tensor.Dense // [N,T] float32 of a Regression, or with OneHot; otherwise nil
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

	missing atomic.Int32  // samples that are not there yet
	filled  chan struct{} // receives once none is missing
	failure struct {
		sync.Mutex
		err error // of the first sample that has one
		n   int
	}
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

// Loader makes batches of a data set ahead of their use, in a fixed set of
// memory: a warm loader allocates nothing. One goroutine decides what is in
// each batch and workers read the samples, so batches are the same for any
// number of workers.
//
// Next belongs to one goroutine at a time; Release and Close may be called
// from any.
type Loader struct {
	data      Dataset
	varied    Varied     // data, if it is one
	targets   Regression // data, if it is one
	moved     VariedRegression
	perSample int // numbers of a target
	o         LoaderOptions
	samples   int // of the data set
	batches   int // of an epoch
	sampleLen int
	order     []int32 // of the epoch ordered; nil where not shuffled
	ordered   int     // the epoch that order is of; -1 before the first
	balance   *balance
	mixing    Augment // the steps of it that mix samples; nil where none does

	ctx         context.Context
	cancel      context.CancelCauseFunc
	free, ready chan *Batch // ready ones may not be filled yet
	jobs        chan job
	heldBatches atomic.Int32
	failed      error // of a sample, once Next has returned it
	err         error // why ready is closed; set before it is
	running     sync.WaitGroup

	work, wait atomic.Int64 // nanoseconds
	made       atomic.Int64 // samples
}

// job is a span of samples of one batch.
type job struct {
	batch    *Batch
	from, to int
}

// jobValues is how many values make a job worth handing over, roughly: half a
// photograph, or some dozens of digits.
const jobValues = 1 << 16

var errClosed = errors.New("the data loader is closed")

// NewLoader starts a loader. It ends when it is closed or ctx is cancelled.
func NewLoader(ctx context.Context, d Dataset, o LoaderOptions) (*Loader, error) {
	if d == nil {
		return nil, errors.New("data loader: there is no data set")
	}
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
	case o.Epochs < 0 || o.Start < 0 || o.Prefetch < 0 || o.Workers < 0:
		return nil, fmt.Errorf("data loader: epochs %d, start %d, prefetch %d and workers %d must not be negative",
			o.Epochs, o.Start, o.Prefetch, o.Workers)
	}
	if err := o.Share.check(); err != nil {
		return nil, fmt.Errorf("data loader: %w", err)
	}
	if o.Prefetch == 0 {
		o.Prefetch = 2
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	slots := o.Prefetch + 1 // one is with the caller
	l := &Loader{
		data:      d,
		o:         o,
		samples:   d.Len(),
		batches:   (d.Len() + o.Batch - 1) / o.Batch,
		sampleLen: d.Shape().TotalSize(),
		ordered:   -1,
		free:      make(chan *Batch, slots),
		ready:     make(chan *Batch, slots),
		jobs:      make(chan job, 2*o.Workers),
	}
	if r, ok := d.(Regression); ok {
		if l.targets, l.perSample = r, r.Targets(); l.perSample < 1 {
			return nil, fmt.Errorf("data loader: a target of %d numbers must have at least 1", l.perSample)
		}
	}
	if o.OneHot {
		if l.perSample = len(d.Classes()); l.targets != nil || l.perSample < 1 {
			return nil, errors.New("data loader: shares of classes need a data set with classes")
		}
	}
	if o.Shuffle {
		l.order = make([]int32, d.Len())
	}
	if o.Balance {
		var err error
		switch {
		case !o.Shuffle:
			err = errors.New("balanced classes need shuffled samples")
		case l.targets != nil:
			err = fmt.Errorf("classes cannot be balanced: the data set has %d numbers to predict instead", l.perSample)
		default:
			l.balance, err = newBalance(d)
		}
		if err != nil {
			return nil, fmt.Errorf("data loader: %w", err)
		}
	}
	for range slots {
		b, err := l.newBatch()
		if err != nil {
			return nil, fmt.Errorf("data loader: %w", err)
		}
		l.free <- b
	}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	l.data = withContext(l.ctx, d)
	l.varied, _ = l.data.(Varied)
	l.moved, _ = l.data.(VariedRegression)
	if o.OneHot && l.varied != nil && o.Preprocess.Augment.Mixes() {
		l.mixing = o.Preprocess.Augment
	}
	l.running.Add(1 + o.Workers)
	go l.run()
	for range o.Workers {
		go l.read()
	}
	return l, nil
}

func (l *Loader) newBatch() (b *Batch, err error) {
	n := min(l.o.Batch, l.data.Len())
	b = &Batch{loader: l, samples: make([]int, n), filled: make(chan struct{}, 1)}
	if b.x, err = values[float32](l.o.Memory, n*l.sampleLen); err != nil {
		return nil, err
	}
	if b.labels, err = values[int32](l.o.Memory, n); err != nil {
		return nil, err
	}
	if b.targets, err = values[float32](l.o.Memory, n*l.perSample); err != nil {
		return nil, err
	}
	b.full = l.views(b, n)
	b.last = l.views(b, l.data.Len()-(l.batches-1)*l.o.Batch)
	return b, nil
}

// values is n values in memory of the given function, or of the Go heap.
func values[T float32 | int32](memory func(bytes int64) ([]byte, error), n int) ([]T, error) {
	if memory == nil || n == 0 {
		return make([]T, n), nil
	}
	mem, err := memory(4 * int64(n))
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(mem))), n), nil
}

func (l *Loader) views(b *Batch, n int) views {
	s := l.data.Shape()
	v := views{
		x:      tensor.New(tensor.WithShape(n, s[0], s[1], s[2]), tensor.WithBacking(b.x[:n*l.sampleLen])),
		labels: tensor.New(tensor.WithShape(n), tensor.WithBacking(b.labels[:n])),
	}
	if l.perSample > 0 {
		v.targets = tensor.New(tensor.WithShape(n, l.perSample), tensor.WithBacking(b.targets[:n*l.perSample]))
	}
	return v
}

// Next returns the next batch. It waits for it if need be. After the last one
// its error is io.EOF; an error of the data set comes when all batches before
// it have been delivered, and stays.
//
// At most Prefetch+1 batches can be held at once, and while more than one is,
// fewer are made ahead.
func (l *Loader) Next() (*Batch, error) {
	if l.failed != nil {
		return nil, l.failed
	}
	if l.ctx.Err() != nil {
		return nil, context.Cause(l.ctx)
	}
	if n := int(l.heldBatches.Load()); n == cap(l.free) {
		return nil, fmt.Errorf("data loader: all %d batches are held; release one, or prefetch more", n)
	}
	began := time.Now()
	defer func() { l.wait.Add(int64(time.Since(began))) }()
	select {
	case b, ok := <-l.ready:
		if !ok {
			return nil, l.err
		}
		select {
		case <-b.filled:
		case <-l.ctx.Done():
		}
		if l.ctx.Err() != nil { // also where both have happened
			return nil, context.Cause(l.ctx)
		}
		if l.failed = b.failure.err; l.failed != nil {
			return nil, l.failed
		}
		b.held.Store(true)
		l.heldBatches.Add(1)
		return b, nil
	case <-l.ctx.Done():
		return nil, context.Cause(l.ctx)
	}
}

// Throughput is how fast a loader is, and how much of it was wanted.
type Throughput struct {
	Samples int           // made so far
	Work    time.Duration // the workers' time that they took, added up
	Workers int
	Wait    time.Duration // that Next has waited for batches, added up
}

// PerSecond is the samples a second that the workers make when they are never
// held up, 0 before the first.
func (t Throughput) PerSecond() float64 {
	if t.Work <= 0 {
		return 0
	}
	return float64(t.Samples) * float64(t.Workers) / t.Work.Seconds()
}

// Since is the throughput from an earlier moment on.
func (t Throughput) Since(before Throughput) Throughput {
	return Throughput{t.Samples - before.Samples, t.Work - before.Work, t.Workers, t.Wait - before.Wait}
}

// Plus is the throughput of two spans of time together.
func (t Throughput) Plus(u Throughput) Throughput {
	return Throughput{t.Samples + u.Samples, t.Work + u.Work, u.Workers, t.Wait + u.Wait}
}

// Throughput is the loader's since its start. It may be called at any time.
func (l *Loader) Throughput() Throughput {
	return Throughput{
		Samples: int(l.made.Load()),
		Work:    time.Duration(l.work.Load()),
		Workers: l.o.Workers,
		Wait:    time.Duration(l.wait.Load()),
	}
}

// Close ends the loader and waits until its goroutines have ended. Batches
// that are held stay as they are.
func (l *Loader) Close() {
	l.cancel(errClosed)
	l.running.Wait()
}

// run hands out the batches until the last epoch's end, or cancellation.
func (l *Loader) run() {
	defer l.running.Done()
	defer close(l.ready)
	defer close(l.jobs)
	if l.o.Share.empty(l.batches) {
		<-l.ctx.Done()
		l.err = context.Cause(l.ctx)
		return
	}
	span := max(1, jobValues/l.sampleLen)
	for iteration := l.o.Start; ; iteration++ {
		if l.o.Epochs > 0 && iteration/l.batches >= l.o.Epochs {
			l.err = io.EOF
			return
		}
		if !l.o.Share.has(iteration % l.batches) {
			continue
		}
		select {
		case b := <-l.free:
			l.begin(b, iteration)
			l.ready <- b // never waits: there is room for every batch
			for n := 0; n < b.N; n += span {
				select {
				case l.jobs <- job{b, n, min(n+span, b.N)}:
				case <-l.ctx.Done():
					l.err = context.Cause(l.ctx)
					return
				}
			}
		case <-l.ctx.Done():
			l.err = context.Cause(l.ctx)
			return
		}
	}
}

// begin says what will be in the batch of the iteration.
func (l *Loader) begin(b *Batch, iteration int) {
	b.Iteration = iteration
	b.Epoch = iteration / l.batches
	b.First = iteration % l.batches * l.o.Batch
	b.N = min(l.o.Batch, l.samples-b.First)
	v := b.full
	if b.N < len(b.labels) {
		v = b.last
	}
	b.X, b.Labels, b.Targets, b.Samples = v.x, v.labels, v.targets, b.samples[:b.N]
	b.failure.err = nil
	b.missing.Store(int32(b.N))

	if l.order != nil && l.ordered != b.Epoch {
		permute(l.order, l.o.Seed, b.Epoch)
		if l.balance != nil {
			l.balance.order(l.order, l.o.Seed, b.Epoch)
		}
		l.ordered = b.Epoch
	}
	for n := range b.N {
		b.samples[n] = b.First + n
		if l.order != nil {
			b.samples[n] = int(l.order[b.First+n])
		}
	}
}

// read is a worker.
func (l *Loader) read() {
	defer l.running.Done()
	var other []float32 // a sample to mix with
	if l.mixing != nil {
		other = make([]float32, l.sampleLen)
	}
	for j := range l.jobs {
		l.do(j, other)
	}
}

// do reads the samples of a job. The batch hears of its end also where a data set
// ends the goroutine, as a test's FailNow does.
func (l *Loader) do(j job, other []float32) {
	began := time.Now()
	n, ended := j.from, true
	defer func() {
		if ended {
			j.batch.fail(n, fmt.Errorf("sample %d: the data set ended the goroutine that reads it", j.batch.samples[n]))
		}
		l.work.Add(int64(time.Since(began)))
		l.made.Add(int64(j.to - j.from))
		if j.batch.missing.Add(int32(j.from-j.to)) == 0 {
			j.batch.filled <- struct{}{}
		}
	}()
	for ; n < j.to && l.ctx.Err() == nil; n++ {
		if err := l.fill(j.batch, n, other); err != nil {
			j.batch.fail(n, err)
		}
	}
	ended = false
}

// fill reads sample n of a batch. A panic of the data set is the sample's error.
func (l *Loader) fill(b *Batch, n int, other []float32) (err error) {
	i := b.samples[n]
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("sample %d: %w", i, panicked(r))
		}
	}()
	x := b.x[n*l.sampleLen : (n+1)*l.sampleLen]
	var label int32
	if l.varied != nil {
		label, err = l.varied.ReadVaried(x, i, l.o.Seed, b.Epoch)
	} else {
		label, err = l.data.Read(x, i)
	}
	if err != nil {
		return fmt.Errorf("sample %d: %w", i, err)
	}
	if l.targets != nil {
		if err := l.readTarget(b.targets[n*l.perSample:(n+1)*l.perSample], i, b.Epoch); err != nil {
			return fmt.Errorf("target of sample %d: %w", i, err)
		}
	} else if err := checkLabel(l.data, i, label); err != nil {
		return err
	}
	if l.o.OneHot {
		share := b.targets[n*l.perSample : (n+1)*l.perSample]
		if label, err = l.mixing.Mix(share, x, other, l.varied, i, label, l.o.Seed, b.Epoch); err != nil {
			return err
		}
	}
	l.o.Preprocess.Apply(x)
	b.labels[n] = label
	return nil
}

func checkLabel(d Dataset, i int, label int32) error {
	if classes := len(d.Classes()); label < 0 || int(label) >= classes {
		return fmt.Errorf("sample %d: label %d is not one of the %d classes", i, label, classes)
	}
	return nil
}

// readTarget reads the target of the sample that fill has read.
func (l *Loader) readTarget(dst []float32, i, epoch int) error {
	if l.moved != nil {
		return l.moved.ReadVariedTarget(dst, i, l.o.Seed, epoch)
	}
	return l.targets.ReadTarget(dst, i)
}

// fail keeps the error of the batch's first sample that has one.
func (b *Batch) fail(n int, err error) {
	b.failure.Lock()
	defer b.failure.Unlock()
	if b.failure.err == nil || n < b.failure.n {
		b.failure.err, b.failure.n = err, n
	}
}
