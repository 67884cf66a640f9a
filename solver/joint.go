package solver

import (
	"cmp"
	"fmt"
	"math/bits"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/dist"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/graph"
)

// bucketBytes is how many gradients are exchanged at once, at least: enough that the bytes take
// longer than the start, and few enough that the first are on their way early in a pass.
const bucketBytes = 1 << 20

// joint makes one gradient of those of all passes of an update, which ranks share, and moves the
// state of layers by all of them. A rank's passes go
//
//	mode := j.begin(k, n)  // pass k of this rank's n
//	…                      // Forward, Backward with that mode
//	j.end()
//
// and then err := j.finish(all) makes the gradients those of all passes. In the last pass of a
// rank the exchange of a bucket starts when backward has finished it.
//
// In the plain order each pass adds to the gradients, and the engine adds those of the ranks. In
// the fixed order the gradients of the passes are the leaves of a binary tree, each branch of
// which adds its left half, of a power of 2 passes, to the rest. The passes of a rank are a whole
// branch, so that the sum is the same for any number of ranks.
type joint struct {
	exec       *graph.Executor
	ranks      ranks
	accumulate int
	fixed      bool
	exchange   dist.Exchange // nil of one rank
	sync       bool          // batch norm over ranks
	sums       dist.Exchange // of its statistics; nil without

	buckets []bucket
	of      map[string]int // the bucket of a parameter
	memory  []device.Buffer
	mine    device.Tensor // this rank's part of each bucket, one after the other; where the optimiser is sharded

	statistics device.Tensor // of all passes of all ranks
	own        device.Tensor // the part of it that this rank makes
	each       int           // elements of a pass

	// Of the update under way.
	pass, passes int
	started      int // buckets
}

// bucket is a span of the slab of gradients.
type bucket struct {
	from, to int             // elements of the slab
	params   int             // in it
	ready    int             // of these, finished in the last pass
	gradient device.Tensor   // the span
	part     device.Tensor   // of it, this rank's
	place    int             // of this rank's part behind those of the buckets before
	mine     device.Tensor   // where the sum of this rank's part goes
	partial  []device.Tensor // sums of 1, 2, 4, … passes; in the fixed order
	received []device.Tensor // this rank's part, of each rank; in the fixed order of several
	all      device.Tensor   // received
}

// sum is the program of a branch.
var sum = expr.MustNew(expr.Add(expr.Input(0, expr.Whole), expr.Input(1, expr.Whole)))

// levels is the number of partial sums that so many passes need, besides the gradients.
func levels(passes int) int { return bits.Len(uint(passes - 1)) }

// jointBytes is the memory that a joint of a plan takes.
func (c *Config) jointBytes(p *graph.Plan) int64 {
	bytes := int64(0)
	if c.FixedOrder {
		bytes += int64(levels(c.Accumulate)) * p.GradientBytes
	}
	if (ranks{c.Group}).size() > 1 && c.FixedOrder {
		bytes += p.GradientBytes
	}
	if each, err := p.Statistics(); err == nil && c.joins() && c.synchronised() < 2 {
		bytes += int64(each*c.Passes()) * device.Float32.Size()
	}
	return bytes
}

// joins reports whether a run needs a joint.
func (c *Config) joins() bool { return c.FixedOrder || ranks{c.Group}.size() > 1 }

// newJoint allocates what a run needs that has several ranks or the fixed order.
func newJoint(c *Config, e *graph.Executor) (*joint, error) {
	j := &joint{exec: e, ranks: ranks{c.Group}, accumulate: c.Accumulate, fixed: c.FixedOrder, sync: c.SyncBN && (ranks{c.Group}).size() > 1, of: map[string]int{}}
	if err := j.open(c); err != nil {
		return nil, cmp.Or(err, j.Close())
	}
	e.OnGradient(j.onGradient)
	return j, nil
}

// connect joins the ranks, which all call it at the same time.
func (j *joint) connect(c *Config) (err error) {
	if j.ranks.size() > 1 {
		j.exchange, err = c.Group.Exchange(c.Device)
	}
	if err == nil && j.sync {
		j.sums, err = c.Group.Exchange(c.Device)
	}
	return err
}

func (j *joint) open(c *Config) error {
	j.cut()
	n := j.exec.Gradients().Len()
	if c.FixedOrder {
		for range levels(c.Accumulate) {
			if err := j.addPartial(c.Device, n); err != nil {
				return err
			}
		}
		if j.ranks.size() > 1 {
			if err := j.addReceived(c.Device); err != nil {
				return err
			}
		}
	}
	if c.Sharded {
		if err := j.shardOut(c.Device); err != nil {
			return err
		}
	}
	q := j.exec.Queue()
	q.Fill(j.exec.Gradients(), 0) // nothing ever writes the padding
	if err := j.keepStatistics(c); err != nil {
		return err
	}
	return q.Sync()
}

