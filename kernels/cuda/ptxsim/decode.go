package ptxsim

import (
	"fmt"
	"math"
	"strings"
)

// decoder turns a kernel's statements into a program.
type decoder struct {
	mod  *module
	k    *kernelText
	p    *program
	regs []ref // of the kernel's registers
	vars map[string]*variable

	consts32 map[uint32]int32
	consts64 map[uint64]int32
	specials map[string]int32

	rough bool // Config.Rough

	s    *statement
	mods []string // modifiers not yet used
}

// decode makes the program of a kernel.
func decode(mod *module, k *kernelText, source []string, rough bool) (*program, error) {
	d := &decoder{
		mod: mod, k: k, rough: rough, vars: map[string]*variable{},
		consts32: map[uint32]int32{}, consts64: map[uint64]int32{}, specials: map[string]int32{},
		p: &program{module: mod.name, name: k.name, source: source, params: k.params, maxThreads: k.maxThreads, dynamic: -1},
	}
	for _, r := range k.regs {
		d.regs = append(d.regs, d.declare(r))
	}
	d.p.constPred = d.p.npred
	d.layout()
	for i := range k.code {
		d.s = &k.code[i]
		d.mods = d.s.mods
		in := inst{line: int32(d.s.line), guard: -1, guardNot: d.s.guardNot, class: ClassInt}
		if d.s.guard >= 0 {
			in.guard = d.regs[d.s.guard].reg
		}
		if err := d.instruction(&in); err != nil {
			return nil, fmt.Errorf("%s: line %d: %s: %w", mod.name, d.s.line, d.s, err)
		}
		d.p.code = append(d.p.code, in)
	}
	// A kernel's end is an exit.
	d.p.code = append(d.p.code, inst{op: opExit, class: ClassControl, guard: -1, line: int32(k.line)})
	if err := d.place(); err != nil {
		return nil, fmt.Errorf("%s: %w", mod.name, err)
	}
	findReconvergence(d.p)
	findUnwritten(d.p)
	return d.p, nil
}

func (d *decoder) declare(r register) ref {
	switch {
	case r.typ == typPred:
		d.p.npred++
		d.p.namesPred = append(d.p.namesPred, r.name)
		return ref{filePred, int32(d.p.npred - 1)}
	case r.typ.wide():
		d.p.n64++
		d.p.names64 = append(d.p.names64, r.name)
		return ref{file64, int32(d.p.n64 - 1)}
	}
	d.p.n32++
	d.p.names32 = append(d.p.names32, r.name)
	return ref{file32, int32(d.p.n32 - 1)}
}

// layout gives variables their addresses, at odd multiples of their alignment:
// what needs a larger one than is declared is at fault.
func (d *decoder) layout() {
	var dynamic []*variable
	for _, v := range append(append([]*variable{}, d.mod.vars...), d.k.vars...) {
		d.vars[v.name] = v
		switch {
		case v.extern:
			dynamic = append(dynamic, v)
		case v.space == spaceShared:
			d.p.shared.place(v, v.align)
			d.share(v)
		case v.space == spaceLocal:
			d.p.local.place(v, v.align)
		}
	}
	alignment := 16
	for _, v := range dynamic {
		alignment = max(alignment, v.align)
	}
	for _, v := range dynamic { // all at one address
		static := d.p.shared
		static.place(v, alignment)
		d.p.dynamic = v.address
		d.share(v)
	}
	if d.p.dynamic >= 0 && d.p.shared.size == 0 {
		d.p.shared.first, d.p.shared.end = d.p.dynamic, d.p.dynamic
	}
	var at int64
	for _, v := range d.k.params {
		d.vars[v.name] = v
		v.address = at
		at += 8
	}
}

// share keeps the place of a shared variable for messages.
func (d *decoder) share(v *variable) {
	copied := *v
	d.p.sharedVars = append(d.p.sharedVars, &copied)
}

// place puts a variable behind the others.
func (e *extent) place(v *variable, alignment int) {
	a := int64(max(alignment, 1))
	v.address = align(e.end, alignment)
	if v.address/a%2 == 0 {
		v.address += a
	}
	if e.size == 0 {
		e.first = v.address
	}
	e.end = v.address + v.size
	e.size = align(e.size, alignment) + v.size
}

