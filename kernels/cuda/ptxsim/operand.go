package ptxsim

import (
	"math"
	"strconv"
	"strings"
)

type operandKind uint8

const (
	operandReg     operandKind = iota
	operandInt                 // bits holds a 64-bit integer
	operandFloat32             // bits holds a float32
	operandFloat64             // bits holds a float64
	operandSpecial             // name: "%tid.x"
	operandSymbol              // name of a variable, label or table, offset
	operandVector              // list
	operandAddress             // [base], list has the base, or is empty for an absolute one
	operandSink                // _
	operandPair                // d|p
)

// operand is an operand as it was written.
type operand struct {
	kind   operandKind
	not    bool // !p
	reg    int
	bits   uint64
	name   string
	offset int64
	list   []operand
}

// operand reads one operand, or a pair d|p.
func (p *parser) operand() (operand, error) {
	o, err := p.simpleOperand()
	if err == nil && p.accept("|") {
		second, err := p.simpleOperand()
		return operand{kind: operandPair, list: []operand{o, second}}, err
	}
	return o, err
}

func (p *parser) simpleOperand() (operand, error) {
	switch t := p.peek(); {
	case t == "":
		return operand{}, p.errorf("%s has no end", p.k.name)
	case t == "!":
		p.next()
		o, err := p.simpleOperand()
		o.not = true
		return o, err
	case t == "{":
		p.next()
		o := operand{kind: operandVector}
		for !p.accept("}") {
			e, err := p.simpleOperand()
			if err != nil {
				return o, err
			}
			o.list = append(o.list, e)
			p.accept(",")
		}
		return o, nil
	case t == "[":
		p.next()
		base, err := p.simpleOperand()
		if err != nil {
			return base, err
		}
		return operand{kind: operandAddress, list: []operand{base}}, p.expect("]")
	case t == "_":
		p.next()
		return operand{kind: operandSink}, nil
	case t == "-" || t[0] >= '0' && t[0] <= '9':
		return p.constant()
	}
	name := p.next()
	if r, ok := p.lookup(name); ok {
		o := operand{kind: operandReg, reg: r}
		return p.plus(o)
	}
	if strings.HasPrefix(name, "%") {
		return operand{kind: operandSpecial, name: name}, nil
	}
	return p.plus(operand{kind: operandSymbol, name: name})
}

// plus reads the offset after a base: "+8", "+-8" or "-8".
func (p *parser) plus(o operand) (operand, error) {
	switch {
	case p.accept("+"):
	case p.peek() == "-":
	default:
		return o, nil
	}
	c, err := p.constant()
	o.offset = int64(c.bits)
	return o, err
}

// constant reads a number.
func (p *parser) constant() (operand, error) {
	negative := p.accept("-")
	text := p.next()
	var o operand
	switch {
	case len(text) == 10 && (text[:2] == "0f" || text[:2] == "0F"):
		bits, err := strconv.ParseUint(text[2:], 16, 32)
		if err != nil {
			return o, p.errorf("%q is not a number", text)
		}
		o = operand{kind: operandFloat32, bits: bits}
		if negative {
			o.bits ^= 1 << 31
		}
	case len(text) == 18 && (text[:2] == "0d" || text[:2] == "0D"):
		bits, err := strconv.ParseUint(text[2:], 16, 64)
		if err != nil {
			return o, p.errorf("%q is not a number", text)
		}
		o = operand{kind: operandFloat64, bits: bits}
		if negative {
			o.bits ^= 1 << 63
		}
	case strings.Contains(text, "."):
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return o, p.errorf("%q is not a number", text)
		}
		if negative {
			v = -v
		}
		o = operand{kind: operandFloat64, bits: math.Float64bits(v)}
	default:
		bits, err := strconv.ParseUint(strings.TrimSuffix(text, "U"), 0, 64)
		if err != nil {
			return o, p.errorf("%q is not a number", text)
		}
		if negative {
			bits = -bits
		}
		o = operand{kind: operandInt, bits: bits}
	}
	return o, nil
}

// immediate is a constant's bits as an operand of type t.
func immediate(o operand, t typ) uint64 {
	switch {
	case o.kind == operandFloat64 && t == typF32:
		return uint64(math.Float32bits(float32(math.Float64frombits(o.bits))))
	case o.kind == operandFloat32 && t == typF64:
		return math.Float64bits(float64(math.Float32frombits(uint32(o.bits))))
	}
	if n := t.bytes(); n < 8 {
		return o.bits & (1<<(8*n) - 1)
	}
	return o.bits
}
