package program

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/models"
)

// network is the network of -model, made for the images and classes of a data
// set if there is one, or of -net.
func (o *options) network(d data.Dataset) (*graph.Network, error) {
	if o.net != "" {
		return graph.ReadFile(o.net)
	}
	m := models.Options{Init: o.init}
	if d != nil {
		m.Classes, m.Shape = len(d.Classes()), d.Shape()
	}
	if r, ok := d.(data.Regression); ok {
		m.Classes = r.Targets()
	}
	return models.Build(o.model, m)
}

// networkAndData reads what is to be trained, and on what, of a new run.
func (o *options) networkAndData(ctx context.Context, known *data.Preprocess, progress io.Writer) (n *graph.Network, s sets, err error) {
	if n, err = o.network(nil); err != nil {
		return nil, s, err
	}
	if s, err = o.openData(ctx, o.dataText(), n, known, progress); err != nil {
		return nil, s, err
	}
	if o.model != "" {
		n, err = o.network(s.train)
	}
	if err == nil && s.preprocess.Augment.Mixes() {
		err = soften(n, len(s.train.Classes()))
	}
	return n, s, err
}

// soften gives the softmax losses of a network the share of each class in the place
// of the label, for images that are mixed.
func soften(n *graph.Network, classes int) error {
	label, err := n.InputOf(graph.RoleLabel)
	if err != nil || classes == 0 {
		return fmt.Errorf("-augment mixes classes, which are what %v must learn: it takes no label", n)
	}
	const share = "share"
	found := false
	for _, node := range n.Nodes {
		if _, ok := node.Layer.(*layers.SoftmaxLoss); ok && len(node.In) > 1 && node.In[1] == label.Name {
			node.In[1], found = share, true
		}
	}
	if found {
		n.Target(share, classes)
	}
	if !slices.ContainsFunc(n.Nodes, func(node graph.Node) bool { return slices.Contains(node.In, label.Name) }) {
		n.Inputs = slices.DeleteFunc(n.Inputs, func(in graph.Input) bool { return in.Name == label.Name })
	}
	return nil // the solver says so where no loss takes shares
}

// runName is what a run is called that is given no folder.
func (o *options) runName() string {
	name := o.model
	if o.net != "" {
		name = strings.TrimSuffix(filepath.Base(o.net), filepath.Ext(o.net))
	}
	return name + "-" + dataName(o.data)
}

// inputs is the shape of the images that a network takes, and the number of
// classes that its first output tells apart.
func (o *options) inputs(n *graph.Network) (shape []int, classes int, err error) {
	images, err := n.InputOf(graph.RoleImage)
	if err != nil {
		return nil, 0, err
	}
	if len(n.Outputs) == 0 {
		return nil, 0, fmt.Errorf("%v has no outputs, which say how many classes it tells apart: name one in \"outputs\"", n)
	}
	traits, err := device.TraitsOf(o.device, o.deviceOptions())
	if err != nil {
		return nil, 0, err
	}
	plan, err := n.Plan(traits, graph.PlanOptions{Mode: graph.Infer, Batch: 1})
	if err != nil {
		return nil, 0, err
	}
	i := slices.IndexFunc(plan.Values, func(v graph.Value) bool { return v.Name == n.Outputs[0] })
	return images.Shape, device.Elements(plan.Values[i].Shape), nil
}
