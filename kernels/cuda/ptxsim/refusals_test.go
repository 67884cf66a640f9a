package ptxsim

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is refused in the body of a kernel, and in which words.
var refused = []struct{ body, says string }{
	{"mov.u32;", "mov.u32: has no operands"},
	{"add %r0, %r0, %r0;", "add: has no type"},
	{"and %r0, %r0, %r0;", "and: has no type"},
	{"not %r0, %r0;", "not: has no type"},
	{"add.s32 %r0, %r0, %p0;", "add.s32: operand %p0 does not fit type s32"},
	{"add.s32 %r0, %r0, [%d0];", "add.s32: operand is not a value"},
	{"add.s32 5, %r0, %r0;", "add.s32: the destination is not a register"},
	{"and.pred %p0, %p0, %r0;", "and.pred: operand %r0 does not fit type pred"},
	{"add.f16 %h0, %h0, %h0;", "add.f16: type f16 is not supported"},
	{"add.pred %p0, %p0, %p0;", "add.pred: type pred is not supported"},
	{"add.u8 %h0, %h0, %h0;", "add.u8: type u8 is not supported"},
	{"add.sat.u32 %r0, %r0, %r0;", "add.sat.u32: modifier .sat is not supported here"},
	{"mul.lo.sat.s32 %r0, %r0, %r0;", "mul.lo.sat.s32: modifier .sat is not supported here"},
	{"mul.wide.u64 %d0, %d0, %d0;", "mul.wide.u64: there is no wide product of 64 bits"},
	{"fma.s32 %r0, %r0, %r0, %r0;", "fma.s32: is not supported for integers"},
	{"rem.f32 %f0, %f0, %f0;", "rem.f32: is not supported for f32"},
	{"rem.f64 %d0, %d0, %d0;", "rem.f64: is not supported for f64"},
	{"div.f32 %f0, %f0, %f0;", "div.f32: needs a rounding mode, .approx or .full"},
	{"mad.f32 %f0, %f0, %f0, %f0;", "mad.f32: needs a rounding mode"},
	{"sqrt.rn.approx.f32 %f0, %f0;", "sqrt.rn.approx.f32: needs a rounding mode or .approx"},
	{"sqrt.f32 %f0, %f0;", "sqrt.f32: needs a rounding mode or .approx"},
	{"sqrt.rz.f64 %d0, %d0;", "sqrt.rz.f64: is not supported for f64"},
	{"rcp.rz.f64 %d0, %d0;", "rcp.rz.f64: is not supported for f64"},
	{"ex2.rn.f64 %d0, %d0;", "ex2.rn.f64: is not supported for f64"},
	{"rcp.approx.f64 %d0, %d0;", "rcp.approx.f64: is not supported for f64"},
	{"rcp.rn.s32 %r0, %r0;", "rcp.rn.s32: type s32 is not supported"},
	{"sin.rn.f32 %f0, %f0;", "sin.rn.f32: has no exact form"},
	{"testp.f32 %p0, %f0;", "testp.f32: needs a test"},
	{"bfi.b32 %r0, %r0, %r0, %r1, 4;", "bfi.b32: position and length must be constants"},
	{"bfi.b32 %r0, %r0, %r0, 4, %r1;", "bfi.b32: position and length must be constants"},
	{"bfi.b32 %r0, %r0, %r0, 4;", "bfi.b32: has 4 operands, not 5"},
	{"bfi.b32 %r0, %r0, %r0, 4, 4, 4;", "bfi.b32: has 6 operands, not 5"},
	{"cvt.rn.sat.f64.f32 %d0, %f0;", "cvt.rn.sat.f64.f32: is not supported"},
	{"cvt.pred.u32 %p0, %r0;", "cvt.pred.u32: is not supported"},
	{"cvt.u32.pred %r0, %p0;", "cvt.u32.pred: is not supported"},
	{"cvt.f32.s32 %f0, %r0;", "cvt.f32.s32: needs a rounding mode"},
	{"cvt.rz.f64.s32 %d0, %r0;", "cvt.rz.f64.s32: is not supported"},
	{"cvt.rn.f16.s32 %h0, %r0;", "cvt.rn.f16.s32: is not supported"},
	{"cvt.rn.f16.f64 %h0, %d0;", "cvt.rn.f16.f64: is not supported"},
	{"cvt.rp.f16.f32 %h0, %f0;", "cvt.rp.f16.f32: is not supported"},
	{"cvt.rm.f16.f32 %h0, %f0;", "cvt.rm.f16.f32: is not supported"},
	{"cvt.rn.sat.f16.f32 %h0, %f0;", "cvt.rn.sat.f16.f32: is not supported"},
	{"cvt.rn.relu.f32.s32 %f0, %r0;", "cvt.rn.relu.f32.s32: modifier .relu is not supported here"},
	{"cvt.u32.u64 %r0;", "cvt.u32.u64: has 1 operands, not 2"},
	{"cvt.u32.u64 5, %d0;", "cvt.u32.u64: the destination is not a register"},
	{"cvt.u32 %r0, %r0;", "cvt.u32: has no type"},
	{"lop3.u32 %r0, %r0, %r0, %r0, 1;", "lop3.u32: needs type b32"},
	{"lop3.b32 %r0, %r0, %r0, 1;", "lop3.b32: has 4 operands, not 5"},
	{"lop3.b32 %r0, %r0, %r0, %r0, %r0;", "lop3.b32: the table must be an integer of 8 bits"},
	{"shf.wrap.b32 %r0, %r0, %r0, %r0;", "shf.wrap.b32: needs .l or .r"},
	{"shf.l.b32 %r0, %r0, %r0, %r0;", "shf.l.b32: needs .wrap or .clamp"},
	{"shf.l.wrap.u32 %r0, %r0, %r0, %r0;", "shf.l.wrap.u32: needs type b32"},
	{"prmt.b32.f4e %r0, %r0, %r0, %r0;", "prmt.b32.f4e: mode f4e is not supported"},
	{"prmt.f4e.b32 %r0, %r0, %r0, %r0;", "prmt.f4e.b32: mode f4e is not supported"},
	{"prmt.u32 %r0, %r0, %r0, %r0;", "prmt.u32: needs type b32"},
	{"setp.s32 %p0, %r0, %r0;", "setp.s32: has no comparison"},
	{"setp.eq.pred %p0, %p0, %p0;", "setp.eq.pred: type pred is not supported here"},
	{"setp.eq.f16 %p0, %h0, %h0;", "setp.eq.f16: type f16 is not supported here"},
	{"setp.eq.s32 %p0, %r0;", "setp.eq.s32: has 2 operands, not 3"},
	{"set.lt.s32 %r0, %r0, %r0;", `set.lt.s32: "lt" is not a type`},
	{"slct.s32 %r0, %r0, %r0, %r0;", "slct.s32: has no type"},
	{"mov.b64 {}, %d0;", "mov.b64: the vector is empty"},
	{"mov.b64 {%r0, %r0, %r0}, %d0;", "mov.b64: a vector of 3 parts does not make b64"},
	{"mov.u32 %r0;", "mov.u32: has 1 operands, not 2"},
	{"mov.u32 %r0, %r0, %r0;", "mov.u32: has 3 operands, not 2"},
	{"cvta.u64 %d0, %d0;", "cvta.u64: needs a space"},
	{"cvta.global.u32 %r0, %r0;", "cvta.global.u32: needs type u64"},
	{"isspacep %p0, %d0;", "isspacep: needs a space"},
	{"bra $a, $b;", "bra: has 2 operands, not 1"},
	{"bra.foo $a;", "bra.foo: modifier .foo is not supported here"},
	{"brx %r0, t;", "brx: needs .idx"},
	{"brx.idx %r0;", "brx.idx: has 1 operands, not 2"},
	{"brx.idx %r0, t;", `brx.idx: no table "t"`},
	{"exit.foo;", "exit.foo: modifier .foo is not supported here"},
	{"trap.foo;", "trap.foo: modifier .foo is not supported here"},
	{"nanosleep.u32 %r0, %r0;", "nanosleep.u32: has 2 operands, not 1"},
	{"membar.gl %r0;", "membar.gl: has 1 operands, not 0"},
	{"fence.sc;", "fence.sc: needs .cta, .gpu or .sys"},
	{"prefetch.global.L1 [%d0], 4;", "prefetch.global.L1: has 2 operands, not 1"},
	{"prefetchu [%d0];", "prefetchu: needs .L1 or .L2"},
	{"ld.global.pred %p0, [%d0];", "ld.global.pred: type pred is not supported here"},
	{"ld.global.v4.u64 {%d0, %d0, %d0, %d0}, [%d0];", "ld.global.v4.u64: type u64 is not supported here"},
	{"ld.global.v2.u32 {5, %r0}, [%d0];", "ld.global.v2.u32: the destination is not a register"},
	{"ld.global.u32 5, [%d0];", "ld.global.u32: the destination is not a register"},
	{"ld.global.f32 0f3F800000, [%d0];", "ld.global.f32: the destination is not a register"},
	{"ld.global.f64 1.5, [%d0];", "ld.global.f64: the destination is not a register"},
	{"ld.global.u32 %r0, %d0;", "ld.global.u32: operand is not an address"},
	{"ld.global.u32 %r0;", "ld.global.u32: has 1 operands, not 2"},
	{"ld.global.u32 %r0, [%d0], 4;", "ld.global.u32: has 3 operands, not 2"},
	{"ld.global.u32 %r0, [%p0];", "ld.global.u32: the address is not in a register of 32 or 64 bits"},
	{"ld.global.u32 %r0, [%tid.x];", "ld.global.u32: this form of address is not supported"},
	{"ld.u32 %r0, [sh];", "ld.u32: sh lies in shared memory"},
	{"ld.nc.u32 %r0, [%d0];", "ld.nc.u32: modifier .nc needs .global"},
	{"ld.param.v2.u32 {%r0, %r1}, [p];", "ld.param.v2.u32: this form of parameter access is not supported"},
	{"ld.param.u32 %r0, [%d0];", "ld.param.u32: this form of parameter access is not supported"},
	{"ld.param.u32 %r0, [p+5];", "ld.param.u32: 4 bytes at offset 5 reach past parameter p of 8 bytes"},
	{"ld.param.u32 %r0, [p+-1];", "ld.param.u32: 4 bytes at offset -1 reach past parameter p of 8 bytes"},
	{"ld.param.u64 %d0, [p+4];", "ld.param.u64: 8 bytes at offset 4 reach past parameter p of 8 bytes"},
	{"ld.param.u32 %r0, [q];", `ld.param.u32: "q" is not declared, in the kernel or before it`},
	{"st.param.u32 [p], %r0;", "st.param.u32: param memory cannot be written"},
	{"st.global.u32 %d0, %r0;", "st.global.u32: operand is not an address"},
	{"st.global.u32 [%d0];", "st.global.u32: has 1 operands, not 2"},
	{"st.global.v2.u32 [%d0], %r0;", "st.global.v2.u32: has 1 elements, not 2"},
	{"st.global.u32 [%d0], nowhere;", `st.global.u32: "nowhere" is not declared, in the kernel or before it`},
	{"atom.global.add.u16 %h0, [%d0], %h0;", "atom.global.add.u16: type u16 is not supported"},
	{"atom.global.nand.b32 %r0, [%d0], %r0;", "atom.global.nand.b32: this operation is not supported"},
	{"atom.global.cas.b32 %r0, [%d0], 1;", "atom.global.cas.b32: has the wrong number of operands"},
	{"atom.global.add.u32 %r0, [%d0], 1, 2;", "atom.global.add.u32: has the wrong number of operands"},
	{"red.global.add.u32 [%d0];", "red.global.add.u32: has the wrong number of operands"},
	{"red.global.add.u32 [%d0], 1, 2;", "red.global.add.u32: has the wrong number of operands"},
	{"atom.global.min.f32 %f0, [%d0], %f0;", "atom.global.min.f32: this operation is not supported"},
	{"atom.global.add.cc.u32 %r0, [%d0], 1;", "atom.global.add.cc.u32: modifier .cc is not supported here"},
	{"atom.global.add.u32 5, [%d0], 1;", "atom.global.add.u32: the destination is not a register"},
	{"atom.global.add.u32 %r0, %d0, 1;", "atom.global.add.u32: operand is not an address"},
	{"atom.global.add.u64 %d0, [%d0], %r0;", "atom.global.add.u64: register %r0 has 32 bits, not 64"},
	{"cp.reduce [%r0], [%d0];", "cp.reduce: only cp.async is supported"},
	{"cp.async.wait_group %r0;", "cp.async.wait_group: an operand must be a constant"},
	{"cp.async.wait_group 1, 2;", "cp.async.wait_group: has 2 operands, not 1"},
	{"cp.async.wait_all.foo;", "cp.async.wait_all.foo: modifier .foo is not supported here"},
	{"cp.async.commit_group.foo;", "cp.async.commit_group.foo: modifier .foo is not supported here"},
	{"cp.async.ca.global [%r0], [%d0], 4;", "cp.async.ca.global: needs .ca or .cg and .shared.global"},
	{"cp.async.ca.shared [%r0], [%d0], 4;", "cp.async.ca.shared: needs .ca or .cg and .shared.global"},
	{"cp.async.shared.global [%r0], [%d0], 4;", "cp.async.shared.global: needs .ca or .cg and .shared.global"},
	{"cp.async.ca.shared.global;", "cp.async.ca.shared.global: needs .ca or .cg and .shared.global"},
	{"cp.async.ca.shared.global [%r0], [%d0];", "cp.async.ca.shared.global: has 2 operands, not 3 or 4"},
	{"cp.async.ca.shared.global [%r0], [%d0], 4, 4, 4;", "cp.async.ca.shared.global: has 5 operands, not 3 or 4"},
	{"cp.async.ca.shared.global [%r0], [%d0], 2;", "cp.async.ca.shared.global: the size must be 4, 8 or 16"},
	{"cp.async.ca.shared.global [%r0], [%d0], %r0;", "cp.async.ca.shared.global: the size must be 4, 8 or 16"},
	{"cp.async.ca.shared.global [%r0], [%d0+0x80000000], 4;", "cp.async.ca.shared.global: the offset of the source is too large"},
	{"cp.async.ca.shared.global [%r0], %d0, 4;", "cp.async.ca.shared.global: operand is not an address"},
	{"cp.async.ca.shared.global %r0, [%d0], 4;", "cp.async.ca.shared.global: operand is not an address"},
	{"cp.async.ca.shared.global.foo [%r0], [%d0], 4;", "cp.async.ca.shared.global.foo: modifier .foo is not supported here"},
	{"cp.async.ca.shared.global [%r0], [%d0], 4, nowhere;", `cp.async.ca.shared.global: "nowhere" is not declared, in the kernel or before it`},
	{"cp.async.ca.shared.global [%r0], [sh], 4;", "cp.async.ca.shared.global: sh lies in shared memory"},
	{"bar.warp -1;", "bar.warp: needs .sync"},
	{"bar.warp.sync -1, 2;", "bar.warp.sync: has 2 operands, not 1"},
	{"bar.warp.sync nowhere;", `bar.warp.sync: "nowhere" is not declared, in the kernel or before it`},
	{"bar.red.u32 %r0, 0, %p0;", "bar.red.u32: needs .popc, .and or .or"},
	{"bar.red.popc %r0, 0, %p0;", "bar.red.popc: has no type"},
	{"bar.red.popc.u32 %r0, 0, 64, %p0;", "bar.red.popc.u32: with a number of threads is not supported"},
	{"bar.red.popc.u32 5, 0, %p0;", "bar.red.popc.u32: the destination is not a register"},
	{"bar.red.popc.u32 %r0, 0, !%p0;", "bar.red.popc.u32: of an inverted predicate is not supported"},
	{"bar.red.popc.u32 %r0, nowhere, %p0;", `bar.red.popc.u32: "nowhere" is not declared, in the kernel or before it`},
	{"bar.red.popc.u32 %r0, 0, %r0;", "bar.red.popc.u32: operand %r0 does not fit type pred"},
	{"bar.sync 0, 1, 2;", "bar.sync: has 3 operands, not 1 or 2"},
	{"bar.sync;", "bar.sync: has no operands"},
	{"bar.sync nowhere;", `bar.sync: "nowhere" is not declared, in the kernel or before it`},
	{"bar.sync 0, nowhere;", `bar.sync: "nowhere" is not declared, in the kernel or before it`},
	{"bar.sync.foo 0;", "bar.sync.foo: modifier .foo is not supported here"},
	{"shfl.sync.b32 %r0, %r0, 1, 31, -1;", "shfl.sync.b32: needs a mode"},
	{"shfl.sync.up.u32 %r0, %r0, 1, 31, -1;", "shfl.sync.up.u32: needs type b32"},
	{"shfl.sync.up.b32 %r0, %r0, 1, 31;", "shfl.sync.up.b32: has 4 operands, not 5"},
	{"shfl.sync.up.b32 %r0, %r0, 1, 31, nowhere;", `shfl.sync.up.b32: "nowhere" is not declared, in the kernel or before it`},
	{"vote.all.pred %p0, %p0;", "vote.all.pred: needs .sync"},
	{"vote.sync.all.b32 %r0, %p0, -1;", "vote.sync.all.b32: needs .all, .any or .uni with .pred, or .ballot with .b32"},
	{"vote.sync.pred %p0, %p0, -1;", "vote.sync.pred: needs .all, .any or .uni with .pred, or .ballot with .b32"},
	{"vote.sync.all.pred %p0, %p0;", "vote.sync.all.pred: has 2 operands, not 3"},
	{"activemask.u32 %r0;", "activemask.u32: needs type b32"},
	{"activemask.b32 %r0, %r0;", "activemask.b32: has 2 operands, not 1"},
	{"redux.add.u32 %r0, %r0, -1;", "redux.add.u32: needs .sync"},
	{"redux.sync.add.u64 %d0, %d0, -1;", "redux.sync.add.u64: needs an integer type of 32 bits"},
	{"redux.sync.add.f32 %f0, %f0, -1;", "redux.sync.add.f32: needs an integer type of 32 bits"},
	{"redux.sync.mul.u32 %r0, %r0, -1;", "redux.sync.mul.u32: mul is not supported"},
	{"redux.sync %r0, %r0, -1;", "redux.sync: needs an integer type of 32 bits"},
	{"add.s32 %r0 %r1, %r1;", `expected ",", found "%r1"`},
	{"mov.f32 %f0, 0fG0000000;", `"0fG0000000" is not a number`},
	{"mov.f64 %d0, 0dG000000000000000;", `"0dG000000000000000" is not a number`},
	{"mov.f64 %d0, 1.2.3;", `"1.2.3" is not a number`},
	{"mov.u32 %r0, -x;", `"x" is not a number`},
	{"mov.u32 %r0, [%r0;", `expected "]", found ";"`},
	{"@%q0 bra $a;", `"%q0" is not a predicate: a .reg .pred in the kernel declares one`},
	{"@%nothing bra $a;", `"%nothing" is not a predicate: a .reg .pred in the kernel declares one`},
	{"@!%r0 bra $a;", `"%r0" is not a predicate: a .reg .pred in the kernel declares one`},
	{".foo;", ".foo is not supported"},
	{"call (r), f;", "call is not supported"},
	{".reg .q8 %x;", `registers of type ".q8" are not supported`},
	{".reg .b32 %x<a>;", `number of registers: strconv.Atoi: parsing "a": invalid syntax`},
	{".reg .b32 %x<1048577>;", "1048577 registers are too many"},
	{".reg .b32 %x<5;", `expected ">", found ";"`},
	{".reg .b32 %x %y;", `expected ";", found "%y"`},
	{".shared .align x .b8 v[4];", `alignment: strconv.Atoi: parsing "x": invalid syntax`},
	{".shared .foo v;", `".foo" in a declaration is not supported`},
	{".shared .b8 v[x];", `array size: strconv.ParseInt: parsing "x": invalid syntax`},
	{".shared .b8 v[4;", `expected "]", found ";"`},
	{".shared .b32 v = {1, x};", `"x" is not a number`},
	{".shared .b32 v = x;", `"x" is not a number`},
	{"ld.global.u32 %r0, [%h0];", "ld.global.u32: the address is not in a register of 32 or 64 bits"},
}

