package graph

import (
	"cmp"
	"slices"

	"github.com/hubel-go/hubel/device"
)

// shareInPlace lets an element-wise layer write over its input, and write the
// input's gradient over its output's, where nobody reads the old value later:
// neither another step nor this one, which may read the same value twice. A layer in the
// epilogue of a product writes over what that makes.
func (p *planner) shareInPlace() {
	until := make([]int, len(p.Values)) // the last step that reads a value, or one that it took over from
	for v := range p.Values {
		until[v] = p.Values[v].Last
	}
	// inPlace lets dst, first written in the step, take over the memory of src.
	inPlace := func(dst, src, step int) {
		if p.Values[dst].Bytes == p.Values[src].Bytes && until[src] <= step {
			p.Values[dst].InPlaceOf = src
			until[dst] = max(until[dst], until[src])
		}
	}
	f := p.newFuser()
	for i, s := range p.Steps {
		if !s.Backward {
			if v := f.fuse(i, until); v >= 0 {
				inPlace(s.Out[0], v, i)
				continue
			}
		}
		switch {
		case !p.typed.nodes[s.Node].spec.InPlace:
		case !s.Backward && !slices.Contains(s.In[1:], s.In[0]):
			inPlace(s.Out[0], s.In[0], i)
		case s.Backward && s.DIn[0] >= 0 && s.Modes[0] == device.Overwrite && !slices.Contains(s.DIn[1:], s.DIn[0]):
			inPlace(s.DIn[0], s.DOut[0], i)
		}
	}
}

// span is a piece of memory for one value, or for several that follow each
// other in place.
type span struct {
	root        int // value
	first, last int
	bytes       int64
	offset      int64
}

// spans returns the memory to place, and the span of every value: one for each
// value that does not share, and for those that take over from it, which come
// after it.
func (p *planner) spans() (list []span, of []int) {
	of = make([]int, len(p.Values))
	for v, value := range p.Values {
		if value.InPlaceOf < 0 {
			of[v] = len(list)
			list = append(list, span{root: v, first: value.First, last: value.Last, bytes: align(value.Bytes, p.traits)})
			continue
		}
		of[v] = of[value.InPlaceOf]
		s := &list[of[v]]
		s.first, s.last = min(s.first, value.First), max(s.last, value.Last)
	}
	return list, of
}

// place gives every value its offset. Finding the smallest arena is hard, so
// two orders are tried, and the better one is kept: largest first and, which is
// all that a network of very many spans gets, in order of birth.
func (p *planner) place() {
	list, of := p.spans()
	for _, value := range p.Values {
		p.Unshared += align(value.Bytes, p.traits)
	}
	switch {
	case p.Options.Unshared:
		for i := range list {
			list[i].offset = p.Arena
			p.Arena += list[i].bytes
		}
	case len(list) > mostLargestFirst:
		p.Arena = fitByBirth(list)
	default:
		p.Arena = fit(list, largestFirst)
		other := slices.Clone(list)
		if arena := fitByBirth(other); arena < p.Arena {
			list, p.Arena = other, arena
		}
	}
	for v := range p.Values {
		p.Values[v].Offset = list[of[v]].offset
	}
}

// mostLargestFirst is how many spans are tried largest first. That compares each
// with all before it: this many take a twentieth of a second.
const mostLargestFirst = 8192

func largestFirst(a, b *span) int { return cmp.Compare(b.bytes, a.bytes) }
func byBirth(a, b *span) int      { return cmp.Compare(a.first, b.first) }

// fit places the spans one after the other in the given order, each into the
// smallest gap that the placed spans alive at the same time leave, and returns
// the size of the arena. The order of list is kept.
func fit(list []span, order func(a, b *span) int) int64 {
	byOrder := pointers(list)
	slices.SortStableFunc(byOrder, order)
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

// fitByBirth does what fit does in order of birth. All that is placed and
// still alive is then alive at one time, and lies side by side: a heap.
func fitByBirth(list []span) int64 {
	births, deaths := pointers(list), pointers(list)
	slices.SortStableFunc(births, byBirth)
	slices.SortFunc(deaths, func(a, b *span) int { return cmp.Compare(a.last, b.last) })
	h := newHeap()
	var arena int64
	for _, s := range births {
		for deaths[0].last < s.first { // s is not dead
			h.free(deaths[0].offset, deaths[0].bytes)
			deaths = deaths[1:]
		}
		s.offset = h.alloc(s.bytes)
		arena = max(arena, h.end)
	}
	return arena
}

func pointers(list []span) []*span {
	p := make([]*span, len(list))
	for i := range list {
		p[i] = &list[i]
	}
	return p
}
