package ptxsim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cuda/driver"
)

// The figures of the PTX ISA (9.7.13, "Matrix Fragments for mma.m16n8k4" and
// "... for mma.m16n8k8" with .tf32 operands): which thread of the warp holds
// an element, in which register. C and D are the same in both.
const (
	fragmentA8 = `
T0:a0  T1:a0  T2:a0  T3:a0  T0:a2  T1:a2  T2:a2  T3:a2
T4:a0  T5:a0  T6:a0  T7:a0  T4:a2  T5:a2  T6:a2  T7:a2
T8:a0  T9:a0  T10:a0 T11:a0 T8:a2  T9:a2  T10:a2 T11:a2
T12:a0 T13:a0 T14:a0 T15:a0 T12:a2 T13:a2 T14:a2 T15:a2
T16:a0 T17:a0 T18:a0 T19:a0 T16:a2 T17:a2 T18:a2 T19:a2
T20:a0 T21:a0 T22:a0 T23:a0 T20:a2 T21:a2 T22:a2 T23:a2
T24:a0 T25:a0 T26:a0 T27:a0 T24:a2 T25:a2 T26:a2 T27:a2
T28:a0 T29:a0 T30:a0 T31:a0 T28:a2 T29:a2 T30:a2 T31:a2
T0:a1  T1:a1  T2:a1  T3:a1  T0:a3  T1:a3  T2:a3  T3:a3
T4:a1  T5:a1  T6:a1  T7:a1  T4:a3  T5:a3  T6:a3  T7:a3
T8:a1  T9:a1  T10:a1 T11:a1 T8:a3  T9:a3  T10:a3 T11:a3
T12:a1 T13:a1 T14:a1 T15:a1 T12:a3 T13:a3 T14:a3 T15:a3
T16:a1 T17:a1 T18:a1 T19:a1 T16:a3 T17:a3 T18:a3 T19:a3
T20:a1 T21:a1 T22:a1 T23:a1 T20:a3 T21:a3 T22:a3 T23:a3
T24:a1 T25:a1 T26:a1 T27:a1 T24:a3 T25:a3 T26:a3 T27:a3
T28:a1 T29:a1 T30:a1 T31:a1 T28:a3 T29:a3 T30:a3 T31:a3`
	fragmentB8 = `
T0:b0  T4:b0  T8:b0  T12:b0 T16:b0 T20:b0 T24:b0 T28:b0
T1:b0  T5:b0  T9:b0  T13:b0 T17:b0 T21:b0 T25:b0 T29:b0
T2:b0  T6:b0  T10:b0 T14:b0 T18:b0 T22:b0 T26:b0 T30:b0
T3:b0  T7:b0  T11:b0 T15:b0 T19:b0 T23:b0 T27:b0 T31:b0
T0:b1  T4:b1  T8:b1  T12:b1 T16:b1 T20:b1 T24:b1 T28:b1
T1:b1  T5:b1  T9:b1  T13:b1 T17:b1 T21:b1 T25:b1 T29:b1
T2:b1  T6:b1  T10:b1 T14:b1 T18:b1 T22:b1 T26:b1 T30:b1
T3:b1  T7:b1  T11:b1 T15:b1 T19:b1 T23:b1 T27:b1 T31:b1`
	fragmentA4 = `
T0:a0  T1:a0  T2:a0  T3:a0
T4:a0  T5:a0  T6:a0  T7:a0
T8:a0  T9:a0  T10:a0 T11:a0
T12:a0 T13:a0 T14:a0 T15:a0
T16:a0 T17:a0 T18:a0 T19:a0
T20:a0 T21:a0 T22:a0 T23:a0
T24:a0 T25:a0 T26:a0 T27:a0
T28:a0 T29:a0 T30:a0 T31:a0
T0:a1  T1:a1  T2:a1  T3:a1
T4:a1  T5:a1  T6:a1  T7:a1
T8:a1  T9:a1  T10:a1 T11:a1
T12:a1 T13:a1 T14:a1 T15:a1
T16:a1 T17:a1 T18:a1 T19:a1
T20:a1 T21:a1 T22:a1 T23:a1
T24:a1 T25:a1 T26:a1 T27:a1
T28:a1 T29:a1 T30:a1 T31:a1`
	fragmentB4 = `
T0:b0  T4:b0  T8:b0  T12:b0 T16:b0 T20:b0 T24:b0 T28:b0
T1:b0  T5:b0  T9:b0  T13:b0 T17:b0 T21:b0 T25:b0 T29:b0
T2:b0  T6:b0  T10:b0 T14:b0 T18:b0 T22:b0 T26:b0 T30:b0
T3:b0  T7:b0  T11:b0 T15:b0 T19:b0 T23:b0 T27:b0 T31:b0`
	fragmentC = `
T0:c0  T0:c1  T1:c0  T1:c1  T2:c0  T2:c1  T3:c0  T3:c1
T4:c0  T4:c1  T5:c0  T5:c1  T6:c0  T6:c1  T7:c0  T7:c1
T8:c0  T8:c1  T9:c0  T9:c1  T10:c0 T10:c1 T11:c0 T11:c1
T12:c0 T12:c1 T13:c0 T13:c1 T14:c0 T14:c1 T15:c0 T15:c1
T16:c0 T16:c1 T17:c0 T17:c1 T18:c0 T18:c1 T19:c0 T19:c1
T20:c0 T20:c1 T21:c0 T21:c1 T22:c0 T22:c1 T23:c0 T23:c1
T24:c0 T24:c1 T25:c0 T25:c1 T26:c0 T26:c1 T27:c0 T27:c1
T28:c0 T28:c1 T29:c0 T29:c1 T30:c0 T30:c1 T31:c0 T31:c1
T0:c2  T0:c3  T1:c2  T1:c3  T2:c2  T2:c3  T3:c2  T3:c3
T4:c2  T4:c3  T5:c2  T5:c3  T6:c2  T6:c3  T7:c2  T7:c3
T8:c2  T8:c3  T9:c2  T9:c3  T10:c2 T10:c3 T11:c2 T11:c3
T12:c2 T12:c3 T13:c2 T13:c3 T14:c2 T14:c3 T15:c2 T15:c3
T16:c2 T16:c3 T17:c2 T17:c3 T18:c2 T18:c3 T19:c2 T19:c3
T20:c2 T20:c3 T21:c2 T21:c3 T22:c2 T22:c3 T23:c2 T23:c3
T24:c2 T24:c3 T25:c2 T25:c3 T26:c2 T26:c3 T27:c2 T27:c3
T28:c2 T28:c3 T29:c2 T29:c3 T30:c2 T30:c3 T31:c2 T31:c3`
)

