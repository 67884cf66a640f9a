package graph

import (
	"slices"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// fuser moves element-wise layers into the epilogue of the convolution or dense layer
// whose output they overwrite. The forward step of such a layer then runs no kernel; its
// backward step stays.
type fuser struct {
	*planner
	reads  []int  // of values, by forward steps
	writer []int  // the step after which a value is there, -1 of an input; a product's, if it is made in the epilogue
	open   []bool // values that a product makes, or an epilogue: more may follow there
}

func (p *planner) newFuser() *fuser {
	f := &fuser{planner: p, reads: make([]int, len(p.Values)), writer: filled(len(p.Values)), open: make([]bool, len(p.Values))}
	for i, s := range p.Steps {
		if s.Backward {
			continue
		}
		for _, v := range s.In {
			f.reads[v]++
		}
		for _, v := range s.Out {
			f.writer[v] = i
		}
		f.open[s.Out[0]] = p.typed.nodes[s.Node].spec.Epilogue
	}
	return f
}

// fuse moves a forward step into the epilogue of the product that makes one of its inputs.
// That is possible if only this step reads the input, and the product is the last of the
// steps that make the inputs. It returns the input, which the output takes the place of, and
// -1 if the step is not moved.
func (f *fuser) fuse(step int, until []int) int {
	s := &f.Steps[step]
	node := &f.typed.nodes[s.Node]
	if !node.spec.Elementwise {
		return -1
	}
	k := slices.IndexFunc(s.In, func(v int) bool {
		return f.open[v] && f.reads[v] == 1 && until[v] <= step &&
			!slices.ContainsFunc(s.In, func(other int) bool { return other != v && f.writer[other] >= f.writer[v] })
	})
	if k < 0 {
		return -1
	}
	v, out := s.In[k], s.Out[0]
	w := f.writer[v]
	product := &f.Steps[w]
	a, ok := f.Network.Nodes[s.Node].Layer.(layers.Activator)
	same, identity := node.spec.Programs[0].Identity()
	switch {
	case ok && !product.Activation.On && len(product.Maps) == 0 && f.traits.Epilogue(a.Function()):
		product.Activation = device.Activation{Unary: a.Function(), On: true}
	case !identity || same != k:
		product.Maps = append(product.Maps, step)
	}
	s.Fused = true
	f.writer[out], f.open[out] = w, true
	return v
}
