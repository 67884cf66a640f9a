package solver

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
)

// checkInputs says what of a network's inputs a data set cannot fill. The
// data set is called by what it is for: "training set".
func checkInputs(n *graph.Network, d data.Dataset, what string) error {
	regression, _ := d.(data.Regression)
	for _, in := range n.Inputs {
		switch in.Role {
		case graph.RoleImage:
			if shape := []int(d.Shape()); !slices.Equal(in.Shape, shape) {
				return fmt.Errorf("%v takes images of the shape %v, but those of the %s are %v", n, in.Shape, what, shape)
			}
		case graph.RoleLabel:
			if regression != nil {
				return fmt.Errorf("%v tells classes apart, but the %s has %d numbers to predict instead", n, what, regression.Targets())
			}
		case graph.RoleTarget:
			switch classes := len(d.Classes()); {
			case regression == nil && !learnsShares(n):
				return fmt.Errorf("%v predicts %d numbers, but the %s has classes and no numbers", n, in.Shape[0], what)
			case regression == nil && in.Shape[0] != classes:
				return fmt.Errorf("%v learns the shares of %d classes, but the %s has %d", n, in.Shape[0], what, classes)
			case regression != nil && in.Shape[0] != regression.Targets():
				return fmt.Errorf("%v predicts %d numbers, but the %s has %d", n, in.Shape[0], what, regression.Targets())
			}
		default:
			return fmt.Errorf("%v has the input %s without a role, so that no data set fills it: give it the role %q (float32 images), %q (an int32 each) or %q (float32 numbers)",
				n, in.Name, graph.RoleImage, graph.RoleLabel, graph.RoleTarget)
		}
		if _, err := n.InputOf(in.Role); err != nil { // there are two
			return err
		}
	}
	_, err := n.InputOf(graph.RoleImage)
	return err
}

// learnsShares reports whether a network's target is the share of each class: what
// a softmax loss reads.
func learnsShares(n *graph.Network) bool {
	target, err := n.InputOf(graph.RoleTarget)
	return err == nil && slices.ContainsFunc(n.Nodes, func(node graph.Node) bool {
		_, ok := node.Layer.(*layers.SoftmaxLoss)
		return ok && len(node.In) > 1 && node.In[1] == target.Name
	})
}

// oneHot is data.LoaderOptions.OneHot of a network and a data set.
func oneHot(n *graph.Network, d data.Dataset) bool {
	_, regression := d.(data.Regression)
	return !regression && learnsShares(n)
}

// checkMixing says that a network cannot learn what an augmentation mixes.
func checkMixing(n *graph.Network, d data.Dataset, a data.Augment) error {
	if !a.Mixes() || oneHot(n, d) {
		return nil
	}
	return fmt.Errorf("the augmentation %s mixes classes, but %v has no softmax loss that takes a target, the share of each class, or the data has none", a, n)
}

// checkClasses says whether a data set has labels that a plan's losses have
// no score for, or only one.
func checkClasses(p *graph.Plan, d data.Dataset, what string) error {
	for _, s := range p.Steps {
		if _, ok := p.Network.Nodes[s.Node].Layer.(*layers.SoftmaxLoss); !ok {
			continue
		}
		classes := d.Classes()
		if scores := p.Values[s.In[0]].Shape[1]; scores < len(classes) {
			return fmt.Errorf("%v tells %d classes apart, but the %s has %d", p.Network, scores, what, len(classes))
		}
		if len(classes) == 1 {
			return fmt.Errorf("%v tells classes apart, but all of the %s is of one, %q", p.Network, what, classes[0])
		}
	}
	return nil
}

// uploader is what takes the inputs of a pass: an executor, or what stages those
// of its next pass.
type uploader interface {
	SetBatch(samples int) error
	Upload(name string, x *tensor.Dense) error
}

// upload enqueues the copy of a batch to the inputs of a network.
func upload(to uploader, n *graph.Network, b *data.Batch) error {
	if err := to.SetBatch(b.N); err != nil {
		return err
	}
	for i := range n.Inputs {
		x := b.X
		switch n.Inputs[i].Role {
		case graph.RoleLabel:
			x = b.Labels
		case graph.RoleTarget:
			x = b.Targets
		}
		if err := to.Upload(n.Inputs[i].Name, x); err != nil {
			return err
		}
	}
	return nil
}

// scoresNode is the value whose highest element is a classifier's answer: what
// its first softmax loss reads. It is empty where there is none.
func scoresNode(n *graph.Network) string {
	for _, node := range n.Nodes {
		if _, ok := node.Layer.(*layers.SoftmaxLoss); ok && len(node.In) > 0 {
			return node.In[0]
		}
	}
	return ""
}