// holder is where an element of a matrix is.
type holder struct{ lane, register int }

// figure reads a fragment's figure, by row and column.
func figure(t *testing.T, text string) [][]holder {
	var rows [][]holder
	seen := map[holder]bool{}
	for line := range strings.Lines(strings.TrimPrefix(text, "\n")) {
		var row []holder
		for _, field := range strings.Fields(line) {
			var h holder
			var name rune
			_, err := fmt.Sscanf(field, "T%d:%c%d", &h.lane, &name, &h.register)
			require.NoError(t, err, field)
			require.False(t, seen[h], "%s twice", field)
			seen[h] = true
			row = append(row, h)
		}
		rows = append(rows, row)
	}
	return rows
}

// spread is what the lanes hold of a matrix, [lane][registers].
func spread(fragment [][]holder, registers int, matrix [][]float32) []float32 {
	v := make([]float32, 32*registers)
	for i, row := range fragment {
		for j, h := range row {
			v[h.lane*registers+h.register] = matrix[i][j]
		}
	}
	return v
}

// mmaKernel multiplies matrices [lane][registers] of a, b and c into d, with
// instructions before and after.
func mmaKernel(k int, before, after string) string {
	n := mmaRegisters(k)
	load := func(to string, from string, n int) string {
		s := fmt.Sprintf("ld.param.u64 %%d1, [%s];\nmul.wide.u32 %%d2, %%tid, %d;\nadd.s64 %%d1, %%d1, %%d2;\n", from, 4*n)
		for i := range n {
			s += fmt.Sprintf("ld.global.b32 %%%s%d, [%%d1+%d];\n", to, i, 4*i)
		}
		return s
	}
	list := func(name string, n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("%%%s%d", name, i))
		}
		return "{" + strings.Join(all, ",") + "}"
	}
	return `.version 7.8
.target sm_80
.address_size 64
.visible .entry k(.param .u64 d, .param .u64 a, .param .u64 b, .param .u64 c)
{
.reg .pred %p;
.reg .b32 %tid, %a<4>, %b<2>;
.reg .f32 %c<4>;
.reg .b64 %d<3>;
mov.u32 %tid, %tid.x;
` + load("a", "a", n[1]) + load("b", "b", n[2]) + load("c", "c", 4) + before +
		fmt.Sprintf("mma.sync.aligned.m16n8k%d.row.col.f32.tf32.tf32.f32 %s, %s, %s, %s;\n", k,
			list("c", 4), list("a", n[1]), list("b", n[2]), list("c", 4)) + after + `
ld.param.u64 %d0, [d];
mul.wide.u32 %d2, %tid, 16;
add.s64 %d0, %d0, %d2;
st.global.v4.f32 [%d0], {%c0, %c1, %c2, %c3};
ret;
}
`
}

