package solver

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
)

func TestTrainRefuses(t *testing.T) {
	wide, _ := synthetic(t, 9, 9, 3, 12, 12)
	many, _, err := data.NewSynthetic(data.SyntheticOptions{Shape: []int{1, 12, 12}, Classes: 12, Train: 20, Test: 20})
	require.NoError(t, err)
	keypoints, err := models.Build("net1", models.Options{Shape: []int{1, 12, 12}})
	require.NoError(t, err)
	faces, _, err := data.NewSynthetic(data.SyntheticOptions{Shape: []int{1, 12, 12}, Targets: 8, Train: 20, Test: 20})
	require.NoError(t, err)
	for want, change := range map[string]func(c *Config){
		"there is no network":                       func(c *Config) { c.Network = nil },
		"there is no device":                        func(c *Config) { c.Device = nil },
		"no data set":                               func(c *Config) { c.Train = nil },
		"batch 0 must be":                           func(c *Config) { c.Batch = 0 },
		"0 passes to accumulate must be at least 1": func(c *Config) { c.Accumulate = 0 },
		"are too many for one update":               func(c *Config) { c.Batch, c.Accumulate = math.MaxInt32, math.MaxInt/2 },
		`all of the training set is of one, "0"`: func(c *Config) {
			var err error
			c.Train, _, err = data.NewSynthetic(data.SyntheticOptions{Shape: []int{1, 12, 12}, Classes: 1, Train: 9, Test: 9})
			require.NoError(t, err)
		},
		"0 iterations must be": func(c *Config) { c.Iterations = 0 },
		"a log every -1, a checkpoint every 0 iterations and one every 0s must not be negative": func(c *Config) { c.LogEvery = -1 },
		"a log every 2, a checkpoint every 0 iterations and one every -1s must not be negative": func(c *Config) { c.CheckpointTime = -time.Second },
		"a patience of -1 tests must not be negative":                                           func(c *Config) { c.Patience = -1 },
		"patience with a run needs a test set":                                                  func(c *Config) { c.Patience, c.Test = 3, nil },
		"learning-rate policy plateau needs a test set": func(c *Config) {
			c.Optimiser.Schedule = Schedule{Policy: Plateau, Rate: 0.1, Gamma: 0.1, Step: 2}
			c.Test = nil
		},
		`rates of layers: network small has no layer or parameter "relu1" with weights`: func(c *Config) { c.Optimiser.LayerRates = map[string]float32{"fc2": 1, "relu1": 1} },
		"optimiser adam has no momentum: it must be 0, not 0.9":                         func(c *Config) { c.Optimiser.Method = Adam },
		"learning rate 0 must be": func(c *Config) { c.Optimiser.Schedule.Rate = 0 },
		"network small takes images of the shape [1 12 12], but those of the training set are [3 12 12]": func(c *Config) { c.Train = wide },
		"network small takes images of the shape [1 12 12], but those of the test set are [3 12 12]":     func(c *Config) { c.Test = wide },
		"network small tells 10 classes apart, but the training set has 12":                              func(c *Config) { c.Train = many },
		"network small tells 10 classes apart, but the test set has 12":                                  func(c *Config) { c.Test = many },
		"network net1 predicts 30 numbers, but the training set has classes and no numbers":              func(c *Config) { c.Network = keypoints },
		"network net1 predicts 30 numbers, but the training set has 8":                                   func(c *Config) { c.Network, c.Train = keypoints, faces },
		"network small tells classes apart, but the test set has 8 numbers to predict instead":           func(c *Config) { c.Test = faces },
		"network mask has the input mask without a role, so that no data set fills it: give it the role ": func(c *Config) {
			c.Network = &graph.Network{Name: "mask"}
			c.Network.Input("mask", device.Uint8)
		},
		`network blind has no input of the role "image": give it to the one that takes them, "role": "image" in JSON`: func(c *Config) {
			c.Network = &graph.Network{Name: "blind"}
			c.Network.Label("label")
		},
		"preprocessing has a mean for 2 channels": func(c *Config) { c.Preprocess.Mean = []float32{1, 2} },
		"fc2: out 0":                         func(c *Config) { c.Network.Nodes[4].Layer = &layers.Dense{Out: 0} },
		"network small has nothing to train": func(c *Config) { c.Frozen = []string{"conv1", "fc2"} },
		`no layer or parameter "conv7"`:      func(c *Config) { c.Frozen = []string{"conv7"} },
		"small has no loss to train":         func(c *Config) { c.Network.Nodes, c.Network.Metrics = c.Network.Nodes[:5], nil },
	} {
		c := smallConfig(t)
		c.Dir = filepath.Join(t.TempDir(), "run")
		if c.Device != nil {
			c.Device = sealed{c.Device} // errors come before memory is allocated
		}
		change(&c)
		_, err := Train(t.Context(), c)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "\n")
		require.NoDirExists(t, c.Dir)
	}
}

