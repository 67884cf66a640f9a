package caffe

import (
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/solver"
)

// updates are Caffe's solvers in plain float64, after src/caffe/solvers/*.cpp: what is taken off
// a weight whose gradient, with decay, is g, and what is kept of it. rate has the multiplier of
// the parameter in it; t counts updates from 1.
var updates = map[string]func(s *Solver, h []float64, g, rate float64, t int) (step float64){
	"SGD": func(s *Solver, h []float64, g, rate float64, _ int) float64 {
		h[0] = float64(s.Momentum)*h[0] + rate*g
		return h[0]
	},
	"Nesterov": func(s *Solver, h []float64, g, rate float64, _ int) float64 {
		m, before := float64(s.Momentum), h[0]
		h[0] = m*before + rate*g
		return (1+m)*h[0] - m*before
	},
	"AdaGrad": func(s *Solver, h []float64, g, rate float64, _ int) float64 {
		h[0] += g * g
		return rate * g / (math.Sqrt(h[0]) + float64(s.Delta))
	},
	"RMSProp": func(s *Solver, h []float64, g, rate float64, _ int) float64 {
		d := float64(s.RMSDecay)
		h[0] = d*h[0] + (1-d)*g*g
		return rate * g / (math.Sqrt(h[0]) + float64(s.Delta))
	},
	"AdaDelta": func(s *Solver, h []float64, g, rate float64, _ int) float64 {
		m, delta := float64(s.Momentum), float64(s.Delta)
		h[0] = m*h[0] + (1-m)*g*g
		u := g * math.Sqrt((h[1]+delta)/(h[0]+delta))
		h[1] = m*h[1] + (1-m)*u*u
		return rate * u
	},
	"Adam": func(s *Solver, h []float64, g, rate float64, t int) float64 {
		b1, b2 := float64(s.Momentum), float64(s.Momentum2)
		h[0] = b1*h[0] + (1-b1)*g
		h[1] = b2*h[1] + (1-b2)*g*g
		return rate * math.Sqrt(1-math.Pow(b2, float64(t))) / (1 - math.Pow(b1, float64(t))) * h[0] / (math.Sqrt(h[1]) + float64(s.Delta))
	},
}

// rateAt is SGDSolver::GetLearningRate.
func rateAt(s *Solver, k int) float64 {
	rate, gamma := float64(s.BaseLR), float64(s.Gamma)
	switch s.Policy {
	case "step":
		return rate * math.Pow(gamma, float64(k/s.StepSize))
	case "multistep":
		for _, v := range s.StepValues {
			if k >= v {
				rate *= gamma
			}
		}
	case "inv":
		return rate * math.Pow(1+gamma*float64(k), -float64(s.Power))
	case "poly":
		return rate * math.Pow(1-float64(k)/float64(s.MaxIter), float64(s.Power))
	}
	return rate
}