func align(n int64, to int) int64 {
	a := int64(max(to, 1))
	return (n + a - 1) / a * a
}

// place moves constants and special registers behind the registers, now that
// the number of both is known.
func (d *decoder) place() error {
	p := d.p
	move := func(r *ref) {
		if r.reg >= 0 {
			return
		}
		i := -1 - r.reg
		switch {
		case r.file == file64:
			r.reg = int32(p.n64) + i
		case i < 1<<20:
			r.reg = int32(p.n32) + i
		default:
			r.reg = int32(p.n32+len(p.const32)) + i - 1<<20
		}
	}
	for i := range p.specials {
		p.specials[i].reg = int32(p.n32 + len(p.const32) + i)
	}
	for i := range p.code {
		in := &p.code[i]
		for _, r := range []*ref{&in.dst, &in.dst2, &in.a, &in.b, &in.c} {
			move(r)
		}
		for j := range in.vec {
			move(&in.vec[j])
		}
		if in.op == opBra {
			label := d.k.code[i].args[0].name
			target, ok := d.k.labels[label]
			if !ok {
				return fmt.Errorf("line %d: no label %q", in.line, label)
			}
			in.target = int32(target)
		}
		if in.op == opBrx {
			for _, label := range d.k.tables[d.k.code[i].args[1].name] {
				in.targets = append(in.targets, int32(d.k.labels[label]))
			}
		}
	}
	return nil
}

// take removes a modifier, if it is there.
func (d *decoder) take(name string) bool {
	for i, m := range d.mods {
		if m == name {
			d.mods = append(append([]string{}, d.mods[:i]...), d.mods[i+1:]...)
			return true
		}
	}
	return false
}

// takeOne removes the first modifier that m has.
func takeOne[V any](d *decoder, m map[string]V) (V, bool) {
	for _, name := range d.mods {
		if v, ok := m[name]; ok {
			d.take(name)
			return v, true
		}
	}
	var none V
	return none, false
}

// takeType removes the last modifier, which must be a type.
func (d *decoder) takeType() (typ, error) {
	if len(d.mods) == 0 {
		return typNone, fmt.Errorf("has no type")
	}
	last := len(d.mods) - 1
	t, ok := types[d.mods[last]]
	if !ok {
		return typNone, fmt.Errorf("%q is not a type", d.mods[last])
	}
	d.mods = d.mods[:last]
	return t, nil
}

// done complains about modifiers that nobody took.
func (d *decoder) done() error {
	if len(d.mods) > 0 {
		return fmt.Errorf("modifier .%s is not supported here", strings.Join(d.mods, "."))
	}
	return nil
}

// args checks the number of operands.
func (d *decoder) args(n int) error {
	if len(d.s.args) != n {
		return fmt.Errorf("has %d operands, not %d", len(d.s.args), n)
	}
	return nil
}

// constant is a ref to a constant. Until place, constants have negative
// numbers, and special registers those from -1-2^20 down.
func (d *decoder) constant(bits uint64, t typ) ref {
	switch {
	case t == typPred:
		return ref{filePred, int32(d.p.constPred) + int32(bits&1)}
	case t.wide():
		i, ok := d.consts64[bits]
		if !ok {
			i = int32(len(d.p.const64))
			d.consts64[bits] = i
			d.p.const64 = append(d.p.const64, bits)
		}
		return ref{file64, -1 - i}
	}
	i, ok := d.consts32[uint32(bits)]
	if !ok {
		i = int32(len(d.p.const32))
		d.consts32[uint32(bits)] = i
		d.p.const32 = append(d.p.const32, uint32(bits))
	}
	return ref{file32, -1 - i}
}

var specialNames = map[string]bool{"%laneid": true, "%warpid": true, "%nwarpid": true, "%smid": true, "%nsmid": true, "%gridid": true,
	"%lanemask_eq": true, "%lanemask_lt": true, "%lanemask_le": true, "%lanemask_gt": true, "%lanemask_ge": true,
	"%tid.x": true, "%tid.y": true, "%tid.z": true, "%ntid.x": true, "%ntid.y": true, "%ntid.z": true,
	"%ctaid.x": true, "%ctaid.y": true, "%ctaid.z": true, "%nctaid.x": true, "%nctaid.y": true, "%nctaid.z": true,
	"%dynamic_smem_size": true, "%total_smem_size": true, "WARP_SZ": true}

