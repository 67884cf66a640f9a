//go:build unix

package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/device"
)

// A call is one use of a loop on slices of float32 of one length; what it
// returns is compared too.
type call struct {
	name   string
	slices int
	run    func(l *Loops, f [][]float32) any
}

// calls is every loop over floats. Rows are thirds of a slice.
func calls() []call {
	all := []call{
		{"add", 3, func(l *Loops, f [][]float32) any { l.Add(f[0], f[1], f[2]); return nil }},
		{"add in place", 2, func(l *Loops, f [][]float32) any { l.Add(f[0], f[0], f[1]); return nil }},
		{"mul", 3, func(l *Loops, f [][]float32) any { l.Mul(f[0], f[1], f[2]); return nil }},
		{"fill", 1, func(l *Loops, f [][]float32) any { l.Fill(f[0], 1.7); return nil }},
		{"spread", 2, func(l *Loops, f [][]float32) any {
			for _, inner := range []int{1, 3, 4, 8, 16, 17, 49} {
				n := len(f[0]) / inner
				l.Spread(f[0][len(f[0])-n*inner:], f[1][:n], inner)
			}
			return nil
		}},
		{"sum", 1, func(l *Loops, f [][]float32) any { return l.Sum(f[0]) }},
		{"largest", 1, func(l *Loops, f [][]float32) any { return l.Largest(f[0]) + 0 }},
		{"expSum", 2, func(l *Loops, f [][]float32) any { return l.ExpSum(f[0], f[1], 2.5) }},
		{"scaleWide", 2, func(l *Loops, f [][]float32) any { l.ScaleWide(f[0], f[1], 1.0/3); return nil }},
		{"addRows", 2, func(l *Loops, f [][]float32) any {
			n := len(f[0]) / 3
			l.AddRows(f[0][:n], f[1][:3*n], 3, n)
			return nil
		}},
		{"squareRows", 2, func(l *Loops, f [][]float32) any {
			n := len(f[0]) / 3
			l.SquareRows(f[0][:n], f[1][:3*n], 3, n, 0.3, 2)
			return nil
		}},
		{"normalise75", 3, func(l *Loops, f [][]float32) any {
			n := len(f[0]) / 3
			l.Normalise75(f[0][:n], f[1][:n], f[2][:3*n], 3, n, 1, 0.3, 2)
			l.Normalise75(f[0][n:2*n], f[0][n:2*n], f[2][:2*n], 2, n, 0, 0.3, 2)
			return nil
		}},
		{"lrnTerms75", 5, func(l *Loops, f [][]float32) any { l.LRNTerms75(f[0], f[1], f[2], f[3], f[4]); return nil }},
		{"power", 2, func(l *Loops, f [][]float32) any {
			for i, v := range f[1] {
				f[1][i] = float32(math.Abs(float64(v))) + 1e-40
			}
			l.Power(f[0], f[1], -0.06)
			return nil
		}},
		{"lrnTerms", 5, func(l *Loops, f [][]float32) any { l.LRNTerms(f[0], f[1], f[2], f[3], f[4]); return nil }},
	}
	for _, width := range []int{1, 7, 8, 15, 16, 33, 49, 63, 64, 65, 120, 128} {
		all = append(all, call{fmt.Sprintf("rows of %d", width), 5, func(l *Loops, f [][]float32) any { rowsOf(l, width, f); return nil }})
	}
	for name, step := range map[string]func(s *Functions) func(y, x []float32){
		"exp": func(s *Functions) func(y, x []float32) { return s.Exp },
		"log": func(s *Functions) func(y, x []float32) { return s.Log },
		"erf": func(s *Functions) func(y, x []float32) { return s.Erf },
	} {
		all = append(all, call{name, 2, func(l *Loops, f [][]float32) any { step(&l.Functions)(f[0], f[1]); return nil }},
			call{name + " in place", 1, func(l *Loops, f [][]float32) any { step(&l.Functions)(f[0], f[0]); return nil }})
	}
	for op := OpLoad; op < ops; op++ {
		all = append(all, call{fmt.Sprintf("instruction %d", op), 5, func(l *Loops, f [][]float32) any { return instruction(l, op, f, -1) }},
			call{fmt.Sprintf("instruction %d of one block", op), 5, func(l *Loops, f [][]float32) any { return instruction(l, op, f, 0) }})
	}
	for _, op := range device.UnaryOps() {
		u := device.Unary{Op: op, Slope: 0.1}
		all = append(all, call{op.String(), 2, func(l *Loops, f [][]float32) any { l.Unary(u, f[0], f[1]); return nil }})
	}
	for m := range 2 {
		all = append(all, call{fmt.Sprintf("lrnGradient, %v", device.Mode(m)), 5, func(l *Loops, f [][]float32) any {
			l.LRNGradient[m](f[0], f[1], f[2], f[3], f[4], 0.7)
			return nil
		}})
	}
	return all
}

