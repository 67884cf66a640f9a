package solver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/dist"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
)

// A repeated test that is cancelled ends every rank by itself: none is aborted.
func TestRanksStopInARepeatedTest(t *testing.T) {
	c := smallConfig(t)
	c.Dir = trainTogether(t, 2, c)
	before := readAll(t, c.Dir)
	c.Resume, c.Retest = true, true
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	errs := together(ctx, t, 2, c, func(rank int, c *Config) {
		c.Observers = []Observer{watch(func(Started) { cancel() })}
	})
	for rank, err := range errs {
		require.ErrorIs(t, err, context.Canceled, "rank %d", rank)
		require.ErrorContains(t, err, "the last test, once more")
		require.ErrorAs(t, err, new(*dist.AgreedError), "rank %d", rank)
	}
	require.Equal(t, before, readAll(t, c.Dir))
}

// together trains with n ranks of this process, each on a device of its own. It returns the
// errors of the ranks. change may make a rank's configuration its own.
func together(ctx context.Context, t *testing.T, n int, c Config, change func(rank int, c *Config)) []error {
	t.Helper()
	errs := make([]error, n)
	groups := dist.Local(n)
	var all sync.WaitGroup
	for rank, g := range groups {
		c := c
		c.Group = g
		c.Device = openCPU(t, 1)
		if change != nil {
			change(rank, &c)
		}
		all.Go(func() {
			_, err := Train(ctx, c)
			if err != nil {
				g.Abort(err)
			}
			errs[rank] = errors.Join(err, g.Close())
		})
	}
	all.Wait()
	return errs
}

// trainTogether trains with n ranks in a new folder and returns it.
func trainTogether(t *testing.T, n int, c Config) string {
	t.Helper()
	if c.Dir == "" {
		c.Dir = filepath.Join(t.TempDir(), "run")
	}
	for rank, err := range together(t.Context(), t, n, c, nil) {
		require.NoError(t, err, "rank %d", rank)
	}
	return c.Dir
}

// hardNet has what makes ranks hard: dropout, and the running statistics of micro-batches.
func hardNet(convention string) *graph.Network {
	n := &graph.Network{Name: "hard"}
	label := n.Label("label")
	x := n.Add("conv1", &layers.Conv{Filters: 6, Kernel: layers.Square(3), NoBias: true}, n.Image("data", 1, 12, 12))
	x = n.Add("bn1", &layers.BatchNorm{Convention: convention}, x)
	x = n.Add("relu1", &layers.Unary{}, x)
	x = n.Add("pool1", &layers.Pool{Window: layers.Square(2), Stride: layers.Square(2)}, x)
	x = n.Add("ip1", &layers.Dense{Out: 600}, x)
	x = n.Add("bn2", &layers.BatchNorm{Convention: convention}, x)
	x = n.Add("relu2", &layers.Unary{}, x)
	x = n.Add("ip2", &layers.Dense{Out: 500}, x) // the gradients take two buckets
	x = n.Add("drop", &layers.Dropout{P: 0.3}, x)
	x = n.Add("ip3", &layers.Dense{Out: 10}, x)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	return n
}

// lenetConfig is LeNet on few digits.
func lenetConfig(t *testing.T) Config {
	train, test := synthetic(t, 90, 25, 1, 28, 28)
	n, err := models.Build("lenet", models.Options{})
	require.NoError(t, err)
	c := smallConfig(t)
	c.Network, c.Train, c.Test, c.Iterations = n, train, test, 6
	return c
}

