package bench

import (
	"cmp"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
)

// values is the checksum of what a convolution or dense layer makes of the
// batch, alone, with input, weights and bias from uniform; nil for other
// layers.
func (b *bench) values(node graph.Node) (sum *Checksum, err error) {
	if t := node.Layer.Type(); t != "conv" && t != "dense" {
		return nil, nil
	}
	n := &graph.Network{Name: node.Name, Outputs: []string{node.Name}}
	n.Add(node.Name, node.Layer, n.Input("data", device.Float32, b.sampleShape(node.In[0])...))
	p, err := n.Plan(b.device.Traits(), graph.PlanOptions{Mode: graph.Infer, Batch: b.Batch})
	if err != nil {
		return nil, err
	}
	w, err := graph.NewWeights(n, b.device)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, w.Close()) }()
	for _, q := range p.Params {
		x := tensor.New(tensor.WithShape(q.Shape...), tensor.WithBacking(uniform(device.Elements(q.Shape))))
		if err := w.Set(q.Name, x); err != nil {
			return nil, err
		}
	}
	s, err := newSession(b.device, p, w)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, s.close()) }()
	if err := s.step(); err != nil {
		return nil, err
	}
	y, err := s.exec.Read(node.Name)
	if err != nil {
		return nil, err
	}
	return checksum(y.Float32s()), nil
}

// sampleShape is the shape of one sample of a value of the plan.
func (b *bench) sampleShape(value string) []int {
	for _, v := range b.plan.Values {
		if v.Name == value {
			return v.Shape[1:]
		}
	}
	return nil
}
