package pytorch

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	gorgonia "gorgonia.org/tensor"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/models"
)

// Writer writes the weights of a model as a safetensors file with PyTorch's names, which
// load_state_dict takes: those of torchvision if the network is one of its, and otherwise the
// layer's name and "weight", "bias" and so on. Statistics of BatchNorms are turned into
// PyTorch's. The network, its preprocessing and the names of classes have no place in such a
// file.
var Writer = formats.Writer{Name: "PyTorch's names", Suffix: ".pt.safetensors", Write: write}

func write(w io.Writer, m *formats.Model, o formats.WriteOptions) error {
	if o.Preprocessing {
		return errors.New("a file of PyTorch's has weights alone: preprocessing cannot be put into it; ONNX can hold it")
	}
	tensors, err := tensorsOf(&m.Model)
	if err != nil {
		return err
	}
	return safetensors.WriteTo(w, tensors, map[string]string{"format": "pt"})
}

// tensorsOf are the tensors by PyTorch's names.
func tensorsOf(m *modelfile.Model) ([]safetensors.Tensor, error) {
	nodes, err := nodesOf(m.Network)
	if err != nil {
		return nil, err
	}
	modules := modulesOf(m.Network, nodes)
	var tensors []safetensors.Tensor
	for _, n := range nodes {
		module := n.name
		if modules != nil {
			module = modules[n.name]
		}
		values := map[string]*dense{}
		for _, s := range n.slots {
			name := n.weightName(s.name)
			if values[s.name] = m.Weights[name]; values[s.name] == nil {
				return nil, fmt.Errorf("the weights of %v have no %s", m.Network, printable.Name(name))
			}
			if got := values[s.name].Shape(); !slices.Equal([]int(got), s.shape) {
				return nil, fmt.Errorf("%s has the shape %v in the network and %v in the weights", printable.Name(name), s.shape, []int(got))
			}
		}
		standardise(n, values)
		for own, x := range values {
			tensors = append(tensors, safetensors.Tensor{Name: join(module, own), Value: x})
		}
	}
	return tensors, nil
}

// standardise turns the statistics of a BatchNorm of Caffe's or MatConvNet's convention into
// PyTorch's, and adds the count of batches, which is not known.
func standardise(n node, values map[string]*dense) {
	if _, ok := n.layer.(*layers.BatchNorm); !ok {
		return
	}
	if sum := values["scale_factor"]; sum != nil {
		factor := float32(0)
		if s := sum.Float32s()[0]; s != 0 {
			factor = 1 / s
		}
		for _, own := range []string{runningMean, runningVar} {
			values[own] = mapped(values[own], func(v float32) float32 { return v * factor })
		}
		delete(values, "scale_factor")
	}
	if std := values["running_std"]; std != nil {
		values[runningVar] = mapped(std, func(v float32) float32 {
			return float32(math.Max(0, float64(v)*float64(v)-epsilon(n.layer)))
		})
		delete(values, "running_std")
	}
	values[batches] = gorgonia.New(gorgonia.FromScalar(int64(0)))
}

func mapped(x *dense, f func(float32) float32) *dense {
	values := slices.Clone(x.Float32s())
	for i, v := range values {
		values[i] = f(v)
	}
	return gorgonia.New(gorgonia.WithShape(x.Shape()...), gorgonia.WithBacking(values))
}

// modulesOf are torchvision's modules by layer, if the network is one of its: its layers with
// weights have the names and shapes of those that models.Torchvision builds. It is nil
// otherwise.
func modulesOf(n *graph.Network, nodes []node) map[string]string {
	if len(nodes) == 0 || len(n.Inputs) == 0 || len(n.Inputs[0].Shape) != 3 {
		return nil
	}
	last := nodes[len(nodes)-1].slots[0].shape[0]
	for _, f := range families {
		for _, name := range f.networks {
			t, err := models.Torchvision(name, models.Options{Classes: last, Shape: n.Inputs[0].Shape})
			if err != nil {
				continue
			}
			if known, err := nodesOf(t); err == nil && slices.EqualFunc(known, nodes, sameSlots) {
				return f.modules(t)
			}
		}
	}
	return nil
}

// sameSlots reports whether two layers have the same name, and tensors of the same names and
// shapes.
func sameSlots(a, b node) bool {
	return a.name == b.name && slices.EqualFunc(a.slots, b.slots, func(a, b slot) bool { return a.name == b.name && slices.Equal(a.shape, b.shape) })
}
