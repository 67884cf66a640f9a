// Package solver trains networks: the loop over batches, the optimiser, the
// schedule of the learning rate, tests, checkpoints and the log.
//
// Everything random in training depends on the seed, the iteration and the
// sample alone, so a run that was stopped and resumed leaves the same bytes
// as one that never stopped.
package solver

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
)

// Config says what to train, on what, and how.
type Config struct {
	Network *graph.Network
	Device  device.Device

	Train, Test data.Dataset // Test may be nil
	Preprocess  data.Preprocess

	// Data is what the data sets were opened by, such as "mnist". It is kept
	// in the checkpoint for whoever resumes the run, and means nothing here.
	Data string

	// DirectConv is how Device was opened, device.Options.DirectConv: it decides
	// the weights, to the bit. It is kept in the checkpoint for whoever opens a
	// device to resume the run, and means nothing here.
	DirectConv bool

	// TF32 is likewise device.Options.TF32.
	TF32 bool

	SGD        SGD
	Batch      int // samples of one pass
	Accumulate int // passes whose gradients make one update, at least 1
	Iterations int // updates in all, those before a resumption included
	Seed       uint64
	Frozen     []string // layers or parameters that are not trained

	// Dir is the run's folder. It is made; one that holds a run is refused
	// unless that is resumed, and one that another process trains in is refused
	// always. Where Dir is empty nothing is written.
	Dir string

	// Weights is a file of weights to start from. Where it is empty the
	// network's fillers and Seed say what weights start as.
	Weights string

	// Fresh names layers, or parameters such as "fc8.weight", that start as
	// the fillers say all the same: a new last layer on trained ones. What Weights
	// has and the network has not is an error unless it is named here too.
	Fresh []string

	// Resume goes on from the checkpoint in Dir. What decides the weights must
	// then be as it was; ReadCheckpoint has it. Iterations alone may be more
	// than before (what that does to a rate, Schedule.Max says).
	Resume bool

	// Retest makes a run that has come to its end, and is resumed, repeat its last
	// test and tell of its end once more: it may have been killed before it did.
	Retest bool

	// OtherArithmetic lets a run that is resumed go on on a device that rounds
	// otherwise than the one it was trained on: its bytes are then not those of a
	// run that never stopped, and a Notice says so.
	OtherArithmetic bool

	// Patience ends the run after so many tests in a row without one better
	// than the best before them; 0 is endless. A run that is resumed may be
	// given another.
	Patience int

	LogEvery int // iterations; 0 means 10. The loss is read back so often

	// A checkpoint is written so many iterations after the last, or so much
	// time, and at the run's end. Where both are 0, it is at each epoch's end.
	CheckpointEvery int
	CheckpointTime  time.Duration

	// DebugEvery writes the numbers of every layer to DebugFile in the first
	// of so many iterations; 0 is never. Each costs a pass more, and the memory
	// of a pass that shares none.
	DebugEvery int

	// Observers watch the run; see there.
	Observers []Observer
}

// Result is how training ended.
type Result struct {
	Began     bool    // all that can be checked before was in order, and the folder is there
	Iteration int     // updates done
	Loss      float64 // of a training batch, when it was last read back; NaN if never
	Test      *Test   // the last one, nil where there was none
	Best      int     // iteration of the best test, whose weights are in BestFile; 0 where there was none
	Early     bool    // Patience ended the run
}

// Iterations is the number of updates that make the given number of epochs.
// The batch is that of an update: Batch times Accumulate. An epoch's last one
// may be smaller.
func Iterations(epochs, samples, batch int) int {
	return epochs * ((samples + batch - 1) / batch)
}

// check says what is wrong with the configuration by itself, if anything.
func (c *Config) check() error {
	if err := c.checkThere(); err != nil {
		return err
	}
	switch {
	case c.Train.Len() < 1:
		return errors.New("the training set is empty")
	case c.Fresh != nil && c.Weights == "":
		return errors.New("layers start fresh without a file of weights")
	case c.DebugEvery < 0:
		return fmt.Errorf("debugging every %d iterations must not be negative", c.DebugEvery)
	case c.LogEvery < 0 || c.CheckpointEvery < 0 || c.CheckpointTime < 0:
		return fmt.Errorf("a log every %d, a checkpoint every %d iterations and one every %v must not be negative", c.LogEvery, c.CheckpointEvery, c.CheckpointTime)
	case c.Test == nil && c.Patience > 0:
		return errors.New("patience with a run needs a test set")
	case c.Test == nil && c.SGD.Schedule.Policy == Plateau:
		return fmt.Errorf("learning-rate policy %s needs a test set", Plateau)
	case c.Retest && (!c.Resume || c.Test == nil):
		return errors.New("a test is repeated of a run that is resumed with a test set")
	case c.Resume && c.Dir == "":
		return errors.New("there is no folder to resume a run from")
	case c.Resume && c.Weights != "":
		return fmt.Errorf("a run that is resumed has its own weights; %s cannot be loaded too", c.Weights)
	}
	return c.checkSettings()
}

// checkThere says what is missing, if anything is.
func (c *Config) checkThere() error {
	switch {
	case c.Network == nil:
		return errors.New("there is no network to train")
	case c.Device == nil:
		return errors.New("there is no device to train on")
	case c.Train == nil:
		return errors.New("there is no data set to train on")
	}
	return nil
}

// checkSettings checks the numbers that a checkpoint keeps.
func (c *Config) checkSettings() error {
	switch {
	case c.Batch < 1:
		return fmt.Errorf("batch %d must be at least 1", c.Batch)
	case c.Accumulate < 1:
		return fmt.Errorf("%d passes to accumulate must be at least 1", c.Accumulate)
	case c.Accumulate > math.MaxInt/c.Batch:
		return fmt.Errorf("%d passes of %d samples are too many for one update", c.Accumulate, c.Batch)
	case c.Iterations < 1:
		return fmt.Errorf("%d iterations must be at least 1", c.Iterations)
	case c.Patience < 0:
		return fmt.Errorf("a patience of %d tests must not be negative", c.Patience)
	case c.Iterations > math.MaxInt32:
		return fmt.Errorf("%d iterations must be at most %d", c.Iterations, math.MaxInt32)
	}
	return c.SGD.Check()
}
