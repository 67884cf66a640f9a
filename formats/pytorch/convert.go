package pytorch

import (
	"fmt"
	"maps"
	"math"
	"slices"

	gorgonia "gorgonia.org/tensor"

	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/layers"
)

// dense is a tensor in memory.
type dense = gorgonia.Dense

// value is the value of a slot of a layer, made of the tensors of a module of PyTorch. It is
// nil if the tensor is not there.
func (w *weights) value(n node, s slot, module string) (*dense, error) {
	source := s.sourceOf()
	if source == "" { // the scale factor of Caffe's BatchNorm: running statistics are divided by it
		return gorgonia.New(gorgonia.WithShape(s.shape...), gorgonia.WithBacking([]float32{1})), nil
	}
	name := join(module, source)
	x := w.values[name]
	if x == nil {
		return nil, nil
	}
	if !slices.Equal([]int(x.Shape()), s.shape) {
		return nil, fmt.Errorf("%s has the shape %v in the file, and %s.%s the shape %v in the network", printable.Name(name), []int(x.Shape()), n.name, s.name, s.shape)
	}
	if x.Dtype() != gorgonia.Float32 {
		return nil, fmt.Errorf("%s has elements of the type %v, and %s.%s of float32", printable.Name(name), x.Dtype(), n.name, s.name)
	}
	if s.name != "running_std" {
		return x, nil
	}
	std := x.Clone().(*dense) // of MatConvNet's BatchNorm
	for i, v := range std.Float32s() {
		std.Float32s()[i] = float32(math.Sqrt(float64(v) + epsilon(n.layer)))
	}
	return std, nil
}

// epsilon is that of a BatchNorm.
func epsilon(l layers.Layer) float64 {
	if norm, ok := l.(*layers.BatchNorm); ok && norm.Eps != nil {
		return float64(*norm.Eps)
	}
	return 1e-5
}

// take takes the values of a layer from a module, and removes them from those that are left.
func (w *weights) take(into map[string]*dense, n node, module string) error {
	var used []string
	for _, s := range n.slots {
		x, err := w.value(n, s, module)
		if err != nil {
			return err
		}
		if x == nil {
			return fmt.Errorf("%s.%s is not in the file: there is no %s", n.name, s.name, printable.Name(join(module, s.sourceOf())))
		}
		into[n.name+"."+s.name] = x
		if source := s.sourceOf(); source != "" {
			used = append(used, join(module, source))
		}
	}
	for _, name := range used {
		delete(w.values, name)
	}
	w.names = slices.DeleteFunc(w.names, func(name string) bool { return slices.Contains(used, name) })
	return nil
}

// clone is a copy from which values can be taken.
func (w *weights) clone() *weights {
	c := *w
	c.names, c.values = slices.Clone(w.names), maps.Clone(w.values)
	c.facts, c.lost = slices.Clone(w.facts), slices.Clone(w.lost)
	return &c
}

// leftOver says that what was not taken is lost.
func (w *weights) leftOver() []string {
	for _, name := range w.names {
		w.lost = append(w.lost, fmt.Sprintf("%s %v: no layer of the network has it", printable.Name(name), []int(w.values[name].Shape())))
	}
	return w.lost
}
