package solver

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/devicetest"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// staged is a device whose inputs are best uploaded ahead.
type staged struct{ device.Traits }

func (staged) Staged() bool { return true }

// tinyConfig is a run of 3 updates, of 5 samples each, in passes of 3, tested on 4.
func tinyConfig(t *testing.T, d device.Device) Config {
	t.Helper()
	n := &graph.Network{Name: "tiny"}
	in := n.Image("data", 1, 2, 2)
	label := n.Label("label")
	x := n.Add("fc", &layers.Dense{Out: 3}, in)
	n.Outputs = []string{n.Add("prob", &layers.Softmax{}, x)}
	n.Add("loss", &layers.SoftmaxLoss{}, x, label)
	n.Metric(n.Add("accuracy", &layers.Accuracy{}, x, label), graph.Higher)
	n.Metric(n.Add("top5", &layers.Accuracy{TopK: 2}, x, label), graph.Higher)
	train, test, err := data.NewSynthetic(data.SyntheticOptions{Shape: []int{1, 2, 2}, Classes: 3, Train: 10, Test: 4})
	require.NoError(t, err)
	return Config{
		Network: n, Device: d, Train: train, Test: test,
		Preprocess: data.Preprocess{Mean: []float32{128}, Scale: 1. / 64},
		Optimiser:  Optimiser{Schedule: Schedule{Policy: Fixed, Rate: 0.1}, Momentum: 0.9, ClipNorm: 1},
		Batch:      3, Accumulate: 2, Iterations: 3, Seed: 1, LogEvery: 1, CheckpointEvery: 2,
	}
}

// kindsOf are errors, each once, in the order in which they came.
func kindsOf(errs []error) (kinds []string) {
	known := map[string]bool{}
	for _, err := range errs {
		if text := err.Error(); !known[text] {
			known[text] = true
			kinds = append(kinds, text)
		}
	}
	return kinds
}

// Wherever a device gives up, its error comes out with what it was for, and what
// it gave is given back.
func TestTrainOnAScarceDevice(t *testing.T) {
	const why = ": there is nothing left"
	for _, facts := range []device.Traits{nil, staged{reference.New().Traits()}} {
		var result Result
		errs := devicetest.Scarcity(t, devicetest.Scarce{Syncs: true, Once: true, Facts: facts}, func(d *devicetest.Scarce) (err error) {
			c := tinyConfig(t, d)
			c.DebugEvery, c.MonitorEvery = 3, 2
			result, err = Train(t.Context(), c)
			return err
		})
		require.Equal(t, 3, result.Iteration)
		want := []string{
			"weights of tiny" + why,
			"plan of tiny: activations" + why, "plan of tiny: gradients" + why, "plan of tiny" + why,
		}
		if facts != nil {
			want = append(want, "the next inputs of tiny"+why)
		}
		want = append(want, "there is nothing left", "slab momentum of the optimiser"+why, "numbers of the optimiser"+why)
		require.Equal(t, want, kindsOf(errs)[:len(want)])
		all := fmt.Sprint(kindsOf(errs))
		for _, text := range []string{
			"iteration 1: debugging: plan of tiny: activations" + why, "iteration 1: debugging" + why, "iteration 3: monitoring" + why,
			"iteration 1" + why, "iteration 3" + why, "after iteration 2: test" + why,
		} {
			require.Contains(t, all, text)
		}
	}
}

// The same where the averages of the weights are tested.
func TestAveragesOnAScarceDevice(t *testing.T) {
	errs := devicetest.Scarcity(t, devicetest.Scarce{Syncs: true, Once: true}, func(d *devicetest.Scarce) error {
		c := tinyConfig(t, d)
		c.Optimiser.EMA = 0.5
		_, err := Train(t.Context(), c)
		return err
	})
	all := fmt.Sprint(kindsOf(errs))
	for _, text := range []string{"slab average of the optimiser", "after iteration 2", "after iteration 2: test"} {
		require.Contains(t, all, text+": there is nothing left")
	}
}

// A host that is ahead of the device, and gives batches back late, trains the same
// network.
func TestTrainOnASlowDevice(t *testing.T) {
	train := func(like devicetest.Scarce) map[string][]float32 {
		like.Device, like.Left = reference.New(), math.MaxInt
		c := tinyConfig(t, &like)
		c.Iterations = 7
		w := weightsOf(t, trainIn(t, c))
		for _, scope := range []string{"optimiser", "update", "fc", "loss", "momentum/fc.weight", "fc.bias", "data", "label"} {
			require.Contains(t, like.Scopes, scope)
		}
		require.Equal(t, like.Facts != nil, slices.Contains(like.Scopes, "inputs"))
		return w
	}
	want := train(devicetest.Scarce{})
	require.Equal(t, want, train(devicetest.Scarce{Slow: true}))
	require.Equal(t, want, train(devicetest.Scarce{Facts: staged{reference.New().Traits()}}))
	require.Equal(t, want, train(devicetest.Scarce{Facts: staged{reference.New().Traits()}, Slow: true}))
}

// A checkpoint is written whole or not at all.
func TestSavingOnAScarceDevice(t *testing.T) {
	dir := t.TempDir()
	runs := 0
	errs := devicetest.Scarcity(t, devicetest.Scarce{Syncs: true, Once: true}, func(d *devicetest.Scarce) error {
		runs++
		c := tinyConfig(t, d)
		c.Test, c.Iterations, c.CheckpointEvery = nil, 1, 1
		c.Dir = filepath.Join(dir, fmt.Sprint(runs))
		_, err := Train(t.Context(), c)
		if _, stat := os.Stat(filepath.Join(c.Dir, CheckpointFile)); stat == nil {
			_, read := ReadCheckpoint(c.Dir)
			require.NoError(t, read)
		} else {
			require.Error(t, err)
		}
		return err
	})
	require.Greater(t, len(errs), 12)
}

