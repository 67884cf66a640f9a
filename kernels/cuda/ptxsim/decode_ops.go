package ptxsim

import (
	"fmt"
	"strings"
)

// instruction decodes d.s.
func (d *decoder) instruction(in *inst) error {
	if f, ok := decoders[d.s.op]; ok {
		if len(d.s.args) == 0 && !bare[d.s.op] {
			return fmt.Errorf("has no operands")
		}
		return f(d, in)
	}
	return fmt.Errorf("the simulator does not have this instruction")
}

// bare instructions may have no operands.
var bare = map[string]bool{"ret": true, "exit": true, "trap": true, "cp": true, "membar": true, "fence": true}

var decoders map[string]func(*decoder, *inst) error

func init() {
	decoders = map[string]func(*decoder, *inst) error{
		"add": decodeArithmetic, "sub": decodeArithmetic, "mul": decodeArithmetic, "mad": decodeArithmetic,
		"fma": decodeArithmetic, "div": decodeArithmetic, "rem": decodeArithmetic, "min": decodeArithmetic,
		"max": decodeArithmetic, "abs": decodeArithmetic, "neg": decodeArithmetic, "sad": decodeArithmetic,
		"and": decodeLogic, "or": decodeLogic, "xor": decodeLogic, "not": decodeLogic, "cnot": decodeLogic,
		"shl": decodeShift, "shr": decodeShift, "shf": decodeFunnel,
		"popc": decodeBits, "clz": decodeBits, "brev": decodeBits, "bfind": decodeBits,
		"bfe": decodeField, "bfi": decodeField, "prmt": decodePermute, "lop3": decodeLop3,
		"rcp": decodeSpecial, "sqrt": decodeSpecial, "rsqrt": decodeSpecial, "ex2": decodeSpecial,
		"lg2": decodeSpecial, "sin": decodeSpecial, "cos": decodeSpecial, "tanh": decodeSpecial,
		"copysign": decodeCopysign, "testp": decodeTestp,
		"setp": decodeSetp, "set": decodeSet, "selp": decodeSelp, "slct": decodeSlct,
		"mov": decodeMov, "cvt": decodeCvt, "cvta": decodeCvta, "isspacep": decodeIsspacep,
		"ld": decodeLoad, "ldu": decodeLoad, "st": decodeStore, "atom": decodeAtomic, "red": decodeAtomic,
		"cp": decodeAsync, "bra": decodeBranch, "brx": decodeBranchIndexed, "ret": decodeExit, "exit": decodeExit,
		"trap": decodeTrap, "bar": decodeBarrier, "barrier": decodeBarrier,
		"shfl": decodeShuffle, "vote": decodeVote, "activemask": decodeActive, "redux": decodeRedux, "mma": decodeMMA,
		"membar": decodeFence, "fence": decodeFence, "prefetch": decodeFence, "prefetchu": decodeFence,
		"nanosleep": decodeFence,
	}
}

// decodeLogic is and, or, xor, not and cnot, of predicates too.
func decodeLogic(d *decoder, in *inst) error {
	t, err := d.takeType()
	if err != nil {
		return err
	}
	ts := []typ{t, t}
	mask := mask64(t.bits())
	if t == typPred {
		mask = 1
	}
	switch d.s.op {
	case "and":
		in.fn = func(a, b, _ uint64) uint64 { return a & b }
		in.op = fast32(t, opAnd32)
	case "or":
		in.fn = func(a, b, _ uint64) uint64 { return a | b }
		in.op = fast32(t, opOr32)
	case "xor":
		in.fn = func(a, b, _ uint64) uint64 { return a ^ b }
		in.op = fast32(t, opXor32)
	case "not":
		ts = ts[:1]
		in.fn = func(a, _, _ uint64) uint64 { return ^a & mask }
	case "cnot":
		ts = ts[:1]
		in.fn = func(a, _, _ uint64) uint64 { return uint64(b2i(a == 0)) }
	}
	return d.operands(in, ts...)
}

// fast32 is op for types of 32 bits and opFn for others.
func fast32(t typ, op opcode) opcode {
	if t.bytes() == 4 && t != typPred {
		return op
	}
	return opFn
}

