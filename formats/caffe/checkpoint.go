package caffe

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/modelfile"
)

// settings are those of a run, as checkpoint.safetensors has them in JSON under "solver".
type settings struct {
	Samples    int      `json:"samples"` // 0: the run has no data set of hubel's yet
	Batch      int      `json:"batch"`
	Accumulate int      `json:"accumulate"`
	Iterations int      `json:"iterations"`
	Seed       uint64   `json:"seed"`
	Frozen     []string `json:"frozen,omitempty"`

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

// rule is the rule of the rate.
func (s *Solver) rule() (schedule, error) {
	r := schedule{Policy: s.Policy, Rate: exact(s.BaseLR)}
	switch s.Policy {
	case "fixed":
	case "step":
		r.Gamma, r.Step = exact(s.Gamma), s.StepSize
	case "multistep":
		r.Gamma, r.Steps = exact(s.Gamma), s.StepValues
	case "exp":
		r.Gamma = exact(s.Gamma)
	case "inv":
		r.Gamma, r.Power = exact(s.Gamma), exact(s.Power)
	case "poly":
		r.Power = exact(s.Power)
	default:
		return r, fmt.Errorf("%s: lr_policy %q: hubel has fixed, step, multistep, exp, inv and poly", s.path, s.Policy)
	}
	return r, nil
}

// clip is the bound of the norm of the gradients. Caffe bounds their sum over iter_size passes,
// and hubel their mean.
func (s *Solver) clip() float32 { return max(s.ClipGradients, 0) / float32(max(s.IterSize, 1)) }

// Checkpoint is the run as the file checkpoint.safetensors in the folder of a run: tensors and
// metadata for safetensors.Write. The run has no data set yet; `train -resume` gives it one, and
// goes on. The next updates are then Caffe's own but for the order of the samples and what is
// drawn at random. batch is how many samples a pass has; 0 is as many as in Caffe. What the
// solver has and hubel does not is an error.
func (r *Run) Checkpoint(batch int) ([]safetensors.Tensor, map[string]string, error) {
	s := r.Solver
	if batch == 0 {
		batch = r.Batch
	}
	if batch < 1 {
		return nil, nil, errors.New("the network does not say how many samples a pass has: give that number, such as -batch 64")
	}
	set := settings{
		Batch: batch, Accumulate: max(s.IterSize, 1), Iterations: max(s.MaxIter, 1), Seed: 1, Frozen: r.frozen,
		Nesterov: s.Type == "Nesterov", ClipNorm: s.clip(), LogEvery: s.Display, CheckpointEvery: s.Snapshot,
	}
	if s.RandomSeed >= 0 {
		set.Seed = uint64(s.RandomSeed)
	}
	kept, err := r.kept(&set)
	if err != nil {
		return nil, nil, err
	}
	if set.Schedule, err = s.rule(); err != nil {
		return nil, nil, err
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
	metadata, err := modelfile.Encode(r.Network, r.Preprocess, r.Classes)
	if err != nil {
		return nil, nil, err
	}
	metadata[modelfile.IterationKey] = strconv.Itoa(r.State.Iteration)
	if err := modelfile.PutJSON(metadata, map[string]any{"solver": set, "standing": struct{}{}}); err != nil {
		return nil, nil, err
	}
	var tensors []safetensors.Tensor
	for _, all := range []map[string]*tensor.Dense{r.Weights, kept} {
		for _, name := range slices.Sorted(maps.Keys(all)) {
			tensors = append(tensors, safetensors.Tensor{Name: name, Value: all[name]})
		}
	}
	return tensors, metadata, nil
}

// kept are the slabs of the parameters that are trained: zeros for one that Caffe does not have,
// such as a weight that stays 1, and none for one that no loss depends on. Where gradients are
// clipped, parameters with the rate 0 are frozen too: Caffe computes no gradients of them, which
// would be a part of the norm.
func (r *Run) kept(set *settings) (map[string]*tensor.Dense, error) {
	plan, err := r.Network.Plan(formats.NoDevice{}, graph.PlanOptions{Mode: graph.Train, Batch: 1, Frozen: set.Frozen})
	if err != nil {
		return nil, err
	}
	kept := map[string]*tensor.Dense{}
	for _, p := range plan.Params {
		if p.Grad < 0 {
			continue
		}
		if p.Rate == 0 && set.ClipNorm > 0 {
			set.Frozen = append(slices.Clip(set.Frozen), p.Name)
			continue
		}
		for _, slab := range slabs[r.Solver.Type] {
			name := slab + "/" + p.Name
			if kept[name] = r.Slabs[name]; kept[name] == nil {
				kept[name] = tensor.New(tensor.WithShape(p.Shape.Clone()...), tensor.Of(tensor.Float32))
			}
		}
	}
	return kept, nil
}
