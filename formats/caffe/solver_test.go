package caffe

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/formats"
)

// fields are a solver's by the names that Caffe has for them.
func (s *Solver) fields() map[string]any {
	ints := func(list []int) any {
		var all []any
		for _, v := range list {
			all = append(all, float64(v))
		}
		return all
	}
	texts := func(list []string) any {
		var all []any
		for _, v := range list {
			all = append(all, v)
		}
		return all
	}
	var states []any
	for _, stage := range s.TestStates {
		states = append(states, "stage: \""+stage+"\"\n")
	}
	return map[string]any{
		"net": s.Net, "train_net": s.TrainNet, "test_net": texts(s.TestNets), "test_iter": ints(s.TestIter),
		"test_interval": float64(s.TestInterval), "test_initialization": s.TestInitialization, "type": s.Type,
		"base_lr": float64(s.BaseLR), "lr_policy": s.Policy, "gamma": float64(s.Gamma), "power": float64(s.Power),
		"stepsize": float64(s.StepSize), "stepvalue": ints(s.StepValues), "momentum": float64(s.Momentum),
		"momentum2": float64(s.Momentum2), "rms_decay": float64(s.RMSDecay), "delta": float64(s.Delta),
		"weight_decay": float64(s.WeightDecay), "max_iter": float64(s.MaxIter), "iter_size": float64(s.IterSize),
		"display": float64(s.Display), "average_loss": float64(s.AverageLoss), "random_seed": float64(s.RandomSeed),
		"snapshot": float64(s.Snapshot), "snapshot_prefix": s.SnapshotPrefix, "test_state": states,
		"solver_mode": map[string]float64{"CPU": 0, "GPU": 1}[s.Mode], "snapshot_format": map[string]float64{"HDF5": 0, "BINARYPROTO": 1}[s.SnapshotFormat],
	}
}

func TestPublishedSolvers(t *testing.T) {
	dir := realFiles(t, "prototxt")
	solvers := 0
	for name, e := range expectations(t, dir) {
		if e.Solver == nil {
			continue
		}
		solvers++
		s, err := ReadSolver(filepath.Join(dir, name+".prototxt"))
		require.NoError(t, err, name)
		got := s.fields()
		for field, want := range e.Solver {
			if field == "net_param" {
				n, err := newNetwork(s.net, false)
				require.NoError(t, err)
				require.Equal(t, "LeNet", n.name)
				continue
			}
			require.Contains(t, got, field, name)
			require.Equal(t, want, got[field], "%s: %s", name, field)
		}
	}
	require.Equal(t, 20, solvers)
}

// write makes a file of a test.
func write(t *testing.T, name, text string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	return path
}

