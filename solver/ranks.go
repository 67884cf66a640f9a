package solver

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"strings"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/dist"
	"github.com/hubel-go/hubel/modelfile"
)

// ranks are those that train together: one, in most runs. The methods that take a message
// from each are called by all of them at the same point of the run.
type ranks struct {
	group dist.Group // nil of one that trains alone
}

func (r ranks) size() int {
	if r.group == nil {
		return 1
	}
	return r.group.Size()
}

func (r ranks) rank() int {
	if r.group == nil {
		return 0
	}
	return r.group.Rank()
}

// first reports whether this is the rank that tests, and that writes the run's folder.
func (r ranks) first() bool { return r.rank() == 0 }

// gather returns the message of each rank. Cancelling a training does not end it: ranks agree
// first.
func (r ranks) gather(mine []byte) ([][]byte, error) {
	if r.size() == 1 {
		return [][]byte{mine}, nil
	}
	return r.group.Gather(context.Background(), mine)
}

// Passes is the number of passes of an update over all ranks: Accumulate times their number.
func (c *Config) Passes() int { return c.Accumulate * ranks{c.Group}.size() }

// Whole is the number of samples of an update over all ranks. The last one of an epoch may have
// fewer.
func (c *Config) Whole() int { return c.Batch * c.Passes() }

// share is the passes of an update of so many samples that this rank makes: from the pass from
// up to but without the pass to, of all of them. A rank may have none in the last update of an
// epoch.
func (t *trainer) share(samples int) (from, to, all int) {
	all = (samples + t.c.Batch - 1) / t.c.Batch
	from = min(t.ranks.rank()*t.c.Accumulate, all)
	return from, min(from+t.c.Accumulate, all), all
}

// synchronised is the number of ranks whose passes share statistics, 0 if none does.
func (c *Config) synchronised() int {
	switch {
	case !c.SyncBN:
		return 0
	case c.Group == nil && c.syncRanks > 0: // of a checkpoint
		return c.syncRanks
	}
	return ranks{c.Group}.size()
}

// across is the number of samples of a pass of all ranks together, that number k of each rank's,
// in an update of so many samples.
func (t *trainer) across(samples, k int) int {
	n := 0
	for rank := range t.ranks.size() {
		n += max(0, min(t.c.Batch, samples-(rank*t.c.Accumulate+k)*t.c.Batch))
	}
	return n
}

// batches is the share of the batches of an epoch that this rank reads.
func (t *trainer) batches() data.Share {
	if t.ranks.size() == 1 {
		return data.Share{}
	}
	from := t.ranks.rank() * t.c.Accumulate
	return data.Share{Of: t.c.Passes(), From: from, To: from + t.c.Accumulate}
}

// checkGroup says what is wrong with a configuration for several ranks, if anything.
func (c *Config) checkGroup() error {
	size := ranks{c.Group}.size()
	switch {
	case size > 1 && c.Accumulate > math.MaxInt32/size/c.Batch:
		return fmt.Errorf("%d ranks with %d passes of %d samples are too many for one update", size, c.Accumulate, c.Batch)
	case c.FixedOrder && size > 1 && c.Accumulate&(c.Accumulate-1) != 0:
		return fmt.Errorf("%d ranks cannot add in fixed order with %d passes each: a rank's passes are a branch of the tree of sums only if their number is a power of 2", size, c.Accumulate)
	case c.SyncBN && c.FixedOrder:
		return errors.New("batch norm over ranks adds in the order of the ranks' engine, which is no fixed order: choose one of the two")
	case c.SyncBN && c.syncRanks != 0 && c.syncRanks != size:
		return fmt.Errorf("batch norm has the statistics of the samples of %d ranks: the run can go on with as many, not with %d", c.syncRanks, size)
	case c.Sharded && size == 1:
		return errors.New("the state of the optimiser cannot be shared out: there is one rank")
	case c.Sharded && c.Optimiser.Method == LARS:
		return fmt.Errorf("optimiser %s needs the norms of whole layers, and a rank that keeps a part of the optimiser's state has parts of them", LARS)
	case c.Sharded && c.Optimiser.ClipNorm != 0:
		return errors.New("a bound on the norm of the gradients needs all of them, and a rank that keeps a part of the optimiser's state has a part of them")
	case c.Sharded && c.Optimiser.averages():
		return errors.New("averages of the weights are tested whole, and a rank that keeps a part of the optimiser's state has a part of them")
	case size > 1 && (c.DebugEvery > 0 || c.MonitorEvery > 0):
		return errors.New("the numbers of layers are those of a whole batch, of which each rank has a part: debug and monitor a run of one rank")
	}
	return nil
}

