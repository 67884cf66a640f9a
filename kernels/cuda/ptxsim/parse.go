package ptxsim

import (
	"fmt"
	"strconv"
	"strings"
)

// module is parsed PTX: variables and kernels, the instructions still in
// words.
type module struct {
	name    string
	target  int // 70 for sm_70
	vars    []*variable
	kernels []*kernelText
}

// variable is a .param, .shared, .local, .const or .global variable.
type variable struct {
	name    string
	space   space
	align   int
	size    int64 // bytes
	extern  bool  // dynamic shared memory
	init    []byte
	line    int
	address int64 // offset in its space, or the address of a global
}

// kernelText is an .entry as it was written.
type kernelText struct {
	name       string
	line       int
	params     []*variable
	vars       []*variable // shared and local
	regs       []register
	maxThreads int
	code       []statement
	labels     map[string]int // index in code
	tables     map[string][]string
}

// register is one declared register. Nested scopes may hide a name, so
// statements refer to registers by index.
type register struct {
	name string
	typ  typ
}

// statement is one instruction.
type statement struct {
	line     int
	guard    int // register index, or -1
	guardNot bool
	op       string   // first part: "ld"
	mods     []string // the others: "global", "f32"
	args     []operand
}

func (s *statement) String() string {
	return strings.Join(append([]string{s.op}, s.mods...), ".")
}

type parser struct {
	toks   []token
	at     int
	mod    *module
	k      *kernelText
	scopes []map[string]int // register names to indices
}