func decodeShift(d *decoder, in *inst) error {
	t, err := d.takeType()
	if err != nil {
		return err
	}
	n := uint64(t.bits())
	mask := mask64(int(n))
	switch {
	case d.s.op == "shl":
		in.fn = func(a, b, _ uint64) uint64 {
			if b >= n {
				return 0
			}
			return a << b & mask
		}
		in.op = fast32(t, opShl32)
		if t.wide() {
			in.op = opShl64
		}
	case t.signed():
		in.fn = func(a, b, _ uint64) uint64 { return uint64(signed(a, int(n))>>min(b, n-1)) & mask }
	default:
		in.fn = func(a, b, _ uint64) uint64 {
			if b >= n {
				return 0
			}
			return a >> b
		}
		in.op = fast32(t, opShr32)
	}
	return d.operands(in, t, typU32)
}

// signed extends n bits.
func signed(v uint64, n int) int64 { return int64(v<<(64-n)) >> (64 - n) }

func decodeFunnel(d *decoder, in *inst) error {
	left := d.take("l")
	if !left && !d.take("r") {
		return fmt.Errorf("needs .l or .r")
	}
	wrap := d.take("wrap")
	if !wrap && !d.take("clamp") {
		return fmt.Errorf("needs .wrap or .clamp")
	}
	if t, err := d.takeType(); err != nil || t != typB32 {
		return fmt.Errorf("needs type b32")
	}
	in.fn = func(a, b, c uint64) uint64 {
		if wrap {
			c &= 31
		} else {
			c = min(c, 32)
		}
		both := b<<32 | a
		if left {
			return both << c >> 32
		}
		return both >> c & mask64(32)
	}
	return d.operands(in, typB32, typB32, typU32)
}

func decodePermute(d *decoder, in *inst) error {
	mode, _ := takeOne(d, map[string]string{"f4e": "f4e", "b4e": "b4e", "rc8": "rc8", "ecl": "ecl", "ecr": "ecr", "rc16": "rc16"})
	if mode != "" {
		return fmt.Errorf("mode %s is not supported", mode)
	}
	if t, err := d.takeType(); err != nil || t != typB32 {
		return fmt.Errorf("needs type b32")
	}
	in.fn = func(a, b, c uint64) uint64 {
		both := b<<32 | a
		var out uint64
		for i := range 4 {
			pick := c >> (4 * i) & 15
			v := both >> (8 * (pick & 7)) & 255
			if pick&8 != 0 {
				v = uint64(int64(int8(v))>>7) & 255 // the sign, eight times
			}
			out |= v << (8 * i)
		}
		return out
	}
	return d.operands(in, typB32, typB32, typB32)
}

func decodeLop3(d *decoder, in *inst) error {
	if t, err := d.takeType(); err != nil || t != typB32 {
		return fmt.Errorf("needs type b32")
	}
	if err := d.args(5); err != nil {
		return err
	}
	table := d.s.args[4]
	if table.kind != operandInt || table.bits > 255 {
		return fmt.Errorf("the table must be an integer of 8 bits")
	}
	d.s.args = d.s.args[:4]
	t := table.bits
	in.fn = func(a, b, c uint64) uint64 {
		var out uint64
		for i := range 8 {
			if t>>i&1 == 0 {
				continue
			}
			term := mask64(32)
			for j, v := range [3]uint64{c, b, a} {
				if i>>j&1 == 0 {
					v = ^v
				}
				term &= v
			}
			out |= term
		}
		return out
	}
	return d.operands(in, typB32, typB32, typB32)
}

// compares maps the operators of setp and set to what they say of a less than,
// equal to, greater than b, or unordered.
var compares = map[string][4]bool{
	"eq": {false, true, false, false}, "ne": {true, false, true, false},
	"lt": {true, false, false, false}, "le": {true, true, false, false},
	"gt": {false, false, true, false}, "ge": {false, true, true, false},
	"lo": {true, false, false, false}, "ls": {true, true, false, false},
	"hi": {false, false, true, false}, "hs": {false, true, true, false},
	"equ": {false, true, false, true}, "neu": {true, false, true, true},
	"ltu": {true, false, false, true}, "leu": {true, true, false, true},
	"gtu": {false, false, true, true}, "geu": {false, true, true, true},
	"num": {true, true, true, false}, "nan": {false, false, false, true},
}

