// Package solver trains networks: the loop over batches, the optimiser, the
// schedule of the learning rate, tests, checkpoints and the log.
//
// Random numbers in training depend only on the seed, the iteration and the
// sample. So a run that was stopped and resumed writes the same bytes as one
// that never stopped.
package solver

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/dist"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/results"
)

// Config is the configuration of a run.
type Config struct {
	Network *graph.Network
	Device  device.Device

	Train, Test data.Dataset // Test may be nil
	Preprocess  data.Preprocess

	// Data is the name that the data sets were opened by, such as "mnist". Train
	// only stores it in the checkpoint, for the program that resumes the run.
	Data string

	// DirectConv is the device.Options.DirectConv that Device was opened with; the
	// bits of the weights depend on it. Train only stores it in the checkpoint, for
	// the program that resumes the run.
	DirectConv bool

	// TF32 is likewise device.Options.TF32.
	TF32 bool

	Optimiser  Optimiser
	Batch      int // samples of one pass
	Accumulate int // passes whose gradients make one update, at least 1
	Iterations int // updates in all, including those before a resumption
	Seed       uint64

	// Group joins this training to those of other ranks, of which each makes Accumulate passes
	// of an update: the one has the batch and the order of samples of a run with Passes() passes.
	// Every rank calls Train with the same configuration, besides Device and Observers. Rank 0
	// tests and writes the run's folder, which all can read. If it is nil, one rank trains alone.
	//
	// After an error that is no dist.RankError, whoever called Train reports it. Unless it is a
	// dist.AgreedError, it then aborts the group, so that the others end. Cancelling one rank's
	// ctx stops all after the same update.
	Group dist.Group

	// FixedOrder adds the gradients of passes in an order that does not depend on how many ranks
	// make them, so that any number gives the same bits. Otherwise each rank adds up its own, and
	// then the engine those of the ranks, as it likes.
	FixedOrder bool

	// SyncBN makes batch norm use the statistics of the samples of all ranks: those that make the
	// same pass of theirs together. Otherwise each pass has its own.
	SyncBN bool

	// Sharded makes each rank keep the optimiser's state, and make the update, of its part of the
	// weights alone (ZeRO-1 of Rajbhandari et al. 2020).
	Sharded bool

	syncRanks int // of the run that is resumed, if it has SyncBN

	Balance bool     // an epoch has each class equally often; see data.LoaderOptions
	Frozen  []string // layers or parameters that are not trained

	// Dir is the run's folder. Train creates it. A folder that has a run is refused
	// unless the run is resumed; a folder that another process trains in is always
	// refused. If Dir is empty, no files are written.
	Dir string

	// Weights is a weights file to start from. If it is empty, the network's
	// fillers and Seed initialise the weights.
	Weights string

	// Fresh names layers, or parameters such as "fc8.weight", that the fillers
	// initialise even with Weights: a new last layer on trained ones. A tensor of
	// Weights that the network does not have is an error unless it is named here
	// too.
	Fresh []string

	// DataInit is how many images of the training set adapt the initial weights to
	// the data, at most all of it; 0 means none. It is the number of images of one pass,
	// which is made before training, with the run's preprocessing and augmentation.
	//
	// This is the initialisation within layers of Krähenbühl, Doersch, Donahue and Darrell
	// 2016 (Data-dependent initializations of convolutional neural networks, algorithm 1).
	// Each layers.ChannelScaler in the network's order has its bias set to 0, and reads what
	// the layers before it make of the images. If an output channel has the mean m and the
	// deviation s, over images and pixels and before an activation, its weights are divided
	// by s, and its bias becomes -m/s. Then the next layer reads what this one makes now.
	//
	// Only parameters are changed that the fillers have initialised (all without
	// Weights, otherwise those of Fresh) and that are trained: not Frozen, and of a rate
	// above 0. A layer whose weight is not one of them is left out. If its bias is not, the
	// deviation becomes 1, and the mean is what it is. A channel that is the same everywhere
	// keeps its initial values, and a Notice says so.
	DataInit int

	// Memory limits the memory of the run, in bytes; 0 means no limit. It covers the slabs of
	// weights, gradients and the optimiser, the activations of training, those of testing, and
	// the batches that wait: all that is checked against the device's free memory, not the
	// host's decoded pictures. Where that does not fit, activations are computed again in the
	// backward pass (graph.PlanOptions.Memory). The weights are the same bits, so that a run
	// may be resumed with another limit.
	Memory int64

	// Resume continues from the checkpoint in Dir. All fields that decide the
	// weights must be as before; ReadCheckpoint returns them. Only Iterations may
	// be larger (see Schedule.Max for the effect on the rate).
	Resume bool

	// Retest makes a finished run that is resumed repeat its last test and its
	// Ended event: it may have been killed before them.
	Retest bool

	// OtherArithmetic allows a run to be resumed on a device that rounds
	// differently from the one it was trained on. Its bytes then differ from those
	// of a run that never stopped, and a Notice says so.
	OtherArithmetic bool

	// Patience ends the run after so many tests in a row that are no better than
	// the best before them; 0 means never. It may be changed when a run is resumed.
	Patience int

	LogEvery int // iterations; 0 means 10. The loss is read back at each

	// A checkpoint is written every CheckpointEvery iterations or every
	// CheckpointTime, and at the run's end. If both are 0, it is written at each
	// epoch's end.
	CheckpointEvery int
	CheckpointTime  time.Duration

	// DebugEvery writes statistics of every layer to DebugFile in the first of so
	// many iterations; 0 means never. Each costs one more pass, and the memory of a
	// pass that shares no buffers.
	DebugEvery int

	// MonitorEvery writes distributions of every layer to results.MonitorFile, at the same
	// cost; 0 means never.
	MonitorEvery int

	// Watch is what the run keeps for those who look at it.
	Watch Watch

	// SaveNow makes a checkpoint due with the next update whenever a value can be received;
	// it may be nil.
	SaveNow <-chan struct{}

	// Observers receive the events of the run.
	Observers []Observer
}