func TestRefused(t *testing.T) {
	load := func(body string) error {
		_, err := New(Config{}).Load("m.ptx", header+".visible .entry k(.param .u64 p)\n{\n.reg .b32 %r<2>;\n.reg .b16 %h<1>;\n.reg .f32 %f<1>;\n"+
			".reg .b64 %d<1>;\n.reg .pred %p<1>;\n.shared .b32 sh;\n"+body+"\nret;\n}\n")
		return err
	}
	for _, c := range refused {
		require.EqualError(t, load(c.body), "m.ptx: line 12: "+c.says, c.body)
	}
	// What lies just inside the bounds of these.
	for _, body := range []string{
		"ld.param.u32 %r0, [p+4];", "ld.param.u64 %d0, [p];", "ld.global.v2.u64 {%d0, _}, [%d0];", "lop3.b32 %r0, %r0, %r0, %r0, 255;",
		"cp.async.ca.shared.global [%r0], [%d0+0x7fffffff], 4;", "cp.async.cg.shared.global [%r0], [%d0+-0x80000000], 16;",
		"cp.async.ca.shared.global [sh], [%d0], 8, %r0;", "bar.sync 0;", "bar.sync %r0, %r0;", "ld.shared.u32 %r0, [sh+4];", "ld.global.u32 %r0, [4096];",
		"ld.global.u32 %d0, [%d0];", "ld.volatile.global.L2::128B.u32 %r0, [%d0];", "cvt.rz.f16.f32 %h0, %f0;", "cvt.rn.sat.f32.f32 %f0, %f0;",
	} {
		require.NoError(t, load(body), body)
	}
}

