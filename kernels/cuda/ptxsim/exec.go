package ptxsim

import (
	"fmt"
	"math"
	"math/bits"
)

// run executes the warp until it has finished, waits at a barrier of the
// block, or commits a fault.
func (w *warp) run() {
	w.state = running
	code := w.prog.code
	c := &w.blk.counters
	for {
		for w.pc == w.rpc && w.parent >= 0 && w.blk.fault == nil {
			w.leave(w.mask)
		}
		if w.state != running || w.blk.fault != nil {
			return
		}
		in := &code[w.pc]
		m := w.mask
		if in.guard >= 0 {
			g := w.pr[in.guard]
			if in.guardNot {
				g = ^g
			}
			m &= g
		}
		c.Issued[in.class]++
		w.issued++
		w.lanes += int64(bits.OnesCount32(m))
		if in.check && !w.checkWritten(in, m) {
			return
		}
		if in.op < opLdParam {
			if m == 0 {
				w.pc++
				continue
			}
			w.compute(in, m)
			if in.track {
				w.trackWrites(in, m)
			}
			w.pc++
			continue
		}
		w.effect(in, m)
		if in.track {
			w.trackWrites(in, m)
		}
		if w.issued > w.blk.limit {
			w.fail(FaultEndless, w.mask, fmt.Sprintf("the warp has run %d instructions: an endless loop? Config.MaxInstructions allows more", w.issued))
			return
		}
	}
}

// effect executes what is not arithmetic: memory, control and exchange between
// lanes. m is the active lanes.
func (w *warp) effect(in *inst, m uint32) {
	switch in.op {
	case opBra:
		switch m {
		case 0:
			w.pc++
		case w.mask:
			w.pc = in.target
		default:
			w.part(m, in.target, in.rpc)
		}
		return
	case opBrx:
		w.branchIndexed(in, m)
		return
	case opExit:
		if m == 0 {
			w.pc++
			return
		}
		w.exit(m)
		return
	case opBar, opBarRed:
		// The block steps over the barrier when all its warps are there.
		w.enterBarrier(in, m)
		return
	case opBarWarp:
		if m == 0 {
			w.pc++
			return
		}
		if m != w.mask {
			w.fail(FaultBarrier, m, "a barrier of a warp may not be predicated per lane")
			return
		}
		w.warpBarrier(w.r32[in.a.reg][bits.TrailingZeros32(m)])
		return
	}
	if m != 0 {
		switch in.op {
		case opLdParam:
			w.loadParam(in, m)
		case opLd:
			w.load(in, m)
		case opSt:
			w.store(in, m)
		case opAtom:
			w.atomic(in, m)
		case opCpAsync:
			w.copyAsync(in, m)
		case opCpCommit:
			for ; m != 0; m &= m - 1 {
				w.groups[bits.TrailingZeros32(m)]++
			}
		case opCpWait:
			w.waitCopies(m, in.sub)
		case opShfl:
			w.shuffle(in, m)
		case opVote:
			w.vote(in, m)
		case opActive:
			w.set32(in, m, func(int) uint32 { return m })
		case opRedux:
			w.redux(in, m)
		case opMMA:
			w.mma(in, m)
		case opTrap:
			w.fail(FaultTrap, m, "the kernel runs into a trap")
		}
	}
	w.pc++
}

// compute executes arithmetic for all lanes, and keeps the result of those in
// m.
func (w *warp) compute(in *inst, m uint32) {
	switch in.op {
	case opFn:
		w.apply(in, m)
		return
	case opSetS32, opSetU32:
		w.compare(in, m)
		return
	case opMov64, opIAdd64, opShl64, opMulWideS32, opMulWideU32:
		w.compute64(in, m)
		return
	case opClock:
		if in.dst.file == file64 {
			w.set64(in, m, func(int) uint64 { return uint64(w.issued) })
		} else {
			w.set32(in, m, func(int) uint32 { return uint32(w.issued) })
		}
		return
	case opPack:
		w.pack(in, m)
		return
	case opUnpack:
		w.unpack(in, m)
		return
	}
	d := &w.r32[in.dst.reg]
	if m != allLanes {
		d = &w.tmp32
	}
	a := &w.r32[in.a.reg]
	if in.op == opMov32 {
		*d = *a
	} else {
		compute32(in.op, d, a, &w.r32[in.b.reg], &w.r32[in.c.reg])
	}
	if m != allLanes {
		to := &w.r32[in.dst.reg]
		for ; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m)
			to[l&31] = d[l&31]
		}
	}
}

