package solver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"syscall"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/modelfile"
)

// newTrainer checks a configuration and allocates what it needs.
func newTrainer(c Config) (*trainer, error) {
	if err := (ranks{c.Group}).agree(c.check()); err != nil {
		return nil, err
	}
	if c.LogEvery == 0 {
		c.LogEvery = 10
	}
	t := &trainer{c: c, ranks: ranks{c.Group}, sets: c.sets(), perEpoch: Iterations(1, c.Train.Len(), c.Whole()), last: reading{Loss: math.NaN()}}
	t.doctor = &doctor{trainer: t}
	if c.Dir != "" && t.ranks.first() {
		t.record = &recorder{dir: c.Dir, machine: c.Watch.Machine}
		t.observers = append(t.observers, t.record)
	}
	t.observers = append(t.observers, c.Observers...)
	if c.CheckpointEvery == 0 && c.CheckpointTime == 0 {
		t.c.CheckpointEvery = t.perEpoch
	}
	if err := t.prepare(); err != nil {
		return nil, cmp.Or(err, t.close(), t.release())
	}
	t.duties = t.workList()
	return t, nil
}

// prepare reads what the run begins with and allocates what it needs. Ranks go on together.
func (t *trainer) prepare() error {
	s, err := t.prepareAlone()
	if err := t.settle(err); err != nil {
		return err
	}
	if t.joint != nil {
		if err := t.joint.connect(&t.c); err != nil {
			return err
		}
	}
	return t.ranks.agree(t.openFolder(s))
}

// prepareAlone is what a rank prepares without the others.
func (t *trainer) prepareAlone() (s start, err error) {
	if t.c.Resume && t.record != nil {
		if err := t.record.takeLock(); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) { // readStart says it better
			return start{}, err
		}
	}
	if s, err = t.readStart(); err != nil {
		return start{}, err
	}
	p, err := t.plan()
	if err != nil {
		return start{}, err
	}
	t.notice = s.notice
	return s, t.open(p, s)
}

// start is where a run begins.
type start struct {
	path      string                   // of the file
	weights   map[string]*tensor.Dense // nil for the network's fillers
	optimiser map[string]*tensor.Dense // its slabs; nil for zero
	fresh     []string                 // layers and parameters that the fillers give their values all the same
	iteration int
	history   history
	damaged   bool   // the newest checkpoint, so that this is the one before it
	notice    string // what is odd; mostly empty
}

// readStart reads the files that the run begins with.
func (t *trainer) readStart() (s start, err error) {
	switch {
	case t.c.Resume:
		checkpoint, tensors, err := readState(t.c.Dir)
		if err != nil {
			return start{}, err
		}
		s.path, s.iteration, s.history = checkpoint.Path, checkpoint.Iteration, checkpoint.history
		s.weights, s.optimiser = checkpoint.Config.Optimiser.split(tensors)
		s.damaged = checkpoint.Damaged != nil
		if err := checkpoint.check(&t.c); err != nil {
			return start{}, err
		}
		if checkpoint.WithoutData() {
			s.notice = fmt.Sprintf("the run was converted at iteration %d, without its data set: from now on its %d samples are these", s.iteration, t.c.Train.Len())
		}
		if is := t.c.Device.Arithmetic(); checkpoint.otherThan(is) {
			s.notice = fmt.Sprintf("the run was trained on %s and goes on on %s, which rounds differently: it will not end with the bytes of a run on one of them", checkpoint.Arithmetic, is)
		}
		return s, nil
	case t.record != nil:
		if err := refuseRun(t.c.Dir); err != nil {
			return start{}, err
		}
	}
	if t.c.Weights != "" {
		s.path, s.fresh = t.c.Weights, t.c.Fresh
		s.weights, _, err = modelfile.ReadTensors(t.c.Weights)
	}
	return s, err
}

// plans are those of a run.
type plans struct{ train, test *graph.Plan } // test is nil without a test set

// plan checks the network against the data and the device.
func (t *trainer) plan() (plans, error) {
	c := &t.c
	type set struct {
		data data.Dataset // not embedded, which would hide what it is besides
		role string
	}
	sets := []set{{c.Train, "training set"}}
	if c.Test != nil {
		sets = append(sets, set{c.Test, "test set"})
		if err := checkViews(c.Test, c.Network); err != nil {
			return plans{}, err
		}
	}
	for _, s := range sets {
		if err := checkInputs(c.Network, s.data, s.role); err != nil {
			return plans{}, err
		}
	}
	if err := cmp.Or(checkMixing(c.Network, c.Train, c.Preprocess.Augment), c.Preprocess.Check(c.Train.Shape())); err != nil {
		return plans{}, err
	}
	p, err := t.planBatch(c.Batch)
	if err != nil {
		return plans{}, err
	}
	if err := checkMetrics(p.train); err != nil {
		return plans{}, err
	}
	for _, s := range sets {
		if err := checkClasses(p.train, s.data, s.role); err != nil {
			return plans{}, err
		}
	}
	params, err := c.Optimiser.params(p.train)
	if err != nil {
		return plans{}, err
	}
	if len(params) == 0 {
		return plans{}, fmt.Errorf("%v has nothing to train: it has no parameters, or all are frozen", c.Network)
	}
	err = checkMemory(c.Device, "training "+c.Network.Name, c.Batch, func(batch int) (int64, error) {
		p, err := t.planBatch(batch)
		if err != nil {
			return 0, err
		}
		return t.bytes(p), nil
	})
	if err != nil || c.DataInit == 0 {
		return p, err
	}
	return p, t.checkDataInit(p)
}