// What is refused outside of the bodies.
func TestModuleRefused(t *testing.T) {
	for text, says := range map[string]string{
		".target sm_x":                           `line 1: target "sm_x" is not sm_NN`,
		".target 70":                             "",
		".target sm_80a, debug":                  "",
		".target sm_81":                          "made for sm_81, and this device is sm_80",
		".target sm_x\n\n":                       `line 1: target "sm_x" is not sm_NN`,
		".entry k()\n.maxntid x\n{}":             `line 2: .maxntid: strconv.Atoi: parsing "x": invalid syntax`,
		".entry k()\n.noreturn\n{}":              `line 2: ".noreturn" before the body of k is not supported`,
		".entry k()\n{\nmov.u32 5, 5\n}":         `line 3: expected ",", found "}"`,
		".address_size 32\n":                     "line 1: address size 32 is not supported, only 64",
		".visible\n.extern .func f;":             "line 2: external functions are not supported",
		".func f;":                               "line 1: functions are not supported: mark it __forceinline__",
		"\n// a comment\n/* one\n\nmore */ bad":  `line 5: "bad" is not supported`,
		"\n/* one":                               "line 2: comment without end",
		"\n\"one":                                "line 2: string without end",
		".extern .shared .b8 x[4];":              "line 1: external variable x is not supported",
		".extern .shared .align 4 .b8 x[];":      "",
		".shared .align a .b8 x;":                `line 1: alignment: strconv.Atoi: parsing "a": invalid syntax`,
		".global .b8 x[a];":                      `line 1: array size: strconv.ParseInt: parsing "a": invalid syntax`,
		".global .b8 x[2[;":                      `line 1: expected "]", found "["`,
		".global .b8 x[2][3] = {{1, 2, 3}, {4}}": `line 1: expected ";", found ""`,
		".global .q x;":                          `line 1: ".q" in a declaration is not supported`,
		".entry k(.param .b8 p[9]) {}":           "line 1: parameter p has 9 bytes, 8 are the most",
		".entry k(.param .b8 p[8]) {}":           "",
		".entry k(.param .u16 p[4]) {}":          "",
		".entry k(.param .u16 p[5]) {}":          "line 1: parameter p has 10 bytes, 8 are the most",
		".entry k(.param .b8 p[x]) {}":           `line 1: array size: strconv.ParseInt: parsing "x": invalid syntax`,
		".entry k(.param .b8 p[2) {}":            `line 1: expected "]", found ")"`,
		".entry k(.param .align x .b8 p) {}":     `line 1: alignment: strconv.Atoi: parsing "x": invalid syntax`,
		".entry k(.param .u64 .ptr .global .align 4 p, .param .u32 q) {}": "",
		".entry k(.u64 p) {}":                       `line 1: expected ".param", found ".u64"`,
		".entry k() .maxntid x {}":                  `line 1: .maxntid: strconv.Atoi: parsing "x": invalid syntax`,
		".entry k() .reqntid 4, x {}":               `line 1: .reqntid: strconv.Atoi: parsing "x": invalid syntax`,
		".entry k() .minnctapersm 2 .maxnreg 32 {}": "",
		".entry k() .noreturn {}":                   `line 1: ".noreturn" before the body of k is not supported`,
		".entry k() {\n.pragma \"nounroll\"":        "line 2: k has no end",
		".entry k() {\n.pragma \"nounroll\";\n}":    "",
		".entry k() {\n.loc 1 2 3\n.file 1 \"x\"\n": "line 3: k has no end",
		".entry k() {\nret":                         "line 2: k has no end",
		".entry k() {\nadd.s32 {":                   "line 2: k has no end",
	} {
		m, err := New(Config{}).Load("m.ptx", text)
		if says == "" {
			require.NoError(t, err, text)
			require.NoError(t, m.Unload())
			continue
		}
		require.EqualError(t, err, "m.ptx: "+says, text)
	}
}