// cut makes the buckets, in the order in which backward finishes their gradients.
func (j *joint) cut() {
	slab := j.exec.Gradients()
	var b bucket
	place := 0
	flush := func(to int) {
		if to == b.from {
			return
		}
		b.to = to
		b.gradient = floats(slab, b.from, b.to)
		from, end := dist.Part(b.to-b.from, j.ranks.rank(), j.ranks.size())
		b.part = floats(slab, b.from+from, b.from+end)
		b.mine, b.place = b.part, place
		place += end - from
		j.buckets = append(j.buckets, b)
		b = bucket{from: to}
	}
	for _, p := range j.exec.Plan().Params {
		if p.Grad < 0 {
			continue
		}
		if at := int(p.Grad / device.Float32.Size()); int64(at-b.from)*device.Float32.Size() >= bucketBytes {
			flush(at)
		}
		j.of[p.Name] = len(j.buckets)
		b.params++
	}
	flush(slab.Len())
}

// floats is a span of a slab.
func floats(slab device.Tensor, from, to int) device.Tensor {
	size := device.Float32.Size()
	return device.Tensor{Buffer: slab.Buffer.Slice(int64(from)*size, int64(to-from)*size), DType: device.Float32, Shape: tensor.Shape{to - from}}
}

func (j *joint) alloc(d device.Device, elements int, what string) (device.Tensor, error) {
	b, err := d.Alloc(int64(elements) * device.Float32.Size())
	if err != nil {
		return device.Tensor{}, fmt.Errorf("%s: %w", what, err)
	}
	j.memory = append(j.memory, b)
	return device.Tensor{Buffer: b, DType: device.Float32, Shape: tensor.Shape{elements}}, nil
}

func (j *joint) addPartial(d device.Device, n int) error {
	slab, err := j.alloc(d, n, "partial sums of gradients")
	if err != nil {
		return err
	}
	for i := range j.buckets {
		b := &j.buckets[i]
		b.partial = append(b.partial, floats(slab, b.from, b.to))
	}
	return nil
}

func (j *joint) addReceived(d device.Device) error {
	n := 0
	for _, b := range j.buckets {
		n += j.ranks.size() * b.part.Len()
	}
	slab, err := j.alloc(d, n, "gradients of the other ranks")
	if err != nil {
		return err
	}
	at := 0
	for i := range j.buckets {
		b := &j.buckets[i]
		each := b.part.Len()
		b.all = floats(slab, at, at+j.ranks.size()*each)
		for range j.ranks.size() {
			b.received = append(b.received, floats(slab, at, at+each))
			at += each
		}
	}
	return nil
}

// shardOut makes the memory of this rank's part of the gradients.
func (j *joint) shardOut(d device.Device) error {
	last := &j.buckets[len(j.buckets)-1]
	var err error
	if j.mine, err = j.alloc(d, max(last.place+last.part.Len(), 1), "a part of the gradients"); err != nil {
		return err
	}
	for i := range j.buckets {
		b := &j.buckets[i]
		b.mine = floats(j.mine, b.place, b.place+b.part.Len())
	}
	return nil
}

// offset is where this rank's part of a bucket begins in it.
func (j *joint) offset(b *bucket) int {
	from, _ := dist.Part(b.to-b.from, j.ranks.rank(), j.ranks.size())
	return from
}

// keepStatistics has passes keep their statistics, if layers have state.
func (j *joint) keepStatistics(c *Config) (err error) {
	if j.sync {
		return j.exec.Synchronise(j.sumOver)
	}
	if j.each, err = j.exec.Plan().Statistics(); err != nil || j.each == 0 {
		return err
	}
	if j.statistics, err = j.alloc(c.Device, j.each*c.Passes(), "statistics of passes"); err != nil {
		return err
	}
	from, to := dist.Part(j.statistics.Len(), j.ranks.rank(), j.ranks.size()) // Accumulate passes each
	j.own = floats(j.statistics, from, to)
	j.exec.Queue().Fill(j.statistics, 0)
	return j.exec.KeepStatistics(j.statistics, c.Passes())
}

// sumOver enqueues the sums of what layers have, over all ranks.
func (j *joint) sumOver(q device.Queue, x ...device.Tensor) {
	for _, x := range x {
		j.sums.AllReduce(q, x)
	}
	if err := j.sums.Wait(q); err != nil {
		q.Fail("sum over ranks", err)
	}
}

// begin is called before pass k of this rank's n in an update.
func (j *joint) begin(k, n int) device.Mode {
	j.pass, j.passes = k, n
	if j.each > 0 {
		j.exec.StatisticsOf(j.ranks.rank()*j.accumulate + k)
	}
	if j.fixed || k == 0 {
		return device.Overwrite
	}
	return device.Accumulate
}