// parse reads a module. Errors name the line.
func parse(name, src string) (*module, error) {
	toks, err := lex(src)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	p := &parser{toks: toks, mod: &module{name: name}}
	if err := p.module(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p.mod, nil
}

func (p *parser) peek() string { return p.toks[p.at].text }
func (p *parser) line() int    { return p.toks[p.at].line }

func (p *parser) next() string {
	t := p.toks[p.at].text
	if p.at < len(p.toks)-1 {
		p.at++
	}
	return t
}

func (p *parser) accept(text string) bool {
	if p.peek() == text {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(text string) error {
	if !p.accept(text) {
		return p.errorf("expected %q, found %q", text, p.peek())
	}
	return nil
}

// errorf names the line of the token that was taken last.
func (p *parser) errorf(format string, args ...any) error {
	line := p.toks[max(p.at-1, 0)].line
	return fmt.Errorf("line %d: "+format, append([]any{line}, args...)...)
}

// restOfLine skips the tokens of the present line.
func (p *parser) restOfLine() {
	for line := p.line(); p.peek() != "" && p.line() == line; {
		p.next()
	}
}

func (p *parser) module() error {
	for p.peek() != "" {
		switch t := p.peek(); t {
		case ".version", ".file", ".loc":
			p.restOfLine()
		case ".address_size":
			p.next()
			if t := p.next(); t != "64" {
				return p.errorf("address size %s is not supported, only 64", t)
			}
		case ".target":
			p.next()
			t := p.next()
			sm, err := strconv.Atoi(strings.TrimRight(strings.TrimPrefix(t, "sm_"), "af"))
			if err != nil {
				return p.errorf("target %q is not sm_NN", t)
			}
			p.mod.target = sm
			p.restOfLine()
		case ".visible", ".weak", ".common":
			p.next()
		case ".extern":
			p.next()
			if p.accept(".func") {
				return p.errorf("external functions are not supported")
			}
		case ".global", ".const", ".shared":
			extern := p.at > 0 && p.toks[p.at-1].text == ".extern"
			vars, err := p.variables(extern)
			if err != nil {
				return err
			}
			p.mod.vars = append(p.mod.vars, vars...)
		case ".entry":
			if err := p.entry(); err != nil {
				return err
			}
		case ".func":
			p.next()
			return p.errorf("functions are not supported: mark it __forceinline__")
		default:
			p.next()
			return p.errorf("%q is not supported", t)
		}
	}
	return nil
}

// variables reads ".shared .align 16 .b8 name[8448], other = {…};".
func (p *parser) variables(extern bool) ([]*variable, error) {
	line := p.line()
	sp := spaces[strings.TrimPrefix(p.next(), ".")]
	align := 0
	var t typ
	var known bool
	for !known {
		word := p.next()
		if word == ".align" {
			n, err := strconv.Atoi(p.next())
			if err != nil {
				return nil, p.errorf("alignment: %v", err)
			}
			align = n
			continue
		}
		if t, known = types[strings.TrimPrefix(word, ".")]; !known {
			return nil, p.errorf("%q in a declaration is not supported", word)
		}
	}
	var vars []*variable
	for {
		v := &variable{name: p.next(), space: sp, align: max(align, t.bytes()), size: int64(t.bytes()), line: line}
		for p.accept("[") {
			if p.accept("]") {
				v.size = 0
				continue
			}
			n, err := strconv.ParseInt(p.next(), 0, 64)
			if err != nil {
				return nil, p.errorf("array size: %v", err)
			}
			v.size *= n
			if err := p.expect("]"); err != nil {
				return nil, err
			}
		}
		v.extern = extern && v.size == 0
		if extern && !v.extern {
			return nil, p.errorf("external variable %s is not supported", v.name)
		}
		if p.accept("=") {
			data, err := p.initializer(t)
			if err != nil {
				return nil, err
			}
			v.init = data
		}
		vars = append(vars, v)
		if !p.accept(",") {
			break
		}
	}
	return vars, p.expect(";")
}

func (p *parser) initializer(t typ) ([]byte, error) {
	if p.accept("{") {
		var out []byte
		for !p.accept("}") {
			data, err := p.initializer(t)
			if err != nil {
				return nil, err
			}
			out = append(out, data...)
			p.accept(",")
		}
		return out, nil
	}
	o, err := p.constant()
	if err != nil {
		return nil, err
	}
	bits := immediate(o, t)
	out := make([]byte, t.bytes())
	for i := range out {
		out[i] = byte(bits >> (8 * i))
	}
	return out, nil
}

func (p *parser) entry() error {
	p.next()
	p.k = &kernelText{name: p.next(), line: p.line(), labels: map[string]int{}, tables: map[string][]string{}}
	p.scopes = nil
	if p.accept("(") {
		for !p.accept(")") {
			if err := p.param(); err != nil {
				return err
			}
			p.accept(",")
		}
	}
	for p.peek() != "{" {
		switch t := p.next(); t {
		case ".maxntid", ".reqntid":
			n := 1
			for {
				d, err := strconv.Atoi(p.next())
				if err != nil {
					return p.errorf("%s: %v", t, err)
				}
				n *= d
				if !p.accept(",") {
					break
				}
			}
			p.k.maxThreads = n
		case ".minnctapersm", ".maxnreg":
			p.next()
		default:
			return p.errorf("%q before the body of %s is not supported", t, p.k.name)
		}
	}
	if err := p.block(); err != nil {
		return err
	}
	p.mod.kernels = append(p.mod.kernels, p.k)
	return nil
}

// param reads ".param .u64 name" with an optional alignment or pointer
// attributes.
func (p *parser) param() error {
	if err := p.expect(".param"); err != nil {
		return err
	}
	v := &variable{space: spaceParam, line: p.line()}
	var t typ
	for {
		word := p.next()
		if word == ".align" {
			n, err := strconv.Atoi(p.next())
			if err != nil {
				return p.errorf("alignment: %v", err)
			}
			v.align = n
		} else if word == ".ptr" || spaces[strings.TrimPrefix(word, ".")] != 0 {
			continue
		} else if k, ok := types[strings.TrimPrefix(word, ".")]; ok {
			t = k
		} else {
			v.name = word
			break
		}
	}
	v.size = int64(t.bytes())
	if p.accept("[") {
		n, err := strconv.ParseInt(p.next(), 0, 64)
		if err != nil {
			return p.errorf("array size: %v", err)
		}
		v.size *= n
		if err := p.expect("]"); err != nil {
			return err
		}
	}
	if v.size > 8 {
		return p.errorf("parameter %s has %d bytes, 8 are the most", v.name, v.size)
	}
	p.k.params = append(p.k.params, v)
	return nil
}

// block reads a scope with its declarations and instructions.
func (p *parser) block() error {
	if err := p.expect("{"); err != nil {
		return err
	}
	p.scopes = append(p.scopes, map[string]int{})
	for !p.accept("}") {
		if err := p.bodyItem(); err != nil {
			return err
		}
	}
	p.scopes = p.scopes[:len(p.scopes)-1]
	return nil
}

func (p *parser) bodyItem() error {
	switch t := p.peek(); t {
	case "":
		return p.errorf("%s has no end", p.k.name)
	case "{":
		return p.block()
	case ".reg":
		return p.registers()
	case ".shared", ".local":
		vars, err := p.variables(false)
		p.k.vars = append(p.k.vars, vars...)
		return err
	case ".loc", ".file":
		p.restOfLine()
		return nil
	case ".pragma":
		for !p.accept(";") {
			if p.next() == "" {
				return p.errorf("%s has no end", p.k.name)
			}
		}
		return nil
	}
	if p.toks[min(p.at+1, len(p.toks)-1)].text == ":" {
		label := p.next()
		p.next()
		if p.accept(".branchtargets") {
			for {
				p.k.tables[label] = append(p.k.tables[label], p.next())
				if !p.accept(",") {
					return p.expect(";")
				}
			}
		}
		p.k.labels[label] = len(p.k.code)
		return nil
	}
	return p.instruction()
}

// registers reads ".reg .f32 %f<20>;" or ".reg .b64 %SP, %SPL;".
func (p *parser) registers() error {
	p.next()
	word := p.next()
	t, ok := types[strings.TrimPrefix(word, ".")]
	if !ok {
		return p.errorf("registers of type %q are not supported", word)
	}
	scope := p.scopes[len(p.scopes)-1]
	for {
		name := p.next()
		if p.accept("<") {
			n, err := strconv.Atoi(p.next())
			if err != nil {
				return p.errorf("number of registers: %v", err)
			}
			if err := p.expect(">"); err != nil {
				return err
			}
			if n > 1<<20 {
				return p.errorf("%d registers are too many", n)
			}
			for i := range n {
				p.declare(scope, name+strconv.Itoa(i), t)
			}
		} else {
			p.declare(scope, name, t)
		}
		if !p.accept(",") {
			return p.expect(";")
		}
	}
}

func (p *parser) declare(scope map[string]int, name string, t typ) {
	scope[name] = len(p.k.regs)
	p.k.regs = append(p.k.regs, register{name, t})
}

func (p *parser) lookup(name string) (int, bool) {
	for i := len(p.scopes) - 1; i >= 0; i-- {
		if r, ok := p.scopes[i][name]; ok {
			return r, true
		}
	}
	return 0, false
}

func (p *parser) instruction() error {
	s := statement{line: p.line(), guard: -1}
	if p.accept("@") {
		s.guardNot = p.accept("!")
		name := p.next()
		r, ok := p.lookup(name)
		if !ok || p.k.regs[r].typ != typPred {
			return p.errorf("%q is not a predicate: a .reg .pred in the kernel declares one", name)
		}
		s.guard = r
	}
	words := strings.Split(p.next(), ".")
	s.op, s.mods = words[0], words[1:]
	if s.op == "" || s.op == "call" {
		return fmt.Errorf("line %d: %s is not supported", s.line, strings.Join(words, "."))
	}
	for !p.accept(";") {
		o, err := p.operand()
		if err != nil {
			return err
		}
		s.args = append(s.args, o)
		if p.accept(";") {
			break
		}
		if err := p.expect(","); err != nil {
			return err
		}
	}
	p.k.code = append(p.k.code, s)
	return nil
}
