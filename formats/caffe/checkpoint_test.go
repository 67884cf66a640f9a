package caffe

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/solver"
)

// solverstate writes a state.
func solverstate(iteration, step uint64, history ...tensorOf) []byte {
	b := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), iteration)
	b = protowire.AppendString(protowire.AppendTag(b, 2, protowire.BytesType), "x.caffemodel")
	for _, h := range history {
		b = appendBlob(b, 3, h, true)
	}
	return protowire.AppendVarint(protowire.AppendTag(b, 4, protowire.VarintType), step)
}

// TestARunGoesOn resumes a run of Caffe's for one update at a rate that moves nothing: then the
// velocity is that of the state times the momentum, and the weights move by it, as in Caffe's
// SGDSolver.
func TestARunGoesOn(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		return path
	}
	weights, bias := normal(1, 2, 9), normal(2, 2)
	v, vb := normal(3, 2, 9), normal(4, 2)
	paths := []string{
		file("net.prototxt", `layer { name: "d" type: "Data" top: "data" top: "label" transform_param { crop_size: 3 force_gray: true } }
			layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 2 } }
			layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }`),
		file("net.caffemodel", string(caffemodel([]named{{"ip", []tensorOf{weights, bias}}}, true))),
		file("solver.prototxt", `net: "net.prototxt" base_lr: 1e-30 lr_policy: "step" gamma: 0.1 stepsize: 3 momentum: 0.75 max_iter: 8 type: "SGD" random_seed: 5`),
		file("x.solverstate", string(solverstate(7, 2, v, vb))),
	}
	r, err := ReadRun(context.Background(), paths, formats.Options{Input: []int{1, 3, 3}})
	require.NoError(t, err)
	require.Equal(t, 2, r.State.Step)
	r.Preprocess.Augment = nil
	run := filepath.Join(dir, "run")
	require.NoError(t, os.Mkdir(run, 0o777))
	tensors, metadata, err := r.Checkpoint(2)
	require.NoError(t, err)
	require.NoError(t, safetensors.Write(filepath.Join(run, solver.CheckpointFile), tensors, metadata))

	c, err := solver.ReadCheckpoint(run)
	require.NoError(t, err)
	require.Equal(t, 7, c.Iteration)
	require.True(t, c.WithoutData())
	require.Equal(t, solver.Schedule{Policy: solver.Step, Rate: 1e-30, Gamma: 0.1, Step: 3}, c.Config.Optimiser.Schedule)
	require.Equal(t, uint64(5), c.Config.Seed)
	d, err := device.Open("cpu", device.Options{Threads: 1})
	require.NoError(t, err)
	defer d.Close()
	c.Config.Device = d
	c.Config.Train, _, err = data.NewSynthetic(data.SyntheticOptions{Shape: tensor.Shape{1, 3, 3}, Classes: 2, Train: 4, Test: 2})
	require.NoError(t, err)
	result, err := solver.Train(context.Background(), c.Config)
	require.NoError(t, err)
	require.Equal(t, 8, result.Iteration)
	after, _, err := modelfile.ReadTensors(filepath.Join(run, solver.CheckpointFile))
	require.NoError(t, err)
	for name, x := range map[string][2]tensorOf{"ip.weight": {weights, v}, "ip.bias": {bias, vb}} {
		for i, w := range x[0].values {
			step := 0.75 * float64(x[1].values[i])
			require.InDelta(t, -step, after["momentum/"+name].Float32s()[i], 1e-6)
			require.InDelta(t, float64(w)-step, after[name].Float32s()[i], 1e-6*math.Max(1, math.Abs(float64(w))))
		}
	}

	// Names of classes that were given must be those of the data set.
	r.Classes = []string{"ant", "bee"}
	tensors, metadata, err = r.Checkpoint(2)
	require.NoError(t, err)
	require.NoError(t, safetensors.Write(filepath.Join(run, solver.CheckpointFile), tensors, metadata))
	_, err = solver.Train(context.Background(), c.Config)
	require.ErrorContains(t, err, `classes.0 is "0", but the run was started with "ant"`)

	_, _, err = r.Checkpoint(0)
	require.ErrorContains(t, err, "the network does not say how many samples a pass has: give that number, such as -batch 64")
	r.Solver.Policy = "sigmoid"
	_, _, err = r.Checkpoint(2)
	require.ErrorContains(t, err, `lr_policy "sigmoid": hubel has fixed, step`)
	paths[3] = file("y.solverstate", string(solverstate(7, 2, v)))
	_, err = ReadRun(context.Background(), paths, formats.Options{Input: []int{1, 3, 3}})
	require.ErrorContains(t, err, "there are 1 tensors for 2 parameters and the solver SGD, which keeps 1 of each")
	paths[3] = file("y.solverstate", string(solverstate(7, 2, vb, v)))
	_, err = ReadRun(context.Background(), paths, formats.Options{Input: []int{1, 3, 3}})
	require.ErrorContains(t, err, "tensor 0 has the shape [1 1 1 2], and ip.weight [2 9]")
}

// TestEveryTypeOfSolverIsAnOptimiser: what a checkpoint says passes the checks of package solver.
func TestEveryTypeOfSolverIsAnOptimiser(t *testing.T) {
	m, err := read(t, trainVal, formats.Options{})
	require.NoError(t, err)
	for text, method := range map[string]string{
		`type: "SGD" momentum: 0.9 lr_policy: "fixed"`:                                 "",
		`type: "Nesterov" momentum: 0.9 lr_policy: "inv" gamma: 1e-4 power: 0.75`:      "",
		`type: "AdaGrad" lr_policy: "multistep" gamma: 0.5 stepvalue: 5 stepvalue: 9`:  solver.AdaGrad,
		`type: "AdaDelta" momentum: 0.95 lr_policy: "exp" gamma: 0.99`:                 solver.AdaDelta,
		`type: "RMSProp" rms_decay: 0.98 lr_policy: "poly" power: 2`:                   solver.RMSProp,
		`type: "Adam" momentum: 0.9 lr_policy: "fixed" clip_gradients: 3 iter_size: 2`: solver.Adam,
	} {
		s, err := newSolver([]byte("base_lr: 0.01 max_iter: 10 weight_decay: 0.1 " + text))
		require.NoError(t, err)
		r := Run{Model: m, Solver: s, State: &State{Iteration: 3}}
		tensors, metadata, err := r.Checkpoint(2)
		require.NoError(t, err)
		dir := t.TempDir()
		require.NoError(t, safetensors.Write(filepath.Join(dir, solver.CheckpointFile), tensors, metadata))
		c, err := solver.ReadCheckpoint(dir)
		require.NoError(t, err, text)
		require.Equal(t, method, c.Config.Optimiser.Method)
		require.Equal(t, 0.01, c.Config.Optimiser.Schedule.Rate)
	}
}