// description is all that must be the same on every rank.
type description struct {
	Run        any    `json:"run"`
	Sets       ofData `json:"sets"`
	Iterations int    `json:"iterations"`
	Habits     habits `json:"saving"`
	Patience   int    `json:"patience"`
	FixedOrder bool   `json:"fixed_order"`
	Sharded    bool   `json:"sharded"`
	SyncBN     bool   `json:"sync_bn"`
	Test       int    `json:"test_samples"`
	Arithmetic string `json:"arithmetic"`
	Start      begun  `json:"start"`
}

// ofData tells data sets apart: by the names of their samples, if they have some, and by some of
// the samples.
type ofData struct {
	sets
	TrainSamples string `json:"train_samples"`
	TestSamples  string `json:"test_samples,omitempty"`
}

// looked is how many samples of a set are compared.
const looked = 16

// someOf is a checksum of samples of a set, and of all labels that are known without them.
func someOf(set data.Dataset) string {
	h := fnv.New64a()
	x := make([]float32, set.Shape().TotalSize())
	n := min(looked, set.Len())
	for i := range n { // at places without a stride, which labels may have
		label, err := set.Read(x, int(uint64(i)*2654435761%uint64(set.Len())))
		if err != nil { // training says so where it matters
			return "unreadable"
		}
		_ = binary.Write(h, binary.LittleEndian, x) // a hash takes all
		_ = binary.Write(h, binary.LittleEndian, label)
	}
	if of, ok := set.(data.Labelled); ok {
		for i := range set.Len() {
			label, _ := of.Label(i)
			_ = binary.Write(h, binary.LittleEndian, label)
		}
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// begun is where a rank begins.
type begun struct {
	Iteration int     `json:"iteration"`
	History   history `json:"history"`
	Weights   string  `json:"weights"` // a checksum
}

// describe makes the description of this rank, before its first update.
func (t *trainer) describe() ([]byte, error) {
	c := &t.c
	d := description{
		Run: fixed(c, c.Train.Len(), c.Train.Classes()), Sets: ofData{sets: t.sets, TrainSamples: someOf(c.Train)}, Iterations: c.Iterations, Habits: habits{c.LogEvery, c.CheckpointEvery, c.CheckpointTime},
		Patience: c.Patience, FixedOrder: c.FixedOrder, Sharded: c.Sharded, SyncBN: c.SyncBN, Arithmetic: c.Device.Arithmetic(), Start: begun{Iteration: t.iteration, History: t.history},
	}
	if c.Test != nil {
		d.Test, d.Sets.TestSamples = c.Test.Len(), someOf(c.Test)
	}
	tensors, err := modelfile.Download(t.weights)
	if err != nil {
		return nil, err
	}
	h := fnv.New64a()
	for _, x := range tensors {
		if err := binary.Write(h, binary.LittleEndian, x.Value.Data()); err != nil {
			return nil, err
		}
	}
	d.Start.Weights = fmt.Sprintf("%016x", h.Sum64())
	return json.Marshal(d)
}

// settle makes all ranks fail where one has, or where they do not describe the same training.
func (t *trainer) settle(err error) error {
	if t.ranks.size() == 1 {
		return err
	}
	var mine []byte
	if err == nil {
		mine, err = t.describe()
	}
	if err = t.ranks.agree(err); err != nil {
		return err
	}
	all, err := t.ranks.gather(mine)
	if err != nil {
		return err
	}
	for rank, other := range all {
		path, a, b, err := compare(json.RawMessage(all[0]), json.RawMessage(other))
		if err != nil {
			return fmt.Errorf("the description by rank %d: %w", rank, err)
		}
		if path != "" {
			return t.ranks.agree(fmt.Errorf("rank 0 and rank %d do not train the same: %s is %s on one and %s on the other", rank, strings.TrimPrefix(path, "run."), a, b))
		}
	}
	return nil
}

// diagnosable says how to find where a loss that is not finite began.
func (t *trainer) diagnosable() string {
	if t.c.Dir == "" {
		return ""
	}
	return fmt.Sprintf("; resume %s with one rank to find where it began", t.c.Dir)
}

// agree is dist.Agree.
func (r ranks) agree(err error) error {
	if r.size() == 1 {
		return err
	}
	return dist.Agree(context.Background(), r.group, err)
}

// intent is what a rank wants of the next update: to stop before it, and what is due with it.
// The work of rank 0 counts, whose clock all follow.
func (t *trainer) intent(ctx context.Context, w work) (stop bool, all work, err error) {
	stop = ctx.Err() != nil
	if t.ranks.size() == 1 {
		return stop, w, nil
	}
	mine := binary.LittleEndian.AppendUint32(nil, uint32(w))
	if stop {
		mine = append(mine, 1)
	}
	messages, err := t.ranks.gather(mine)
	if err != nil {
		return false, 0, err
	}
	for _, m := range messages {
		stop = stop || len(m) > 4
	}
	if stop {
		t.cancel()
	}
	return stop, work(binary.LittleEndian.Uint32(messages[0])), nil
}

// readings adds up what each rank has read of its passes, in their order, as one rank would.
func (t *trainer) readings(mine []reading) (sum reading, err error) {
	if t.ranks.size() == 1 {
		for _, r := range mine {
			sum.plus(r)
		}
		return sum, nil
	}
	var message []byte
	for _, r := range mine {
		message = binary.LittleEndian.AppendUint64(message, math.Float64bits(r.Loss))
		for _, m := range r.Metrics {
			message = binary.LittleEndian.AppendUint64(message, math.Float64bits(m.Value))
		}
	}
	all, err := t.ranks.gather(message)
	if err != nil {
		return reading{}, err
	}
	number := func(b []byte) float64 { return math.Float64frombits(binary.LittleEndian.Uint64(b)) }
	for _, m := range all {
		for len(m) > 0 {
			r := reading{Loss: number(m), Metrics: newMetrics(t.c.Network)}
			m = m[8:]
			for i := range r.Metrics {
				r.Metrics[i].Value = number(m)
				m = m[8:]
			}
			sum.plus(r)
		}
	}
	return sum, nil
}

// tested is the outcome of a test that rank 0 makes, as the others hear of it.
type tested struct {
	Test    Test
	Stopped bool
}

// testShared tests the weights on rank 0. Where it was cancelled, every rank returns an error that
// wraps ctx.Err().
func (t *trainer) testShared(ctx context.Context) (test Test, err error) {
	var mine bytes.Buffer
	if t.ranks.first() {
		if test, err = t.runTest(ctx); err != nil && ctx.Err() == nil || t.ranks.size() == 1 {
			return test, err
		}
		told := tested{Test: test, Stopped: err != nil}
		told.Test.Confusion, told.Test.Answers = nil, nil
		if told.Test.Average != nil {
			told.Test.Average = &Test{Loss: test.Average.Loss, Metrics: test.Average.Metrics}
		}
		if err := gob.NewEncoder(&mine).Encode(told); err != nil {
			return Test{}, err
		}
	}
	all, failed := t.ranks.gather(mine.Bytes())
	if failed != nil {
		return Test{}, failed
	}
	if t.ranks.first() {
		return test, err
	}
	var told tested
	if err := gob.NewDecoder(bytes.NewReader(all[0])).Decode(&told); err != nil {
		return Test{}, err
	}
	if told.Stopped {
		t.cancel()
		return Test{}, ctx.Err()
	}
	return told.Test, nil
}

// Spread makes the configuration of one rank, as ReadCheckpoint returns it, that of one of so
// many ranks. It fails unless they can share its passes.
func (c *Config) Spread(ranks int) error {
	if c.Accumulate%ranks != 0 {
		return fmt.Errorf("%d passes of an update cannot be spread over %d ranks: the ranks must be a divisor", c.Accumulate, ranks)
	}
	c.Accumulate /= ranks
	return nil
}
