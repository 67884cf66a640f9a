package solver

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/modelfile"
)

// Keys of a checkpoint's metadata, besides those of a weights file.
const (
	solverKey    = "solver" // settings in JSON
	iterationKey = modelfile.IterationKey
	historyKey   = "standing" // history in JSON
)

// settings are what a checkpoint keeps of a Config, besides the model.
type settings struct {
	Data       string   `json:"data,omitempty"`
	DirectConv bool     `json:"direct_conv,omitempty"`
	TF32       bool     `json:"tf32,omitempty"`
	Arithmetic string   `json:"arithmetic,omitempty"` // of the device
	Samples    int      `json:"samples"`              // of the training set; 0 of a run without data
	Batch      int      `json:"batch"`
	Accumulate int      `json:"accumulate"` // passes of an update over all ranks
	FixedOrder bool     `json:"fixed_order,omitempty"`
	SyncRanks  int      `json:"sync_bn,omitempty"` // whose passes have one statistic
	Iterations int      `json:"iterations"`
	Seed       uint64   `json:"seed"`
	Balance    bool     `json:"balance,omitempty"`
	Frozen     []string `json:"frozen,omitempty"`
	Patience   int      `json:"patience,omitempty"`
	Optimiser

	habits
}

// habits are what decides no weights, and is kept for whoever resumes the run.
type habits struct {
	LogEvery        int           `json:"log_every,omitempty"`
	CheckpointEvery int           `json:"checkpoint_every,omitempty"`
	CheckpointTime  time.Duration `json:"checkpoint_time,omitempty"` // nanoseconds
}

func (c *Config) settings(samples int) settings {
	arithmetic := ""
	if c.Device != nil {
		arithmetic = c.Device.Arithmetic()
	}
	o := c.Optimiser
	if o.Method == SGD {
		o.Method = ""
	}
	return settings{
		Arithmetic: arithmetic,
		Data:       c.Data,
		DirectConv: c.DirectConv,
		TF32:       c.TF32,
		Samples:    samples,
		Batch:      c.Batch,
		Accumulate: c.Passes(),
		FixedOrder: c.FixedOrder,
		SyncRanks:  c.synchronised(),
		Iterations: c.Iterations,
		Seed:       c.Seed,
		Balance:    c.Balance,
		Frozen:     c.Frozen,
		Patience:   c.Patience,
		Optimiser:  o,
		habits:     habits{c.LogEvery, c.CheckpointEvery, c.CheckpointTime},
	}
}

// Checkpoint is the configuration and the progress of the run in a folder.
type Checkpoint struct {
	// Config resumes the run once Device, Train and Test are set. It has no Watch, DebugEvery,
	// MonitorEvery or Observers, and is of one rank, that makes all passes: see Config.Spread.
	Config Config

	Path      string // of the file
	Classes   []string
	Samples   int // of the training set; 0 of a run without data
	Iteration int // updates done

	// Arithmetic is that of the device that the run was last trained on; empty in a
	// checkpoint that does not have it.
	Arithmetic string

	// Damaged says why the newest checkpoint could not be read. It is nil if it
	// could; otherwise this is the checkpoint before it.
	Damaged error

	history history
	sets    sets
}

// ReadCheckpoint reads the newest undamaged checkpoint in a run's folder.
func ReadCheckpoint(dir string) (*Checkpoint, error) {
	c, _, err := readState(dir)
	return c, err
}

// PeekCheckpoint reads the newest checkpoint in a run's folder, without its
// tensors and without verifying its checksum.
func PeekCheckpoint(dir string) (*Checkpoint, error) {
	path := filepath.Join(dir, CheckpointFile)
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	c, err := decodeCheckpoint(dir, path, f.Metadata())
	return c, cmp.Or(err, f.Close())
}

// WithoutData reports whether the run has no data set yet: it was begun by another program, and
// converted. The data set that it is resumed with becomes its own.
func (c *Checkpoint) WithoutData() bool { return c.Samples == 0 }

// Done reports whether a run of so many iterations has nothing left to do.
func (c *Checkpoint) Done(iterations int) bool {
	return c.Iteration >= iterations && !c.history.Due
}

// Early reports whether the run ends early with this patience: see
// Config.Patience.
func (c *Checkpoint) Early(patience int) bool { return c.history.exhausts(patience) }

// readState reads the newest checkpoint that is whole, with its tensors.
func readState(dir string) (*Checkpoint, map[string]*tensor.Dense, error) {
	c, tensors, err := readCheckpoint(dir, CheckpointFile)
	switch {
	case err == nil:
		return c, tensors, nil
	case errors.As(err, new(*graph.NewerError)): // it is not damaged, and not to be set aside
		return nil, nil, err
	}
	c, tensors, before := readCheckpoint(dir, PreviousFile)
	switch {
	case before == nil && errors.Is(err, fs.ErrNotExist): // killed between two renames
		return c, tensors, nil
	case before == nil:
		c.Damaged = err
		return c, tensors, nil
	case errors.Is(before, fs.ErrNotExist) && errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("there is no run to resume in %s: %w", dir, err)
	case errors.Is(before, fs.ErrNotExist):
		before = errors.New("there is none before it")
	}
	if s, err := os.Stat(dir); err == nil && !s.IsDir() {
		return nil, nil, fmt.Errorf("there is no run to resume in %s: it is not a folder", dir)
	}
	return nil, nil, fmt.Errorf("%w; %w; a new run can start from the weights in %s or %s beside it", err, before, BestFile, WeightsFile)
}