// compute32 is the fast paths of 32 bits.
func compute32(op opcode, d, a, b, c *[32]uint32) {
	switch op {
	case opFma32:
		fmaLanes(d, a, b, c)
	case opMul32:
		for i := range d {
			d[i] = canonical(math.Float32frombits(a[i]) * math.Float32frombits(b[i]))
		}
	case opAdd32:
		for i := range d {
			d[i] = canonical(math.Float32frombits(a[i]) + math.Float32frombits(b[i]))
		}
	case opSub32:
		for i := range d {
			d[i] = canonical(math.Float32frombits(a[i]) - math.Float32frombits(b[i]))
		}
	case opIAdd32:
		for i := range d {
			d[i] = a[i] + b[i]
		}
	case opISub32:
		for i := range d {
			d[i] = a[i] - b[i]
		}
	case opIMul32:
		for i := range d {
			d[i] = a[i] * b[i]
		}
	case opIMad32:
		for i := range d {
			d[i] = a[i]*b[i] + c[i]
		}
	case opAnd32:
		for i := range d {
			d[i] = a[i] & b[i]
		}
	case opOr32:
		for i := range d {
			d[i] = a[i] | b[i]
		}
	case opXor32:
		for i := range d {
			d[i] = a[i] ^ b[i]
		}
	case opShl32:
		for i := range d {
			d[i] = a[i] << b[i]
		}
	case opShr32:
		for i := range d {
			d[i] = a[i] >> b[i]
		}
	case opCvtTF32:
		for i := range d {
			d[i] = roundTF32(a[i])
		}
	}
}

func canonical(v float32) uint32 {
	if v != v {
		return nan32
	}
	return math.Float32bits(v)
}

func (w *warp) compute64(in *inst, m uint32) {
	d := &w.r64[in.dst.reg]
	if m != allLanes {
		d = &w.tmp64
	}
	switch in.op {
	case opMov64:
		*d = w.r64[in.a.reg]
	case opIAdd64:
		a, b := &w.r64[in.a.reg], &w.r64[in.b.reg]
		for i := range d {
			d[i] = a[i] + b[i]
		}
	case opShl64:
		a, b := &w.r64[in.a.reg], &w.r32[in.b.reg]
		for i := range d {
			d[i] = a[i] << b[i]
		}
	case opMulWideS32:
		a, b := &w.r32[in.a.reg], &w.r32[in.b.reg]
		for i := range d {
			d[i] = uint64(int64(int32(a[i])) * int64(int32(b[i])))
		}
	case opMulWideU32:
		a, b := &w.r32[in.a.reg], &w.r32[in.b.reg]
		for i := range d {
			d[i] = uint64(a[i]) * uint64(b[i])
		}
	}
	if m != allLanes {
		to := &w.r64[in.dst.reg]
		for ; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m)
			to[l&31] = d[l&31]
		}
	}
}

func (w *warp) compare(in *inst, m uint32) {
	a, b := &w.r32[in.a.reg], &w.r32[in.b.reg]
	var flip uint32
	if in.op == opSetS32 {
		flip = 1 << 31 // makes the order of signed numbers that of unsigned ones
	}
	var less, equal uint32
	for i := range a {
		x, y := a[i]^flip, b[i]^flip
		var lt, eq uint32
		if x < y {
			lt = 1
		}
		if x == y {
			eq = 1
		}
		less |= lt << i
		equal |= eq << i
	}
	var r uint32
	switch in.sub {
	case cmpEq:
		r = equal
	case cmpNe:
		r = ^equal
	case cmpLt:
		r = less
	case cmpLe:
		r = less | equal
	case cmpGt:
		r = ^(less | equal)
	case cmpGe:
		r = ^less
	}
	p := &w.pr[in.dst.reg]
	*p = *p&^m | r&m
}

var zeroes [32]uint64

// source is an operand of all lanes as 64 bits; one that is not there is 0.
func (w *warp) source(r ref, to *[32]uint64) *[32]uint64 {
	switch r.file {
	case fileNone:
		return &zeroes
	case file64:
		return &w.r64[r.reg]
	case file32:
		from := &w.r32[r.reg]
		for i := range to {
			to[i] = uint64(from[i])
		}
	case filePred:
		from := w.pr[r.reg]
		for i := range to {
			to[i] = uint64(from >> i & 1)
		}
	}
	return to
}

// apply executes in.fn for the lanes in m.
func (w *warp) apply(in *inst, m uint32) {
	a, b, c := w.source(in.a, &w.wide[0]), w.source(in.b, &w.wide[1]), w.source(in.c, &w.wide[2])
	switch in.dst.file {
	case file32:
		cut := uint32(allLanes)
		if in.half {
			cut = 0xffff
		}
		d := &w.r32[in.dst.reg]
		for ; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m) & 31
			d[l] = uint32(in.fn(a[l], b[l], c[l])) & cut
		}
	case file64:
		d := &w.r64[in.dst.reg]
		for ; m != 0; m &= m - 1 {
			l := bits.TrailingZeros32(m) & 31
			d[l] = in.fn(a[l], b[l], c[l])
		}
	case filePred:
		var first, second uint32
		for lanes := m; lanes != 0; lanes &= lanes - 1 {
			l := bits.TrailingZeros32(lanes) & 31
			r := in.fn(a[l], b[l], c[l])
			first |= uint32(r&1) << l
			second |= uint32(r>>1&1) << l
		}
		w.pr[in.dst.reg] = w.pr[in.dst.reg]&^m | first
		if in.dst2.file == filePred {
			w.pr[in.dst2.reg] = w.pr[in.dst2.reg]&^m | second
		}
	}
}