func TestSolverAsFlags(t *testing.T) {
	for text, want := range map[string]string{
		`base_lr: 0.01 lr_policy: "inv" gamma: 0.0001 power: 0.75 momentum: 0.9 weight_decay: 0.0005 max_iter: 10000 display: 100 snapshot: 5000`: "-lr=0.01 -lr-policy=inv -gamma=0.0001 -power=0.75 -momentum=0.9 -decay=0.0005 -iters=10000 -checkpoint=5000 -log-every=100",
		`base_lr: 1 lr_policy: "multistep" gamma: .5 stepvalue: [5, 7] stepvalue: 9 solver_type: NESTEROV momentum: 0.5 iter_size: 4`:             "-lr=1 -lr-policy=multistep -gamma=0.5 -steps=5,7,9 -momentum=0.5 -nesterov -decay=0 -accumulate=4",
		`base_lr: 1 lr_policy: "step" gamma: .5 stepsize: 10 type: "RMSProp" rms_decay: 0.98 random_seed: 3 clip_gradients: 10`:                   "-optimiser=rmsprop -lr=1 -lr-policy=step -gamma=0.5 -step=10 -beta2=0.98 -epsilon=1e-08 -decay=0 -clip=10 -seed=3",
		`base_lr: 1 lr_policy: "poly" power: 2 type: "Adam" momentum: 0.9`:                                                                        "-optimiser=adam -lr=1 -lr-policy=poly -power=2 -beta1=0.9 -beta2=0.999 -epsilon=1e-08 -decay=0",
		`base_lr: 1 lr_policy: "exp" gamma: 0.99 type: "AdaDelta" momentum: 0.95 delta: 1e-6`:                                                     "-optimiser=adadelta -lr=1 -lr-policy=exp -gamma=0.99 -beta2=0.95 -epsilon=1e-06 -decay=0",
		`base_lr: 1 lr_policy: "fixed" type: "AdaGrad"`:                                                                                           "-optimiser=adagrad -lr=1 -epsilon=1e-08 -decay=0",
	} {
		s, err := newSolver([]byte(text))
		require.NoError(t, err)
		require.Equal(t, want, strings.Join(s.Flags(), " "))
	}
	s, err := newSolver([]byte(`base_lr: 1 lr_policy: "sigmoid" regularization_type: "L1" weight_decay: 1 type: "LBFGS" test_iter: 1 test_iter: 2`))
	require.NoError(t, err)
	require.Equal(t, []string{
		`solver: type "LBFGS": hubel has no such method`,
		`solver: lr_policy "sigmoid": hubel has no such policy`,
		`solver: regularization_type "L1": hubel's decay is L2`,
		"solver: 2 test networks: hubel tests on one set",
	}, s.Lost())
	for text, want := range map[string]string{
		`base_lr: 1 max_iter: -5`:                  "line 1, column 12: max_iter -5 must be from 0 to 2147483647",
		`base_lr: 1 solver_type: ADAM type: "SGD"`: "solver_type and its new form, type, are both given",
		`base_lr: x`: "line 1, column 10: there is x where a number for base_lr is expected",
	} {
		_, err := newSolver([]byte(text))
		require.ErrorContains(t, err, want)
	}
}

// TestPublishedRunGoesOn reads the state of a run: its velocities are those of the README.
func TestPublishedRunGoesOn(t *testing.T) {
	dir := realFiles(t, "cifar10_quick_v1")
	file := func(name string) string { return filepath.Join(dir, name) }
	paths := []string{
		file("cifar10_quick_train_test.prototxt"), file("cifar10_quick_iter_4000.caffemodel"), file("cifar10_quick_solver.prototxt"),
		file("cifar10_quick_iter_4000.solverstate"), file("mean.binaryproto"),
	}
	r, err := ReadRun(context.Background(), paths, formats.Options{})
	require.NoError(t, err)
	require.Equal(t, 4000, r.State.Iteration)
	require.Equal(t, 0, r.State.Step)
	sums := map[string]float64{
		"conv1.weight": 0.241548, "conv1.bias": 0.000159, "conv2.weight": 1.107908, "conv2.bias": 0.000175, "conv3.weight": 1.935495,
		"conv3.bias": 0.000988, "ip1.weight": 0.597064, "ip1.bias": 0.001139, "ip2.weight": 0.061237, "ip2.bias": 0.000617,
	}
	require.Len(t, r.Slabs, len(sums))
	for name, want := range sums {
		sum := 0.0
		for _, v := range r.Slabs["momentum/"+name].Float32s() {
			sum += math.Abs(float64(v))
		}
		require.InDelta(t, want, sum, 1e-6, name)
		require.Equal(t, r.Weights[name].Shape(), r.Slabs["momentum/"+name].Shape())
	}
	require.Equal(t, -r.State.History[0].Values[0], r.Slabs["momentum/conv1.weight"].Float32s()[0])

	_, err = Read(context.Background(), paths, formats.Options{})
	require.ErrorContains(t, err, "cifar10_quick_iter_4000.solverstate: it is the state of a solver, and no part of a network")
	_, err = ReadRun(context.Background(), paths[:3], formats.Options{})
	require.EqualError(t, err, "a run is a network, a caffemodel, a solver's prototxt and a solverstate; there is no solverstate")
}