// readCheckpoint reads a checkpoint with its tensors: the weights by name, and what
// the optimiser keeps of them by its slab and name.
func readCheckpoint(dir, name string) (*Checkpoint, map[string]*tensor.Dense, error) {
	path := filepath.Join(dir, name)
	tensors, metadata, err := modelfile.ReadVerified(path)
	if err != nil {
		return nil, nil, err
	}
	c, err := decodeCheckpoint(dir, path, metadata)
	return c, tensors, err
}

// split takes what the optimiser of the run keeps out of a checkpoint's tensors.
func (o Optimiser) split(tensors map[string]*tensor.Dense) (weights, kept map[string]*tensor.Dense) {
	weights, kept = map[string]*tensor.Dense{}, map[string]*tensor.Dense{}
	for name, x := range tensors {
		if slab, _, ok := strings.Cut(name, "/"); ok && slices.Contains(o.Slabs(), slab) {
			kept[name] = x
		} else {
			weights[name] = x
		}
	}
	return weights, kept
}

func decodeCheckpoint(dir, path string, metadata map[string]string) (*Checkpoint, error) {
	c := &Checkpoint{Config: Config{Dir: dir, Resume: true}, Path: path}
	fail := func(err error) (*Checkpoint, error) { return nil, fmt.Errorf("%s: %w", path, err) }
	var err error
	if c.Config.Network, err = modelfile.Decode(metadata, &c.Config.Preprocess, &c.Classes); err != nil {
		return fail(err)
	}
	if metadata[solverKey] == "" {
		return fail(errors.New("it is no checkpoint: it has weights, but nothing of the run that made them"))
	}
	if c.sets, err = decodeSets(metadata); err != nil {
		return fail(err)
	}
	var s settings
	if err := json.Unmarshal([]byte(metadata[solverKey]), &s); err != nil {
		return fail(fmt.Errorf("metadata %s: %w", solverKey, err))
	}
	if c.Iteration, err = strconv.Atoi(metadata[iterationKey]); err != nil || c.Iteration < 0 {
		return fail(fmt.Errorf("metadata %s: %q is not a number of updates", iterationKey, metadata[iterationKey]))
	}
	if err := json.Unmarshal([]byte(metadata[historyKey]), &c.history); err != nil {
		return fail(fmt.Errorf("metadata %s: %w", historyKey, err))
	}
	if c.Samples, c.Arithmetic = s.Samples, s.Arithmetic; c.Samples < 0 {
		return fail(fmt.Errorf("metadata %s: %d samples to train on", solverKey, c.Samples))
	}
	c.Config.Data, c.Config.DirectConv, c.Config.TF32 = s.Data, s.DirectConv, s.TF32
	c.Config.Batch, c.Config.Accumulate, c.Config.Iterations = s.Batch, s.Accumulate, s.Iterations
	c.Config.Seed, c.Config.Frozen, c.Config.Optimiser = s.Seed, s.Frozen, s.Optimiser
	c.Config.Patience, c.Config.Balance, c.Config.FixedOrder = s.Patience, s.Balance, s.FixedOrder
	c.Config.SyncBN, c.Config.syncRanks = s.SyncRanks > 0, s.SyncRanks
	c.Config.LogEvery, c.Config.CheckpointEvery, c.Config.CheckpointTime = s.LogEvery, s.CheckpointEvery, s.CheckpointTime
	if err := c.Config.checkSettings(); err != nil {
		return fail(fmt.Errorf("metadata %s: %w", solverKey, err))
	}
	return c, nil
}

// snapshot is a run at one iteration, as its files hold it.
type snapshot struct {
	iteration int
	weights   []safetensors.Tensor // parameters and state
	optimiser []safetensors.Tensor // its slabs
	model     map[string]string    // metadata of a weights file
	settings  settings
	history   history
	sets      sets
}

// snapshot copies all that a checkpoint keeps.
func (t *trainer) snapshot() (*snapshot, error) {
	s := &snapshot{iteration: t.iteration, settings: t.c.settings(t.c.Train.Len()), history: t.history, sets: t.sets}
	if !math.IsNaN(t.last.Loss) {
		s.history.Last = new(t.last)
	}
	var err error
	if s.weights, s.model, err = t.model(); err == nil {
		s.optimiser, err = t.updater.download()
	}
	return s, err
}

// all are the tensors of a checkpoint.
func (s *snapshot) all() []safetensors.Tensor { return slices.Concat(s.weights, s.optimiser) }

// averages are the tensors of AverageFile, nil if there are no averages. What is not
// trained is as in the weights.
func (s *snapshot) averages() []safetensors.Tensor {
	if !s.settings.Optimiser.averages() {
		return nil
	}
	averaged := slices.Clone(s.weights)
	for i := range averaged {
		name := averageSlab + "/" + averaged[i].Name
		if k := slices.IndexFunc(s.optimiser, func(t safetensors.Tensor) bool { return t.Name == name }); k >= 0 {
			averaged[i].Value = s.optimiser[k].Value
		}
	}
	return averaged
}

// metadata is that of a checkpoint.
func (s *snapshot) metadata() (map[string]string, error) {
	m := maps.Clone(s.model)
	m[iterationKey] = strconv.Itoa(s.iteration)
	return m, modelfile.PutJSON(m, map[string]any{solverKey: s.settings, historyKey: s.history, setsKey: s.sets})
}

// model is what a weights file holds.
func (t *trainer) model() ([]safetensors.Tensor, map[string]string, error) {
	if err := t.exec.Sync(); err != nil {
		return nil, nil, err
	}
	tensors, err := modelfile.Download(t.weights)
	if err != nil {
		return nil, nil, err
	}
	metadata, err := modelfile.Encode(t.c.Network, t.c.Preprocess, t.c.Train.Classes())
	return tensors, metadata, err
}
