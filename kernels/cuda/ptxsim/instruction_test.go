package ptxsim

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// evaluate runs an instruction on %d, %a, %b, %c once for each row of
// operands, a row a thread, and returns the results.
func evaluate(t *testing.T, text string, dst typ, src []typ, rows [][]uint64) []uint64 {
	t.Helper()
	return evaluateOn(t, Config{Workers: 1}, text, dst, src, rows)
}

func evaluateOn(t *testing.T, c Config, text string, dst typ, src []typ, rows [][]uint64) []uint64 {
	t.Helper()
	var b strings.Builder
	b.WriteString(".version 7.8\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 out, .param .u64 in)\n{\n" +
		".reg .b64 %o, %i, %t;\n.reg .b32 %tid, %u;\n")
	register := func(t typ) string {
		if t == typPred {
			return ".pred"
		}
		return fmt.Sprintf(".b%d", max(t.bits(), 16))
	}
	fmt.Fprintf(&b, ".reg %s %%d;\n.reg .pred %%q;\n", register(dst))
	b.WriteString("ld.param.u64 %o, [out];\nld.param.u64 %i, [in];\nmov.u32 %tid, %tid.x;\n" +
		"mul.wide.u32 %t, %tid, 8;\nadd.s64 %o, %o, %t;\nmul.wide.u32 %t, %tid, 24;\nadd.s64 %i, %i, %t;\n")
	for j, s := range src {
		name := "abc"[j : j+1]
		fmt.Fprintf(&b, ".reg %s %%%s;\n", register(s), name)
		if s == typPred {
			fmt.Fprintf(&b, "ld.global.u32 %%u, [%%i+%d];\nsetp.ne.u32 %%%s, %%u, 0;\n", 8*j, name)
			continue
		}
		fmt.Fprintf(&b, "ld.global.b%d %%%s, [%%i+%d];\n", max(s.bits(), 16), name, 8*j)
	}
	// Leaves something behind where an absent operand might be read.
	b.WriteString("mad.hi.u32 %u, -1, -1, -1;\n")
	b.WriteString(text + "\n")
	if dst == typPred {
		b.WriteString("selp.u32 %u, 1, 0, %d;\nst.global.u32 [%o], %u;\n")
	} else {
		fmt.Fprintf(&b, "st.global.b%d [%%o], %%d;\n", max(dst.bits(), 16))
	}
	b.WriteString("ret;\n}\n")
	sim := New(c)
	m, err := sim.Load("test", b.String())
	require.NoError(t, err, text)
	f, err := m.Function("k")
	require.NoError(t, err)
	in, err := sim.Alloc("in", int64(24*len(rows)))
	require.NoError(t, err)
	out, err := sim.Alloc("out", int64(8*len(rows)))
	require.NoError(t, err)
	st, err := sim.NewStream()
	require.NoError(t, err)
	data := make([]byte, 24*len(rows))
	for i, row := range rows {
		for j, v := range row {
			binary.LittleEndian.PutUint64(data[24*i+8*j:], v)
		}
	}
	require.NoError(t, st.Upload(in, data))
	require.NoError(t, st.Memset(out, 0, int64(8*len(rows))))
	var args driver.Args
	require.NoError(t, st.Launch(f, driver.Config{Grid: driver.Dim{X: 1}, Block: driver.Dim{X: len(rows)}}, args.Ptr(out).Ptr(in)), text)
	data = make([]byte, 8*len(rows))
	require.NoError(t, st.Download(data, out))
	results := make([]uint64, len(rows))
	for i := range results {
		results[i] = binary.LittleEndian.Uint64(data[8*i:])
	}
	return results
}

func fb(v float64) uint64 { return uint64(math.Float32bits(float32(v))) }
func db(v float64) uint64 { return math.Float64bits(v) }
func i32(v int32) uint64  { return uint64(uint32(v)) }
func i16(v int16) uint64  { return uint64(uint16(v)) }