// A text that ends too early, after any of its bytes, is refused, and no reader runs past
// its end.
func TestATextThatEndsTooEarly(t *testing.T) {
	const text = ".version 7.8\n.target sm_80\n.address_size 64\n.const .u16 b[2][2] = {{1, 2}, {-1}};\n.extern .shared .align 16 .b8 dyn[];\n" +
		".visible .entry k(.param .u64 a, .param .u32 n) .maxntid 32, 1, 1 {\n.reg .pred %p<2>;\n.reg .b32 %r<4>;\n.reg .b64 %d<2>;\n.shared .align 4 .b8 sh[8];\n" +
		"$start:\nld.param.u64 %d1, [a];\nmov.u32 %r1, %tid.x;\nsetp.eq.u32 %p1, %r1, 0;\n@!%p1 bra $start;\nst.shared.v2.u32 [sh], {%r1, %r1};\nret;\n}"
	_, err := New(Config{}).Load("m.ptx", text)
	require.NoError(t, err)
	entry := strings.Index(text, ".entry")
	for i := range text {
		_, err := New(Config{}).Load("m.ptx", text[:i])
		if i > entry { // before it, what ends between two declarations is whole
			require.ErrorContains(t, err, "m.ptx: ", "%q", text[:i])
		}
	}
}
