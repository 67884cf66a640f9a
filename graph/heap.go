package graph

import (
	"cmp"
	"slices"
	"sort"
)

// heap gives out pieces of the arena, each from the smallest gap that holds it,
// of equals the first, and else at the end.
type heap struct {
	end    int64           // of what is given out
	bySize gapList         // the gaps before that
	starts map[int64]int64 // of a gap, by its end
	ends   map[int64]int64 // by its start
}

func newHeap() *heap { return &heap{starts: map[int64]int64{}, ends: map[int64]int64{}} }

func (h *heap) alloc(bytes int64) (offset int64) {
	g, ok := h.bySize.atLeast(bytes)
	if !ok {
		offset = h.end
		h.end += bytes
		return offset
	}
	h.remove(g)
	if rest := g.bytes - bytes; rest > 0 {
		h.add(gap{rest, g.offset + bytes})
	}
	return g.offset
}

func (h *heap) free(offset, bytes int64) {
	start, end := offset, offset+bytes
	if s, ok := h.starts[start]; ok {
		h.remove(gap{start - s, s})
		start = s
	}
	if e, ok := h.ends[end]; ok {
		h.remove(gap{e - end, end})
		end = e
	}
	if end == h.end {
		h.end = start
		return
	}
	h.add(gap{end - start, start})
}

func (h *heap) add(g gap) {
	h.bySize.insert(g)
	h.ends[g.offset], h.starts[g.offset+g.bytes] = g.offset+g.bytes, g.offset
}

func (h *heap) remove(g gap) {
	h.bySize.remove(g)
	delete(h.ends, g.offset)
	delete(h.starts, g.offset+g.bytes)
}

// gap is a piece between pieces that are given out.
type gap struct{ bytes, offset int64 }

func compareGaps(a, b gap) int {
	return cmp.Or(cmp.Compare(a.bytes, b.bytes), cmp.Compare(a.offset, b.offset))
}

// gapList is a sorted list, in runs, so that a change moves few of very many.
type gapList [][]gap

const longestRun = 512

// find is the place of the first gap that is not below g.
func (l gapList) find(g gap) (run, at int) {
	run = sort.Search(len(l), func(i int) bool { return compareGaps(l[i][len(l[i])-1], g) >= 0 })
	if run < len(l) {
		at, _ = slices.BinarySearchFunc(l[run], g, compareGaps)
	}
	return run, at
}

// atLeast is the smallest gap of at least so many bytes, if there is one.
func (l gapList) atLeast(bytes int64) (gap, bool) {
	run, at := l.find(gap{bytes: bytes})
	if run == len(l) {
		return gap{}, false
	}
	return l[run][at], true
}

func (l *gapList) insert(g gap) {
	if len(*l) == 0 {
		*l = gapList{{g}}
		return
	}
	run, at := l.find(g)
	if run == len(*l) { // after all others
		run--
		at = len((*l)[run])
	}
	r := slices.Insert((*l)[run], at, g)
	(*l)[run] = r
	if half := len(r) / 2; len(r) > longestRun {
		(*l)[run] = slices.Clone(r[:half])
		*l = slices.Insert(*l, run+1, r[half:])
	}
}

// remove takes out a gap that is there.
func (l *gapList) remove(g gap) {
	run, at := l.find(g)
	if (*l)[run] = slices.Delete((*l)[run], at, at+1); len((*l)[run]) == 0 {
		*l = slices.Delete(*l, run, run+1)
	}
}
