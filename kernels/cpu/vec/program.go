package vec

import (
	"math"
	"unsafe"
)

// Block is how many elements an instruction works on.
const Block = 64

// Op is what an instruction does. The accumulator is a block of elements.
type Op uint64

// The operations. A comparison with a NaN does not hold.
const (
	OpEnd          Op = iota // ends the program of a block
	OpLoad                   // acc = a
	OpStore                  // a = acc
	OpAdd                    // acc = acc + a
	OpSub                    // acc = acc - a
	OpSubFrom                // acc = a - acc
	OpMul                    // acc = acc a
	OpMulAdd                 // acc = acc + ab, the product rounded
	OpMulSub                 // acc = acc - ab
	OpMulSubFrom             // acc = ab - acc
	OpDiv                    // acc = acc / a
	OpDivInto                // acc = a / acc
	OpMin                    // acc = the smaller of acc and a; NaN if one is, and a where they are equal
	OpMax                    // acc = the larger
	OpAtLeast                // acc = a where acc < a: as OpMax, but of equal numbers acc, and a NaN of a changes nothing
	OpAtMost                 // acc = a where a < acc
	OpSquare                 // acc = acc²
	OpAbs                    // acc = |acc|
	OpSqrt                   // acc = the root of acc
	OpUniform                // acc = the upper 24 bits of acc, as a number in [0,1)
	OpLess                   // acc = b where acc < a, else c
	OpLessEqual              // acc = b where acc <= a, else c
	OpGreater                // acc = b where a < acc, else c
	OpGreaterEqual           // acc = b where a <= acc, else c
	OpEqual                  // acc = b where acc = a, else c
	OpBelow                  // acc = b where the bits of acc, as a number, are below those of a, else c
	OpAddInto                // a = a + acc
	OpMaxInto                // a = the larger of a and acc
	OpSum                    // a, eight doubles, += acc, as in Loops.Sum
	OpSpread                 // b = a, one number, before the first block of a row; a number for each row where a Moves
	ops
)

// Instruction is an operation and the elements it takes.
type Instruction struct {
	Op Op
	In [3]Operand // a, b and c
}

// Operand is a block of elements for each block of the program's: those behind At, as blocks
// and rows lie, where Moves is -1, and always the first where it is 0.
type Operand struct {
	At    *float32
	Moves int
}

// block is the elements for the block that begins so many elements behind the first.
func (o *Operand) block(at int) *[Block]float32 {
	return (*[Block]float32)(unsafe.Add(unsafe.Pointer(o.At), at*4&o.Moves))
}

// Functions are the loops of the functions of programs, as package expr has them, and
// 1/(1 + e^-x).
type Functions struct{ Exp, Log, Tanh, Erf, Sigmoid func(y, x []float32) }

var functions = Functions{
	Exp: exponential, Log: logarithm, Erf: erf,
	Tanh:    func(y, x []float32) { tanh(y, x, 0) },
	Sigmoid: func(y, x []float32) { sigmoid(y, x, 0) },
}

// run runs code, whose last instruction alone is OpEnd, over some rows.
func run(code []Instruction, width, rows, pitch int) {
	var acc [Block]float32
	for r := range rows {
		for first := 0; first < width; first += Block {
			at, rest := r*pitch+first, min(Block, width-first)
			for k := range code[:len(code)-1] {
				switch n := &code[k]; n.Op {
				case OpSpread:
					if first == 0 {
						value := *(*float32)(unsafe.Add(unsafe.Pointer(n.In[0].At), r*4&n.In[0].Moves))
						fill(n.In[1].block(0)[:], value)
					}
				case OpStore:
					copy(n.In[0].block(at)[:rest], acc[:])
				case OpAddInto:
					a := n.In[0].block(at)[:rest]
					add(a, a, acc[:rest])
				default:
					instruct(n, &acc, at)
				}
			}
		}
	}
}

