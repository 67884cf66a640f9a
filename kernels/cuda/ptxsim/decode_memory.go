package ptxsim

import (
	"fmt"
	"strings"
)

// hints are modifiers of loads and stores that change nothing here.
var hints = map[string]bool{"ca": true, "cg": true, "cs": true, "lu": true, "cv": true, "wb": true, "wt": true,
	"weak": true, "relaxed": true, "acquire": true, "release": true, "acq_rel": true,
	"cta": true, "gpu": true, "sys": true, "volatile": true,
	"L1::evict_last": true, "L1::no_allocate": true, "L2::128B": true, "L2::256B": true, "L2::64B": true}

func (d *decoder) dropHints() {
	for {
		if _, ok := takeOne(d, hints); !ok {
			return
		}
	}
}

// elements is the registers of a scalar or vector operand.
func (d *decoder) elements(o operand, in *inst, count int) error {
	list := []operand{o}
	if o.kind == operandVector {
		list = o.list
	}
	if len(list) != count {
		return fmt.Errorf("has %d elements, not %d", len(list), count)
	}
	for _, e := range list {
		if e.kind == operandSink {
			in.vec = append(in.vec, ref{})
			continue
		}
		r, err := d.src(e, in.typ)
		if err != nil {
			return err
		}
		if e.kind == operandReg && d.k.regs[e.reg].typ.bytes() < in.typ.bytes() {
			return fmt.Errorf("register %s is narrower than %s", d.k.regs[e.reg].name, in.typ)
		}
		if e.kind == operandReg && d.k.regs[e.reg].typ.bytes() == 2 {
			in.half = true
		}
		in.vec = append(in.vec, r)
	}
	return nil
}

// access reads the modifiers of a load or store and counts its elements.
func (d *decoder) access(in *inst) (int, error) {
	t, err := d.takeType()
	if err != nil {
		return 0, err
	}
	in.typ = t
	in.space, _ = takeOne(d, spaces)
	count, ok := takeOne(d, map[string]int{"v2": 2, "v4": 4})
	if !ok {
		count = 1
	}
	d.dropHints()
	if t == typPred || count*t.bytes() > 16 {
		return 0, fmt.Errorf("type %s is not supported here", t)
	}
	if t.bytes() < 4 && (in.space == spaceShared || in.space == spaceGeneric) {
		d.p.subword = true
	}
	return count, d.done()
}

func decodeLoad(d *decoder, in *inst) error {
	nc := d.take("nc")
	if nc || d.s.op == "ldu" {
		in.nc = nonCoherent
	}
	count, err := d.access(in)
	if err != nil {
		return err
	}
	if nc && in.space != spaceGlobal {
		return fmt.Errorf("modifier .nc needs .global")
	}
	if err := d.args(2); err != nil {
		return err
	}
	if err := d.address(d.s.args[1], in); err != nil {
		return err
	}
	for _, e := range append(d.s.args[0].list, d.s.args[0]) {
		if e.kind == operandInt || e.kind == operandFloat32 || e.kind == operandFloat64 {
			return fmt.Errorf("the destination is not a register")
		}
	}
	if err := d.elements(d.s.args[0], in, count); err != nil {
		return err
	}
	in.op = opLd
	switch in.space {
	case spaceParam:
		in.op, in.class = opLdParam, ClassParam
		if count != 1 || d.s.args[1].list[0].kind != operandSymbol {
			return fmt.Errorf("this form of parameter access is not supported")
		}
		base := d.s.args[1].list[0]
		if v := d.vars[base.name]; base.offset < 0 || base.offset+int64(in.typ.bytes()) > v.size {
			return fmt.Errorf("%d bytes at offset %d reach past parameter %s of %d bytes", in.typ.bytes(), base.offset, v.name, v.size)
		}
		in.dst = in.vec[0]
		in.vec = nil
	case spaceShared:
		in.class = ClassLoadShared
	case spaceLocal:
		in.class = ClassLocal
	default:
		in.class = ClassLoadGlobal
	}
	return nil
}

func decodeStore(d *decoder, in *inst) error {
	count, err := d.access(in)
	if err != nil {
		return err
	}
	if err := d.args(2); err != nil {
		return err
	}
	if err := d.address(d.s.args[0], in); err != nil {
		return err
	}
	in.op = opSt
	switch in.space {
	case spaceShared:
		in.class = ClassStoreShared
	case spaceLocal:
		in.class = ClassLocal
	case spaceParam, spaceConst:
		return fmt.Errorf("%s memory cannot be written", in.space)
	default:
		in.class = ClassStoreGlobal
	}
	return d.elements(d.s.args[1], in, count)
}

