package caffe

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/modelfile"
)

// CheckpointOptions are what a checkpoint of hubel's says of a run and Caffe's files do not.
type CheckpointOptions struct {
	Samples int      // of the training set
	Batch   int      // of one pass
	Classes []string // of the training set
	Data    string   // the name that the data sets are opened by; may be empty
	Seed    uint64   // of the order of the samples, unless the solver has one
}

// settings are those of a run, as checkpoint.safetensors has them in JSON under "solver".
type settings struct {
	Data       string `json:"data,omitempty"`
	Samples    int    `json:"samples"`
	Batch      int    `json:"batch"`
	Accumulate int    `json:"accumulate"`
	Iterations int    `json:"iterations"`
	Seed       uint64 `json:"seed"`

	Method   string   `json:"method,omitempty"`
	Schedule schedule `json:"schedule"`
	Momentum float32  `json:"momentum"`
	Decay    float32  `json:"decay"`
	Nesterov bool     `json:"nesterov,omitempty"`
	ClipNorm float32  `json:"clip_norm,omitempty"`
	Beta1    float32  `json:"beta1,omitempty"`
	Beta2    float32  `json:"beta2,omitempty"`
	Epsilon  float32  `json:"epsilon,omitempty"`

	LogEvery        int `json:"log_every,omitempty"`
	CheckpointEvery int `json:"checkpoint_every,omitempty"`
}

// schedule is the rule of the rate.
type schedule struct {
	Policy string  `json:"policy"`
	Rate   float64 `json:"rate"`
	Gamma  float64 `json:"gamma,omitempty"`
	Power  float64 `json:"power,omitempty"`
	Step   int     `json:"step,omitempty"`
	Steps  []int   `json:"steps,omitempty"`
}

// exact is a float32 as the float64 that has its decimal digits: a rate of 0.01 in a file of
// Caffe's is 0.01.
func exact(v float32) float64 {
	d, _ := strconv.ParseFloat(decimal(v), 64)
	return d
}

// Checkpoint is the run as the file checkpoint.safetensors in the folder of a run, with which
// `train -resume` goes on: tensors and metadata for safetensors.Write. The next updates are
// Caffe's own but for the order of the samples and what is drawn at random. What the solver has
// and hubel does not is an error.
func (r *Run) Checkpoint(o CheckpointOptions) ([]safetensors.Tensor, map[string]string, error) {
	s := r.Solver
	if o.Samples < 1 || o.Batch < 1 || o.Batch > o.Samples {
		return nil, nil, fmt.Errorf("%d samples and a batch of %d: a checkpoint needs both, and a batch is no larger than the set", o.Samples, o.Batch)
	}
	set := settings{
		Data: o.Data, Samples: o.Samples, Batch: o.Batch, Accumulate: max(s.IterSize, 1), Iterations: s.MaxIter, Seed: o.Seed,
		Schedule: schedule{Policy: s.Policy, Rate: exact(s.BaseLR)}, Nesterov: s.Type == "Nesterov", ClipNorm: max(s.ClipGradients, 0),
		LogEvery: s.Display, CheckpointEvery: s.Snapshot,
	}
	if s.RandomSeed >= 0 {
		set.Seed = uint64(s.RandomSeed)
	}
	switch s.Policy {
	case "fixed":
	case "step":
		set.Schedule.Gamma, set.Schedule.Step = exact(s.Gamma), s.StepSize
	case "multistep":
		set.Schedule.Gamma, set.Schedule.Steps = exact(s.Gamma), s.StepValues
	case "exp":
		set.Schedule.Gamma = exact(s.Gamma)
	case "inv":
		set.Schedule.Gamma, set.Schedule.Power = exact(s.Gamma), exact(s.Power)
	case "poly":
		set.Schedule.Power = exact(s.Power)
	default:
		return nil, nil, fmt.Errorf("%s: lr_policy %q: hubel has fixed, step, multistep, exp, inv and poly", s.path, s.Policy)
	}
	switch s.Type {
	case "SGD", "Nesterov":
		set.Momentum = s.Momentum
	case "AdaGrad":
		set.Epsilon = s.Delta
	case "AdaDelta":
		set.Beta2, set.Epsilon = s.Momentum, s.Delta
	case "RMSProp":
		set.Beta2, set.Epsilon = s.RMSDecay, s.Delta
	case "Adam":
		set.Beta1, set.Beta2, set.Epsilon = s.Momentum, s.Momentum2, s.Delta
	}
	if m := methods[s.Type]; m != "sgd" {
		set.Method = m
	}
	if s.Regularization != "L2" && s.WeightDecay != 0 {
		return nil, nil, fmt.Errorf("%s: regularization_type %q: hubel's decay is L2", s.path, s.Regularization)
	}
	set.Decay = s.WeightDecay
	metadata, err := modelfile.Encode(r.Network, r.Preprocess, o.Classes)
	if err != nil {
		return nil, nil, err
	}
	metadata[modelfile.IterationKey] = strconv.Itoa(r.State.Iteration)
	if err := modelfile.PutJSON(metadata, map[string]any{"solver": set, "standing": struct{}{}}); err != nil {
		return nil, nil, err
	}
	var tensors []safetensors.Tensor
	for _, name := range slices.Sorted(maps.Keys(r.Weights)) {
		tensors = append(tensors, safetensors.Tensor{Name: name, Value: r.Weights[name]})
	}
	for _, name := range slices.Sorted(maps.Keys(r.Slabs)) {
		tensors = append(tensors, safetensors.Tensor{Name: name, Value: r.Slabs[name]})
	}
	return tensors, metadata, nil
}