// bytes is the memory of a run.
func (t *trainer) bytes(p plans) int64 {
	c := &t.c
	bytes := p.train.Memory().Total() + feedBytes(c.Device, p.train) + c.jointBytes(p.train)
	if p.test != nil { // weights and their packed copies are shared
		bytes += p.test.Arena + feedBytes(c.Device, p.test)
	}
	return bytes
}

func (t *trainer) planBatch(batch int) (p plans, err error) {
	c := t.c
	c.Batch = batch
	p.train, err = c.Plan(c.Device.Traits())
	if err == nil && c.Test != nil && t.ranks.first() {
		p.test, err = planTest(c.Network, c.Device, testBatch(c.Test, batch))
	}
	return p, err
}

// open allocates everything and gives it the values that the run starts with.
func (t *trainer) open(p plans, s start) (err error) {
	c := &t.c
	if t.weights, err = graph.NewWeights(c.Network, c.Device); err != nil {
		return err
	}
	t.opened = append(t.opened, t.weights.Close)
	if t.exec, err = graph.NewExecutor(p.train, t.weights); err != nil {
		return err
	}
	t.opened = append(t.opened, t.exec.Close)
	if t.feed, err = newFeed(c.Device, t.exec); err != nil {
		return err
	}
	t.opened = append(t.opened, t.feed.Close)
	o := c.Optimiser
	if o.Schedule.Max == 0 {
		o.Schedule.Max = c.Iterations
	}
	if c.joins() {
		if t.joint, err = newJoint(c, t.exec); err != nil {
			return err
		}
		t.opened = append(t.opened, t.joint.Close)
	}
	if c.Sharded {
		t.updater, err = newShardedUpdater(c.Device, t.joint, o)
	} else {
		t.updater, err = NewUpdater(c.Device, t.exec, o)
	}
	if err != nil {
		return err
	}
	t.opened = append(t.opened, t.updater.Close)
	if p.test != nil {
		if t.eval, err = newEvaluator(c.Device, p.test, t.weights, c.Test, c.Preprocess); err != nil {
			return err
		}
		t.eval.keepAnswers = c.Watch.Answers
		t.opened = append(t.opened, t.eval.Close)
	}
	if err := t.load(s); err != nil {
		return err
	}
	return t.startFeed()
}

// openFolder makes the run's folder, or takes over that of one that was killed.
func (t *trainer) openFolder(s start) error {
	if t.record == nil {
		return nil
	}
	t.opened = append(t.opened, t.record.closeLogs)
	logged := t.iteration
	if t.history.Due {
		logged-- // the line comes again, with the test
	}
	return t.record.open(t.c.Resume, logged, s.damaged, t.c.DebugEvery > 0, t.c.MonitorEvery > 0, t.c.Watch.FiltersEvery > 0, t.iteration)
}

// load gives everything the values that a run starts or goes on with.
func (t *trainer) load(s start) error {
	var err error
	anew := s.weights == nil || s.fresh != nil
	if anew {
		err = t.weights.Fill(t.c.Seed)
	}
	if err == nil && s.weights != nil {
		err = modelfile.SetWeights(t.weights, s.weights, s.path, s.fresh)
	}
	if err == nil && anew && t.c.DataInit > 0 {
		err = t.initFromData()
	}
	if err != nil {
		return err
	}
	if s.optimiser != nil {
		if err := t.updater.upload(s.optimiser); err != nil {
			return fmt.Errorf("%s: %w", s.path, err)
		}
	}
	t.iteration, t.history, t.updater.drops = s.iteration, s.history, s.history.Drops
	if s.history.Last != nil {
		t.last = t.ofNetwork(s.history.Last)
	}
	return nil
}

// startFeed starts the feed at the first batch of the next update. It outlives a
// cancelled training, whose last update is to be made whole.
func (t *trainer) startFeed() error {
	passes := (t.c.Train.Len() + t.c.Batch - 1) / t.c.Batch // of an epoch
	return t.feed.start(context.Background(), t.c.Train, data.LoaderOptions{
		Batch:      t.c.Batch,
		Shuffle:    true,
		Seed:       t.c.Seed,
		Balance:    t.c.Balance,
		Start:      t.iteration/t.perEpoch*passes + t.iteration%t.perEpoch*t.c.Passes(),
		Share:      t.batches(),
		Preprocess: t.c.Preprocess,
		OneHot:     oneHot(t.c.Network, t.c.Train),
	})
}

// close frees everything that was opened, the last one first.
func (t *trainer) close() error {
	var errs []error
	for i := len(t.opened) - 1; i >= 0; i-- {
		errs = append(errs, t.opened[i]())
	}
	return cmp.Or(errs...)
}

// release gives the run's folder free.
func (t *trainer) release() error {
	if t.record == nil {
		return nil
	}
	return t.record.release()
}