// N ranks leave the files of one that makes all passes, with every number of ranks and in
// updates with few samples, too: an epoch's last has passes for some ranks alone.
func TestRanksInFixedOrderAreOneRank(t *testing.T) {
	for name, c := range map[string]Config{
		"small":      smallConfig(t),
		"lenet":      lenetConfig(t),
		"pytorch":    func() Config { c := smallConfig(t); c.Network = hardNet(""); return c }(),
		"caffe":      func() Config { c := smallConfig(t); c.Network = hardNet("caffe"); return c }(),
		"matconvnet": func() Config { c := smallConfig(t); c.Network = hardNet("matconvnet"); return c }(),
	} {
		t.Run(name, func(t *testing.T) {
			c := c
			c.FixedOrder, c.Batch = true, 4
			for _, passes := range []int{1, 2, 6, 8} {
				c.Accumulate = passes
				one := trainIn(t, c)
				for _, n := range []int{1, 2, 3, 4, 6, 8} {
					each := passes / n
					if n > passes || passes%n != 0 || n > 1 && each&(each-1) != 0 {
						continue
					}
					c.Accumulate = each
					requireSameFiles(t, one, trainTogether(t, n, c))
					if name != "pytorch" || n == 1 {
						continue
					}
					c.Optimiser.ClipNorm = 0
					c.Accumulate = passes
					one := trainIn(t, c)
					c.Sharded, c.Accumulate = true, each
					requireSameFiles(t, one, trainTogether(t, n, c))
					c.Sharded, c.Optimiser.ClipNorm = false, 2
				}
			}
		})
	}
}

// The plain order is off by rounding alone, and its bits are those of every run like it.
func TestRanksInPlainOrder(t *testing.T) {
	c := smallConfig(t)
	c.Network, c.Batch, c.Optimiser.ClipNorm = hardNet(""), 4, 0
	c.Accumulate = 4
	one := trainIn(t, c)
	c.Accumulate = 1
	four := trainTogether(t, 4, c)
	requireSameFiles(t, four, trainTogether(t, 4, c))
	require.NotEqual(t, weightsOf(t, one), weightsOf(t, four))
	require.Less(t, distance(t, weightsOf(t, one), weightsOf(t, four)), 2e-3)
	c.Sharded = true
	require.Less(t, distance(t, weightsOf(t, four), weightsOf(t, trainTogether(t, 4, c))), 2e-3)
}

// A run that is stopped goes on with another number of ranks, to the same bits.
func TestResumeWithOtherRanks(t *testing.T) {
	c := smallConfig(t)
	c.Network, c.FixedOrder, c.Batch, c.Accumulate = hardNet(""), true, 4, 4
	c.Optimiser.ClipNorm = 0
	c.CheckpointEvery = 100
	straight := trainIn(t, c)
	for _, sharded := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "run")
		c := c
		c.Dir, c.Sharded, c.Accumulate = dir, sharded, 1
		stopTogether(t, 4, c, 3, 2)
		for _, step := range []struct{ ranks, iteration int }{{2, 5}, {1, 7}, {4, 0}} {
			checkpoint, err := ReadCheckpoint(dir)
			require.NoError(t, err)
			r := checkpoint.Config
			r.Train, r.Test, r.Device = c.Train, c.Test, c.Device
			require.NoError(t, r.Spread(step.ranks))
			r.Sharded = sharded && step.ranks > 1
			if step.iteration > 0 {
				stopTogether(t, step.ranks, r, step.iteration, step.ranks-1)
			} else {
				trainTogether(t, step.ranks, r)
			}
		}
		requireSameFiles(t, straight, dir)
	}
}

// stopTogether trains until one rank's context ends after an update.
func stopTogether(t *testing.T, n int, c Config, iteration, by int) {
	t.Helper()
	groups := dist.Local(n)
	var all sync.WaitGroup
	errs := make([]error, n)
	for rank, g := range groups {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c := c
		c.Group, c.Device = g, openCPU(t, 1)
		if rank == by {
			c.Observers = []Observer{ObserverFunc(func(e Event) error {
				if p, ok := e.(Progress); ok && p.Iteration == iteration {
					cancel()
				}
				return nil
			})}
		}
		all.Go(func() { _, errs[rank] = Train(ctx, c) })
	}
	all.Wait()
	for rank, err := range errs {
		require.ErrorIs(t, err, context.Canceled, "rank %d", rank)
		require.ErrorContains(t, err, fmt.Sprintf("stopped after %d of ", iteration))
	}
}

