package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/predict"
)

// Names that no layer of the network has: a layer's name has no meaning here.
const (
	seedName  = "inspect.seed"
	scoreName = "inspect.score"
)

// backward runs the layers before a value, forwards and backwards, one sample at a time.
// Layers work as in inference; every value keeps its own memory.
type backward struct {
	of      *Inspector
	value   string
	shape   tensor.Shape // of the value, without the batch
	weights *graph.Weights
	exec    *graph.Executor
}

// backward prepares passes back from a value.
func (x *Inspector) backward(value string, rule Rule) (*backward, error) {
	shape, err := x.shapeOf(value)
	if err != nil {
		return nil, err
	}
	n, frozen, err := x.before(value, shape, rule)
	if err != nil {
		return nil, err
	}
	plan, err := n.Plan(x.device.Traits(), graph.PlanOptions{
		Mode: graph.Train, Batch: 1, InputGrad: []string{x.image.Name}, Frozen: frozen, Unshared: true,
	})
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(plan.Values, func(v graph.Value) bool { return v.Name == gradientOf(x.image.Name) }) {
		return nil, fmt.Errorf("%s has no gradient of the image", value)
	}
	b := &backward{of: x, value: value, shape: shape}
	if b.weights, err = graph.NewWeights(n, x.device); err != nil {
		return nil, err
	}
	used := *x.model
	used.Weights = maps.Clone(used.Weights)
	names := b.weights.Names()
	maps.DeleteFunc(used.Weights, func(name string, _ *tensor.Dense) bool { return !slices.Contains(names, name) })
	if err := used.Set(b.weights); err != nil {
		if errors.As(err, new(modelfile.NaNError)) {
			err = predict.FailedError{Err: err}
		}
		return nil, cmp.Or(err, b.Close())
	}
	if b.exec, err = graph.NewExecutor(plan, b.weights); err != nil {
		return nil, cmp.Or(err, b.Close())
	}
	return b, nil
}

// before is the network of the layers that a value depends on, with a score of the
// value, and the layers in it whose weights or state stay as they are.
func (x *Inspector) before(value string, shape tensor.Shape, rule Rule) (n *graph.Network, frozen []string, err error) {
	n = &graph.Network{Name: x.model.Network.Name, Inputs: []graph.Input{x.image}}
	needed := map[string]bool{}
	need := func(value string) {
		name, _, _ := strings.Cut(value, ":")
		needed[name] = true
	}
	need(value)
	all := x.model.Network.Nodes
	for i := len(all) - 1; i >= 0; i-- {
		if !needed[all[i].Name] {
			continue
		}
		for _, in := range all[i].In {
			need(in)
		}
		for _, of := range all[i].Share {
			need(graph.LayerOf(of))
		}
		n.Nodes = append(n.Nodes, all[i])
	}
	slices.Reverse(n.Nodes)
	for _, in := range x.model.Network.Inputs {
		if needed[in.Name] && in.Name != x.image.Name {
			return nil, nil, fmt.Errorf("%s takes the input %q, and a picture has none", value, in.Name)
		}
	}
	n.Input(seedName, device.Float32, shape...)
	n.Add(scoreName, score{}, value, seedName)
	plan, err := n.Plan(x.device.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: 1})
	if err != nil {
		return nil, nil, err
	}
	for i, spec := range plan.Specs {
		node := &n.Nodes[i]
		switch l := node.Layer.(type) {
		case *layers.Unary:
			if l.Op == device.ReLU && rule != Gradient {
				node.Layer = rectifier{l, rules[rule]}
			}
		case *layers.DropConnect:
			node.Layer = new(l.Dense) // which it is in inference
		default:
			if spec.Streams > 0 {
				node.Layer = tested{l}
			}
		}
		if len(spec.Params)+len(spec.State) > 0 {
			frozen = append(frozen, node.Name)
		}
	}
	return n, frozen, nil
}

// run runs a raw sample through the layers, and the seed, the gradient of the value,
// back.
func (b *backward) run(sample, seed []float32) error {
	x := slices.Clone(sample)
	b.of.model.Preprocess.Apply(x)
	for name, values := range map[string][]float32{b.of.image.Name: x, seedName: seed} {
		if err := b.exec.Upload(name, tensor.New(tensor.WithShape(len(values)), tensor.WithBacking(values))); err != nil {
			return err
		}
	}
	pass := graph.Pass{WholeBatch: 1}
	b.exec.Forward(pass)
	b.exec.Backward(pass, device.Overwrite)
	if err := b.exec.Sync(); err != nil {
		return predict.FailedError{Err: err}
	}
	return nil
}

// read downloads a value of the last pass, or a gradient.
func (b *backward) read(name string) ([]float32, error) {
	t, err := b.exec.Tensor(name)
	if err != nil {
		return nil, err
	}
	y := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(t.Len()))
	b.exec.Queue().Scope(name)
	b.exec.Queue().Download(y, t)
	if err := b.exec.Sync(); err != nil {
		return nil, predict.FailedError{Err: err}
	}
	return y.Float32s(), nil
}

// gradientOf is what a plan calls the gradient of a value.
func gradientOf(value string) string { return value + "/d" }

// oneHot is a seed of a single element.
func (b *backward) oneHot(i int) []float32 {
	seed := make([]float32, b.shape.TotalSize())
	seed[i] = 1
	return seed
}

// Close frees the memory.
func (b *backward) Close() error {
	var errs []error
	if b.exec != nil {
		errs = append(errs, b.exec.Close())
	}
	return cmp.Or(append(errs, b.weights.Close())...)
}
