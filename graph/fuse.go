package graph

import (
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// fuse moves an activation into the epilogue of the convolution or dense
// layer whose output it overwrites. The activation's forward step then runs
// no kernel; its backward step stays.
func (p *planner) fuse() {
	reads := make([]int, len(p.Values))
	writer := filled(len(p.Values))
	for i, s := range p.Steps {
		if s.Backward {
			continue
		}
		for _, v := range s.In {
			reads[v]++
		}
		for _, v := range s.Out {
			writer[v] = i
		}
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		a, ok := p.Network.Nodes[s.Node].Layer.(layers.Activator)
		if s.Backward || !ok || p.Values[s.Out[0]].InPlaceOf != s.In[0] || reads[s.In[0]] != 1 {
			continue
		}
		w := writer[s.In[0]]
		if w < 0 || p.Steps[w].Out[0] != s.In[0] || p.Steps[w].Fused || !p.typed.nodes[p.Steps[w].Node].spec.Epilogue || !p.traits.Epilogue(a.Function()) {
			continue
		}
		p.Steps[w].Activation = device.Activation{Unary: a.Function(), On: true}
		s.Fused = true
	}
}