func TestEvaluateOnAScarceDevice(t *testing.T) {
	c := tinyConfig(t, reference.New())
	for _, facts := range []device.Traits{nil, staged{reference.New().Traits()}} {
		errs := devicetest.Scarcity(t, devicetest.Scarce{Syncs: true, Once: true, Facts: facts}, func(d *devicetest.Scarce) (err error) {
			left := d.Left
			d.Left = math.MaxInt
			w, err := graph.NewWeights(c.Network, d)
			require.NoError(t, err)
			require.NoError(t, w.Fill(1))
			d.Left = left
			defer func() {
				d.Left += 100
				require.NoError(t, w.Close())
				d.Left -= 100
			}()
			test, err := Evaluate(t.Context(), d, w, c.Test, c.Preprocess, 3)
			if err != nil {
				require.Equal(t, Test{}, test)
			}
			return err
		})
		require.Contains(t, fmt.Sprint(kindsOf(errs)), "test: there is nothing left")
		require.Contains(t, fmt.Sprint(kindsOf(errs)), "plan of tiny: activations: there is nothing left")
		failed := 0
		for _, err := range errs {
			if errors.As(err, new(FailedError)) {
				failed++
			}
		}
		require.Positive(t, failed)
	}
}

// The search for the first value that is not finite fails with the device, and
// says of what it was.
func TestDivergingOnAScarceDevice(t *testing.T) {
	diverging := func(d device.Device) Config {
		c := tinyConfig(t, d)
		c.Test, c.LogEvery, c.CheckpointEvery = nil, 2, 10
		c.Train = marked{c.Train, float32(math.Inf(1)), []int{5}}
		return c
	}
	errs := devicetest.Scarcity(t, devicetest.Scarce{Syncs: true, Once: true}, func(d *devicetest.Scarce) error {
		_, err := Train(t.Context(), diverging(d))
		require.Error(t, err)
		if bad := new(*Diverged); errors.As(err, bad) && !errors.Is(err, devicetest.ErrScarce) {
			return nil
		}
		return err
	})
	searched := regexp.MustCompile(`^iteration [12]: the loss is .*; the search for where it began failed: (plan of tiny(: activations|: gradients)?: )?there is nothing left$`)
	n := 0
	for _, err := range errs {
		if searched.MatchString(err.Error()) {
			n++
		}
	}
	require.Greater(t, n, 5, "%v", kindsOf(errs))

	// What is left of it is repeated, as far as the device goes.
	c := diverging(reference.New())
	c.Dir = filepath.Join(t.TempDir(), "run")
	_, err := Train(t.Context(), c)
	bad := new(Diverged)
	require.ErrorAs(t, err, &bad)
	require.Equal(t, filepath.Join(c.Dir, ReplayFile), bad.File)
	errs = devicetest.Scarcity(t, devicetest.Scarce{Syncs: true, Once: true}, func(d *devicetest.Scarce) error {
		again, err := Replay(d, bad.File)
		if err == nil {
			require.Equal(t, bad.Error(), again.Error())
			require.Equal(t, bad.File, again.File)
		}
		return err
	})
	for _, err := range errs {
		require.ErrorContains(t, err, bad.File+": ")
	}
	require.Greater(t, len(errs), 8)
}

func TestSanityOnAScarceDevice(t *testing.T) {
	seen := 0
	errs := devicetest.Scarcity(t, devicetest.Scarce{Syncs: true, Once: true}, func(d *devicetest.Scarce) error {
		c := tinyConfig(t, d)
		c.Train = subsetOf(c.Train, 2)
		c.Optimiser = Optimiser{Schedule: Schedule{Policy: Fixed, Rate: 20}}
		seen = 0
		c.Observers = []Observer{watch(func(Sanity) { seen++ })}
		return CheckSanity(t.Context(), c)
	})
	require.Equal(t, 4, seen)
	all := fmt.Sprint(kindsOf(errs))
	for _, text := range []string{"fc.weight: there is nothing left", "fc.bias: there is nothing left", "optimiser: there is nothing left"} {
		require.Contains(t, all, text)
	}
}

// The same of the checks before a run, and of the search for where a run went bad.
func TestChecksOnAScarceDevice(t *testing.T) {
	for name, check := range map[string]func(context.Context, Config) (Sanity, error){
		"initial loss": checkInitialLoss, "decay": checkDecay, "gradients": checkSlopes,
	} {
		errs := devicetest.Scarcity(t, devicetest.Scarce{Syncs: true, Once: true}, func(d *devicetest.Scarce) error {
			s, err := check(t.Context(), tinyConfig(t, d))
			if err == nil {
				require.True(t, s.OK, "%s: %s", name, s.Text)
			}
			return err
		})
		require.NotEmpty(t, errs, name)
	}
	errs := devicetest.Scarcity(t, devicetest.Scarce{Syncs: true, Once: true}, func(d *devicetest.Scarce) error {
		c := tinyConfig(t, d)
		c.Train = marked{c.Train, float32(math.NaN()), []int{4}}
		_, err := Train(t.Context(), c)
		if found := (*Diverged)(nil); errors.As(err, &found) && !errors.Is(err, devicetest.ErrScarce) {
			require.Equal(t, KindInput, found.Kind)
			return nil
		}
		require.Error(t, err, "the loss is NaN")
		return err
	})
	require.NotEmpty(t, errs)
}