// TestTheNextUpdatesAreCaffes converts runs, goes on with them for five updates, and holds the
// weights and what is kept of them against Caffe's solvers, computed here. The batch is the whole
// set, so that its order makes no difference.
func TestTheNextUpdatesAreCaffes(t *testing.T) {
	const classes, pixels, samples, begin, end = 3, 9, 6, 7, 12
	set, _, err := data.NewSynthetic(data.SyntheticOptions{Shape: tensor.Shape{1, 3, 3}, Classes: classes, Train: samples, Test: 2})
	require.NoError(t, err)
	for _, c := range []struct {
		solver string
		kept   int
		drops  int
	}{
		{`type: "SGD" base_lr: 0.05 momentum: 0.9 lr_policy: "step" gamma: 0.1 stepsize: 3`, 1, 2},
		{`base_lr: 0.05 momentum: 0.9 lr_policy: "multistep" gamma: 0.5 stepvalue: 5 stepvalue: 9 stepvalue: 10 regularization_type: "L2"`, 1, 1},
		{`type: "SGD" base_lr: 0.05 momentum: 0 lr_policy: "fixed" clip_gradients: 0.05`, 1, 0},
		{`type: "SGD" base_lr: 0.05 momentum: 0.9 lr_policy: "inv" gamma: 0.1 power: 0.75 iter_size: 2 clip_gradients: 0.05`, 1, 0},
		{`solver_type: NESTEROV base_lr: 0.05 momentum: 0.9 lr_policy: "step" gamma: 0.1 stepsize: 10`, 1, 0},
		{`type: "AdaGrad" base_lr: 0.05 lr_policy: "poly" power: 2`, 1, 0},
		{`type: "RMSProp" base_lr: 0.05 rms_decay: 0.9 lr_policy: "step" gamma: 0.1 stepsize: 10`, 1, 0},
		{`type: "AdaDelta" base_lr: 1 momentum: 0.95 delta: 1e-6 lr_policy: "fixed"`, 2, 0},
		{`type: "Adam" base_lr: 0.05 momentum: 0.9 momentum2: 0.99 lr_policy: "fixed"`, 2, 0},
	} {
		t.Run(c.solver, func(t *testing.T) {
			text := c.solver + fmt.Sprintf(` weight_decay: 0.02 max_iter: %d`, end)
			s, err := newSolver([]byte(text))
			require.NoError(t, err)
			passes := max(s.IterSize, 1)
			values := [2]tensorOf{normal(1, classes, pixels), normal(2, classes)} // the weight and the bias
			var history []tensorOf
			for k := range c.kept {
				for i, shape := range [][]int{{classes, pixels}, {classes}} {
					h := normal(uint32(3+2*k+i), shape...)
					for j, v := range h.values { // a velocity has both signs, a mean of squares one
						h.values[j] = 0.01 * v
						if k == 1 || s.Type != "SGD" && s.Type != "Nesterov" && s.Type != "Adam" {
							h.values[j] = 0.01 * v * v
						}
					}
					history = append(history, h)
				}
			}
			dir := t.TempDir()
			var paths []string
			for name, content := range map[string]string{
				"net.prototxt": fmt.Sprintf(`layer { name: "d" type: "Data" top: "data" top: "label" transform_param { scale: 0.00390625 } data_param { batch_size: %d } }
					layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" param { lr_mult: 1 decay_mult: 0.5 } param { lr_mult: 2 decay_mult: 0 }
						inner_product_param { num_output: %d } }
					layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }`, samples/passes, classes),
				"net.caffemodel": string(caffemodel([]named{{"ip", values[:]}}, true)), "solver.prototxt": text,
				"x.solverstate": string(solverstate(begin, uint64(c.drops), history...)),
			} {
				paths = append(paths, filepath.Join(dir, name))
				require.NoError(t, os.WriteFile(paths[len(paths)-1], []byte(content), 0o666))
			}
			r, err := readRun(context.Background(), paths, formats.Options{Input: []int{1, 3, 3}})
			require.NoError(t, err)
			if s.Type != "Adam" {
				require.Empty(t, r.Lost)
			}
			tensors, metadata, err := r.Checkpoint(0)
			require.NoError(t, err)
			require.NoError(t, safetensors.Write(filepath.Join(dir, solver.CheckpointFile), tensors, metadata))
			config, err := solver.ReadCheckpoint(dir)
			require.NoError(t, err)
			d, err := device.Open("cpu", device.Options{Threads: 1})
			require.NoError(t, err)
			defer d.Close()
			config.Config.Device, config.Config.Train = d, set
			_, err = solver.Train(context.Background(), config.Config)
			require.NoError(t, err)
			after, _, err := modelfile.ReadTensors(filepath.Join(dir, solver.CheckpointFile))
			require.NoError(t, err)

			w := [2][]float64{}
			kept := [2][][]float64{}
			for i, v := range values {
				for j, x := range v.values {
					w[i] = append(w[i], float64(x))
					h := make([]float64, c.kept)
					for k := range h {
						h[k] = float64(history[2*k+i].values[j])
					}
					kept[i] = append(kept[i], h)
				}
			}
			for k := begin; k < end; k++ {
				g := gradients(t, w, set, classes)
				norm := 0.0
				for _, all := range g {
					for j := range all {
						all[j] *= float64(passes) // Caffe adds the passes up
						norm += all[j] * all[j]
					}
				}
				norm = math.Sqrt(norm)
				for i := range w {
					decay := float64(s.WeightDecay) * []float64{0.5, 0}[i]
					for j := range w[i] {
						grad := g[i][j]
						if clip := float64(s.ClipGradients); clip > 0 && norm > clip {
							grad *= clip / norm
						}
						grad = grad/float64(passes) + decay*w[i][j]
						w[i][j] -= updates[s.Type](s, kept[i][j], grad, rateAt(s, k)*float64(1+i), k+1)
					}
				}
			}
			for i, name := range []string{"ip.weight", "ip.bias"} {
				for j := range w[i] {
					require.InDelta(t, w[i][j], after[name].Float32s()[j], 2e-6, "%s %d", name, j)
					require.Greater(t, math.Abs(w[i][j]-float64(values[i].values[j])), 1e-5, "%s %d stayed", name, j)
					for k, slab := range slabs[s.Type] {
						want := kept[i][j][k]
						if slab == "momentum" {
							want = -want
						}
						require.InDelta(t, want, after[slab+"/"+name].Float32s()[j], 1e-6, "%s of %s %d", slab, name, j)
					}
				}
			}
		})
	}
}