func TestSpread(t *testing.T) {
	c := Config{Accumulate: 12}
	require.NoError(t, c.Spread(3))
	require.Equal(t, 4, c.Accumulate)
	require.EqualError(t, c.Spread(3), "4 passes of an update cannot be spread over 3 ranks: the ranks must be a divisor")
}

// Whatever fails on one rank ends the others, with the cause, and leaves no goroutine.
func TestARankFails(t *testing.T) {
	c := smallConfig(t)
	c.Network, c.FixedOrder, c.Batch = hardNet(""), true, 4
	c.Optimiser.ClipNorm = 0
	broken := errors.New("broken on purpose")
	before := runtime.NumGoroutine()
	t.Run("each", func(t *testing.T) { testARankFails(t, c, broken) }) // its devices are closed then
	for range 500 {
		if runtime.NumGoroutine() <= before {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	require.LessOrEqual(t, runtime.NumGoroutine(), before)
}

func testARankFails(t *testing.T, c Config, broken error) {
	for name, fail := range map[string]func(c *Config){
		"start":  func(c *Config) { c.Batch = 0 },
		"sample": func(c *Config) { c.Train = breaking{c.Train.(breaking).Dataset, broken, new(atomic.Int32)} },
		"update": func(c *Config) {
			c.Observers = failOn(broken, func(e Event) bool { p, ok := e.(Progress); return ok && p.Iteration == 3 })
		},
		"started": func(c *Config) { c.Observers = failOn(broken, func(e Event) bool { _, ok := e.(Started); return ok }) },
	} {
		for _, rank := range []int{0, 2} {
			for _, sharded := range []bool{false, true} {
				c := c
				c.Dir, c.Sharded = filepath.Join(t.TempDir(), "run"), sharded
				errs := together(t.Context(), t, 3, c, func(r int, c *Config) {
					if name == "sample" { // what hides the labels hides those of all
						c.Train = breaking{c.Train, nil, new(atomic.Int32)}
					}
					if r == rank {
						fail(c)
					}
				})
				for r, err := range errs {
					var other *dist.RankError
					if r == rank {
						require.Error(t, err, name)
						require.False(t, errors.As(err, &other), "%s: %v", name, err)
						continue
					}
					require.ErrorAs(t, err, &other, "%s: rank %d", name, r)
					require.Equal(t, rank, other.Rank)
				}
			}
		}
	}
}

func failOn(err error, when func(e Event) bool) []Observer {
	return []Observer{ObserverFunc(func(e Event) error {
		if when(e) {
			return err
		}
		return nil
	})}
}

// breaking is a data set that cannot be read any more once its samples were compared.
type breaking struct {
	data.Dataset
	err   error
	reads *atomic.Int32
}

// Read fails.
func (b breaking) Read(dst []float32, i int) (int32, error) {
	if b.err != nil && b.reads.Add(1) > looked {
		return 0, b.err
	}
	return b.Dataset.Read(dst, i)
}

// Ranks that do not train the same are refused, and what differs is named.
func TestRanksThatDiffer(t *testing.T) {
	other, _ := synthetic(t, 91, 25, 1, 12, 12)
	for message, change := range map[string]func(c *Config){
		"rate is ":         func(c *Config) { c.Optimiser.Schedule.Rate = 0.06 },
		"samples is 90 ":   func(c *Config) { c.Train = other },
		"seed is ":         func(c *Config) { c.Seed = 3 },
		"network.":         func(c *Config) { c.Network = hardNet("caffe") },
		"fixed_order is ":  func(c *Config) { c.FixedOrder = true },
		"iterations is 10": func(c *Config) { c.Iterations = 11 },
		"accumulate is ":   func(c *Config) { c.Accumulate = 2 },
	} {
		c := smallConfig(t)
		c.Network, c.Dir = hardNet(""), filepath.Join(t.TempDir(), "run")
		errs := together(t.Context(), t, 3, c, func(r int, c *Config) {
			if r == 1 {
				change(c)
			}
		})
		require.ErrorContains(t, errs[0], "rank 0 and rank 1 do not train the same: ")
		require.ErrorContains(t, errs[0], message)
		for _, err := range errs[1:] {
			require.ErrorAs(t, err, new(*dist.RankError))
		}
		require.NoDirExists(t, c.Dir)
	}
}

func TestRanksRefuse(t *testing.T) {
	for message, change := range map[string]func(c *Config){
		"3 ranks cannot add in fixed order with 3 passes each": func(c *Config) { c.FixedOrder, c.Accumulate = true, 3 },
		"optimiser lars needs the norms of whole layers":       func(c *Config) { c.Sharded, c.Optimiser.Method, c.Optimiser.Trust = true, LARS, 0.001 },
		"a bound on the norm of the gradients needs all":       func(c *Config) { c.Sharded = true },
		"averages of the weights are tested whole":             func(c *Config) { c.Sharded, c.Optimiser.ClipNorm, c.Optimiser.EMA = true, 0, 0.9 },
		"the numbers of layers are those of a whole batch":     func(c *Config) { c.DebugEvery = 1 },
		"layer m: each pass of a layer of the type":            func(c *Config) { c.Network = meanConfig(t).Network },
	} {
		c := smallConfig(t)
		change(&c)
		errs := together(t.Context(), t, 3, c, nil)
		require.ErrorContains(t, errs[0], message)
	}
	c := smallConfig(t)
	c.Sharded = true
	_, err := Train(t.Context(), c)
	require.ErrorContains(t, err, "there is one rank")
}

// A loss that is not finite ends all ranks alike.
func TestRanksDiverge(t *testing.T) {
	c := smallConfig(t)
	c.Optimiser.Schedule.Rate, c.Optimiser.ClipNorm, c.Batch, c.LogEvery = 1e30, 0, 4, 1
	errs := together(t.Context(), t, 3, c, nil)
	require.ErrorContains(t, errs[0], "the loss is NaN")
	for _, err := range errs[1:] {
		var other *dist.RankError
		require.ErrorAs(t, err, &other)
		require.Equal(t, errs[0].Error(), other.Err.Error())
	}
}

// A device whose memory the host cannot reach trains to the same bits by way of page-locked
// memory.
func TestRanksOnASimulatedDevice(t *testing.T) {
	c := smallConfig(t)
	c.FixedOrder, c.Batch, c.Accumulate, c.Iterations, c.Optimiser.ClipNorm = true, 8, 2, 3, 0
	c.Device = openSimulated(t)
	one := trainIn(t, c)
	c.Accumulate, c.Dir = 1, filepath.Join(t.TempDir(), "run")
	for _, err := range together(t.Context(), t, 2, c, func(_ int, c *Config) { c.Device = openSimulated(t) }) {
		require.NoError(t, err)
	}
	requireSameFiles(t, one, c.Dir)
}

func openSimulated(t *testing.T) device.Device {
	d, err := device.Open("ptxsim", device.Options{Threads: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// The folder is written by rank 0 alone, and a run that is there is refused by all.
func TestRanksWriteOneFolder(t *testing.T) {
	c := smallConfig(t)
	c.Dir = filepath.Join(t.TempDir(), "run")
	require.NoError(t, os.Mkdir(c.Dir, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(c.Dir, BestFile), nil, 0o666))
	errs := together(t.Context(), t, 2, c, nil)
	require.ErrorContains(t, errs[0], "already holds a part of a run")
	require.ErrorAs(t, errs[1], new(*dist.RankError))
}