// multiply runs mmaKernel on fragments, and returns that of D.
func multiply(t *testing.T, text string, threads int, a, b, c []float32) ([]float32, Counters, error) {
	var report Report
	sim := New(Config{Workers: 1, OnLaunch: func(r Report) { report = r }})
	m, err := sim.Load("test", text)
	require.NoError(t, err)
	f, err := m.Function("k")
	require.NoError(t, err)
	st, err := sim.NewStream()
	require.NoError(t, err)
	d, err := sim.Alloc("d", 4*32*4)
	require.NoError(t, err)
	var args driver.Args
	args.Ptr(d)
	for _, v := range [][]float32{a, b, c} {
		p, err := sim.Alloc("fragment", int64(4*len(v)))
		require.NoError(t, err)
		data := make([]byte, 4*len(v))
		for i, x := range v {
			binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(x))
		}
		require.NoError(t, st.Upload(p, data))
		args.Ptr(p)
	}
	if err := st.Launch(f, driver.Config{Grid: driver.Dim{X: 1}, Block: driver.Dim{X: threads}}, &args); err != nil {
		return nil, report.Counters, err
	}
	data := make([]byte, 4*32*4)
	require.NoError(t, st.Download(data, d))
	out := make([]float32, 32*4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return out, report.Counters, nil
}

// Small whole numbers, of which every sum is exact, show where each element
// goes.
func TestMMAFragments(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	matrix := func(rows, columns int) [][]float32 {
		m := make([][]float32, rows)
		for i := range m {
			m[i] = make([]float32, columns)
			for j := range m[i] {
				m[i][j] = float32(r.IntN(2001) - 1000)
			}
		}
		return m
	}
	for k, figures := range map[int][2]string{8: {fragmentA8, fragmentB8}, 4: {fragmentA4, fragmentB4}} {
		fa, fb, fc := figure(t, figures[0]), figure(t, figures[1]), figure(t, fragmentC)
		require.Len(t, fa[0], k)
		require.Len(t, fb, k)
		a, b, c := matrix(16, k), matrix(k, 8), matrix(16, 8)
		got, counters, err := multiply(t, mmaKernel(k, "", ""), 32, spread(fa, k/2, a), spread(fb, k/4, b), spread(fc, 4, c))
		require.NoError(t, err)
		require.EqualValues(t, 1, counters.Issued[ClassTensor])
		require.EqualValues(t, 16*8*k, counters.TensorFMAs)
		for i, row := range fc {
			for j, h := range row {
				want := c[i][j]
				for l := range k {
					want += a[i][l] * b[l][j]
				}
				require.Equal(t, want, got[4*h.lane+h.register], "k %d: D[%d][%d]", k, i, j)
			}
		}
	}
}

// fragmentOf is a fragment whose elements are all v.
func fragmentOf(registers int, v float32) []float32 {
	f := make([]float32, 32*registers)
	for i := range f {
		f[i] = v
	}
	return f
}

// What is computed is a float32's TF32: its low 13 bits do not count, its
// subnormals do. Products are exact and are rounded once, with c.
func TestMMAArithmetic(t *testing.T) {
	bits := math.Float32frombits
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, x := range []struct {
		name          string
		a, b, c, want float32
	}{
		{"low bits are ignored", bits(0x3f801fff), bits(0xc0001fff), 0, -16},
		{"the highest of the others counts", bits(0x3f802000), 1, 0, 8 * (1 + 0x1p-10)},
		{"products are exact", 1 + 0x1p-10, 1 + 0x1p-10, -8, 8 * (0x1p-9 + 0x1p-20)},
		{"small products are summed before they meet c", 0.5, 1, 1 << 24, 1<<24 + 4},
		{"c keeps all its bits", 0, 1, bits(0x3f800001), bits(0x3f800001)},
		{"half of the last bit goes to even", 0x1p-13, 0x1p-14, 1 + 0x1p-23, 1 + 0x1p-22},
		{"a subnormal counts", 0x1p-130, 0x1p10, 0, 0x1p-117},
		{"past the largest", 0x1p127, 2, 0, inf},
		{"infinity", -inf, 2, 1, -inf},
		{"infinity less infinity", inf, 1, -inf, nan},
		{"zero times infinity", 0, inf, 0, nan},
		{"NaN of C", 0, 0, nan, nan},
		{"NaN of A", nan, 0, 0, nan},
		{"a NaN of low bits is an infinity", bits(0x7f800001), 1, 0, inf},
	} {
		got, _, err := multiply(t, mmaKernel(8, "", ""), 32, fragmentOf(4, x.a), fragmentOf(2, x.b), fragmentOf(4, x.c))
		require.NoError(t, err)
		for _, v := range got {
			if x.want != x.want {
				require.Equal(t, uint32(nan32), math.Float32bits(v), x.name)
			} else {
				require.Equal(t, x.want, v, x.name)
			}
		}
	}
}