// One or more rows for every instruction: operands, and last the result. What
// is expected is worked out by hand from the PTX ISA's definition.
var instructions = []struct {
	text string
	dst  typ
	src  []typ
	rows [][]uint64
}{
	{"add.s32 %d, %a, %b;", typS32, []typ{typS32, typS32}, [][]uint64{{5, i32(-7), i32(-2)}, {0x7fffffff, 1, 0x80000000}}},
	{"add.sat.s32 %d, %a, %b;", typS32, []typ{typS32, typS32}, [][]uint64{{0x7fffffff, 1, 0x7fffffff}, {0x80000000, i32(-1), 0x80000000}, {1, 2, 3}}},
	{"sub.sat.s32 %d, %a, %b;", typS32, []typ{typS32, typS32}, [][]uint64{{0x80000000, 1, 0x80000000}, {0, 0x80000000, 0x7fffffff}}},
	{"add.u16 %d, %a, %b;", typU16, []typ{typU16, typU16}, [][]uint64{{0xffff, 2, 1}}},
	{"add.s64 %d, %a, %b;", typS64, []typ{typS64, typS64}, [][]uint64{{1 << 63, 1 << 63, 0}, {0xffffffff, 1, 1 << 32}}},
	{"sub.s32 %d, %a, %b;", typS32, []typ{typS32, typS32}, [][]uint64{{3, 5, i32(-2)}}},
	{"sub.s64 %d, %a, %b;", typS64, []typ{typS64, typS64}, [][]uint64{{3, 5, ^uint64(1)}}},
	{"mul.lo.s32 %d, %a, %b;", typS32, []typ{typS32, typS32}, [][]uint64{{0x10001, 0x10001, 0x20001}, {i32(-3), 7, i32(-21)}}},
	{"mul.hi.u32 %d, %a, %b;", typU32, []typ{typU32, typU32}, [][]uint64{{0xD2511F53, 0x99999999, 0xD2511F53 * 0x99999999 >> 32}, {1 << 31, 2, 1}}},
	{"mul.hi.s32 %d, %a, %b;", typS32, []typ{typS32, typS32}, [][]uint64{{i32(-1), 1, i32(-1)}, {1 << 31, 1 << 31, 1 << 30}}},
	{"mul.hi.u64 %d, %a, %b;", typU64, []typ{typU64, typU64}, [][]uint64{{1 << 63, 6, 3}, {^uint64(0), ^uint64(0), ^uint64(1)}}},
	{"mul.hi.s64 %d, %a, %b;", typS64, []typ{typS64, typS64}, [][]uint64{{^uint64(0), 1, ^uint64(0)}, {^uint64(0), ^uint64(0), 0}, {1 << 63, 2, ^uint64(0)}}},
	{"mul.lo.s64 %d, %a, %b;", typS64, []typ{typS64, typS64}, [][]uint64{{1<<32 + 1, 3, 3<<32 + 3}}},
	{"mad.lo.s32 %d, %a, -3, 0x10;", typS32, []typ{typS32}, [][]uint64{{5, 1}}},
	{"mul.lo.s16 %d, %a, %b;", typS16, []typ{typS16, typS16}, [][]uint64{{i16(-3), 5, i16(-15)}}},
	{"mul.wide.s32 %d, %a, %b;", typS64, []typ{typS32, typS32}, [][]uint64{{i32(-1), 2, ^uint64(1)}}},
	{"mul.wide.u32 %d, %a, %b;", typU64, []typ{typU32, typU32}, [][]uint64{{i32(-1), 2, 0x1fffffffe}}},
	{"mul.wide.s16 %d, %a, %b;", typS32, []typ{typS16, typS16}, [][]uint64{{i16(-1), 300, i32(-300)}}},
	{"mad.lo.s32 %d, %a, %b, %c;", typS32, []typ{typS32, typS32, typS32}, [][]uint64{{3, i32(-4), 5, i32(-7)}}},
	{"mad.hi.u32 %d, %a, %b, %c;", typU32, []typ{typU32, typU32, typU32}, [][]uint64{{1 << 31, 6, 5, 8}}},
	{"mad.wide.s32 %d, %a, %b, %c;", typS64, []typ{typS32, typS32, typS64}, [][]uint64{{i32(-2), 3, 10, 4}}},
	{"mad.wide.u32 %d, %a, %b, %c;", typU64, []typ{typU32, typU32, typU64}, [][]uint64{{i32(-1), 2, 2, 1 << 33}}},
	{"mad.lo.s64 %d, %a, %b, %c;", typS64, []typ{typS64, typS64, typS64}, [][]uint64{{1 << 40, 3, 1, 3<<40 + 1}}},
	{"div.s32 %d, %a, %b;", typS32, []typ{typS32, typS32}, [][]uint64{{i32(-7), 2, i32(-3)}, {0x80000000, i32(-1), 0x80000000}, {5, 0, 0xffffffff}}},
	{"div.u32 %d, %a, %b;", typU32, []typ{typU32, typU32}, [][]uint64{{i32(-7), 2, 0x7ffffffc}, {5, 0, 0xffffffff}}},
	{"rem.s32 %d, %a, %b;", typS32, []typ{typS32, typS32}, [][]uint64{{i32(-7), 2, i32(-1)}, {5, 0, 5}}},
	{"rem.u64 %d, %a, %b;", typU64, []typ{typU64, typU64}, [][]uint64{{1<<40 + 5, 1 << 40, 5}}},
	{"min.s32 %d, %a, %b;", typS32, []typ{typS32, typS32}, [][]uint64{{i32(-7), 2, i32(-7)}}},
	{"min.u32 %d, %a, %b;", typU32, []typ{typU32, typU32}, [][]uint64{{i32(-7), 2, 2}}},
	{"max.s64 %d, %a, %b;", typS64, []typ{typS64, typS64}, [][]uint64{{^uint64(0), 2, 2}}},
	{"abs.s32 %d, %a;", typS32, []typ{typS32}, [][]uint64{{i32(-7), 7}, {7, 7}}},
	{"neg.s32 %d, %a;", typS32, []typ{typS32}, [][]uint64{{7, i32(-7)}}},
	{"neg.s16 %d, %a;", typS16, []typ{typS16}, [][]uint64{{7, i16(-7)}}},
	{"sad.u32 %d, %a, %b, %c;", typU32, []typ{typU32, typU32, typU32}, [][]uint64{{3, 10, 100, 107}}},
	{"and.b32 %d, %a, %b;", typB32, []typ{typB32, typB32}, [][]uint64{{0xff0, 0x0ff, 0x0f0}}},
	{"or.b32 %d, %a, %b;", typB32, []typ{typB32, typB32}, [][]uint64{{0xf00, 0x00f, 0xf0f}}},
	{"xor.b32 %d, %a, %b;", typB32, []typ{typB32, typB32}, [][]uint64{{0xff0, 0x0ff, 0xf0f}}},
	{"xor.b64 %d, %a, %b;", typB64, []typ{typB64, typB64}, [][]uint64{{1 << 63, 1, 1<<63 | 1}}},
	{"and.b16 %d, %a, %b;", typB16, []typ{typB16, typB16}, [][]uint64{{0xff0, 0xff, 0xf0}}},
	{"not.b32 %d, %a;", typB32, []typ{typB32}, [][]uint64{{1, 0xfffffffe}}},
	{"not.b16 %d, %a;", typB16, []typ{typB16}, [][]uint64{{1, 0xfffe}}},
	{"cnot.b32 %d, %a;", typB32, []typ{typB32}, [][]uint64{{0, 1}, {5, 0}}},
	{"and.pred %d, %a, %b;", typPred, []typ{typPred, typPred}, [][]uint64{{1, 1, 1}, {1, 0, 0}}},
	{"or.pred %d, %a, %b;", typPred, []typ{typPred, typPred}, [][]uint64{{0, 1, 1}, {0, 0, 0}}},
	{"xor.pred %d, %a, %b;", typPred, []typ{typPred, typPred}, [][]uint64{{1, 1, 0}, {0, 1, 1}}},
	{"not.pred %d, %a;", typPred, []typ{typPred}, [][]uint64{{1, 0}, {0, 1}}},
	{"shl.b32 %d, %a, %b;", typB32, []typ{typB32, typU32}, [][]uint64{{3, 4, 48}, {1, 32, 0}, {1, 300, 0}, {3, 31, 0x80000000}}},
	{"shl.b64 %d, %a, %b;", typB64, []typ{typB64, typU32}, [][]uint64{{3, 40, 3 << 40}, {1, 64, 0}}},
	{"shl.b16 %d, %a, %b;", typB16, []typ{typB16, typU32}, [][]uint64{{3, 15, 0x8000}, {1, 16, 0}}},
	{"shr.u32 %d, %a, %b;", typU32, []typ{typU32, typU32}, [][]uint64{{0x80000000, 31, 1}, {1, 32, 0}}},
	{"shr.s32 %d, %a, %b;", typS32, []typ{typS32, typU32}, [][]uint64{{0x80000000, 31, i32(-1)}, {0x80000000, 99, i32(-1)}, {64, 2, 16}}},
	{"shr.u64 %d, %a, %b;", typU64, []typ{typU64, typU32}, [][]uint64{{1 << 63, 63, 1}, {1 << 63, 64, 0}}},
	{"shr.s64 %d, %a, %b;", typS64, []typ{typS64, typU32}, [][]uint64{{1 << 63, 63, ^uint64(0)}}},
	{"shr.s16 %d, %a, %b;", typS16, []typ{typS16, typU32}, [][]uint64{{0x8000, 15, 0xffff}}},
	{"shf.l.wrap.b32 %d, %a, %b, %c;", typB32, []typ{typB32, typB32, typU32}, [][]uint64{{0x80000000, 1, 1, 3}, {5, 7, 32, 7}}},
	{"shf.r.wrap.b32 %d, %a, %b, %c;", typB32, []typ{typB32, typB32, typU32}, [][]uint64{{2, 1, 1, 0x80000001}, {5, 7, 32, 5}}},
	{"shf.r.clamp.b32 %d, %a, %b, %c;", typB32, []typ{typB32, typB32, typU32}, [][]uint64{{5, 7, 40, 7}}},
	{"shf.l.clamp.b32 %d, %a, %b, %c;", typB32, []typ{typB32, typB32, typU32}, [][]uint64{{5, 7, 40, 5}}},
	{"popc.b32 %d, %a;", typU32, []typ{typB32}, [][]uint64{{0xf0f, 8}}},
	{"popc.b64 %d, %a;", typU32, []typ{typB64}, [][]uint64{{1<<63 | 1, 2}}},
	{"clz.b32 %d, %a;", typU32, []typ{typB32}, [][]uint64{{1, 31}, {0, 32}}},
	{"clz.b64 %d, %a;", typU32, []typ{typB64}, [][]uint64{{1, 63}, {0, 64}}},
	{"brev.b32 %d, %a;", typB32, []typ{typB32}, [][]uint64{{1, 0x80000000}, {0xa0000000, 5}}},
	{"brev.b64 %d, %a;", typB64, []typ{typB64}, [][]uint64{{1, 1 << 63}}},
	{"bfind.u32 %d, %a;", typU32, []typ{typU32}, [][]uint64{{0x100, 8}, {0, 0xffffffff}}},
	{"bfind.s32 %d, %a;", typU32, []typ{typS32}, [][]uint64{{i32(-1), 0xffffffff}, {i32(-5), 2}}},
	{"bfind.shiftamt.u32 %d, %a;", typU32, []typ{typU32}, [][]uint64{{0x100, 23}}},
	{"bfe.u32 %d, %a, %b, %c;", typU32, []typ{typU32, typU32, typU32}, [][]uint64{{0xabcd, 4, 8, 0xbc}, {0xabcd, 4, 0, 0}, {0xf0000000, 28, 10, 15}}},
	{"bfe.s32 %d, %a, %b, %c;", typS32, []typ{typS32, typU32, typU32}, [][]uint64{{0xabcd, 4, 8, i32(-68)}, {0x80000000, 31, 4, i32(-1)}, {0x80000000, 40, 4, i32(-1)}, {7, 0, 0, 0}}},
	{"bfi.b32 %d, %a, %b, 8, 4;", typB32, []typ{typB32, typB32}, [][]uint64{{0x5, 0xffffffff, 0xfffff5ff}}},
	{"bfi.b64 %d, %a, %b, 32, 32;", typB64, []typ{typB64, typB64}, [][]uint64{{5, 7, 5<<32 | 7}}},
	{"prmt.b32 %d, %a, %b, %c;", typB32, []typ{typB32, typB32, typB32}, [][]uint64{{0x33221100, 0x77665544, 0x7531, 0x77553311}, {0x00000080, 0, 0x8888, 0xffffffff}}},
	{"lop3.b32 %d, %a, %b, %c, 0x96;", typB32, []typ{typB32, typB32, typB32}, [][]uint64{{0xf0, 0xcc, 0xaa, 0xf0 ^ 0xcc ^ 0xaa}}},
	{"lop3.b32 %d, %a, %b, %c, 0xca;", typB32, []typ{typB32, typB32, typB32}, [][]uint64{{0xf0, 0xcc, 0xaa, 0xf0&0xcc | 0x0f&0xaa}}},

	{"lop3.b32 %d, %a, %b, %c, 0xff;", typB32, []typ{typB32, typB32, typB32}, [][]uint64{{0xf0, 0xcc, 0xaa, 0xffffffff}}},
	{"lop3.b32 %d, %a, %b, %c, 0;", typB32, []typ{typB32, typB32, typB32}, [][]uint64{{0xf0, 0xcc, 0xaa, 0}}},
	{"ldu.global.u32 %d, [%i];", typU32, []typ{typU32}, [][]uint64{{7, 7}, {9, 9}}},
	{"add.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1), fb(0x1p-24), fb(1)}, {fb(math.Inf(1)), fb(math.Inf(-1)), nan32}, {0xffc12345, fb(1), nan32}}},
	{"add.f32 %d, %a, 0f3F800000;", typF32, []typ{typF32}, [][]uint64{{fb(2), fb(3)}}},
	{"add.f32 %d, %a, -0f3F800000;", typF32, []typ{typF32}, [][]uint64{{fb(2), fb(1)}}},
	{"add.f32 %d, %a, -1.5;", typF32, []typ{typF32}, [][]uint64{{fb(2), fb(0.5)}}},
	{"add.f64 %d, %a, 0f3F800000;", typF64, []typ{typF64}, [][]uint64{{db(2), db(3)}}},
	{"add.f64 %d, %a, -0d3FF0000000000000;", typF64, []typ{typF64}, [][]uint64{{db(2), db(1)}}},
	{"sub.ftz.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1), fb(3), fb(-2)}, {1, 2, 0}}},
	{"add.rp.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1), fb(0x1p-40), fb(1 + 0x1p-23)}}},
	{"add.rz.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(-1), fb(0x1p-40), fb(-1 + 0x1p-24)}}},
	{"add.ftz.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{1, fb(0x1p-126), fb(0x1p-126)}, {fb(0x1.8p-126), fb(-0x1p-126), 0}}},
	{"add.sat.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1), fb(2), fb(1)}, {fb(-1), fb(0.5), 0}, {nan32, 0, 0}, {fb(0.25), fb(0.5), fb(0.75)}}},
	{"sub.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1), fb(3), fb(-2)}, {fb(1), fb(1), 0}}},
	{"mul.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(3), fb(-5), fb(-15)}, {fb(0), fb(math.Inf(1)), nan32}, {1, fb(0.5), 0}}},
	{"mul.rm.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{0x80000001, fb(0.5), 0x80000001}}},
	{"mul.ftz.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(0x1p-126), fb(-0.5), 0x80000000}}},
	{"fma.rn.f32 %d, %a, %b, %c;", typF32, []typ{typF32, typF32, typF32}, [][]uint64{{fb(1774001), fb(38737 * 0x1p-60), fb(1), fb(1 + 0x1p-23)}, {0xffc00001, fb(1), fb(1), nan32}}},
	{"fma.rz.f32 %d, %a, %b, %c;", typF32, []typ{typF32, typF32, typF32}, [][]uint64{{fb(1774001), fb(38737 * 0x1p-60), fb(1), fb(1)}}},
	{"fma.rm.f32 %d, %a, %b, %c;", typF32, []typ{typF32, typF32, typF32}, [][]uint64{{fb(1), fb(1), fb(-1), 0x80000000}}},
	{"fma.rp.f32 %d, %a, %b, %c;", typF32, []typ{typF32, typF32, typF32}, [][]uint64{{fb(0x1p-40), fb(0x1p-40), fb(1), fb(1 + 0x1p-23)}}},
	{"fma.rn.ftz.f32 %d, %a, %b, %c;", typF32, []typ{typF32, typF32, typF32}, [][]uint64{{fb(1), fb(1), 1, fb(1)}, {fb(0x1p-70), fb(0x1p-70), 0, 0}}},
	{"fma.rn.sat.f32 %d, %a, %b, %c;", typF32, []typ{typF32, typF32, typF32}, [][]uint64{{fb(2), fb(1), fb(1), fb(1)}}},
	{"div.rn.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1), fb(3), fb(1.0 / 3)}, {fb(1), 0, fb(math.Inf(1))}, {0, 0, nan32}}},
	{"div.full.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(6), fb(3), fb(2)}}},
	{"div.approx.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(6), fb(3), fb(2)}}},
	{"rcp.rn.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(3), fb(1.0 / 3)}}},
	{"rcp.approx.ftz.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(4), fb(0.25)}, {1, fb(math.Inf(1))}}},
	{"sqrt.rn.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(2), fb(math.Sqrt2)}, {fb(-1), nan32}}},
	{"sqrt.approx.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(9), fb(3)}}},
	{"rsqrt.approx.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(4), fb(0.5)}, {0, fb(math.Inf(1))}}},
	// Approximations flush subnormal operands and results with .ftz, and only then.
	{"rcp.approx.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{1 << 22, fb(0x1p127)}, {fb(0x1p127), 1 << 22}, {fb(-0x1p127), 1<<31 | 1<<22}}},
	{"rcp.approx.ftz.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{1 << 22, fb(math.Inf(1))}, {1<<31 | 1<<22, fb(math.Inf(-1))}, {fb(0x1p127), 0}, {fb(-0x1p127), 1 << 31}}},
	{"sqrt.approx.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{1 << 21, fb(0x1p-64)}}},
	{"sqrt.approx.ftz.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{1 << 21, 0}, {fb(0x1p-126), fb(0x1p-63)}}},
	{"rsqrt.approx.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{1 << 21, fb(0x1p64)}}},
	{"rsqrt.approx.ftz.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{1 << 21, fb(math.Inf(1))}, {fb(0x1p-126), fb(0x1p63)}}},
	{"ex2.approx.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(-3), fb(0.125)}, {fb(math.Inf(-1)), 0}, {fb(-130), 1 << 19}, {fb(-149), 1}, {fb(-151), 0}, {1, fb(1)}}},
	{"ex2.approx.ftz.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(-126), fb(0x1p-126)}, {fb(-127), 0}, {fb(-130), 0}, {1, fb(1)}}},
	{"lg2.approx.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{1, fb(-149)}, {1 << 22, fb(-127)}}},
	{"lg2.approx.ftz.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{1, fb(math.Inf(-1))}, {fb(0x1p-126), fb(-126)}}},
	{"div.approx.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{2, fb(2), 1}}},
	{"div.approx.ftz.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{2, fb(2), 0}, {fb(0x1p-126), fb(2), 0}}},
	{"lg2.approx.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(8), fb(3)}, {fb(1), 0}, {fb(-1), nan32}}},
	{"sin.approx.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{0, 0}, {fb(1), fb(math.Sin(1))}}},
	{"cos.approx.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{0, fb(1)}, {fb(1), fb(math.Cos(1))}}},
	{"tanh.approx.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(100), fb(1)}, {fb(1), fb(math.Tanh(1))}}},
	{"min.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1), nan32, fb(1)}, {nan32, fb(2), fb(2)}, {nan32, 0xffffffff, nan32}, {0, 0x80000000, 0x80000000}, {0x80000000, 0, 0x80000000}, {fb(1), fb(-2), fb(-2)}}},
	{"max.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1), nan32, fb(1)}, {0x80000000, 0, 0}, {fb(1), fb(-2), fb(1)}}},
	{"max.NaN.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1), nan32, nan32}, {fb(1), fb(2), fb(2)}}},
	{"abs.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(-3), fb(3)}, {0x80000000, 0}}},
	{"neg.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(-3), fb(3)}, {0, 0x80000000}}},
	{"copysign.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(-3), fb(2), fb(-2)}}},
	{"testp.subnormal.f32 %d, %a;", typPred, []typ{typF32}, [][]uint64{{1, 1}, {fb(1), 0}, {0, 0}}},
	{"testp.normal.f32 %d, %a;", typPred, []typ{typF32}, [][]uint64{{1, 0}, {fb(1), 1}, {0, 0}, {nan32, 0}}},
	{"testp.finite.f32 %d, %a;", typPred, []typ{typF32}, [][]uint64{{fb(math.Inf(1)), 0}, {fb(1), 1}}},
	{"testp.infinite.f32 %d, %a;", typPred, []typ{typF32}, [][]uint64{{fb(math.Inf(1)), 1}, {fb(1), 0}}},
	{"testp.number.f32 %d, %a;", typPred, []typ{typF32}, [][]uint64{{nan32, 0}, {fb(1), 1}}},
	{"testp.notanumber.f32 %d, %a;", typPred, []typ{typF32}, [][]uint64{{nan32, 1}, {fb(1), 0}}},
	{"add.f64 %d, %a, %b;", typF64, []typ{typF64, typF64}, [][]uint64{{db(1), db(2), db(3)}}},
	{"sub.f64 %d, %a, %b;", typF64, []typ{typF64, typF64}, [][]uint64{{db(1), db(2), db(-1)}}},
	{"mul.f64 %d, %a, %b;", typF64, []typ{typF64, typF64}, [][]uint64{{db(3), db(2), db(6)}}},
	{"div.rn.f64 %d, %a, %b;", typF64, []typ{typF64, typF64}, [][]uint64{{db(1), db(3), db(1.0 / 3)}}},
	{"fma.rn.f64 %d, %a, %b, %c;", typF64, []typ{typF64, typF64, typF64}, [][]uint64{{db(1 + 0x1p-52), db(1 - 0x1p-52), db(-1), db(-0x1p-104)}}},
	{"min.f64 %d, %a, %b;", typF64, []typ{typF64, typF64}, [][]uint64{{db(3), db(2), db(2)}, {nan64, db(2), db(2)}, {db(2), nan64, db(2)}, {0, 1 << 63, 1 << 63}, {1 << 63, 0, 1 << 63}}},
	{"max.f64 %d, %a, %b;", typF64, []typ{typF64, typF64}, [][]uint64{{db(3), db(2), db(3)}}},
	{"abs.f64 %d, %a;", typF64, []typ{typF64}, [][]uint64{{db(-3), db(3)}}},
	{"neg.f64 %d, %a;", typF64, []typ{typF64}, [][]uint64{{db(-3), db(3)}}},
	{"sqrt.rn.f64 %d, %a;", typF64, []typ{typF64}, [][]uint64{{db(2), db(math.Sqrt2)}}},
	{"rcp.rn.f64 %d, %a;", typF64, []typ{typF64}, [][]uint64{{db(4), db(0.25)}}},

	{"setp.lt.s32 %d, %a, %b;", typPred, []typ{typS32, typS32}, [][]uint64{{i32(-1), 1, 1}, {1, 1, 0}}},
	{"setp.le.s32 %d, %a, %b;", typPred, []typ{typS32, typS32}, [][]uint64{{1, 1, 1}, {2, i32(-1), 0}}},
	{"setp.gt.u32 %d, %a, %b;", typPred, []typ{typU32, typU32}, [][]uint64{{i32(-1), 1, 1}, {1, 1, 0}}},
	{"setp.ge.u32 %d, %a, %b;", typPred, []typ{typU32, typU32}, [][]uint64{{1, 1, 1}, {1, 2, 0}}},
	{"setp.hi.u32 %d, %a, %b;", typPred, []typ{typU32, typU32}, [][]uint64{{2, 1, 1}, {1, 1, 0}}},
	{"setp.eq.s32 %d, %a, %b;", typPred, []typ{typS32, typS32}, [][]uint64{{2, 2, 1}, {1, 2, 0}}},
	{"setp.ne.b32 %d, %a, %b;", typPred, []typ{typB32, typB32}, [][]uint64{{2, 2, 0}, {1, 2, 1}}},
	{"setp.ne.s16 %d, %a, %b;", typPred, []typ{typS16, typS16}, [][]uint64{{2, 2, 0}, {1, 2, 1}}},
	{"setp.lt.s64 %d, %a, %b;", typPred, []typ{typS64, typS64}, [][]uint64{{1 << 63, 0, 1}}},
	{"setp.lt.u64 %d, %a, %b;", typPred, []typ{typU64, typU64}, [][]uint64{{1 << 63, 0, 0}}},
	{"setp.lt.f32 %d, %a, %b;", typPred, []typ{typF32, typF32}, [][]uint64{{fb(-1), fb(1), 1}, {nan32, fb(1), 0}, {0, 0x80000000, 0}}},
	{"setp.ltu.f32 %d, %a, %b;", typPred, []typ{typF32, typF32}, [][]uint64{{nan32, fb(1), 1}, {fb(2), fb(1), 0}}},
	{"setp.neu.f32 %d, %a, %b;", typPred, []typ{typF32, typF32}, [][]uint64{{nan32, fb(1), 1}, {fb(1), fb(1), 0}}},
	{"setp.nan.f32 %d, %a, %b;", typPred, []typ{typF32, typF32}, [][]uint64{{nan32, fb(1), 1}, {fb(1), fb(1), 0}}},
	{"setp.num.f32 %d, %a, %b;", typPred, []typ{typF32, typF32}, [][]uint64{{nan32, fb(1), 0}, {fb(1), fb(1), 1}}},
	{"setp.gt.ftz.f32 %d, %a, %b;", typPred, []typ{typF32, typF32}, [][]uint64{{1, 0, 0}}},
	{"setp.gt.f64 %d, %a, %b;", typPred, []typ{typF64, typF64}, [][]uint64{{db(2), db(1), 1}}},
	{"setp.lt.and.s32 %d, %a, %b, %c;", typPred, []typ{typS32, typS32, typPred}, [][]uint64{{1, 2, 1, 1}, {1, 2, 0, 0}}},
	{"setp.lt.or.s32 %d, %a, %b, !%c;", typPred, []typ{typS32, typS32, typPred}, [][]uint64{{3, 2, 1, 0}, {3, 2, 0, 1}}},
	{"setp.lt.xor.s32 %q|%d, %a, %b, %c;", typPred, []typ{typS32, typS32, typPred}, [][]uint64{{1, 2, 1, 1}, {3, 2, 1, 0}}},
	{"setp.lt.s32 %q|%d, %a, %b;", typPred, []typ{typS32, typS32}, [][]uint64{{1, 2, 0}, {3, 2, 1}}},
	{"set.lt.u32.s32 %d, %a, %b;", typU32, []typ{typS32, typS32}, [][]uint64{{i32(-1), 2, 0xffffffff}, {3, 2, 0}}},
	{"set.gt.f32.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(3), fb(2), fb(1)}, {nan32, 0, 0}}},
	{"selp.b32 %d, %a, %b, %c;", typB32, []typ{typB32, typB32, typPred}, [][]uint64{{7, 8, 1, 7}, {7, 8, 0, 8}}},
	{"selp.f64 %d, %a, %b, %c;", typF64, []typ{typF64, typF64, typPred}, [][]uint64{{7, 8, 1, 7}, {7, 8, 0, 8}}},
	{"selp.u16 %d, %a, %b, %c;", typU16, []typ{typU16, typU16, typPred}, [][]uint64{{7, 8, 1, 7}}},
	{"slct.b32.s32 %d, %a, %b, %c;", typB32, []typ{typB32, typB32, typS32}, [][]uint64{{7, 8, 0, 7}, {7, 8, i32(-1), 8}}},
	{"slct.f32.f32 %d, %a, %b, %c;", typF32, []typ{typF32, typF32, typF32}, [][]uint64{{7, 8, fb(-0.5), 8}, {7, 8, nan32, 8}, {7, 8, 0x80000000, 7}}},
	{"mov.b32 %d, %a;", typB32, []typ{typB32}, [][]uint64{{7, 7}}},
	{"mov.b64 %d, %a;", typB64, []typ{typB64}, [][]uint64{{7 << 40, 7 << 40}}},
	{"mov.u16 %d, %a;", typU16, []typ{typU16}, [][]uint64{{7, 7}}},
	{"mov.pred %d, %a;", typPred, []typ{typPred}, [][]uint64{{1, 1}, {0, 0}}},
	{"mov.b64 %d, {%a, %b};", typB64, []typ{typB32, typB32}, [][]uint64{{7, 9, 9<<32 | 7}}},
	{"mov.b32 %d, {%a, %b};", typB32, []typ{typB16, typB16}, [][]uint64{{7, 9, 9<<16 | 7}}},
	{"mov.b64 {%u, %d}, %a;", typB32, []typ{typB64}, [][]uint64{{9<<32 | 7, 9}}},
	{"mov.b64 {%d, _}, %a;", typB32, []typ{typB64}, [][]uint64{{9<<32 | 7, 7}}},

	{"cvt.u64.u32 %d, %a;", typU64, []typ{typU32}, [][]uint64{{i32(-1), 0xffffffff}}},
	{"cvt.s64.s32 %d, %a;", typS64, []typ{typS32}, [][]uint64{{i32(-1), ^uint64(0)}}},
	{"cvt.u32.u64 %d, %a;", typU32, []typ{typU64}, [][]uint64{{1<<32 | 5, 5}}},
	{"cvt.s32.s16 %d, %a;", typS32, []typ{typS16}, [][]uint64{{0x8000, 0xffff8000}}},
	{"cvt.s32.s8 %d, %a;", typS32, []typ{typS32}, [][]uint64{{0x1ff, i32(-1)}}},
	{"cvt.u32.u8 %d, %a;", typU32, []typ{typU32}, [][]uint64{{0x1ff, 0xff}}},
	{"cvt.u16.u32 %d, %a;", typU16, []typ{typU32}, [][]uint64{{0x12345, 0x2345}}},
	{"cvt.sat.u8.s32 %d, %a;", typU32, []typ{typS32}, [][]uint64{{300, 255}, {i32(-4), 0}, {77, 77}}},
	{"cvt.sat.s8.s32 %d, %a;", typS32, []typ{typS32}, [][]uint64{{300, 127}, {i32(-400), i32(-128)}}},
	{"cvt.rn.f32.s32 %d, %a;", typF32, []typ{typS32}, [][]uint64{{1<<24 + 1, fb(1 << 24)}, {1<<24 + 3, fb(1<<24 + 4)}, {i32(-5), fb(-5)}, {0, 0}, {1, fb(1)}}},
	{"cvt.rz.f32.s32 %d, %a;", typF32, []typ{typS32}, [][]uint64{{1<<24 + 3, fb(1<<24 + 2)}, {i32(-(1<<24 + 3)), fb(-(1<<24 + 2))}}},
	{"cvt.rm.f32.s32 %d, %a;", typF32, []typ{typS32}, [][]uint64{{i32(-(1<<24 + 1)), fb(-(1<<24 + 2))}}},
	{"cvt.rp.f32.u32 %d, %a;", typF32, []typ{typU32}, [][]uint64{{1<<24 + 1, fb(1<<24 + 2)}, {i32(-1), fb(1 << 32)}}},
	{"cvt.rn.f32.u64 %d, %a;", typF32, []typ{typU64}, [][]uint64{{1<<63 + 1<<39 + 1, fb(1<<63 + 1<<40)}, {1<<63 + 1<<39, fb(1 << 63)}}},
	{"cvt.rn.f32.s64 %d, %a;", typF32, []typ{typS64}, [][]uint64{{1 << 63, fb(-1 << 63)}}},
	{"cvt.rn.f32.u16 %d, %a;", typF32, []typ{typU16}, [][]uint64{{65535, fb(65535)}}},
	{"cvt.rn.f32.s8 %d, %a;", typF32, []typ{typS32}, [][]uint64{{0x80, fb(-128)}}},
	{"cvt.rn.f64.s64 %d, %a;", typF64, []typ{typS64}, [][]uint64{{^uint64(0), db(-1)}}},
	{"cvt.rn.f64.u64 %d, %a;", typF64, []typ{typU64}, [][]uint64{{^uint64(0), db(1 << 64)}}},
	{"cvt.rzi.s32.f32 %d, %a;", typS32, []typ{typF32}, [][]uint64{{fb(-1.9), i32(-1)}, {nan32, 0}, {fb(1e20), 0x7fffffff}, {fb(-1e20), 0x80000000}}},
	{"cvt.rni.s32.f32 %d, %a;", typS32, []typ{typF32}, [][]uint64{{fb(2.5), 2}, {fb(3.5), 4}, {fb(-2.5), i32(-2)}}},
	{"cvt.rmi.s32.f32 %d, %a;", typS32, []typ{typF32}, [][]uint64{{fb(-1.1), i32(-2)}}},
	{"cvt.rpi.s32.f32 %d, %a;", typS32, []typ{typF32}, [][]uint64{{fb(1.1), 2}}},
	{"cvt.rzi.u32.f32 %d, %a;", typU32, []typ{typF32}, [][]uint64{{fb(-5), 0}, {fb(4e9), 4e9}, {fb(5e9), 0xffffffff}}},
	{"cvt.rzi.u64.f32 %d, %a;", typU64, []typ{typF32}, [][]uint64{{fb(1 << 63), 1 << 63}, {fb(1 << 64), ^uint64(0)}}},
	{"cvt.rzi.s64.f64 %d, %a;", typS64, []typ{typF64}, [][]uint64{{db(-1e10), ^uint64(1e10) + 1}}},
	{"cvt.rzi.u8.f32 %d, %a;", typU32, []typ{typF32}, [][]uint64{{fb(300), 255}}},
	{"cvt.rni.f32.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(2.5), fb(2)}, {fb(-0.3), 0x80000000}}},
	{"cvt.rmi.f32.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(-2.5), fb(-3)}}},
	{"cvt.rpi.f32.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(2.1), fb(3)}}},
	{"cvt.rzi.f32.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(-2.9), fb(-2)}}},
	{"cvt.sat.f32.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(2), fb(1)}, {nan32, 0}, {fb(-3), 0}}},
	{"cvt.f64.f32 %d, %a;", typF64, []typ{typF32}, [][]uint64{{fb(1.5), db(1.5)}, {1, db(0x1p-149)}}},
	{"cvt.ftz.f64.f32 %d, %a;", typF64, []typ{typF32}, [][]uint64{{1, 0}}},
	{"cvt.rn.f32.f64 %d, %a;", typF32, []typ{typF64}, [][]uint64{{db(1 + 0x1p-24), fb(1)}, {db(1e300), fb(math.Inf(1))}}},
	{"cvt.rz.f32.f64 %d, %a;", typF32, []typ{typF64}, [][]uint64{{db(1e300), 0x7f7fffff}}},
	{"cvt.rn.f16.f32 %d, %a;", typB16, []typ{typF32}, [][]uint64{{fb(1), 0x3c00}, {fb(65520), 0x7c00}}},
	{"cvt.f32.f16 %d, %a;", typF32, []typ{typB16}, [][]uint64{{0x3c00, fb(1)}, {1, fb(0x1p-24)}}},

	// Other types, bounds, and the other way round.
	{"sub.sat.s32 %d, %a, %b;", typS32, []typ{typS32, typS32}, [][]uint64{{0x7fffffff, i32(-1), 0x7fffffff}, {5, 3, 2}}},
	{"mul.hi.s16 %d, %a, %b;", typS16, []typ{typS16, typS16}, [][]uint64{{i16(-1), 1, 0xffff}, {0x4000, 4, 1}}},
	{"mul.hi.u16 %d, %a, %b;", typU16, []typ{typU16, typU16}, [][]uint64{{0xffff, 2, 1}}},
	{"mul.wide.u16 %d, %a, %b;", typU32, []typ{typU16, typU16}, [][]uint64{{0xffff, 2, 0x1fffe}}},
	{"mad.lo.u16 %d, %a, %b, %c;", typU16, []typ{typU16, typU16, typU16}, [][]uint64{{0xffff, 2, 3, 1}}},
	{"mad.hi.s32 %d, %a, %b, %c;", typS32, []typ{typS32, typS32, typS32}, [][]uint64{{i32(-1), 1, 5, 4}}},
	{"mad.hi.s64 %d, %a, %b, %c;", typS64, []typ{typS64, typS64, typS64}, [][]uint64{{^uint64(0), 1, 5, 4}}},
	{"mad.wide.u16 %d, %a, %b, %c;", typU32, []typ{typU16, typU16, typU32}, [][]uint64{{0xffff, 2, 1, 0x1ffff}}},
	{"mad.wide.s16 %d, %a, %b, %c;", typS32, []typ{typS16, typS16, typS32}, [][]uint64{{i16(-1), 2, 5, 3}}},
	{"div.s64 %d, %a, %b;", typS64, []typ{typS64, typS64}, [][]uint64{{^uint64(6), 2, ^uint64(2)}, {5, 0, ^uint64(0)}}},
	{"div.u16 %d, %a, %b;", typU16, []typ{typU16, typU16}, [][]uint64{{7, 2, 3}, {7, 0, 0xffff}}},
	{"rem.s64 %d, %a, %b;", typS64, []typ{typS64, typS64}, [][]uint64{{^uint64(6), 2, ^uint64(0)}, {5, 0, 5}}},
	{"rem.u32 %d, %a, %b;", typU32, []typ{typU32, typU32}, [][]uint64{{7, 4, 3}, {7, 0, 7}}},
	{"rem.s16 %d, %a, %b;", typS16, []typ{typS16, typS16}, [][]uint64{{i16(-7), 2, 0xffff}}},
	{"min.s64 %d, %a, %b;", typS64, []typ{typS64, typS64}, [][]uint64{{^uint64(0), 2, ^uint64(0)}, {2, ^uint64(0), ^uint64(0)}}},
	{"max.s32 %d, %a, %b;", typS32, []typ{typS32, typS32}, [][]uint64{{i32(-7), 2, 2}, {3, 2, 3}}},
	{"max.u32 %d, %a, %b;", typU32, []typ{typU32, typU32}, [][]uint64{{i32(-7), 2, i32(-7)}, {2, 3, 3}}},
	{"min.u16 %d, %a, %b;", typU16, []typ{typU16, typU16}, [][]uint64{{0xffff, 2, 2}}},
	{"max.s16 %d, %a, %b;", typS16, []typ{typS16, typS16}, [][]uint64{{i16(-1), 2, 2}}},
	{"abs.s16 %d, %a;", typS16, []typ{typS16}, [][]uint64{{i16(-7), 7}, {7, 7}, {0x8000, 0x8000}}},
	{"abs.s64 %d, %a;", typS64, []typ{typS64}, [][]uint64{{^uint64(6), 7}, {7, 7}}},
	{"neg.s64 %d, %a;", typS64, []typ{typS64}, [][]uint64{{7, ^uint64(6)}}},
	{"sad.s32 %d, %a, %b, %c;", typS32, []typ{typS32, typS32, typS32}, [][]uint64{{i32(-3), 10, 100, 113}, {10, i32(-3), 100, 113}}},
	{"sad.u32 %d, %a, %b, %c;", typU32, []typ{typU32, typU32, typU32}, [][]uint64{{10, 3, 100, 107}}},
	{"sad.u16 %d, %a, %b, %c;", typU16, []typ{typU16, typU16, typU16}, [][]uint64{{3, 10, 0xffff, 6}}},
	{"not.b64 %d, %a;", typB64, []typ{typB64}, [][]uint64{{1, ^uint64(1)}}},
	{"cnot.b16 %d, %a;", typB16, []typ{typB16}, [][]uint64{{0, 1}, {5, 0}}},
	{"or.b64 %d, %a, %b;", typB64, []typ{typB64, typB64}, [][]uint64{{1 << 63, 1, 1<<63 | 1}}},
	{"or.b16 %d, %a, %b;", typB16, []typ{typB16, typB16}, [][]uint64{{0xf00, 0xf, 0xf0f}}},
	{"shl.b64 %d, %a, %b;", typB64, []typ{typB64, typU32}, [][]uint64{{3, 63, 1 << 63}}},
	{"shr.u16 %d, %a, %b;", typU16, []typ{typU16, typU32}, [][]uint64{{0x8000, 15, 1}, {0x8000, 16, 0}}},
	{"shr.s64 %d, %a, %b;", typS64, []typ{typS64, typU32}, [][]uint64{{1 << 63, 99, ^uint64(0)}, {64, 2, 16}}},
	{"shr.s16 %d, %a, %b;", typS16, []typ{typS16, typU32}, [][]uint64{{0x8000, 99, 0xffff}}},
	{"shf.l.clamp.b32 %d, %a, %b, %c;", typB32, []typ{typB32, typB32, typU32}, [][]uint64{{0x80000002, 1, 31, 0xc0000001}, {5, 7, 32, 5}}},
	{"shf.r.clamp.b32 %d, %a, %b, %c;", typB32, []typ{typB32, typB32, typU32}, [][]uint64{{0x80000002, 1, 31, 3}, {5, 7, 32, 7}}},
	{"bfind.u64 %d, %a;", typU32, []typ{typU64}, [][]uint64{{1 << 40, 40}, {0, 0xffffffff}}},
	{"bfind.s64 %d, %a;", typU32, []typ{typS64}, [][]uint64{{^uint64(0), 0xffffffff}, {^uint64(4), 2}}},
	{"bfind.shiftamt.s64 %d, %a;", typU32, []typ{typS64}, [][]uint64{{1 << 40, 23}, {0, 0xffffffff}}},
	{"bfe.u64 %d, %a, %b, %c;", typU64, []typ{typU64, typU32, typU32}, [][]uint64{{1<<63 | 5, 60, 4, 8}, {^uint64(0), 0, 64, ^uint64(0)}, {^uint64(0), 64, 1, 0}, {^uint64(0), 63, 255, 1}, {5, 256, 1, 1}, {5, 0, 257, 1}}},
	{"bfe.u32 %d, %a, %b, %c;", typU32, []typ{typU32, typU32, typU32}, [][]uint64{{0xabcd, 64, 4, 0}, {0xabcd, 40, 4, 0}}},
	{"bfe.s64 %d, %a, %b, %c;", typS64, []typ{typS64, typU32, typU32}, [][]uint64{{1 << 63, 60, 4, ^uint64(7)}, {1 << 62, 60, 4, 4}, {1 << 63, 64, 4, ^uint64(0)}, {1 << 62, 64, 4, 0}, {^uint64(0), 0, 64, ^uint64(0)}}},
	{"bfe.s32 %d, %a, %b, %c;", typS32, []typ{typS32, typU32, typU32}, [][]uint64{{0x40000000, 40, 4, 0}, {0x80000000, 32, 1, i32(-1)}, {0xabcd, 0, 16, 0xffffabcd}, {0x7fffffff, 16, 16, 0x7fff}, {8, 3, 1, i32(-1)}, {8, 259, 257, i32(-1)}}},
	{"bfi.b32 %d, %a, %b, 0, 0;", typB32, []typ{typB32, typB32}, [][]uint64{{7, 9, 9}}},
	{"bfi.b32 %d, %a, %b, 28, 8;", typB32, []typ{typB32, typB32}, [][]uint64{{0xf5, 0, 0x50000000}}},
	{"bfi.b32 %d, %a, %b, 64, 4;", typB32, []typ{typB32, typB32}, [][]uint64{{0xf5, 9, 9}}},
	{"bfi.b32 %d, %a, %b, 264, 260;", typB32, []typ{typB32, typB32}, [][]uint64{{0x5, 0xffffffff, 0xfffff5ff}}},
	{"bfi.b32 %d, %a, %b, 0, 64;", typB32, []typ{typB32, typB32}, [][]uint64{{7, 9, 7}}},
	{"bfi.b64 %d, %a, %b, 63, 4;", typB64, []typ{typB64, typB64}, [][]uint64{{3, 5, 1<<63 | 5}}},
	{"bfi.b64 %d, %a, %b, 0, 65;", typB64, []typ{typB64, typB64}, [][]uint64{{3, 5, 3}}},
	{"prmt.b32 %d, %a, %b, %c;", typB32, []typ{typB32, typB32, typB32}, [][]uint64{{0x33221180, 0x77665544, 0x1080, 0x1180ff80}, {0x33221180, 0x776655c4, 0x4cf7, 0xc4ff0077}}},
	{"sub.rp.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1), fb(0x1p-40), fb(1)}}},
	{"sub.rm.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1), fb(0x1p-40), fb(1 - 0x1p-24)}}},
	{"add.rm.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1), fb(-0x1p-40), fb(1 - 0x1p-24)}}},
	{"mul.rp.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1 + 0x1p-23), fb(1 + 0x1p-23), fb(1 + 3*0x1p-23)}}},
	{"mul.rz.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1 + 0x1p-23), fb(1 + 0x1p-23), fb(1 + 2*0x1p-23)}}},
	{"mul.sat.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(2), fb(3), fb(1)}, {fb(-2), fb(3), 0}, {fb(0.5), fb(0.5), fb(0.25)}}},
	{"mad.rn.f32 %d, %a, %b, %c;", typF32, []typ{typF32, typF32, typF32}, [][]uint64{{fb(2), fb(3), fb(4), fb(10)}}},
	{"fma.rn.ftz.sat.f32 %d, %a, %b, %c;", typF32, []typ{typF32, typF32, typF32}, [][]uint64{{fb(1), fb(1), 1, fb(1)}, {fb(1), fb(1), fb(1), fb(1)}, {fb(0x1p-70), fb(0x1p-70), 0, 0}}},
	{"div.rz.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1), fb(3), 0x3eaaaaaa}, {fb(-1), fb(3), 0xbeaaaaaa}}},
	{"div.rp.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1), fb(3), 0x3eaaaaab}, {fb(1), fb(-3), 0xbeaaaaaa}}},
	{"div.rm.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(1), fb(3), 0x3eaaaaaa}, {fb(1), fb(-3), 0xbeaaaaab}}},
	{"rcp.rz.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(3), 0x3eaaaaaa}}},
	{"rcp.rp.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(3), 0x3eaaaaab}}},
	{"sqrt.rz.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(2), 0x3fb504f3}}},
	{"sqrt.rp.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{fb(2), 0x3fb504f4}}},
	{"sqrt.rn.ftz.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{1 << 21, 0}, {1<<31 | 1, 1 << 31}}},
	{"min.ftz.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{2, 1, 0}, {fb(3), 1, 0}}},
	{"min.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{2, 1, 1}, {fb(-2), fb(1), fb(-2)}}},
	{"max.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{nan32, fb(2), fb(2)}, {0, 0x80000000, 0}, {fb(-2), fb(1), fb(1)}}},
	{"max.NaN.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{nan32, fb(1), nan32}, {fb(2), fb(1), fb(2)}}},
	{"min.NaN.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{nan32, fb(1), nan32}, {fb(1), 0xffc00000, nan32}, {fb(2), fb(1), fb(1)}}},
	{"max.f64 %d, %a, %b;", typF64, []typ{typF64, typF64}, [][]uint64{{nan64, db(2), db(2)}, {db(2), nan64, db(2)}, {0, 1 << 63, 0}, {1 << 63, 0, 0}, {db(2), db(3), db(3)}, {nan64, ^uint64(0), nan64}}},
	{"min.f64 %d, %a, %b;", typF64, []typ{typF64, typF64}, [][]uint64{{db(2), db(3), db(2)}}},
	{"abs.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{0xffc00001, nan32}}},
	{"neg.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{0x7fc00001, nan32}, {0x80000000, 0}}},
	{"abs.ftz.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{0x80000001, 0}}},
	{"neg.ftz.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{1, 0x80000000}}},
	{"add.f64 %d, %a, %b;", typF64, []typ{typF64, typF64}, [][]uint64{{db(math.Inf(1)), db(math.Inf(-1)), nan64}, {db(1), db(0x1p-53), db(1)}}},
	{"abs.f64 %d, %a;", typF64, []typ{typF64}, [][]uint64{{1<<63 | 1, 1}, {^uint64(0), nan64}}},
	{"neg.f64 %d, %a;", typF64, []typ{typF64}, [][]uint64{{0, 1 << 63}, {1 << 63, 0}, {^uint64(0), nan64}}},
	{"copysign.f64 %d, %a, %b;", typF64, []typ{typF64, typF64}, [][]uint64{{db(-3), db(2), db(-2)}, {db(3), db(-2), db(2)}}},
	{"copysign.f32 %d, %a, %b;", typF32, []typ{typF32, typF32}, [][]uint64{{fb(3), fb(-2), fb(2)}}},
	{"testp.subnormal.f32 %d, %a;", typPred, []typ{typF32}, [][]uint64{{0x007fffff, 1}, {fb(0x1p-126), 0}, {0x80000001, 1}, {nan32, 0}}},
	{"testp.normal.f32 %d, %a;", typPred, []typ{typF32}, [][]uint64{{0x007fffff, 0}, {fb(0x1p-126), 1}, {fb(-0x1p-126), 1}, {fb(math.Inf(-1)), 0}}},
	{"testp.finite.f32 %d, %a;", typPred, []typ{typF32}, [][]uint64{{nan32, 0}, {0, 1}, {fb(math.Inf(-1)), 0}}},
	{"testp.infinite.f32 %d, %a;", typPred, []typ{typF32}, [][]uint64{{nan32, 0}, {fb(math.Inf(-1)), 1}}},
	{"testp.subnormal.f64 %d, %a;", typPred, []typ{typF64}, [][]uint64{{1, 1}, {db(0x1p-1022), 0}, {db(1), 0}, {0, 0}, {db(0x1p-1023), 1}}},
	{"testp.normal.f64 %d, %a;", typPred, []typ{typF64}, [][]uint64{{1, 0}, {db(0x1p-1022), 1}}},
	{"slct.ftz.f32.f32 %d, %a, %b, %c;", typF32, []typ{typF32, typF32, typF32}, [][]uint64{{7, 8, 0x80000001, 7}, {7, 8, fb(-1), 8}, {7, 8, 1, 7}}},
	{"slct.f32.f32 %d, %a, %b, %c;", typF32, []typ{typF32, typF32, typF32}, [][]uint64{{7, 8, 0x80000001, 8}}},
	{"slct.b64.s32 %d, %a, %b, %c;", typB64, []typ{typB64, typB64, typS32}, [][]uint64{{7, 8, 0, 7}, {7, 8, i32(-1), 8}}},
	{"set.lt.u32.f32 %d, %a, %b;", typU32, []typ{typF32, typF32}, [][]uint64{{fb(1), fb(2), 0xffffffff}, {nan32, 0, 0}}},
	{"set.gt.ftz.u32.f32 %d, %a, %b;", typU32, []typ{typF32, typF32}, [][]uint64{{1, 0, 0}, {fb(2), fb(1), 0xffffffff}}},
	{"set.eq.f32.s32 %d, %a, %b;", typF32, []typ{typS32, typS32}, [][]uint64{{3, 3, fb(1)}, {3, 4, 0}}},
	{"setp.gt.ftz.f32 %d, %a, %b;", typPred, []typ{typF32, typF32}, [][]uint64{{fb(1), 0, 1}, {0, 0x80000001, 0}}},
	{"setp.lt.and.s32 %q|%d, %a, %b, %c;", typPred, []typ{typS32, typS32, typPred}, [][]uint64{{1, 2, 1, 0}, {3, 2, 1, 1}, {3, 2, 0, 0}}},
	{"setp.lt.or.s32 %q|%d, %a, %b, %c;", typPred, []typ{typS32, typS32, typPred}, [][]uint64{{1, 2, 0, 0}, {1, 2, 1, 1}, {3, 2, 0, 1}}},
	{"setp.lt.and.s32 %d, %a, %b, !%c;", typPred, []typ{typS32, typS32, typPred}, [][]uint64{{1, 2, 1, 0}, {1, 2, 0, 1}, {3, 2, 0, 0}}},
	{"setp.lt.xor.s32 %d, %a, %b, %c;", typPred, []typ{typS32, typS32, typPred}, [][]uint64{{1, 2, 1, 0}, {1, 2, 0, 1}, {3, 2, 1, 1}, {3, 2, 0, 0}}},
	{"cvt.sat.s32.u32 %d, %a;", typS32, []typ{typU32}, [][]uint64{{0xffffffff, 0x7fffffff}, {0x80000000, 0x7fffffff}, {5, 5}}},
	{"cvt.sat.u32.s64 %d, %a;", typU32, []typ{typS64}, [][]uint64{{^uint64(0), 0}, {1 << 40, 0xffffffff}, {5, 5}, {0xffffffff, 0xffffffff}, {1 << 32, 0xffffffff}}},
	{"cvt.sat.s32.u64 %d, %a;", typS32, []typ{typU64}, [][]uint64{{1 << 63, 0x7fffffff}, {7, 7}}},
	{"cvt.sat.u32.u64 %d, %a;", typU32, []typ{typU64}, [][]uint64{{1 << 63, 0xffffffff}, {1 << 32, 0xffffffff}, {0xffffffff, 0xffffffff}, {7, 7}}},
	{"cvt.sat.s64.u64 %d, %a;", typS64, []typ{typU64}, [][]uint64{{1 << 63, 1<<63 - 1}, {1<<63 - 1, 1<<63 - 1}, {7, 7}}},
	{"cvt.sat.u64.s64 %d, %a;", typU64, []typ{typS64}, [][]uint64{{^uint64(0), 0}, {5, 5}, {0, 0}}},
	{"cvt.sat.u64.u32 %d, %a;", typU64, []typ{typU32}, [][]uint64{{0xffffffff, 0xffffffff}}},
	{"cvt.sat.s8.s32 %d, %a;", typS32, []typ{typS32}, [][]uint64{{127, 127}, {128, 127}, {i32(-128), i32(-128)}, {i32(-129), i32(-128)}}},
	{"cvt.sat.u8.s32 %d, %a;", typU32, []typ{typS32}, [][]uint64{{255, 255}, {256, 255}, {0, 0}, {i32(-1), 0}, {1, 1}}},
	{"cvt.sat.u16.u32 %d, %a;", typU16, []typ{typU32}, [][]uint64{{65535, 65535}, {65536, 65535}}},
	{"cvt.s64.u32 %d, %a;", typS64, []typ{typU32}, [][]uint64{{0xffffffff, 0xffffffff}}},
	{"cvt.u64.s32 %d, %a;", typU64, []typ{typS32}, [][]uint64{{i32(-1), ^uint64(0)}}},
	{"cvt.s16.s32 %d, %a;", typS16, []typ{typS32}, [][]uint64{{0x18000, 0x8000}}},
	{"cvt.rzi.s32.f32 %d, %a;", typS32, []typ{typF32}, [][]uint64{{fb(2147483648), 0x7fffffff}, {fb(-2147483648), 0x80000000}, {fb(2147483520), 2147483520}, {fb(-2147483904), 0x80000000}}},
	{"cvt.rzi.s64.f32 %d, %a;", typS64, []typ{typF32}, [][]uint64{{fb(1 << 63), 1<<63 - 1}, {fb(-1 << 63), 1 << 63}, {fb(-1), ^uint64(0)}}},
	{"cvt.rzi.u32.f32 %d, %a;", typU32, []typ{typF32}, [][]uint64{{fb(4294967296), 0xffffffff}, {fb(4294967040), 4294967040}, {0, 0}, {fb(-0.5), 0}, {fb(0.9), 0}, {fb(1), 1}, {nan32, 0}}},
	{"cvt.rzi.u64.f32 %d, %a;", typU64, []typ{typF32}, [][]uint64{{fb(0x1.8p63), 3 << 62}, {fb(0x1p62), 1 << 62}, {fb(-1), 0}}},
	{"cvt.rzi.s8.f32 %d, %a;", typS32, []typ{typF32}, [][]uint64{{fb(-200), i32(-128)}, {fb(-5), i32(-5)}, {fb(200), 127}}},
	{"cvt.rzi.s16.f32 %d, %a;", typS32, []typ{typF32}, [][]uint64{{fb(-5), i32(-5)}, {fb(40000), 32767}}},
	{"cvt.rzi.u16.f32 %d, %a;", typU16, []typ{typF32}, [][]uint64{{fb(40000), 40000}, {fb(70000), 65535}}},
	{"cvt.rni.s32.f64 %d, %a;", typS32, []typ{typF64}, [][]uint64{{db(2.5), 2}, {db(-3.5), i32(-4)}}},
	{"cvt.rzi.s32.f16 %d, %a;", typS32, []typ{typB16}, [][]uint64{{0xc100, i32(-2)}}},
	{"cvt.rni.f64.f64 %d, %a;", typF64, []typ{typF64}, [][]uint64{{db(2.5), db(2)}, {db(3.5), db(4)}}},
	{"cvt.rzi.ftz.s32.f32 %d, %a;", typS32, []typ{typF32}, [][]uint64{{1, 0}}},
	{"cvt.rpi.ftz.s32.f32 %d, %a;", typS32, []typ{typF32}, [][]uint64{{1, 0}, {fb(0.1), 1}}},
	{"cvt.rpi.s32.f32 %d, %a;", typS32, []typ{typF32}, [][]uint64{{1, 1}}},
	{"cvt.rn.ftz.f32.f64 %d, %a;", typF32, []typ{typF64}, [][]uint64{{db(0x1p-140), 0}, {db(-0x1p-140), 1 << 31}, {db(0x1p-126), fb(0x1p-126)}}},
	{"cvt.rn.f32.f64 %d, %a;", typF32, []typ{typF64}, [][]uint64{{db(0x1p-140), 1 << 9}}},
	{"cvt.ftz.f32.f32 %d, %a;", typF32, []typ{typF32}, [][]uint64{{1, 0}, {fb(3), fb(3)}}},
	{"cvt.f64.f16 %d, %a;", typF64, []typ{typB16}, [][]uint64{{0x3c00, db(1)}, {0x7c01, nan64}}},
	{"cvt.rz.f16.f32 %d, %a;", typB16, []typ{typF32}, [][]uint64{{fb(65535), 0x7bff}, {fb(-1), 0xbc00}}},
	{"cvt.rn.sat.f32.s32 %d, %a;", typF32, []typ{typS32}, [][]uint64{{5, fb(1)}, {i32(-5), 0}, {1, fb(1)}}},
	{"cvt.rn.f32.s16 %d, %a;", typF32, []typ{typS16}, [][]uint64{{0x8000, fb(-32768)}}},
	{"cvt.rn.f64.s32 %d, %a;", typF64, []typ{typS32}, [][]uint64{{i32(-1), db(-1)}}},
	{"cvt.rn.f64.u32 %d, %a;", typF64, []typ{typU32}, [][]uint64{{i32(-1), db(4294967295)}}},
	{"mov.b64 %d, {%a, %b, %a, %b};", typB64, []typ{typB16, typB16}, [][]uint64{{7, 9, 9<<48 | 7<<32 | 9<<16 | 7}}},
}

func TestInstructions(t *testing.T) {
	for _, c := range instructions {
		// Alone, and with all lanes of a warp, which may take a faster way.
		for _, copies := range []int{1, 32} {
			var rows [][]uint64
			var want []uint64
			for _, row := range c.rows {
				require.Len(t, row, len(c.src)+1, c.text)
				for range copies {
					rows = append(rows, row[:len(c.src)])
					want = append(want, row[len(c.src)])
				}
			}
			got := evaluate(t, c.text, c.dst, c.src, rows)
			for i := range want {
				require.Equalf(t, want[i], got[i], "%s of %#x: want %#x, got %#x", c.text, rows[i], want[i], got[i])
			}
		}
	}
}

// The table of lop3 is what it makes of 0xf0, 0xcc and 0xaa.
func TestLop3Tables(t *testing.T) {
	for table := range uint64(256) {
		want := table
		if table&1 != 0 { // where all three bits are 0
			want |= 0xffffff00
		}
		got := evaluate(t, fmt.Sprintf("lop3.b32 %%d, %%a, %%b, %%c, %d;", table), typB32, []typ{typB32, typB32, typB32}, [][]uint64{{0xf0, 0xcc, 0xaa}})
		require.Equal(t, want, got[0], "%#x", table)
	}
}

// A predicated instruction changes only the lanes that its guard names.
func TestGuards(t *testing.T) {
	for _, text := range []string{
		"mov.u32 %d, 5;\n@%q%s add.s32 %d, %a, %b;",
		"mov.u32 %d, 5;\n@%q%s min.s32 %d, %a, %b;",
	} {
		for _, not := range []string{"", "!"} {
			body := "setp.lt.s32 %q, %a, 10;\n" + strings.Replace(strings.Replace(text, "%s", "", 1), "@%q", "@"+not+"%q", 1)
			rows := [][]uint64{}
			for i := range uint64(40) {
				rows = append(rows, []uint64{i, 100})
			}
			got := evaluate(t, body, typU32, []typ{typS32, typS32}, rows)
			for i, v := range got {
				want := uint64(5)
				if (i < 10) == (not == "") {
					want = uint64(i)
					if strings.Contains(text, "add") {
						want += 100
					}
				}
				require.Equal(t, want, v, "%s, lane %d", body, i)
			}
		}
	}
}

// Approximations that are to err do so in both directions, by as much as they may;
// exact instructions do not, nor do infinities and NaN.
func TestRough(t *testing.T) {
	rough := Config{Workers: 1, Rough: true}
	var rows [][]uint64
	for i := range 1000 {
		rows = append(rows, []uint64{fb(0.01 + 0.004*float64(i))})
	}
	for op, f := range map[string]func(float64) float64{
		"ex2": math.Exp2, "lg2": math.Log2, "sqrt": math.Sqrt,
		"rcp": func(x float64) float64 { return 1 / x }, "rsqrt": func(x float64) float64 { return 1 / math.Sqrt(x) },
	} {
		up := 0
		for i, got := range evaluateOn(t, rough, op+".approx.f32 %d, %a;", typF32, []typ{typF32}, rows) {
			x := float64(f32(rows[i][0]))
			want := f(x)
			most := 0x1p-22 * math.Abs(want)
			if op == "lg2" && x > 0.5 && x < 2 {
				most = 0x1p-22
			}
			off := float64(f32(got)) - want
			require.InDelta(t, most, math.Abs(off), 0x1p-23*math.Abs(want), "%s of %v, which is rounded twice", op, x)
			if off > 0 {
				up++
			}
		}
		require.InDelta(t, 500, up, 100, op)
	}
	one := func(text string, x float64) float64 {
		return float64(f32(evaluateOn(t, rough, text, typF32, []typ{typF32}, [][]uint64{{fb(x)}})[0]))
	}
	require.Equal(t, float64(float32(1)/3), one("rcp.rn.f32 %d, %a;", 3))
	require.Equal(t, math.Inf(1), one("rcp.approx.f32 %d, %a;", 0))
	require.True(t, math.IsNaN(one("lg2.approx.f32 %d, %a;", -1)))
}
