package ptxsim

import (
	"fmt"
	"math/bits"
)

// Modes of shfl and vote.
const (
	shflUp = iota
	shflDown
	shflXor
	shflIdx
)

const (
	voteAll = iota
	voteAny
	voteUni
	voteBallot
	voteNot = 8 // of the inverted predicate
)

// members checks that the lanes in m, which run an exchange, are those that it
// names.
func (w *warp) members(r ref, m uint32) bool {
	named := uint32(w.lane(r, bits.TrailingZeros32(m)))
	if out := m &^ named; out != 0 {
		w.fail(FaultShuffle, out, "the lane is not in the member mask of the exchange that it runs")
		return false
	}
	if missing := named & w.live &^ m; missing != 0 {
		w.fail(FaultShuffle, m, fmt.Sprintf("the exchange names lanes %s, which do not run it together with this one", lanes(missing)))
		return false
	}
	return true
}

func (w *warp) shuffle(in *inst, m uint32) {
	if !w.members(in.vec[0], m) {
		return
	}
	from := w.r32[in.a.reg]
	d := &w.r32[in.dst.reg]
	var inRange uint32
	for lanes := m; lanes != 0; lanes &= lanes - 1 {
		l := bits.TrailingZeros32(lanes)
		b := int(w.lane(in.b, l) & 31)
		c := int(w.lane(in.c, l))
		clamp, segment := c&31, c>>8&31
		lowest, highest := l&segment, l&segment|clamp&^segment
		var j int
		ok := false
		switch in.sub {
		case shflUp:
			j = l - b
			ok = j >= highest
		case shflDown:
			j = l + b
			ok = j <= highest
		case shflXor:
			j = l ^ b
			ok = j <= highest
		case shflIdx:
			j = lowest | b&^segment
			ok = j <= highest
		}
		if !ok {
			j = l
		} else {
			inRange |= 1 << l
		}
		if m>>j&1 == 0 {
			w.fail(FaultShuffle, 1<<l, fmt.Sprintf("reads lane %d, which does not run the shuffle", j))
			return
		}
		d[l] = from[j]
	}
	if in.dst2.file == filePred {
		w.pr[in.dst2.reg] = w.pr[in.dst2.reg]&^m | inRange
	}
}

func (w *warp) vote(in *inst, m uint32) {
	if !w.members(in.b, m) {
		return
	}
	yes := w.pr[in.a.reg]
	if in.sub&voteNot != 0 {
		yes = ^yes
	}
	yes &= m
	var result bool
	switch in.sub &^ voteNot {
	case voteBallot:
		w.set32(in, m, func(int) uint32 { return yes })
		return
	case voteAll:
		result = yes == m
	case voteAny:
		result = yes != 0
	case voteUni:
		result = yes == m || yes == 0
	}
	p := &w.pr[in.dst.reg]
	*p &^= m
	if result {
		*p |= m
	}
}

func (w *warp) redux(in *inst, m uint32) {
	if !w.members(in.b, m) {
		return
	}
	first := bits.TrailingZeros32(m)
	r := w.lane(in.a, first)
	for lanes := m & (m - 1); lanes != 0; lanes &= lanes - 1 {
		r = in.fn(r, w.lane(in.a, bits.TrailingZeros32(lanes)), 0)
	}
	w.set32(in, m, func(int) uint32 { return uint32(r) })
}