// Plan is the plan of a training pass on a device of those traits. Of the configuration, the
// network, the batch, the optimiser and what is frozen decide it. Memory does not: the
// trainer plans again within what other parts of a run leave of it.
func (c *Config) Plan(t device.Traits) (*graph.Plan, error) {
	return c.planWithin(t, 0)
}

// planWithin is Plan with a limit of its memory, 0 for none.
func (c *Config) planWithin(t device.Traits, memory int64) (*graph.Plan, error) {
	return c.Network.Plan(t, graph.PlanOptions{Memory: memory, Mode: graph.Train, Batch: c.Batch, Frozen: c.Frozen, Keep: metricValues(c.Network), Slabs: len(c.Optimiser.Slabs())})
}

// Watch is what a run keeps, besides its logs, for those who look at it. It changes no weight.
type Watch struct {
	// FiltersEvery writes the filters of the first convolution to results.FiltersFile with
	// the first and the last update and every so many; 0 means never. A network without a
	// convolution has none.
	FiltersEvery int

	// Answers makes tests of a classifier keep its answers in results.AnswersFile.
	Answers bool

	// Machine is written to results.MachineFile, unless it is nil.
	Machine []results.Fact
}

// Result is the outcome of training.
type Result struct {
	Began     bool    // all checks before training passed, and the folder exists
	Iteration int     // updates done
	Loss      float64 // of a training batch, when it was last read back; NaN if never
	Test      *Test   // the last one, nil if there was none
	Best      int     // iteration of the best test, whose weights are in BestFile; 0 if there was none
	Early     bool    // Patience ended the run

	Exchange dist.Times // between ranks
}

// Iterations is the number of updates in the given number of epochs. The batch
// is that of an update: Config.Whole. The last batch of an epoch may
// be smaller.
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
	case c.DataInit < 0 || c.DataInit == 1 || c.DataInit > math.MaxInt32:
		return fmt.Errorf("weights from %d images: there must be at least 2 and at most %d, or 0 for none", c.DataInit, math.MaxInt32)
	case c.DataInit > 0 && c.Weights != "" && c.Fresh == nil:
		return errors.New("all weights come from a file, so that no layer begins anew that could be adapted to the data")
	case c.DebugEvery < 0:
		return fmt.Errorf("debugging every %d iterations must not be negative", c.DebugEvery)
	case c.MonitorEvery < 0:
		return fmt.Errorf("monitoring every %d iterations must not be negative", c.MonitorEvery)
	case c.Watch.FiltersEvery < 0:
		return fmt.Errorf("filters every %d iterations must not be negative", c.Watch.FiltersEvery)
	case c.LogEvery < 0 || c.CheckpointEvery < 0 || c.CheckpointTime < 0:
		return fmt.Errorf("a log every %d, a checkpoint every %d iterations and one every %v must not be negative", c.LogEvery, c.CheckpointEvery, c.CheckpointTime)
	case c.Test == nil && c.Patience > 0:
		return errors.New("patience with a run needs a test set")
	case c.Test == nil && c.Optimiser.Schedule.Policy == Plateau:
		return fmt.Errorf("learning-rate policy %s needs a test set", Plateau)
	case c.Retest && (!c.Resume || c.Test == nil):
		return errors.New("a test is repeated of a run that is resumed with a test set")
	case c.Resume && c.Dir == "":
		return errors.New("there is no folder to resume a run from")
	case c.Resume && c.DataInit > 0:
		return errors.New("a run that is resumed has its own weights; they are not initialised again")
	case c.Resume && c.Weights != "":
		return fmt.Errorf("a run that is resumed has its own weights; %s cannot be loaded too", c.Weights)
	}
	if err := c.checkSettings(); err != nil {
		return err
	}
	return c.checkGroup()
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
	case c.Optimiser.SWA > c.Iterations:
		return fmt.Errorf("mean of weights: the update %d that it begins with must be one of the run's %d", c.Optimiser.SWA, c.Iterations)
	}
	return c.Optimiser.Check()
}