// none is pass k of n of the other ranks, of which this one has no samples.
func (j *joint) none(k, n int, p graph.Pass) {
	if j.begin(k, n) == device.Overwrite {
		j.exec.Queue().Fill(j.exec.Gradients(), 0)
	}
	j.exec.ForwardNone(p)
	j.exec.BackwardNone(p)
	j.end()
}

// onGradient starts the exchange of what is finished.
func (j *joint) onGradient(p *graph.Param, _ device.Tensor) {
	if j.pass != j.passes-1 {
		return
	}
	j.buckets[j.of[p.Name]].ready++
	for j.started < len(j.buckets) && j.buckets[j.started].ready == j.buckets[j.started].params {
		j.start()
	}
}

// end is called after pass k.
func (j *joint) end() {
	if !j.fixed || j.pass == j.passes-1 {
		return
	}
	level := bits.TrailingZeros(^uint(j.pass)) // as many branches end with this pass
	j.scope("sum of passes")
	for i := range j.buckets {
		b := &j.buckets[i]
		j.branches(b, level)
		j.exec.Queue().Copy(b.partial[level], b.gradient)
	}
}

func (j *joint) scope(name string) { j.exec.Queue().Scope(name) }

// branches adds to a bucket the partial sums of this rank's passes below a level.
func (j *joint) branches(b *bucket, level int) {
	for l := range level {
		if j.pass>>l&1 == 1 {
			j.add(b.gradient, b.partial[l], b.gradient)
		}
	}
}

// add enqueues out = x + y.
func (j *joint) add(out, x, y device.Tensor) {
	if out.Len() > 0 {
		j.exec.Queue().Map(sum, device.View{N: 1, C: 1, Inner: out.Len()}, []device.Tensor{out}, []device.Tensor{x, y}, []device.Mode{device.Overwrite}, device.Random{})
	}
}

// start starts the exchange of the next bucket, whose gradients of this rank's last pass are
// there.
func (j *joint) start() {
	b := &j.buckets[j.started]
	j.started++
	b.ready = 0
	q := j.exec.Queue()
	if j.fixed && j.passes > 0 {
		j.branches(b, len(b.partial))
	}
	if j.exchange == nil {
		return
	}
	switch {
	case j.fixed:
		j.exchange.AllToAll(q, b.all, b.gradient)
	case j.mine.IsNil():
		j.exchange.AllReduce(q, b.gradient)
	default:
		j.exchange.ReduceScatter(q, b.mine, b.gradient)
	}
}

// finish makes the gradients those of all passes of the update, and moves the state of layers
// by all of them. A rank that has no pass takes part all the same.
func (j *joint) finish(all int) error {
	q := j.exec.Queue()
	j.scope("exchange")
	if j.passes == 0 && !j.fixed {
		q.Fill(j.exec.Gradients(), 0)
	}
	for j.started < len(j.buckets) {
		j.start()
	}
	j.started = 0
	if j.exchange != nil {
		if j.each > 0 {
			j.exchange.AllGather(q, j.statistics, j.own)
		}
		if err := j.exchange.Wait(q); err != nil {
			return err
		}
		if j.fixed {
			if err := j.sumRanks((all + j.accumulate - 1) / j.accumulate); err != nil {
				return err
			}
		}
	}
	if j.each > 0 {
		for k := range all {
			j.exec.Average(k)
		}
	}
	j.passes = 0
	return nil
}

// sumRanks adds the parts that so many ranks have sent.
func (j *joint) sumRanks(n int) error {
	q := j.exec.Queue()
	for i := range j.buckets {
		b := &j.buckets[i]
		if b.mine.Len() > 0 {
			j.tree(b.received[:n])
			q.Copy(b.mine, b.received[0])
		}
		if j.mine.IsNil() {
			j.exchange.AllGather(q, b.gradient, b.part)
		}
	}
	return j.exchange.Wait(q)
}

// tree leaves the sum of a branch in its first leaf.
func (j *joint) tree(leaves []device.Tensor) {
	n := len(leaves)
	if n < 2 {
		return
	}
	left := 1 << (bits.Len(uint(n-1)) - 1) // the largest power of 2 below n
	j.tree(leaves[:left])
	j.tree(leaves[left:])
	j.add(leaves[0], leaves[0], leaves[left])
}

// times are those of the exchange so far.
func (j *joint) times() dist.Times {
	if j.exchange == nil {
		return dist.Times{}
	}
	return j.exchange.Times()
}

// Close frees the memory.
func (j *joint) Close() error {
	j.exec.OnGradient(nil)
	var errs []error
	for _, x := range []dist.Exchange{j.exchange, j.sums} {
		if x != nil {
			errs = append(errs, x.Close())
		}
	}
	for _, b := range j.memory {
		errs = append(errs, b.Free())
	}
	return cmp.Or(errs...)
}
