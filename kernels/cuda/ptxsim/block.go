package ptxsim

import (
	"fmt"
	"math/bits"
)

// block runs the blocks of launches of one program, one after the other.
type block struct {
	prog   *program
	launch *launch
	warps  []warp
	used   int           // warps of the present block
	cache  []*allocation // by instruction: the allocation it last touched

	ctaid  [3]int
	stamp  uint32
	shared []byte
	shadow []shadow // nil when checks are off
	grain  uint64   // log2 of the bytes that a cell of shadow stands for
	epoch  uint64   // barriers so far, from 1

	limit    int64
	counters Counters
	fault    *Fault
}

func newBlock(p *program) *block {
	return &block{prog: p, cache: make([]*allocation, len(p.code))}
}

// prepare fits the state to a launch.
func (b *block) prepare(l *launch) {
	b.launch = l
	b.limit = l.limit
	b.counters = Counters{}
	b.fault = nil
	clear(b.cache)
	b.grain = 2
	if b.prog.subword {
		b.grain = 0
	}
	if size := l.shared; cap(b.shared) < size {
		b.shared = make([]byte, size)
	} else {
		b.shared = b.shared[:size]
	}
	b.shadow = b.shadow[:0]
	if l.checked {
		if n := (l.shared + 1<<b.grain - 1) >> b.grain; cap(b.shadow) < n {
			b.shadow = make([]shadow, n)
		} else {
			b.shadow = b.shadow[:n]
		}
	}
	p := b.prog
	threads := l.block.Size()
	b.used = (threads + 31) / 32
	for i := len(b.warps); i < b.used; i++ {
		b.warps = append(b.warps, warp{
			prog: p, index: i,
			r32:    make([][32]uint32, p.n32+len(p.const32)+len(p.specials)),
			r64:    make([][32]uint64, p.n64+len(p.const64)),
			pr:     make([]uint32, p.npred+2),
			init32: make([]uint32, p.n32), init64: make([]uint32, p.n64), initP: make([]uint32, p.npred),
			local: make([]byte, 32*p.local.end),
		})
	}
	for i := range b.used {
		w := &b.warps[i]
		w.blk = b
		b.constants(w)
	}
}

// constants fills in the registers that no instruction writes, but for the
// block's own.
func (b *block) constants(w *warp) {
	p := b.prog
	for i, v := range p.const32 {
		fill(&w.r32[p.n32+i], v)
	}
	for i, v := range p.const64 {
		r := &w.r64[p.n64+i]
		for j := range r {
			r[j] = v
		}
	}
	w.pr[p.constPred], w.pr[p.constPred+1] = 0, allLanes
	for _, s := range p.specials {
		r := &w.r32[s.reg]
		for lane := range r {
			r[lane] = b.special(s.name, w.index, lane)
		}
	}
}

// special is the value of a special register, but for those of the block's
// place in the grid.
func (b *block) special(name string, warp, lane int) uint32 {
	grid, dim := b.launch.grid, b.launch.block
	tid := b.thread(32*warp + lane)
	one := uint32(1) << lane
	switch name {
	case "%laneid":
		return uint32(lane)
	case "%warpid":
		return uint32(warp)
	case "%nwarpid":
		return uint32(b.used)
	case "%nsmid":
		return 1
	case "WARP_SZ":
		return 32
	case "%lanemask_eq":
		return one
	case "%lanemask_lt":
		return one - 1
	case "%lanemask_le":
		return one<<1 - 1
	case "%lanemask_gt":
		return ^(one<<1 - 1)
	case "%lanemask_ge":
		return ^(one - 1)
	case "%tid.x":
		return uint32(tid[0])
	case "%tid.y":
		return uint32(tid[1])
	case "%tid.z":
		return uint32(tid[2])
	case "%ntid.x":
		return uint32(dim.X)
	case "%ntid.y":
		return uint32(dim.Y)
	case "%ntid.z":
		return uint32(dim.Z)
	case "%nctaid.x":
		return uint32(grid.X)
	case "%nctaid.y":
		return uint32(grid.Y)
	case "%nctaid.z":
		return uint32(grid.Z)
	case "%dynamic_smem_size":
		return uint32(b.launch.dynamic)
	case "%total_smem_size":
		return uint32(b.prog.shared.size) + uint32(b.launch.dynamic)
	}
	return 0 // %smid, %gridid
}

func fill(r *[32]uint32, v uint32) {
	for i := range r {
		r[i] = v
	}
}

// thread is the coordinates of a thread of the block.
func (b *block) thread(i int) [3]int {
	d := b.launch.block
	return [3]int{i % d.X, i / d.X % d.Y, i / (d.X * d.Y)}
}