func decodeAtomic(d *decoder, in *inst) error {
	in.op, in.class = opAtom, ClassAtomic
	t, err := d.takeType()
	if err != nil {
		return err
	}
	in.typ = t
	in.space, _ = takeOne(d, spaces)
	d.dropHints()
	if t.bytes() < 4 {
		return fmt.Errorf("type %s is not supported", t)
	}
	n := t.bits()
	mask := mask64(n)
	less := func(a, b uint64) bool { return a < b }
	if t.signed() {
		less = func(a, b uint64) bool { return signed(a, n) < signed(b, n) }
	}
	// fn makes the new value of the old one and the operands.
	fns := map[string]func(old, b, c uint64) uint64{
		"add": func(old, b, _ uint64) uint64 { return (old + b) & mask },
		"min": func(old, b, _ uint64) uint64 {
			if less(b, old) {
				return b
			}
			return old
		},
		"max": func(old, b, _ uint64) uint64 {
			if less(old, b) {
				return b
			}
			return old
		},
		"and":  func(old, b, _ uint64) uint64 { return old & b },
		"or":   func(old, b, _ uint64) uint64 { return old | b },
		"xor":  func(old, b, _ uint64) uint64 { return old ^ b },
		"exch": func(_, b, _ uint64) uint64 { return b },
		"cas": func(old, b, c uint64) uint64 {
			if old == b {
				return c
			}
			return old
		},
	}
	if t.float() {
		fns = map[string]func(old, b, c uint64) uint64{"exch": fns["exch"]}
		switch t {
		case typF32:
			fns["add"] = func(old, b, _ uint64) uint64 { return b32(f32(old) + f32(b)) }
		case typF64:
			fns["add"] = func(old, b, _ uint64) uint64 { return b64(f64(old) + f64(b)) }
		}
	}
	name := ""
	for _, m := range d.mods {
		if fns[m] != nil {
			name = m
		}
	}
	if !d.take(name) {
		return fmt.Errorf("this operation is not supported")
	}
	in.fn = fns[name]
	if err := d.done(); err != nil {
		return err
	}
	args := d.s.args
	if d.s.op == "atom" {
		if args[0].kind != operandSink {
			if err := d.dest(args[0], in); err != nil {
				return err
			}
		}
		args = args[1:]
	}
	want := 2
	if name == "cas" {
		want = 3
	}
	if len(args) != want {
		return fmt.Errorf("has the wrong number of operands")
	}
	if err := d.address(args[0], in); err != nil {
		return err
	}
	if in.b, err = d.value(args[1], t); err != nil || want == 2 {
		return err
	}
	in.c, err = d.value(args[2], t)
	return err
}