// instruct is an instruction for the block that begins so many elements behind the first.
func instruct(n *Instruction, acc *[Block]float32, at int) {
	switch n.Op {
	case OpSquare:
		mul(acc[:], acc[:], acc[:])
		return
	case OpAbs:
		for j, v := range acc {
			acc[j] = math.Float32frombits(math.Float32bits(v) &^ (1 << 31))
		}
		return
	case OpSqrt:
		for j, v := range acc {
			acc[j] = float32(math.Sqrt(float64(v)))
		}
		return
	case OpUniform:
		for j, v := range acc {
			acc[j] = float32(math.Float32bits(v)>>8) * (1.0 / (1 << 24))
		}
		return
	case OpSum:
		sums := (*[8]float64)(unsafe.Pointer(n.In[0].At))
		for j, v := range acc {
			sums[j%8] += float64(v)
		}
		return
	}
	a := n.In[0].block(at)
	switch n.Op {
	case OpLoad:
		*acc = *a
	case OpMaxInto:
		for j, v := range a {
			if x := acc[j]; x > v || x != x {
				a[j] = x
			}
		}
	case OpAdd:
		add(acc[:], acc[:], a[:])
	case OpSub:
		for j, v := range a {
			acc[j] -= v
		}
	case OpSubFrom:
		for j, v := range a {
			acc[j] = v - acc[j]
		}
	case OpMul:
		mul(acc[:], acc[:], a[:])
	case OpMulAdd:
		b := n.In[1].block(at)
		for j, v := range a {
			acc[j] += float32(v * b[j])
		}
	case OpMulSub:
		b := n.In[1].block(at)
		for j, v := range a {
			acc[j] -= float32(v * b[j])
		}
	case OpMulSubFrom:
		b := n.In[1].block(at)
		for j, v := range a {
			acc[j] = float32(v*b[j]) - acc[j]
		}
	case OpDiv:
		for j, v := range a {
			acc[j] /= v
		}
	case OpDivInto:
		for j, v := range a {
			acc[j] = v / acc[j]
		}
	case OpAtLeast:
		for j, v := range a {
			if acc[j] < v {
				acc[j] = v
			}
		}
	case OpAtMost:
		for j, v := range a {
			if v < acc[j] {
				acc[j] = v
			}
		}
	case OpMin:
		for j, v := range a {
			if x := acc[j]; !(x < v) && x == x {
				acc[j] = v
			}
		}
	case OpMax:
		for j, v := range a {
			if x := acc[j]; !(x > v) && x == x {
				acc[j] = v
			}
		}
	default:
		choose(n, acc, a, at)
	}
}

// choose is the instructions that compare.
func choose(n *Instruction, acc, a *[Block]float32, at int) {
	b, c := n.In[1].block(at), n.In[2].block(at)
	for j, x := range acc {
		var holds bool
		switch y := a[j]; n.Op {
		case OpLess:
			holds = x < y
		case OpLessEqual:
			holds = x <= y
		case OpGreater:
			holds = y < x
		case OpGreaterEqual:
			holds = y <= x
		case OpEqual:
			holds = x == y
		case OpBelow:
			holds = math.Float32bits(x) < math.Float32bits(y)
		}
		if holds {
			acc[j] = b[j]
		} else {
			acc[j] = c[j]
		}
	}
}

func exponential(y, x []float32) {
	x = x[:len(y)]
	for i, v := range x {
		y[i] = float32(Exp(float64(v)))
	}
}

func logarithm(y, x []float32) {
	x = x[:len(y)]
	for i, v := range x {
		switch {
		case v > 0 && v <= math.MaxFloat32:
			y[i] = float32(log(float64(v)))
		case v > 0:
			y[i] = v
		case v == 0:
			y[i] = float32(math.Inf(-1))
		default: // negative or NaN
			y[i] = float32(math.NaN())
		}
	}
}

// erf is the error function to 30 bits: its Taylor polynomial of degree 23 where
// x² < 1, whose remainder is below 2e-10 x; elsewhere 1 - t e^(q(t) - x²) with
// t = 1/(1 + |x|/2) and a polynomial q of degree 7 through the nodes of Chebyshev, off
// by at most 7e-10.
func erf(y, x []float32) {
	x = x[:len(y)]
	for i := range x {
		v := float64(x[i])
		s := v * v
		if s < 1 {
			p := float64(s*-1.2290555301717926e-09) + 1.4807192815879218e-08
			p = float64(p*s) - 1.6365844691234924e-07
			p = float64(p*s) + 1.6462114365889246e-06
			p = float64(p*s) - 1.492565035840625e-05
			p = float64(p*s) + 0.00012055332981789664
			p = float64(p*s) - 0.0008548327023450852
			p = float64(p*s) + 0.005223977625442188
			p = float64(p*s) - 0.026866170645131252
			p = float64(p*s) + 0.11283791670955126
			p = float64(p*s) - 0.37612638903183754
			p = float64(p*s) + 1.1283791670955126
			y[i] = float32(v * p)
			continue
		}
		t := 1 / (float64(math.Abs(v)*0.5) + 1)
		q := float64(t*-0.22747669145409083) + 0.9105051758599338
		q = float64(q*t) - 1.2582411647206069
		q = float64(q*t) + 0.568333785501764
		q = float64(q*t) - 0.1448340022070455
		q = float64(q*t) + 0.42260922983289995
		q = float64(q*t) + 0.9944965070766051
		q = float64(q*t) - 1.2652407029950654
		y[i] = float32(math.Copysign(1-float64(t*Exp(q-s)), v))
	}
}