// All lanes must run it together, and have written what it reads.
func TestMMAFaults(t *testing.T) {
	for name, x := range map[string]struct {
		before  string
		threads int
		kind    FaultKind
		thread  int
		says    string
	}{
		"part of a warp": {"", 20, FaultMMA, 0, "lanes 20-31 are not here"},
		"exited lanes":   {"setp.lt.u32 %p, %tid, 3;\n@%p ret;\n", 32, FaultMMA, 3, "lanes 0-2 are not here"},
		"parted lanes":   {"setp.lt.u32 %p, %tid, 16;\n@%p bra $end;\n", 32, FaultMMA, 16, "lanes 0-15 are not here"},
		"predicate":      {"setp.eq.u32 %p, %tid, 7;\n@%p ", 32, FaultMMA, 7, "lanes 0-6,8-31 are not here"},
		"unwritten":      {".reg .b32 %a<4>;\nmov.u32 %a0, 0;\nmov.u32 %a1, 0;\nmov.u32 %a3, 0;\n", 32, FaultUninitReg, 0, "%a2 was never written"},
	} {
		t.Run(name, func(t *testing.T) {
			text := mmaKernel(8, "{\n"+x.before, "}\n$end:\n")
			_, _, err := multiply(t, text, x.threads, fragmentOf(4, 1), fragmentOf(2, 1), fragmentOf(4, 1))
			var f *Fault
			require.True(t, errors.As(err, &f), "%v", err)
			require.Equal(t, x.kind, f.Kind, "%v", err)
			require.Equal(t, [3]int{x.thread, 0, 0}, f.Thread, "%v", err)
			require.True(t, strings.Contains(f.Source, "mma.sync.aligned.m16n8k8"), "%v", err)
			require.Contains(t, f.Detail, x.says)
		})
	}
}

func TestMMALoadErrors(t *testing.T) {
	text := mmaKernel(8, "", "")
	for was, is := range map[string][2]string{
		"mma.sync":        {"mma", "only .sync.aligned.m16n8k4 and .m16n8k8"},
		"m16n8k8.row.col": {"m16n8k8.col.row", "only .sync.aligned.m16n8k4 and .m16n8k8"},
		"k8.row":          {"k4.row", "operand 2 is not a vector of 2 registers"},
		"{%b0,%b1}":       {"%b0", "operand 3 is not a vector of 2 registers"},
		"{%b0,%b1},":      {"{%b0,%d1},", "register %d1 has 64 bits, not 32"},
		"f32 {%c0":        {"f32 {1", "the destination is not a register"},
		"target sm_80":    {"target sm_75", "needs .target sm_80 or later, the module has sm_75"},
	} {
		require.Contains(t, text, was)
		_, err := New(Config{}).Load("m.ptx", strings.Replace(text, was, is[0], 1))
		require.ErrorContains(t, err, is[1], was)
	}
}

// cvt.rna.tf32 rounds to nearest, halves away from zero, and leaves nothing in
// the low 13 bits.
func TestCvtTF32(t *testing.T) {
	rows := [][]uint64{
		{0x3f800fff, 0x3f800000}, {0x3f801000, 0x3f802000}, {0xbf801000, 0xbf802000}, {0x3f802fff, 0x3f802000},
		{0x3fffffff, 0x40000000}, {0x7f7fffff, 0x7f800000}, {0x7f800000, 0x7f800000}, {0xff800000, 0xff800000},
		{0x7f800001, 0x7fffe000}, {0xffffffff, 0x7fffe000}, {0x80000000, 0x80000000}, {0x00000fff, 0}, {0x00001000, 0x00002000},
	}
	for i, got := range evaluate(t, "cvt.rna.tf32.f32 %d, %a;", typB32, []typ{typF32}, rows) {
		require.Equal(t, rows[i][1], got, "%#x", rows[i][0])
	}
	for text, says := range map[string]string{
		"cvt.rn.tf32.f32 %a0, %c0;":  "only cvt.rna.tf32.f32 is supported",
		"cvt.rna.tf32.f32 %d0, %c0;": "the destination is not a register of 32 bits",
		"cvt.rna.tf32.f32 %a0;":      "cvt.rna.tf32.f32: has 1 operands, not 2",
	} {
		_, err := New(Config{}).Load("m.ptx", mmaKernel(8, text+"\n", ""))
		require.ErrorContains(t, err, says)
	}
}