func (w *warp) set32(in *inst, m uint32, value func(lane int) uint32) {
	if in.dst.file != file32 {
		return
	}
	d := &w.r32[in.dst.reg]
	for ; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = value(l)
	}
}

func (w *warp) set64(in *inst, m uint32, value func(lane int) uint64) {
	d := &w.r64[in.dst.reg]
	for ; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m) & 31
		d[l] = value(l)
	}
}

// lane reads a register of one lane as 64 bits.
func (w *warp) lane(r ref, l int) uint64 {
	switch r.file {
	case file64:
		return w.r64[r.reg][l]
	case file32:
		return uint64(w.r32[r.reg][l])
	case filePred:
		return uint64(w.pr[r.reg] >> l & 1)
	}
	return 0
}

// setLane writes a register of one lane.
func (w *warp) setLane(r ref, l int, v uint64) {
	switch r.file {
	case file64:
		w.r64[r.reg][l] = v
	case file32:
		w.r32[r.reg][l] = uint32(v)
	}
}

// pack makes a value of the registers of a vector, the first lowest.
func (w *warp) pack(in *inst, m uint32) {
	for ; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m)
		var v uint64
		for i, r := range in.vec {
			v |= w.lane(r, l) & mask64(int(in.sub)) << (i * int(in.sub))
		}
		w.setLane(in.dst, l, v)
	}
}

func (w *warp) unpack(in *inst, m uint32) {
	for ; m != 0; m &= m - 1 {
		l := bits.TrailingZeros32(m)
		v := w.lane(in.a, l)
		for i, r := range in.vec {
			w.setLane(r, l, v>>(i*int(in.sub))&mask64(int(in.sub)))
		}
	}
}

// branchIndexed sends each lane to the target that its index names.
func (w *warp) branchIndexed(in *inst, m uint32) {
	if m == 0 {
		w.pc++
		return
	}
	index := &w.r32[in.a.reg]
	first := index[bits.TrailingZeros32(m)]
	same := m == w.mask
	for lanes := m; lanes != 0; lanes &= lanes - 1 {
		l := bits.TrailingZeros32(lanes)
		if int(index[l]) >= len(in.targets) {
			w.fail(FaultAddress, 1<<l, fmt.Sprintf("index %d of a table of %d labels", index[l], len(in.targets)))
			return
		}
		same = same && index[l] == first
	}
	if same {
		w.pc = in.targets[first]
		return
	}
	w.blk.counters.Divergent++
	mask, pc := w.mask, w.pc
	w.fork(in.rpc)
	if rest := mask &^ m; rest != 0 {
		w.branch(rest, pc+1, in.rpc)
	}
	for rest := m; rest != 0; {
		which := index[bits.TrailingZeros32(rest)]
		var group uint32
		for lanes := rest; lanes != 0; lanes &= lanes - 1 {
			if l := bits.TrailingZeros32(lanes); index[l] == which {
				group |= 1 << l
			}
		}
		rest &^= group
		w.branch(group, in.targets[which], in.rpc)
	}
	w.resume()
}

// checkWritten faults where a lane reads a register that it has not written.
func (w *warp) checkWritten(in *inst, m uint32) bool {
	ok := true
	in.sources(func(r ref) {
		lanes := m
		if r.file == filePred && r.reg == in.guard {
			lanes = w.mask
		}
		var written []uint32
		var names []string
		switch r.file {
		case file32:
			written, names = w.init32, w.prog.names32
		case file64:
			written, names = w.init64, w.prog.names64
		case filePred:
			written, names = w.initP, w.prog.namesPred
		}
		if !w.prog.isTracked(r) {
			return
		}
		if missing := lanes &^ written[r.reg]; missing != 0 && ok {
			ok = false
			w.fail(FaultUninitReg, missing, fmt.Sprintf("register %s was never written", names[r.reg]))
		}
	})
	return ok
}

func (w *warp) trackWrites(in *inst, m uint32) {
	in.results(func(r ref) {
		switch r.file {
		case file32:
			w.init32[r.reg] |= m
		case file64:
			w.init64[r.reg] |= m
		case filePred:
			w.initP[r.reg] |= m
		}
	})
}