// comparison is a test of two operands of type t.
func (d *decoder) comparison(t typ) (func(a, b uint64) bool, string, error) {
	var name string
	for _, m := range d.mods {
		if _, ok := compares[m]; ok {
			name = m
		}
	}
	says, ok := compares[name]
	if !ok {
		return nil, "", fmt.Errorf("has no comparison")
	}
	d.take(name)
	if _, ok := integerCompares[name]; !ok && !t.float() {
		return nil, "", fmt.Errorf("comparison %s is for floats", name)
	}
	order := func(a, b int64) int { return b2i(a >= b) + b2i(a > b) }
	n := t.bits()
	switch {
	case t == typF32:
		ftz := d.take("ftz")
		return func(a, b uint64) bool {
			if ftz {
				a, b = flush32(a), flush32(b)
			}
			return says[orderFloat(float64(f32(a)), float64(f32(b)))]
		}, name, nil
	case t == typF64:
		return func(a, b uint64) bool { return says[orderFloat(f64(a), f64(b))] }, name, nil
	case t.signed():
		return func(a, b uint64) bool { return says[order(signed(a, n), signed(b, n))] }, name, nil
	case t == typF16 || t == typPred || t == typNone:
		return nil, "", fmt.Errorf("type %s is not supported here", t)
	}
	return func(a, b uint64) bool { return says[b2i(a >= b)+b2i(a > b)] }, name, nil
}

func orderFloat(a, b float64) int {
	if a != a || b != b {
		return 3
	}
	return b2i(a >= b) + b2i(a > b)
}

func decodeSetp(d *decoder, in *inst) error {
	in.class = ClassCompare
	t, err := d.takeType()
	if err != nil {
		return err
	}
	compare, name, err := d.comparison(t)
	if err != nil {
		return err
	}
	combine, combined := takeOne(d, map[string]string{"and": "and", "or": "or", "xor": "xor"})
	negate := false
	if first := d.s.args[0]; first.kind == operandPair {
		d.s.args[0] = first.list[0]
		if second := first.list[1]; second.kind == operandReg {
			in.dst2 = d.regs[second.reg]
		}
	}
	ts := []typ{t, t}
	if combined {
		ts = append(ts, typPred)
		negate = d.s.args[len(d.s.args)-1].not
	}
	in.fn = func(a, b, c uint64) uint64 {
		r := uint64(b2i(compare(a, b)))
		if !combined {
			return r | (r^1)<<1
		}
		if negate {
			c ^= 1
		}
		not := r ^ 1
		switch combine {
		case "and":
			r, not = r&c, not&c
		case "or":
			r, not = r|c, not|c
		case "xor":
			r, not = r^c, not^c
		}
		return r | not<<1
	}
	if !combined && in.dst2.file == fileNone && t.bytes() == 4 && !t.float() {
		in.sub = integerCompares[name]
		in.op = opSetU32
		if t.signed() {
			in.op = opSetS32
		}
	}
	return d.operands(in, ts...)
}

func decodeSet(d *decoder, in *inst) error {
	in.class = ClassCompare
	t, err := d.takeType()
	if err != nil {
		return err
	}
	to, err := d.takeType()
	if err != nil {
		return err
	}
	compare, _, err := d.comparison(t)
	if err != nil {
		return err
	}
	yes := mask64(32)
	if to == typF32 {
		yes = floatBits(1, typF32)
	}
	in.fn = func(a, b, _ uint64) uint64 {
		if compare(a, b) {
			return yes
		}
		return 0
	}
	return d.operands(in, t, t)
}

func decodeSelp(d *decoder, in *inst) error {
	in.class = ClassMove
	t, err := d.takeType()
	if err != nil {
		return err
	}
	in.fn = func(a, b, c uint64) uint64 {
		if c != 0 {
			return a
		}
		return b
	}
	return d.operands(in, t, t, typPred)
}

func decodeSlct(d *decoder, in *inst) error {
	in.class = ClassMove
	by, err := d.takeType()
	if err != nil {
		return err
	}
	t, err := d.takeType()
	if err != nil {
		return err
	}
	ftz := d.take("ftz")
	in.fn = func(a, b, c uint64) uint64 {
		at := int32(c) >= 0
		if by == typF32 {
			if ftz {
				c = flush32(c)
			}
			at = f32(c) >= 0
		}
		if at {
			return a
		}
		return b
	}
	return d.operands(in, t, t, by)
}

func decodeMov(d *decoder, in *inst) error {
	in.class = ClassMove
	t, err := d.takeType()
	if err != nil {
		return err
	}
	if err := d.args(2); err != nil {
		return err
	}
	to, from := d.s.args[0], d.s.args[1]
	switch {
	case to.kind == operandVector:
		in.op = opUnpack
		in.typ = t
		if in.a, err = d.src(from, t); err != nil {
			return err
		}
		return d.vector(to, in, t)
	case from.kind == operandVector:
		in.op = opPack
		in.typ = t
		if err := d.dest(to, in); err != nil {
			return err
		}
		return d.vector(from, in, t)
	case from.kind == operandSpecial && strings.HasPrefix(from.name, "%clock"), from.name == "%globaltimer":
		in.op = opClock
		return d.dest(to, in)
	}
	in.fn = func(a, _, _ uint64) uint64 { return a }
	in.op = fast32(t, opMov32)
	if t.wide() {
		in.op = opMov64
	}
	return d.operands(in, t)
}

