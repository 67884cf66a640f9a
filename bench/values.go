package bench

import (
	"cmp"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// values are the checksums of a convolution or dense layer's passes, alone: of
// what it makes of input, weights and bias from uniform, and of both gradients
// of an L2 loss of that against uniform. There are none for other layers.
func (b *bench) values(node graph.Node) (sums map[string]*Checksum, err error) {
	if t := node.Layer.Type(); t != "conv" && t != "dense" {
		return nil, nil
	}
	p, err := b.alone(node)
	if err != nil {
		return nil, err
	}
	w, err := graph.NewWeights(p.Network, b.device)
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
	y, err := s.exec.Tensor(node.Name)
	if err != nil {
		return nil, err
	}
	dx, err := s.exec.Tensor("data/d")
	if err != nil {
		return nil, err
	}
	sums = map[string]*Checksum{}
	for pass, x := range map[string]device.Tensor{forward: y, backwardData: dx, backwardFilter: s.exec.Gradient(node.Name + ".weight")} {
		host := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(x.Shape...))
		s.exec.Queue().Download(host, x)
		if err := s.exec.Sync(); err != nil {
			return nil, err
		}
		sums[pass] = checksum(host.Float32s())
	}
	return sums, nil
}

// alone is the plan of a layer between its input and an L2 loss.
func (b *bench) alone(node graph.Node) (*graph.Plan, error) {
	n := &graph.Network{Name: node.Name, Outputs: []string{node.Name}}
	y := n.Add(node.Name, node.Layer, n.Input("data", device.Float32, sampleShape(b.plan, node.In[0])...))
	n.Add("loss", &layers.L2Loss{}, y, n.Input("target", device.Float32, sampleShape(b.plan, node.Name)...))
	return n.Plan(b.device.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: b.Batch, Keep: []string{node.Name}, InputGrad: []string{"data"}})
}

// sampleShape is the shape of one sample of a value of a plan.
func sampleShape(p *graph.Plan, value string) []int {
	for _, v := range p.Values {
		if v.Name == value {
			return v.Shape[1:]
		}
	}
	return nil
}
