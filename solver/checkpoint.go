package solver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/safetensors"
)

// CheckpointFile is the name, in a run's folder, of what resuming needs: the
// weights, a velocity "momentum/NAME" for each trained parameter, and how the
// run was configured. Random numbers are counted, so the seed and the
// iteration are their whole state.
const CheckpointFile = "checkpoint.safetensors"

// Keys of a checkpoint's metadata, besides those of a weights file.
const (
	solverKey    = "solver" // settings in JSON
	iterationKey = "iteration"

	momentumPrefix = "momentum/"
)

// settings are what a checkpoint keeps of a Config, besides the model.
type settings struct {
	Data       string   `json:"data,omitempty"`
	Samples    int      `json:"samples"` // of the training set
	Batch      int      `json:"batch"`
	Accumulate int      `json:"accumulate"`
	Iterations int      `json:"iterations"`
	Seed       uint64   `json:"seed"`
	Frozen     []string `json:"frozen,omitempty"`
	SGD
}

func (c *Config) settings(samples int) settings {
	return settings{
		Data:       c.Data,
		Samples:    samples,
		Batch:      c.Batch,
		Accumulate: c.Accumulate,
		Iterations: c.Iterations,
		Seed:       c.Seed,
		Frozen:     c.Frozen,
		SGD:        c.SGD,
	}
}

// Checkpoint says how the run in a folder was configured and how far it is.
type Checkpoint struct {
	// Config resumes the run once Device, Train and Test are set. What decides
	// no weights (LogEvery, CheckpointEvery and the functions) is not kept.
	Config Config

	Classes   []string
	Samples   int // of the training set
	Iteration int // updates done
}

// ReadCheckpoint reads what the checkpoint in a run's folder says of the run.
func ReadCheckpoint(dir string) (*Checkpoint, error) {
	path := filepath.Join(dir, CheckpointFile)
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, noCheckpoint(dir, err)
	}
	defer f.Close()
	return decodeCheckpoint(dir, f.Metadata())
}

// readState reads a checkpoint with its tensors: the weights by name, and the
// velocities by the name of the parameter.
func readState(dir string) (c *Checkpoint, weights, velocities map[string]*tensor.Dense, err error) {
	tensors, metadata, err := readTensors(filepath.Join(dir, CheckpointFile))
	if err != nil {
		return nil, nil, nil, noCheckpoint(dir, err)
	}
	if c, err = decodeCheckpoint(dir, metadata); err != nil {
		return nil, nil, nil, err
	}
	velocities = map[string]*tensor.Dense{}
	for name, x := range tensors {
		if param, ok := strings.CutPrefix(name, momentumPrefix); ok {
			velocities[param] = x
			delete(tensors, name)
		}
	}
	return c, tensors, velocities, nil
}

// noCheckpoint says it in words where the error is that there is no file.
func noCheckpoint(dir string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no run to resume in %s: %w", dir, err)
	}
	return err
}

func decodeCheckpoint(dir string, metadata map[string]string) (*Checkpoint, error) {
	c := &Checkpoint{Config: Config{Dir: dir, Resume: true}}
	fail := func(err error) (*Checkpoint, error) {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, CheckpointFile), err)
	}
	var err error
	if c.Config.Network, err = decodeModel(metadata, &c.Config.Preprocess, &c.Classes); err != nil {
		return fail(err)
	}
	var s settings
	if err := json.Unmarshal([]byte(metadata[solverKey]), &s); err != nil {
		return fail(fmt.Errorf("metadata %s: %w", solverKey, err))
	}
	if c.Iteration, err = strconv.Atoi(metadata[iterationKey]); err != nil || c.Iteration < 0 {
		return fail(fmt.Errorf("metadata %s: %q is not a number of updates", iterationKey, metadata[iterationKey]))
	}
	c.Samples = s.Samples
	c.Config.Data = s.Data
	c.Config.Batch, c.Config.Accumulate, c.Config.Iterations = s.Batch, s.Accumulate, s.Iterations
	c.Config.Seed, c.Config.Frozen, c.Config.SGD = s.Seed, s.Frozen, s.SGD
	if err := c.Config.checkKept(); err != nil {
		return fail(fmt.Errorf("metadata %s: %w", solverKey, err))
	}
	return c, nil
}

// save writes the weights and the checkpoint. Neither holds a time or a speed:
// the same training makes the same bytes.
func (t *trainer) save() error {
	if err := t.exec.Sync(); err != nil {
		return err
	}
	tensors, err := downloadWeights(t.weights)
	if err != nil {
		return err
	}
	metadata, err := encodeModel(t.c.Network, t.c.Preprocess, t.c.Train.Classes())
	if err != nil {
		return err
	}
	if err := safetensors.Write(filepath.Join(t.c.Dir, WeightsFile), tensors, metadata); err != nil {
		return err
	}
	velocities, err := t.sgd.download()
	if err != nil {
		return err
	}
	s, err := json.Marshal(t.c.settings(t.c.Train.Len()))
	if err != nil {
		return err
	}
	maps.Copy(metadata, map[string]string{solverKey: string(s), iterationKey: strconv.Itoa(t.iteration)})
	return safetensors.Write(filepath.Join(t.c.Dir, CheckpointFile), append(tensors, velocities...), metadata)
}

// download downloads the velocities.
func (u *updater) download() ([]safetensors.Tensor, error) {
	var tensors []safetensors.Tensor
	q := u.exec.Queue()
	for _, p := range u.trained() {
		x := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(p.Shape...))
		q.Scope(momentumPrefix + p.Name)
		q.Download(x, u.velocity(p))
		tensors = append(tensors, safetensors.Tensor{Name: momentumPrefix + p.Name, Value: x})
	}
	return tensors, q.Sync()
}

// upload sets the velocities to those of the parameters of the same names.
func (u *updater) upload(velocities map[string]*tensor.Dense) error {
	q := u.exec.Queue()
	left := maps.Clone(velocities)
	for _, p := range u.trained() {
		name := momentumPrefix + p.Name
		x, ok := left[p.Name]
		if !ok {
			return fmt.Errorf("tensor %s is missing", name)
		}
		if !slices.Equal([]int(x.Shape()), []int(p.Shape)) {
			return fmt.Errorf("tensor %s has the shape %v, but %s is %v", name, []int(x.Shape()), p.Name, []int(p.Shape))
		}
		delete(left, p.Name)
		q.Scope(name)
		q.Upload(u.velocity(p), x)
	}
	if len(left) > 0 {
		return fmt.Errorf("tensor %s%s is of no trained parameter", momentumPrefix, slices.Sorted(maps.Keys(left))[0])
	}
	return q.Sync()
}

// velocity is the velocity of a trained parameter.
func (u *updater) velocity(p graph.Param) device.Tensor {
	bytes := int64(device.Elements(p.Shape)) * device.Float32.Size()
	return device.Tensor{Buffer: u.v.Buffer.Slice(p.Grad, bytes), DType: device.Float32, Shape: p.Shape}
}