// decodeAsync is cp.async and its groups.
func decodeAsync(d *decoder, in *inst) error {
	in.class = ClassAsync
	if !d.take("async") {
		return fmt.Errorf("only cp.async is supported")
	}
	number := func(o operand) (int64, error) {
		if o.kind != operandInt {
			return 0, fmt.Errorf("an operand must be a constant")
		}
		return int64(o.bits), nil
	}
	switch {
	case d.take("commit_group"):
		in.op = opCpCommit
		return d.done()
	case d.take("wait_all"):
		in.op, in.sub = opCpWait, -1
		return d.done()
	case d.take("wait_group"):
		in.op = opCpWait
		if err := d.args(1); err != nil {
			return err
		}
		n, err := number(d.s.args[0])
		in.sub = int32(n)
		return firstError(err, d.done())
	}
	in.op = opCpAsync
	if len(d.s.args) == 0 || !d.take("ca") && !d.take("cg") || !d.take("shared") || !d.take("global") {
		return fmt.Errorf("needs .ca or .cg and .shared.global")
	}
	d.dropHints()
	if len(d.s.args) != 3 && len(d.s.args) != 4 {
		return fmt.Errorf("has %d operands, not 3 or 4", len(d.s.args))
	}
	size, err := number(d.s.args[2])
	if err != nil || size != 4 && size != 8 && size != 16 {
		return fmt.Errorf("the size must be 4, 8 or 16")
	}
	in.sub = int32(size)
	// The destination's address is kept in a and offset, the source's in b
	// and its offset in target.
	in.space = spaceGlobal
	var from inst
	from.space = spaceGlobal
	if err := d.address(d.s.args[1], &from); err != nil {
		return err
	}
	if from.offset != int64(int32(from.offset)) {
		return fmt.Errorf("the offset of the source is too large")
	}
	in.b, in.target = from.a, int32(from.offset)
	in.space = spaceShared
	if err := d.address(d.s.args[0], in); err != nil {
		return err
	}
	in.c = d.constant(uint64(size), typU32)
	if len(d.s.args) == 4 {
		if in.c, err = d.src(d.s.args[3], typU32); err != nil {
			return err
		}
	}
	return d.done()
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func decodeBarrier(d *decoder, in *inst) error {
	in.class = ClassBarrier
	d.take("aligned")
	d.take("cta")
	var err error
	switch {
	case d.take("warp"):
		in.op = opBarWarp
		if !d.take("sync") {
			return fmt.Errorf("needs .sync")
		}
		if err := d.args(1); err != nil {
			return err
		}
		if in.a, err = d.src(d.s.args[0], typB32); err != nil {
			return err
		}
	case d.take("red"):
		in.op = opBarRed
		what, ok := takeOne(d, map[string]int32{"popc": 0, "and": 1, "or": 2})
		if !ok {
			return fmt.Errorf("needs .popc, .and or .or")
		}
		in.sub = what
		if _, err := d.takeType(); err != nil {
			return err
		}
		if len(d.s.args) != 3 {
			return fmt.Errorf("with a number of threads is not supported")
		}
		if err := d.dest(d.s.args[0], in); err != nil {
			return err
		}
		if in.a, err = d.src(d.s.args[1], typU32); err != nil {
			return err
		}
		if in.b, err = d.src(d.s.args[2], typPred); err != nil {
			return err
		}
		if d.s.args[2].not {
			return fmt.Errorf("of an inverted predicate is not supported")
		}
	default:
		in.op = opBar
		if !d.take("sync") {
			return fmt.Errorf("only .sync and .red are supported")
		}
		if n := len(d.s.args); n < 1 || n > 2 {
			return fmt.Errorf("has %d operands, not 1 or 2", n)
		}
		if in.a, err = d.src(d.s.args[0], typU32); err != nil {
			return err
		}
		in.b = d.constant(0, typU32) // all threads
		if len(d.s.args) == 2 {
			if in.b, err = d.src(d.s.args[1], typU32); err != nil {
				return err
			}
		}
	}
	return d.done()
}

func decodeShuffle(d *decoder, in *inst) error {
	in.op, in.class = opShfl, ClassWarp
	if !d.take("sync") {
		return fmt.Errorf("needs .sync")
	}
	mode, ok := takeOne(d, map[string]int32{"up": shflUp, "down": shflDown, "bfly": shflXor, "idx": shflIdx})
	if !ok {
		return fmt.Errorf("needs a mode")
	}
	in.sub = mode
	if t, err := d.takeType(); err != nil || t != typB32 {
		return fmt.Errorf("needs type b32")
	}
	if first := d.s.args[0]; first.kind == operandPair {
		d.s.args[0] = first.list[0]
		if second := first.list[1]; second.kind == operandReg {
			in.dst2 = d.regs[second.reg]
		}
	}
	if err := d.args(5); err != nil {
		return err
	}
	member, err := d.src(d.s.args[4], typB32)
	if err != nil {
		return err
	}
	in.vec = []ref{member}
	d.s.args = d.s.args[:4]
	return d.operands(in, typB32, typB32, typB32)
}

func decodeVote(d *decoder, in *inst) error {
	in.op, in.class = opVote, ClassWarp
	if !d.take("sync") {
		return fmt.Errorf("needs .sync")
	}
	t, err := d.takeType()
	if err != nil {
		return err
	}
	what, ok := takeOne(d, map[string]int32{"all": voteAll, "any": voteAny, "uni": voteUni, "ballot": voteBallot})
	if !ok || (what == voteBallot) != (t == typB32) {
		return fmt.Errorf("needs .all, .any or .uni with .pred, or .ballot with .b32")
	}
	in.sub = what
	if err := d.args(3); err != nil {
		return err
	}
	if d.s.args[1].not {
		in.sub |= voteNot
	}
	return d.operands(in, typPred, typB32)
}

func decodeActive(d *decoder, in *inst) error {
	in.op, in.class = opActive, ClassWarp
	if t, err := d.takeType(); err != nil || t != typB32 {
		return fmt.Errorf("needs type b32")
	}
	return d.operands(in)
}

func decodeRedux(d *decoder, in *inst) error {
	in.op, in.class = opRedux, ClassWarp
	if !d.take("sync") {
		return fmt.Errorf("needs .sync")
	}
	t, err := d.takeType()
	if err != nil || t.bytes() != 4 || t.float() {
		return fmt.Errorf("needs an integer type of 32 bits")
	}
	fns := map[string]func(a, b uint64) uint64{
		"add": func(a, b uint64) uint64 { return (a + b) & mask64(32) },
		"and": func(a, b uint64) uint64 { return a & b },
		"or":  func(a, b uint64) uint64 { return a | b },
		"xor": func(a, b uint64) uint64 { return a ^ b },
		"min": func(a, b uint64) uint64 { return min(a, b) },
		"max": func(a, b uint64) uint64 { return max(a, b) },
	}
	if t.signed() {
		fns["min"] = func(a, b uint64) uint64 { return uint64(uint32(min(int32(a), int32(b)))) }
		fns["max"] = func(a, b uint64) uint64 { return uint64(uint32(max(int32(a), int32(b)))) }
	}
	fn, ok := takeOne(d, fns)
	if !ok {
		return fmt.Errorf("%s is not supported", strings.Join(d.mods, "."))
	}
	in.fn = func(a, b, _ uint64) uint64 { return fn(a, b) }
	return d.operands(in, t, typB32)
}