// gradients are those of the mean loss over a set, of the weight and the bias of a layer under a
// softmax.
func gradients(t *testing.T, w [2][]float64, set data.Dataset, classes int) (g [2][]float64) {
	pixels := set.Shape().TotalSize()
	g[0], g[1] = make([]float64, len(w[0])), make([]float64, len(w[1]))
	x := make([]float32, pixels)
	for n := range set.Len() {
		label, err := set.Read(x, n)
		require.NoError(t, err)
		scores, sum := make([]float64, classes), 0.0
		for c := range scores {
			scores[c] = w[1][c]
			for j, v := range x {
				scores[c] += w[0][c*pixels+j] * float64(v) / 256
			}
			scores[c] = math.Exp(scores[c])
			sum += scores[c]
		}
		for c := range scores {
			e := scores[c] / sum
			if c == int(label) {
				e--
			}
			e /= float64(set.Len())
			g[1][c] += e
			for j, v := range x {
				g[0][c*pixels+j] += e * float64(v) / 256
			}
		}
	}
	return g
}

// TestEveryParameterThatIsTrainedHasItsHistory goes on with a run whose network has parameters
// that Caffe does not have, that two layers share, that are frozen, and that no loss depends on.
func TestEveryParameterThatIsTrainedHasItsHistory(t *testing.T) {
	dir := t.TempDir()
	weight := func(seed uint32) tensorOf { return normal(seed, 2, 2, 1, 1) }
	ip := normal(5, 2, 18)
	h := func(like tensorOf) tensorOf {
		x := normal(9, like.dims...)
		for i := range x.values {
			x.values[i] *= 0.01
		}
		return x
	}
	layers := []named{
		{"a", []tensorOf{weight(1)}}, {"b", []tensorOf{weight(1)}}, {"bias", []tensorOf{normal(2, 2)}},
		{"bn", []tensorOf{normal(3, 2), {[]int{2}, []float32{1, 1}}, {[]int{1}, []float32{1}}}}, {"sc", []tensorOf{normal(4, 2), normal(7, 2)}},
		{"ip", []tensorOf{ip}}, {"left", []tensorOf{normal(6, 4, 18)}},
	}
	var history []tensorOf
	for i, l := range layers {
		if i != 1 { // whose parameter is that of the first
			for _, x := range l.blobs {
				history = append(history, h(x))
			}
		}
	}
	var paths []string
	for name, content := range map[string]string{
		"net.prototxt": `layer { name: "d" type: "MemoryData" top: "data" top: "label" memory_data_param { batch_size: 3 channels: 2 height: 3 width: 3 } }
			layer { name: "a" type: "Convolution" bottom: "data" top: "a" param { name: "w" } convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }
			layer { name: "b" type: "Convolution" bottom: "a" top: "b" param { name: "w" } convolution_param { num_output: 2 kernel_size: 1 bias_term: false } }
			layer { name: "bias" type: "Bias" bottom: "b" top: "bias" }
			layer { name: "bn" type: "BatchNorm" bottom: "bias" top: "bn" batch_norm_param { use_global_stats: true } }
			layer { name: "sc" type: "Scale" bottom: "bn" top: "sc" scale_param { bias_term: true } }
			layer { name: "ip" type: "InnerProduct" bottom: "sc" top: "ip" inner_product_param { num_output: 2 bias_term: false } }
			layer { name: "left" type: "InnerProduct" bottom: "sc" top: "left" inner_product_param { num_output: 4 bias_term: false } }
			layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }`,
		"net.caffemodel":  string(caffemodel(layers, true)),
		"solver.prototxt": `base_lr: 1e-30 momentum: 0.5 lr_policy: "multistep" stepvalue: 4 gamma: 0.1 max_iter: 6`,
		"x.solverstate":   string(solverstate(5, 3, history...)),
	} {
		paths = append(paths, filepath.Join(dir, name))
		require.NoError(t, os.WriteFile(paths[len(paths)-1], []byte(content), 0o666))
	}
	r, err := ReadRun(context.Background(), paths, formats.Options{Order: "rgb"})
	require.NoError(t, err)
	require.Equal(t, 3, r.Batch)
	require.Equal(t, map[string]string{"weight": "a.weight"}, r.Network.Nodes[1].Share)
	require.Equal(t, []string{
		"the state has 3 drops of the rate behind it, and the stepvalues of the solver have 1 at iteration 5: the run goes on with those of the solver",
	}, r.Lost)
	tensors, metadata, err := r.Checkpoint(0)
	require.NoError(t, err)
	require.NoError(t, safetensors.Write(filepath.Join(dir, solver.CheckpointFile), tensors, metadata))
	c, err := solver.ReadCheckpoint(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"bn"}, c.Config.Frozen)
	// A norm of gradients that is bounded is without those that Caffe does not compute.
	r.Solver.ClipGradients = 1
	clipped, metadata, err := r.Checkpoint(0)
	require.NoError(t, err)
	bounded := filepath.Join(dir, "bounded")
	require.NoError(t, os.Mkdir(bounded, 0o777))
	require.NoError(t, safetensors.Write(filepath.Join(bounded, solver.CheckpointFile), clipped, metadata))
	peeked, err := solver.PeekCheckpoint(bounded)
	require.NoError(t, err)
	require.Equal(t, []string{"bn", "bias.weight"}, peeked.Config.Frozen)
	require.Len(t, clipped, len(tensors)-1) // without a momentum
	d, err := device.Open("cpu", device.Options{Threads: 1})
	require.NoError(t, err)
	defer d.Close()
	c.Config.Device = d
	c.Config.Train, _, err = data.NewSynthetic(data.SyntheticOptions{Shape: tensor.Shape{2, 3, 3}, Classes: 2, Train: 3, Test: 2})
	require.NoError(t, err)
	_, err = solver.Train(context.Background(), c.Config)
	require.NoError(t, err)
	after, _, err := modelfile.ReadTensors(filepath.Join(dir, solver.CheckpointFile))
	require.NoError(t, err)
	require.NotContains(t, after, "momentum/left.weight")
	require.NotContains(t, after, "b.weight")
	require.Equal(t, normal(3, 2).values, after["bn.running_mean"].Float32s())
	for name, was := range map[string]tensorOf{"a.weight": weight(1), "ip.weight": ip, "bias.bias": normal(2, 2), "sc.weight": normal(4, 2), "sc.bias": normal(7, 2)} {
		for i, v := range h(was).values {
			require.InDelta(t, was.values[i]-0.5*v, after[name].Float32s()[i], 1e-6, name)
		}
	}
	require.Equal(t, []float32{1, 1}, after["bias.weight"].Float32s())
	peeked.Config.Device, peeked.Config.Train = d, c.Config.Train
	_, err = solver.Train(context.Background(), peeked.Config)
	require.NoError(t, err)
}