// src is a source operand that is read as type t.
func (d *decoder) src(o operand, t typ) (ref, error) {
	switch o.kind {
	case operandReg:
		r := d.regs[o.reg]
		if (r.file == filePred) != (t == typPred) {
			return r, fmt.Errorf("operand %s does not fit type %s", d.k.regs[o.reg].name, t)
		}
		return r, nil
	case operandInt, operandFloat32, operandFloat64:
		return d.constant(immediate(o, t), t), nil
	case operandSpecial, operandSymbol:
		if specialNames[o.name] {
			i, ok := d.specials[o.name]
			if !ok {
				i = int32(len(d.p.specials))
				d.specials[o.name] = i
				d.p.specials = append(d.p.specials, special{name: o.name})
			}
			return ref{file32, -1 - 1<<20 - i}, nil
		}
		if v, ok := d.vars[o.name]; ok && o.kind == operandSymbol {
			return d.constant(uint64(v.address+o.offset), t), nil
		}
		return ref{}, undeclared(o.name)
	}
	return ref{}, fmt.Errorf("operand is not a value")
}

// undeclared is the error of a name that is nothing.
func undeclared(name string) error {
	if strings.HasPrefix(name, "%") {
		return fmt.Errorf("%q is not declared: a .reg in the kernel declares a register", name)
	}
	return fmt.Errorf("%q is not declared, in the kernel or before it", name)
}

// value is a source operand whose register must be as wide as t.
func (d *decoder) value(o operand, t typ) (ref, error) {
	r, err := d.src(o, t)
	if err == nil && o.kind == operandReg && t != typPred && d.k.regs[o.reg].typ.bytes() != t.bytes() {
		return r, fmt.Errorf("register %s has %d bits, not %d", d.k.regs[o.reg].name, d.k.regs[o.reg].typ.bits(), t.bits())
	}
	return r, err
}

// dest is a register that is written.
func (d *decoder) dest(o operand, in *inst) error {
	if o.kind != operandReg {
		return d.notWritten(o)
	}
	in.dst = d.regs[o.reg]
	in.half = in.dst.file == file32 && d.k.regs[o.reg].typ.bytes() == 2
	return nil
}

// notWritten says why an operand cannot be a destination.
func (d *decoder) notWritten(o operand) error {
	if named := o.kind == operandSpecial || o.kind == operandSymbol; named && !specialNames[o.name] && d.vars[o.name] == nil {
		return undeclared(o.name)
	}
	return fmt.Errorf("the destination is not a register")
}

// operands fills in the destination and up to three sources, all of type t.
func (d *decoder) operands(in *inst, ts ...typ) error {
	if err := d.done(); err != nil {
		return err
	}
	if err := d.args(1 + len(ts)); err != nil {
		return err
	}
	if err := d.dest(d.s.args[0], in); err != nil {
		return err
	}
	for i, t := range ts {
		r, err := d.value(d.s.args[1+i], t)
		if err != nil {
			return err
		}
		*[]*ref{&in.a, &in.b, &in.c}[i] = r
	}
	return nil
}

// address resolves [base+offset].
func (d *decoder) address(o operand, in *inst) error {
	if o.kind != operandAddress {
		return fmt.Errorf("operand is not an address")
	}
	base := o.list[0]
	in.offset = base.offset
	switch base.kind {
	case operandReg:
		in.a = d.regs[base.reg]
		if d.k.regs[base.reg].typ.bytes() < 4 {
			return fmt.Errorf("the address is not in a register of 32 or 64 bits")
		}
		return nil
	case operandInt:
		in.a = d.constant(0, typB64)
		in.offset = int64(base.bits)
		return nil
	case operandSymbol:
		v, ok := d.vars[base.name]
		if !ok {
			return undeclared(base.name)
		}
		if in.space == spaceGeneric || v.space != in.space {
			return fmt.Errorf("%s lies in %s memory", v.name, v.space)
		}
		in.a = d.constant(0, typB64)
		in.offset += v.address
		return nil
	}
	return fmt.Errorf("this form of address is not supported")
}

// floatBits is a float constant of type t.
func floatBits(v float64, t typ) uint64 {
	if t == typF32 {
		return uint64(math.Float32bits(float32(v)))
	}
	return math.Float64bits(v)
}