// vector fills in.vec with the registers that a value of type t is made of,
// or cut into.
func (d *decoder) vector(o operand, in *inst, t typ) error {
	if len(o.list) == 0 {
		return fmt.Errorf("the vector is empty")
	}
	part := t.bits() / len(o.list)
	partType := map[int]typ{8: typB8, 16: typB16, 32: typB32}[part]
	if partType == typNone {
		return fmt.Errorf("a vector of %d parts does not make %s", len(o.list), t)
	}
	for _, e := range o.list {
		if e.kind == operandSink {
			in.vec = append(in.vec, ref{})
			continue
		}
		r, err := d.src(e, partType)
		if err != nil {
			return err
		}
		in.vec = append(in.vec, r)
	}
	in.sub = int32(part)
	return d.done()
}

func decodeCvta(d *decoder, in *inst) error {
	in.class = ClassMove
	to := d.take("to")
	sp, ok := takeOne(d, spaces)
	if !ok {
		return fmt.Errorf("needs a space")
	}
	t, err := d.takeType()
	if err != nil || !t.wide() {
		return fmt.Errorf("needs type u64")
	}
	base := windows[sp]
	if to {
		in.fn = func(a, _, _ uint64) uint64 { return a - base }
	} else {
		in.fn = func(a, _, _ uint64) uint64 { return a + base }
	}
	if base == 0 {
		in.op = opMov64
	}
	return d.operands(in, typU64)
}

func decodeIsspacep(d *decoder, in *inst) error {
	sp, ok := takeOne(d, spaces)
	if !ok {
		return fmt.Errorf("needs a space")
	}
	in.fn = func(a, _, _ uint64) uint64 { return uint64(b2i(spaceOf(a) == sp)) }
	return d.operands(in, typU64)
}

func decodeExit(d *decoder, in *inst) error {
	d.take("uni")
	in.op, in.class = opExit, ClassControl
	return d.done()
}

func decodeTrap(d *decoder, in *inst) error {
	in.op, in.class = opTrap, ClassControl
	return d.done()
}

func decodeBranch(d *decoder, in *inst) error {
	in.op, in.class = opBra, ClassControl
	d.take("uni")
	if err := d.args(1); err != nil {
		return err
	}
	return d.done()
}

func decodeBranchIndexed(d *decoder, in *inst) error {
	in.op, in.class = opBrx, ClassControl
	d.take("uni")
	if !d.take("idx") {
		return fmt.Errorf("needs .idx")
	}
	if err := d.args(2); err != nil {
		return err
	}
	if len(d.k.tables[d.s.args[1].name]) == 0 {
		return fmt.Errorf("no table %q", d.s.args[1].name)
	}
	var err error
	if in.a, err = d.src(d.s.args[0], typU32); err != nil {
		return err
	}
	return d.done()
}

// decodeFence is what has no effect here: blocks see each other's writes in
// order, there are no caches, and nobody waits.
func decodeFence(d *decoder, in *inst) error {
	in.op, in.class = opNop, ClassOther
	switch d.s.op {
	case "membar":
		if _, ok := takeOne(d, map[string]bool{"cta": true, "gl": true, "sys": true}); !ok {
			return fmt.Errorf("needs .cta, .gl or .sys")
		}
	case "fence":
		takeOne(d, map[string]bool{"sc": true, "acq_rel": true})
		if _, ok := takeOne(d, map[string]bool{"cta": true, "gpu": true, "sys": true}); !ok {
			return fmt.Errorf("needs .cta, .gpu or .sys")
		}
	case "prefetch", "prefetchu":
		in.space, _ = takeOne(d, map[string]space{"global": spaceGlobal, "local": spaceLocal})
		if _, ok := takeOne(d, map[string]bool{"L1": true, "L2": true}); !ok {
			return fmt.Errorf("needs .L1 or .L2")
		}
		return firstError(d.done(), d.args(1), d.address(d.s.args[0], in))
	case "nanosleep":
		if t, err := d.takeType(); err != nil || t != typU32 {
			return fmt.Errorf("needs type u32")
		}
		r, err := d.src(d.s.args[0], typU32)
		in.a = r
		return firstError(err, d.done(), d.args(1))
	}
	return firstError(d.done(), d.args(0))
}
