package ptxsim

// block boundaries, successors and immediate post-dominators of a program.

// successors lists where control may go after instruction i; len(code) is the
// exit.
func successors(p *program, i int) []int {
	in := &p.code[i]
	var next []int
	switch in.op {
	case opBra:
		next = append(next, int(in.target))
	case opBrx:
		for _, t := range in.targets {
			next = append(next, int(t))
		}
	case opExit, opTrap:
		next = append(next, len(p.code))
	default:
		return []int{i + 1}
	}
	if in.guard >= 0 {
		next = append(next, i+1)
	}
	return next
}

// findReconvergence gives every branch the instruction where the lanes that it
// parts meet again: the immediate post-dominator, found with the algorithm of
// Cooper, Harvey and Kennedy (2001) on the reversed graph of basic blocks.
func findReconvergence(p *program) {
	n := len(p.code)
	leader := make([]bool, n+1)
	leader[0], leader[n] = true, true
	for i := range p.code {
		switch p.code[i].op {
		case opBra, opBrx, opExit, opTrap:
			leader[i+1] = true
			for _, s := range successors(p, i) {
				leader[s] = true
			}
		}
	}
	var start []int // of each block; the last is the exit
	number := make([]int, n+1)
	for i, l := range leader {
		if l {
			start = append(start, i)
		}
		number[i] = len(start) - 1
	}
	exit := len(start) - 1
	next := make([][]int, exit+1)
	previous := make([][]int, exit+1)
	for b := range exit {
		for _, s := range successors(p, start[b+1]-1) {
			next[b] = append(next[b], number[s])
			previous[number[s]] = append(previous[number[s]], b)
		}
	}
	// Post-order of the reversed graph.
	order := make([]int, 0, exit+1)
	rank := make([]int, exit+1)
	for i := range rank {
		rank[i] = -1
	}
	seen := make([]bool, exit+1)
	var visit func(b int)
	visit = func(b int) {
		seen[b] = true
		for _, q := range previous[b] {
			if !seen[q] {
				visit(q)
			}
		}
		rank[b] = len(order)
		order = append(order, b)
	}
	visit(exit)
	idom := make([]int, exit+1)
	for i := range idom {
		idom[i] = -1
	}
	idom[exit] = exit
	for changed := true; changed; {
		changed = false
		for i := len(order) - 2; i >= 0; i-- {
			b := order[i]
			found := -1
			for _, s := range next[b] {
				if idom[s] < 0 {
					continue
				}
				if found < 0 {
					found = s
					continue
				}
				for x, y := found, s; ; {
					for x != y && rank[x] < rank[y] {
						x = idom[x]
					}
					for x != y && rank[y] < rank[x] {
						y = idom[y]
					}
					if x == y {
						found = x
						break
					}
				}
			}
			if found >= 0 && idom[b] != found {
				idom[b] = found
				changed = true
			}
		}
	}
	for b := range exit {
		last := &p.code[start[b+1]-1]
		last.rpc = int32(n)
		// A block from which no path leads out never reconverges.
		if idom[b] >= 0 {
			last.rpc = int32(start[idom[b]])
		}
	}
}

// sources lists the registers that an instruction reads.
func (in *inst) sources(yield func(r ref)) {
	for _, r := range [...]ref{in.a, in.b, in.c} {
		yield(r)
	}
	switch in.op {
	case opSt, opPack, opShfl:
		for _, r := range in.vec {
			yield(r)
		}
	case opMMA:
		for _, r := range in.vec[4:] {
			yield(r)
		}
	}
	if in.guard >= 0 {
		yield(ref{filePred, in.guard})
	}
}

// results lists the registers that it writes.
func (in *inst) results(yield func(r ref)) {
	yield(in.dst)
	yield(in.dst2)
	switch in.op {
	case opLd, opUnpack:
		for _, r := range in.vec {
			yield(r)
		}
	case opMMA:
		for _, r := range in.vec[:4] {
			yield(r)
		}
	}
}

// findUnwritten marks the instructions that may read a register before it was
// written on some path; only those are checked as they run, and only the
// registers in question are tracked.
func findUnwritten(p *program) {
	total := p.n32 + p.n64 + p.npred
	words := (total + 63) / 64
	slot := func(r ref) int {
		switch {
		case r.file == file32 && int(r.reg) < p.n32:
			return int(r.reg)
		case r.file == file64 && int(r.reg) < p.n64:
			return p.n32 + int(r.reg)
		case r.file == filePred && int(r.reg) < p.npred:
			return p.n32 + p.n64 + int(r.reg)
		}
		return -1
	}
	n := len(p.code)
	// written[i] has a bit for each register that every path to i has written;
	// nil means not reached yet.
	written := make([][]uint64, n+1)
	written[0] = make([]uint64, words)
	work := []int{0}
	now := make([]uint64, words)
	for len(work) > 0 {
		i := work[len(work)-1]
		work = work[:len(work)-1]
		if i == n {
			continue
		}
		copy(now, written[i])
		// A guarded write may not happen; it counts all the same where its
		// guard is set, so it is taken as no write here.
		if in := &p.code[i]; in.guard < 0 {
			in.results(func(r ref) {
				if s := slot(r); s >= 0 {
					now[s/64] |= 1 << (s % 64)
				}
			})
		}
		for _, s := range successors(p, i) {
			if written[s] == nil {
				written[s] = append([]uint64(nil), now...)
				work = append(work, s)
				continue
			}
			changed := false
			for w := range now {
				if both := written[s][w] & now[w]; both != written[s][w] {
					written[s][w] = both
					changed = true
				}
			}
			if changed {
				work = append(work, s)
			}
		}
	}
	tracked := make([]bool, total)
	p.isTracked = func(r ref) bool { s := slot(r); return s >= 0 && tracked[s] }
	for i := range p.code {
		in := &p.code[i]
		if written[i] == nil {
			continue
		}
		in.sources(func(r ref) {
			if s := slot(r); s >= 0 && written[i][s/64]>>(s%64)&1 == 0 {
				in.check = true
				tracked[s] = true
			}
		})
	}
	for i := range p.code {
		in := &p.code[i]
		in.results(func(r ref) {
			if s := slot(r); s >= 0 && tracked[s] {
				in.track = true
			}
		})
	}
}
