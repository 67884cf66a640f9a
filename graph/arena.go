package graph

import (
	"cmp"
	"slices"

	"github.com/hubel-go/hubel/device"
)

// shareInPlace lets an element-wise layer write over its input, and write the
// input's gradient over its output's, where nobody reads the old value later:
// neither another step nor this one, which may read the same value twice.
func (p *planner) shareInPlace() {
	for i, s := range p.Steps {
		switch {
		case !p.typed.nodes[s.Node].spec.InPlace:
		case !s.Backward && !slices.Contains(s.In[1:], s.In[0]):
			p.share(s.Out[0], s.In[0], i)
		case s.Backward && s.DIn[0] >= 0 && s.Modes[0] == device.Overwrite && !slices.Contains(s.DIn[1:], s.DIn[0]):
			p.share(s.DIn[0], s.DOut[0], i)
		}
	}
}

// share lets dst, first written in the step, take over the memory of src if
// no value that lives there is read after the step.
func (p *planner) share(dst, src, step int) {
	if p.Values[dst].Bytes != p.Values[src].Bytes {
		return
	}
	for v := src; v >= 0; v = p.Values[v].Shares {
		if p.Values[v].Last > step {
			return
		}
	}
	p.Values[dst].Shares = src
}

// span is a piece of memory for one value, or for several that follow each
// other in place.
type span struct {
	root        int // value
	first, last int
	bytes       int64
	offset      int64
}

// spans returns the memory to place: one span for every value that does not
// share.
func (p *planner) spans() []span {
	at := make([]int, len(p.Values)) // of a root: index in list
	var list []span
	for v, value := range p.Values {
		if value.Shares < 0 {
			at[v] = len(list)
			list = append(list, span{root: v, first: value.First, last: value.Last, bytes: align(value.Bytes, p.traits)})
		}
	}
	for v, value := range p.Values {
		s := &list[at[p.Root(v)]]
		s.first, s.last = min(s.first, value.First), max(s.last, value.Last)
	}
	return list
}

// Root is the value whose memory a value lives in: itself, or the one that it
// took over from, directly or through others.
func (p *Plan) Root(v int) int {
	for p.Values[v].Shares >= 0 {
		v = p.Values[v].Shares
	}
	return v
}

// place gives every value its offset. Finding the smallest arena is hard, so
// two orders are tried, and the better one is kept.
func (p *planner) place() {
	list := p.spans()
	for _, s := range list {
		p.Unshared += s.bytes
	}
	for v, value := range p.Values {
		if value.Shares >= 0 {
			p.Unshared += align(p.Values[v].Bytes, p.traits)
		}
	}
	if p.Options.Unshared {
		for i := range list {
			list[i].offset = p.Arena
			p.Arena += list[i].bytes
		}
	} else {
		p.Arena = fit(list, func(a, b span) int { return cmp.Compare(b.bytes, a.bytes) })
		inOrder := slices.Clone(list)
		if arena := fit(inOrder, func(a, b span) int { return cmp.Compare(a.first, b.first) }); arena < p.Arena {
			list, p.Arena = inOrder, arena
		}
	}
	for _, s := range list {
		p.Values[s.root].Offset = s.offset
	}
	for v := range p.Values {
		p.Values[v].Offset = p.Values[p.Root(v)].Offset
	}
}

// fit places the spans one after the other in the given order, each into the
// smallest gap that the placed spans alive at the same time leave, and
// returns the size of the arena. The order of list is kept.
func fit(list []span, order func(a, b span) int) int64 {
	byOrder := make([]*span, len(list))
	for i := range list {
		byOrder[i] = &list[i]
	}
	slices.SortStableFunc(byOrder, func(a, b *span) int { return order(*a, *b) })
	var arena int64
	var placed []*span // by offset
	for _, s := range byOrder {
		best, bestGap := int64(-1), int64(0)
		end := int64(0) // of the spans before the gap
		for _, o := range placed {
			if o.last < s.first || s.last < o.first {
				continue
			}
			if gap := o.offset - end; gap >= s.bytes && (best < 0 || gap < bestGap) {
				best, bestGap = end, gap
			}
			end = max(end, o.offset+o.bytes)
		}
		if best < 0 {
			best = end
		}
		s.offset = best
		arena = max(arena, s.offset+s.bytes)
		at, _ := slices.BinarySearchFunc(placed, s.offset, func(o *span, offset int64) int { return cmp.Compare(o.offset, offset) })
		placed = slices.Insert(placed, at, s)
	}
	return arena
}