// instruction runs an operation of f[1] and operands of f[2] to f[4], over the whole
// blocks that end with them, and leaves the accumulator in f[0].
func instruction(l *Loops, op Op, f [][]float32, moves int) any {
	blocks := len(f[0]) / Block
	if blocks == 0 {
		return nil
	}
	for i := 0; i < len(f[1]); i += 3 {
		f[1][i] = f[2][i] // often equal
	}
	at := func(i, moves int) Operand { return Operand{&f[i][len(f[i])-blocks*Block], moves} }
	sums := [8]float64{1, 2, 3, 4, 5, 6, 7, 8}
	code := []Instruction{
		{Op: OpLoad, In: [3]Operand{at(1, -1)}},
		{Op: op, In: [3]Operand{at(2, moves), at(3, moves), at(4, -1)}},
		{Op: OpStore, In: [3]Operand{at(0, -1)}},
		{Op: OpEnd},
	}
	if op == OpSum {
		code[1].In[0].At = (*float32)(unsafe.Pointer(&sums))
	}
	l.Run(code, blocks*Block, 1, 0)
	return Total(&sums)
}

// rowsOf runs a program over as many rows of a width as there are elements for: a number of
// f[3] for each row and one of f[4] for all of them. A row is stored, and a row added to.
func rowsOf(l *Loops, width int, f [][]float32) {
	n := len(f[0])
	blocks := (width + Block - 1) / Block
	if n < blocks*Block {
		return
	}
	rows := (n-blocks*Block)/width + 1
	first := n - blocks*Block - (rows-1)*width
	var spread [2][Block]float32
	at := func(i, moves int) Operand { return Operand{&f[i][first], moves} }
	l.Run([]Instruction{
		{Op: OpSpread, In: [3]Operand{{&f[3][n-rows], -1}, {At: &spread[0][0]}}},
		{Op: OpSpread, In: [3]Operand{{&f[4][n-1], 0}, {At: &spread[1][0]}}},
		{Op: OpLoad, In: [3]Operand{at(1, -1)}},
		{Op: OpMul, In: [3]Operand{{At: &spread[0][0]}}},
		{Op: OpMulAdd, In: [3]Operand{{At: &spread[1][0]}, at(2, -1)}},
		{Op: OpStore, In: [3]Operand{at(0, -1)}},
		{Op: OpAddInto, In: [3]Operand{at(2, -1)}},
		{Op: OpStore, In: [3]Operand{at(1, -1)}},
		{Op: OpEnd},
	}, width, rows, width)
}

// number is mostly between -4 and 4, and now and then special.
func number(r *rand.Rand) float32 {
	if r.IntN(40) == 0 {
		special := []float32{0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)),
			float32(math.NaN()), 1e-40, -1e30, 3e38, 0.05, -0.05}
		return special[r.IntN(len(special))]
	}
	return 8*r.Float32() - 4
}

// requireSame compares bits; NaNs are equal, and so are zeros of a maximum.
func requireSame(t *testing.T, want, got []float32, what string, args ...any) {
	t.Helper()
	for i, v := range want {
		if math.Float32bits(v) != math.Float32bits(got[i]) && (v == v || got[i] == got[i]) {
			require.Failf(t, "other bits", "%s: element %d of %d is %g instead of %g", fmt.Sprintf(what, args...), i, len(want), got[i], v)
		}
	}
}