// sealed is a device that gives no memory.
type sealed struct{ device.Device }

func (sealed) Alloc(bytes int64) (device.Buffer, error) {
	return nil, fmt.Errorf("%d bytes allocated", bytes)
}

// tight is a device with little memory free.
type tight struct {
	device.Device
	free int64
}

func (d tight) MemInfo() (free, total int64, err error) { return d.free, 1 << 30, nil }

func TestTrainChecksMemory(t *testing.T) {
	c := smallConfig(t)
	c.Device = tight{c.Device, 1_000_000}
	c.Batch = 500
	_, err := Train(t.Context(), c)
	require.Regexp(t, `^training small with a batch of 500 needs \d+\.\d MiB, but cpu has 1\.0 MiB free; the largest batch that fits is \d+$`, err.Error())
	largest, err := strconv.Atoi(regexp.MustCompile(`\d+$`).FindString(err.Error()))
	require.NoError(t, err)
	require.Greater(t, largest, 10)
	c.Batch = largest + 1
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, fmt.Sprintf("the largest batch that fits is %d", largest))
	c.Batch = largest
	_, err = Train(t.Context(), c)
	require.NoError(t, err)
	c.Optimiser.EMA = 0.5 // the averages take room too
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, "training small with a batch of "+strconv.Itoa(largest)+" needs ")
	c.Device = tight{c.Device, 100}
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, "but cpu has 0.0 MiB free; not even a batch of 1 fits")
}

func TestEvaluateRefuses(t *testing.T) {
	c := smallConfig(t)
	w, err := graph.NewWeights(c.Network, c.Device)
	require.NoError(t, err)
	wide, _ := synthetic(t, 9, 9, 3, 12, 12)
	_, err = Evaluate(t.Context(), c.Device, w, wide, data.Preprocess{}, 4)
	require.ErrorContains(t, err, "network small takes images of the shape [1 12 12], but those of the test set are [3 12 12]")
	_, err = Evaluate(t.Context(), c.Device, w, c.Test, data.Preprocess{}, 0)
	require.ErrorContains(t, err, "batch 0 must be at least 1")
	_, err = Evaluate(t.Context(), tight{c.Device, 10_000}, w, c.Test, data.Preprocess{}, 20)
	require.Regexp(t, `^testing small with a batch of 20 needs .* the largest batch that fits is \d$`, err.Error())
	require.NoError(t, w.Close())
}

func TestErrorsOfTheData(t *testing.T) {
	c := smallConfig(t)
	c.Train = torn{c.Train}
	_, err := Train(t.Context(), c)
	require.ErrorContains(t, err, "iteration ")
	require.ErrorContains(t, err, "sample 70: the disk is on fire")
	c = smallConfig(t)
	c.Train, _ = synthetic(t, 90, 1, 1, 12, 12)
	c.Test = torn{c.Train}
	_, err = Train(t.Context(), c)
	require.ErrorContains(t, err, "after iteration 6: test: sample 70: the disk is on fire")
}

// torn is a data set of which one sample cannot be read.
type torn struct{ data.Dataset }

func (d torn) Read(dst []float32, i int) (int32, error) {
	if i == 70 {
		return 0, fmt.Errorf("the disk is on fire")
	}
	return d.Dataset.Read(dst, i)
}

// What is not there is an error of every function that takes it.
func TestNothingToWorkWith(t *testing.T) {
	c := smallConfig(t)
	w, err := graph.NewWeights(c.Network, c.Device)
	require.NoError(t, err)
	defer w.Close()
	evaluate := func(d device.Device, w *graph.Weights, set data.Dataset) error {
		_, err := Evaluate(t.Context(), d, w, set, c.Preprocess, 4)
		return err
	}
	require.EqualError(t, evaluate(nil, w, c.Test), "there is no device to test on")
	require.EqualError(t, evaluate(c.Device, nil, c.Test), "there are no weights to test")
	require.EqualError(t, evaluate(c.Device, w, nil), "there is no data set to test on")
	_, err = Replay(nil, "nowhere")
	require.EqualError(t, err, "there is no device to repeat an update on")
	for want, change := range map[string]func(c *Config){
		"there is no network to train":     func(c *Config) { c.Network = nil },
		"there is no device to train on":   func(c *Config) { c.Device = nil },
		"there is no data set to train on": func(c *Config) { c.Train = nil },
	} {
		less := c
		change(&less)
		require.EqualError(t, CheckSanity(t.Context(), less), want)
	}
	_, err = graph.NewWeights(nil, c.Device)
	require.EqualError(t, err, "weights of no network")
	_, err = graph.NewWeights(c.Network, nil)
	require.EqualError(t, err, "weights of small: there is no device for them")
	_, err = graph.NewExecutor(nil, w)
	require.EqualError(t, err, "an executor needs a plan and weights")
}
