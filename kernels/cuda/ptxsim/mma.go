package ptxsim

import (
	"fmt"
	"math"
	"strings"
)

// Products of matrices that the lanes of a warp hold together:
//
//	mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32   d, a, b, c;
//
// and m16n8k4: D = A B + C, where A is [16][k], B [k][8], C and D [16][8]. The
// numbers of A and B are TF32: float32 without its low 13 bits, which are
// ignored whatever they are, so that a NaN with nothing but those is an
// infinity.
//
// The manual leaves open in which order the products are added and how that
// rounds, but for float32 at least. Here each product is exact and they are
// added to c in float64, in the order of k; the sum is rounded to float32 once,
// to nearest. A GPU adds with fewer bits and may cut off what it drops (Fasi,
// Higham, Mikaitis and Pranesh 2021), so its results differ in the last bits.

// mmaRegisters is how many registers of a lane hold D, A, B and C.
func mmaRegisters(k int) [4]int { return [4]int{4, k / 2, k / 4, 4} }

// Where a register i of a lane lies in its matrix: the tables "MMA .m16n8k4 and
// .m16n8k8 fragments with .tf32 types" of the PTX ISA, in which lane / 4 is the
// group and lane % 4 the thread in the group.
func mmaA(lane, i int) (row, column int) { return lane/4 + i%2*8, lane%4 + i/2*4 }
func mmaB(lane, i int) (row, column int) { return lane%4 + i*4, lane / 4 }
func mmaC(lane, i int) (row, column int) { return lane/4 + i/2*8, lane%4*2 + i%2 }

func decodeMMA(d *decoder, in *inst) error {
	in.op, in.class = opMMA, ClassTensor
	switch strings.Join(d.mods, ".") {
	case "sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32":
		in.sub = 8
	case "sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32":
		in.sub = 4
	default:
		return fmt.Errorf("only .sync.aligned.m16n8k4 and .m16n8k8 with .row.col.f32.tf32.tf32.f32 are supported")
	}
	if err := d.needsTarget(80); err != nil {
		return err
	}
	if err := d.args(4); err != nil {
		return err
	}
	for i, n := range mmaRegisters(int(in.sub)) {
		list := d.s.args[i].list
		if d.s.args[i].kind != operandVector || len(list) != n {
			return fmt.Errorf("operand %d is not a vector of %d registers", i+1, n)
		}
		for _, o := range list {
			if i == 0 && o.kind != operandReg {
				return d.notWritten(o)
			}
			r, err := d.value(o, typB32)
			if err != nil {
				return err
			}
			in.vec = append(in.vec, r)
		}
	}
	return nil
}

// needsTarget is an error about an instruction that came with sm.
func (d *decoder) needsTarget(sm int) error {
	if d.mod.target < sm {
		return fmt.Errorf("needs .target sm_%d or later, the module has sm_%d", sm, d.mod.target)
	}
	return nil
}

// mma executes in for the whole warp.
func (w *warp) mma(in *inst, m uint32) {
	if m != allLanes {
		w.fail(FaultMMA, m, fmt.Sprintf("a product of matrices takes all lanes of the warp together; lanes %s are not here", lanes(^m)))
		return
	}
	w.blk.counters.TensorFMAs += 16 * 8 * int64(in.sub)
	n := mmaRegisters(int(in.sub))
	var a [16][8]float64
	var b [8][8]float64 // by column
	for lane := range 32 {
		for i, r := range in.vec[4 : 4+n[1]] {
			row, k := mmaA(lane, i)
			a[row][k] = tf32(w.r32[r.reg][lane])
		}
		for i, r := range in.vec[4+n[1] : 4+n[1]+n[2]] {
			k, column := mmaB(lane, i)
			b[column][k] = tf32(w.r32[r.reg][lane])
		}
	}
	var d [4][32]uint32 // kept apart, since D may be in the registers of the others
	for i, r := range in.vec[4+n[1]+n[2]:] {
		c := &w.r32[r.reg]
		for lane := range c {
			row, column := mmaC(lane, i)
			x, y := &a[row], &b[column]
			sum := float64(math.Float32frombits(c[lane]))
			for k := range int(in.sub) {
				sum += x[k] * y[k]
			}
			d[i][lane] = canonical(float32(sum))
		}
	}
	for i, r := range in.vec[:4] {
		w.r32[r.reg] = d[i]
	}
}

// tf32Bits are those of a float32 that a TF32 keeps.
const tf32Bits = 0xffffe000

// tf32 is what mma sees of a register.
func tf32(v uint32) float64 { return float64(math.Float32frombits(v & tf32Bits)) }

// decodeCvtTF32 is cvt.rna.tf32.f32: to nearest, halves away from zero. The low
// 13 bits of the result, which are nobody's, are zeroes.
func decodeCvtTF32(d *decoder, in *inst) error {
	if got := strings.Join(d.mods, "."); got != "rna.tf32.f32" {
		return fmt.Errorf("only cvt.rna.tf32.f32 is supported")
	}
	d.mods = nil
	if err := d.needsTarget(80); err != nil {
		return err
	}
	in.op = opCvtTF32
	if err := d.operands(in, typB32); err != nil {
		return err
	}
	if in.dst.file != file32 || in.half {
		return fmt.Errorf("the destination is not a register of 32 bits")
	}
	return nil
}

func roundTF32(v uint32) uint32 {
	if v&0x7fffffff > 0x7f800000 {
		return nan32 & tf32Bits
	}
	return (v + 1<<12) & tf32Bits // carries into the exponent, and past the largest to infinity
}