// run executes block number index of the grid.
func (b *block) run(index int) {
	grid := b.launch.grid
	b.ctaid = [3]int{index % grid.X, index / grid.X % grid.Y, index / (grid.X * grid.Y)}
	b.stamp = b.launch.base + uint32(index)
	b.epoch = 1
	clear(b.shadow)
	if len(b.shadow) == 0 {
		clear(b.shared)
	}
	threads := b.launch.block.Size()
	for i := range b.used {
		w := &b.warps[i]
		w.reset(min(32, threads-32*i))
		w.setKey()
		for _, s := range b.prog.specials {
			switch s.name {
			case "%ctaid.x":
				fill(&w.r32[s.reg], uint32(b.ctaid[0]))
			case "%ctaid.y":
				fill(&w.r32[s.reg], uint32(b.ctaid[1]))
			case "%ctaid.z":
				fill(&w.r32[s.reg], uint32(b.ctaid[2]))
			}
		}
	}
	b.counters.Blocks++
	b.counters.Warps += int64(b.used)
	for b.fault == nil {
		waiting := 0
		for i := range b.used {
			w := &b.warps[i]
			if w.state == running {
				w.run()
				if b.fault != nil {
					break
				}
			}
			if w.state == atBarrier {
				waiting++
			}
		}
		if b.fault != nil || waiting == 0 {
			break
		}
		b.passBarrier(waiting)
	}
	for i := range b.used {
		b.counters.Active += b.warps[i].lanes
	}
}

// enterBarrier makes the warp wait at a barrier of the block.
func (w *warp) enterBarrier(in *inst, m uint32) {
	switch {
	case m == 0:
		w.pc++
		return
	case m != w.live:
		w.fail(FaultBarrier, m, fmt.Sprintf("barrier reached by lanes %s of the warp only; lanes %s take another way", lanes(m), lanes(w.live&^m)))
		return
	case w.live != w.full:
		w.fail(FaultBarrier, m, fmt.Sprintf("barrier reached by part of the block: lanes %s of the warp have exited", lanes(w.full&^w.live)))
		return
	}
	first := bits.TrailingZeros32(m)
	if in.op == opBar {
		if n := int(w.lane(in.b, first)); n != 0 && n != w.blk.launch.block.Size() {
			w.fail(FaultBarrier, m, fmt.Sprintf("a barrier of %d of the block's %d threads is not supported", n, w.blk.launch.block.Size()))
			return
		}
	} else {
		w.votes = w.pr[in.b.reg] & m
	}
	w.state = atBarrier
}

// barrierID is the number of the barrier at which a warp waits.
func (w *warp) barrierID() uint64 {
	return w.lane(w.prog.code[w.pc].a, bits.TrailingZeros32(w.live))
}

// passBarrier lets the warps go on if all of them wait at one barrier.
func (b *block) passBarrier(waiting int) {
	var first *warp
	yes, threads := 0, 0
	for i := range b.used {
		w := &b.warps[i]
		if w.state != atBarrier {
			continue
		}
		if first == nil {
			first = w
		}
		if waiting < b.used {
			first.fail(FaultBarrier, first.live, fmt.Sprintf("barrier reached by %d of the block's %d warps; the others have exited", waiting, b.used))
			return
		}
		in, other := &b.prog.code[first.pc], &b.prog.code[w.pc]
		if w.barrierID() != first.barrierID() || in.op != other.op || in.op == opBarRed && in.sub != other.sub {
			w.fail(FaultBarrier, w.live, fmt.Sprintf("warp %d waits at barrier %d, and warp %d at another, on line %d",
				w.index, w.barrierID(), first.index, in.line))
			return
		}
		yes += bits.OnesCount32(w.votes)
		threads += bits.OnesCount32(w.live)
	}
	b.epoch++
	b.counters.Barriers++
	for i := range b.used {
		w := &b.warps[i]
		if in := &b.prog.code[w.pc]; in.op == opBarRed {
			w.reduced(in, yes, threads)
		}
		w.state = running
		w.pc++
		w.setKey()
	}
}

// reduced hands out the result of bar.red.
func (w *warp) reduced(in *inst, yes, threads int) {
	if in.sub == 0 {
		w.set32(in, w.live, func(int) uint32 { return uint32(yes) })
		return
	}
	p := &w.pr[in.dst.reg]
	*p &^= w.live
	if in.sub == 1 && yes == threads || in.sub == 2 && yes > 0 {
		*p |= w.live
	}
}