// check runs one call on a path, in memory with guards, and on the Go loops.
func (c call) check(t *testing.T, l *Loops, m *memory, r *rand.Rand, n, offset int) {
	want, got := make([][]float32, c.slices), make([][]float32, c.slices)
	for i := range want {
		got[i] = m.floats(i, n, offset)
		want[i] = make([]float32, n)
		for j := range want[i] {
			want[i][j] = number(r)
		}
		copy(got[i], want[i])
	}
	a, b := c.run(&Generic, want), c.run(l, got)
	for i := range want {
		requireSame(t, want[i], got[i], "%s, %d elements, offset %d, slice %d", c.name, n, offset, i)
	}
	x, isFloat := a.(float64)
	if isFloat && x != x {
		require.True(t, math.IsNaN(b.(float64)), "%s of %d", c.name, n)
		return
	}
	require.Equal(t, a, b, "%s of %d", c.name, n)
}

// TestPathsComputeTheSameBits holds the assembly against the Go loops over all
// small lengths, in memory that ends, or begins, at a page that must not be
// touched.
func TestPathsComputeTheSameBits(t *testing.T) {
	for _, l := range paths[1:] {
		m := newMemory(t)
		for _, c := range calls() {
			t.Run(l.Name+"/"+c.name, func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, 2))
				for n := range 200 {
					c.check(t, l, m, r, n, -1)
					c.check(t, l, m, r, n, n%17)
				}
				c.check(t, l, m, r, 1023, 3)
			})
		}
	}
}

func TestPathsHaveEveryLoop(t *testing.T) {
	for _, l := range paths {
		v := reflect.ValueOf(*l)
		for i := range v.NumField() {
			require.False(t, v.Field(i).IsZero(), "%s: %s", l.Name, v.Type().Field(i).Name)
		}
	}
}

func FuzzPathsComputeTheSameBits(f *testing.F) {
	f.Add(uint64(1), uint16(37), int8(-1))
	m := newMemory(f)
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, offset int8) {
		r := rand.New(rand.NewPCG(seed, 0))
		for _, l := range paths {
			for _, c := range calls() {
				c.check(t, l, m, r, int(n)%1024, max(int(offset), -1))
			}
			checkMaxPool(t, l, m, r)
		}
	})
}

// checkMaxPool runs a random geometry.
func checkMaxPool(t *testing.T, l *Loops, m *memory, r *rand.Rand) {
	w := Windows{Planes: 1 + r.IntN(3), Rows: 1 + r.IntN(4), Columns: 1 + r.IntN(40), R: 1 + r.IntN(4), S: 1 + r.IntN(4), StrideH: 1 + r.IntN(3), StrideW: 1 + r.IntN(3), First: r.IntN(30)}
	w.OutW = w.Columns + r.IntN(3)
	w.W = (w.Columns-1)*w.StrideW + w.S + r.IntN(4)
	pixels := w.First + ((w.Rows-1)*w.StrideH+w.R-1)*w.W + (w.Columns-1)*w.StrideW + w.S
	outputs := (w.Rows-1)*w.OutW + w.Columns
	w.Plane, w.OutPlane = pixels+r.IntN(9), outputs+r.IntN(9)
	pixels += (w.Planes - 1) * w.Plane
	outputs += (w.Planes - 1) * w.OutPlane
	x := m.floats(0, pixels, -1)
	special := r.IntN(2) == 0
	for i := range x {
		x[i] = float32(r.IntN(9) - 4) // ties
		if special {
			x[i] = number(r)
		}
	}
	y, index := make([]float32, outputs), make([]int32, outputs)
	Generic.MaxPool(y, index, x, w)
	gotY, gotIndex := m.floats(1, outputs, -1), m.ints(2, outputs)
	clear(gotY)
	clear(gotIndex)
	l.MaxPool(gotY, gotIndex, x, w)
	requireSame(t, y, gotY, "%+v", w)
	require.Equal(t, index, gotIndex, "%+v", w)
	clear(gotY)
	l.MaxPool(gotY, nil, x, w)
	requireSame(t, y, gotY, "%+v without index", w)
}

func TestMaxPool(t *testing.T) {
	for _, l := range paths {
		t.Run(l.Name, func(t *testing.T) {
			m, r := newMemory(t), rand.New(rand.NewPCG(1, 2))
			for range 2000 {
				checkMaxPool(t, l, m, r)
			}
		})
	}
}

// TestDraw holds words against single draws, from any element, and the instructions
// that read words against what they say.
func TestDraw(t *testing.T) {
	r := device.Random{Seed: 0xFEDCBA9876543210, Stream: 3, Iteration: 1_000_000, Sample: 0xFFFFFFFF}
	for _, l := range paths {
		t.Run(l.Name, func(t *testing.T) {
			m := newMemory(t)
			for n := range 200 {
				first := n % 7 * 1001
				for _, offset := range []int{-1, n % 17} {
					floats := m.floats(0, n, offset)
					got := unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(floats))), n)
					l.Draw(got, first, r, 2)
					for i, word := range got {
						require.Equal(t, r.Uint32(2, first+i), word, "element %d of %d from %d", i, n, first)
					}
				}
			}
			var words, uniform, chosen [Block]float32
			for i := range words {
				words[i] = math.Float32frombits(r.Uint32(0, i))
			}
			words[0], words[1], words[2] = math.Float32frombits(0), math.Float32frombits(math.MaxUint32), math.Float32frombits(1<<31)
			for _, threshold := range []uint32{0, 1, 1 << 31, 1<<31 + 1, 0xE0000000, math.MaxUint32} {
				limit, yes, no := math.Float32frombits(threshold), float32(1), float32(2)
				var below, ones, twos [Block]float32
				for i := range below {
					below[i], ones[i], twos[i] = limit, yes, no
				}
				l.Run([]Instruction{
					{Op: OpLoad, In: [3]Operand{{At: &words[0]}}}, {Op: OpBelow, In: [3]Operand{{At: &below[0]}, {At: &ones[0]}, {At: &twos[0]}}},
					{Op: OpStore, In: [3]Operand{{At: &chosen[0]}}},
					{Op: OpLoad, In: [3]Operand{{At: &words[0]}}}, {Op: OpUniform}, {Op: OpStore, In: [3]Operand{{At: &uniform[0]}}}, {Op: OpEnd},
				}, Block, 1, 0)
				for i, w := range words {
					want := no
					if math.Float32bits(w) < threshold {
						want = yes
					}
					require.Equal(t, want, chosen[i], "%#x below %#x", math.Float32bits(w), threshold)
					require.Equal(t, math.Ldexp(float64(math.Float32bits(w)>>8), -24), float64(uniform[i]))
				}
			}
		})
	}
}

// BenchmarkLoops runs each loop in the first-level cache. A bytes is one that a
// slice has: what is read and written once.
func BenchmarkLoops(b *testing.B) {
	const n = 1024
	for _, l := range paths {
		for _, c := range calls() {
			f := make([][]float32, c.slices)
			for i := range f {
				f[i] = make([]float32, n)
				for j := range f[i] {
					f[i][j] = 1 + float32(j%7)/8
				}
			}
			b.Run(l.Name+"/"+c.name, func(b *testing.B) {
				b.SetBytes(int64(4 * n * c.slices))
				for b.Loop() {
					c.run(l, f)
				}
			})
		}
	}
}

// BenchmarkMaxPool runs one plane of AlexNet's and of LeNet's.
func BenchmarkMaxPool(b *testing.B) {
	for _, w := range []Windows{
		{Planes: 1, Rows: 27, Columns: 27, R: 3, S: 3, StrideH: 2, StrideW: 2, W: 55, OutW: 27},
		{Planes: 1, Rows: 13, Columns: 13, R: 3, S: 3, StrideH: 2, StrideW: 2, W: 27, OutW: 13},
		{Planes: 1, Rows: 4, Columns: 4, R: 2, S: 2, StrideH: 2, StrideW: 2, W: 8, OutW: 4},
	} {
		x, y, index := make([]float32, w.W*w.W), make([]float32, w.Rows*w.Columns), make([]int32, w.Rows*w.Columns)
		r := rand.New(rand.NewPCG(1, 2))
		for i := range x {
			x[i] = r.Float32()
		}
		for _, l := range paths {
			b.Run(fmt.Sprintf("%s/%dx%d", l.Name, w.W, w.W), func(b *testing.B) {
				b.SetBytes(int64(4 * (len(x) + 2*len(y))))
				for b.Loop() {
					l.MaxPool(y, index, x, w)
				}
			})
		}
	}
}
