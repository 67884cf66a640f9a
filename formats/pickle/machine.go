package pickle

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
)

// Decode reads the pickle that begins at the offset at, and ends before end. It returns its
// value and the offset behind it. Errors name the offset and the opcode.
func Decode(r io.ReaderAt, at, end int64, o Options) (value any, next int64, err error) {
	if at < 0 || at > end {
		return nil, at, fmt.Errorf("offset %d: the pickle would begin outside of the file, which has %d bytes", at, end)
	}
	m := &machine{
		r:  bufio.NewReader(io.NewSectionReader(r, at, end-at)),
		at: at, end: end,
		options: o,
		memo:    map[uint64]any{},
		left:    o.Values,
	}
	if m.left == 0 {
		m.left = DefaultValues
	}
	m.options.Functions = maps.Clone(Plain)
	maps.Copy(m.options.Functions, o.Functions)
	value, err = m.run()
	return value, m.at, err
}

// machine is the stack machine of a pickle.
type machine struct {
	r       *bufio.Reader
	at, end int64 // the next byte, and where there are no more

	options Options
	stack   []any
	marks   []int // where in the stack
	memo    map[uint64]any
	left    int // values that may still be made
}

// errStop is the end of a pickle.
var errStop = errors.New("stop")

// run runs all opcodes.
func (m *machine) run() (any, error) {
	for {
		begin := m.at
		code, err := m.byte()
		if err != nil {
			return nil, fmt.Errorf("offset %d: %w", begin, err)
		}
		op := opcodes[code]
		if op.run == nil {
			return nil, fmt.Errorf("offset %d: the opcode 0x%02x%s is not one that is read", begin, code, spaced(op.name))
		}
		switch err := op.run(m); {
		case err == errStop:
			if len(m.stack) != 1 || len(m.marks) != 0 {
				return nil, fmt.Errorf("offset %d: STOP: the stack holds %d values and %d marks instead of one value: the pickle is damaged", begin, len(m.stack), len(m.marks))
			}
			return m.stack[0], nil
		case err != nil:
			return nil, fmt.Errorf("offset %d: %s: %w", begin, op.name, err)
		}
	}
}

func spaced(name string) string {
	if name == "" {
		return ""
	}
	return ", " + name + ","
}

// errEmpty is that of an opcode that takes more values than there are.
var errEmpty = errors.New("the stack is empty: the pickle is damaged")

var errTooMany = errors.New("the pickle makes too many values for one that describes tensors")

// push pushes a value.
func (m *machine) push(v any) error {
	if m.left--; m.left < 0 {
		return errTooMany
	}
	m.stack = append(m.stack, v)
	return nil
}

// floor is where the stack ends for opcodes that take single values.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

func (m *machine) pop() (any, error) {
	if len(m.stack) == m.floor() {
		return nil, errEmpty
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	return v, nil
}

func (m *machine) top() (any, error) {
	if len(m.stack) == m.floor() {
		return nil, errEmpty
	}
	return m.stack[len(m.stack)-1], nil
}

// popMark takes all values behind the last mark. They are valid until the next push.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, errors.New("there is no MARK before it: the pickle is damaged")
	}
	from := m.floor()
	m.marks = m.marks[:len(m.marks)-1]
	items := m.stack[from:]
	m.stack = m.stack[:from]
	return items, nil
}

// replace replaces the values on top by the one that f makes of them, in their order.
func (m *machine) replace(n int, f func(v []any) (any, error)) error {
	if len(m.stack)-m.floor() < n {
		return errEmpty
	}
	from := len(m.stack) - n
	v, err := f(m.stack[from:])
	if err != nil {
		return err
	}
	m.stack = m.stack[:from]
	return m.push(v)
}

// global is a global by name, if it is allowed.
func (m *machine) global(module, name string) (Global, error) {
	g := Global{module, name}
	if m.options.Functions[g] != nil || m.options.Class != nil && m.options.Class(g) {
		return g, nil
	}
	return g, &RefusedError{g}
}

// RefusedError is the error of a global that is on no list.
type RefusedError struct{ Global Global }

// Error names it.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the pickle asks for %v, which is not on the list of what may be read; nothing was run", e.Global)
}

// call is what a global makes of its arguments.
func (m *machine) call(callee, args any) (any, error) {
	g, ok := callee.(Global)
	if !ok {
		return nil, fmt.Errorf("a value of the type %T is called, not a global", callee)
	}
	f := m.options.Functions[g]
	if f == nil {
		return nil, &RefusedError{g}
	}
	tuple, ok := args.(Tuple)
	if !ok {
		return nil, fmt.Errorf("%v: its arguments are of the type %T, not a tuple", g, args)
	}
	for _, arg := range tuple { // which f may copy
		switch arg := arg.(type) {
		case string:
			m.left -= len(arg) / 16 // the bytes of a value
		case *List:
			m.left -= len(arg.Items)
		}
	}
	if m.left < 0 {
		return nil, errTooMany
	}
	v, err := f(tuple)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", g, err)
	}
	return v, nil
}

// instance is an instance of a class. A function on the list makes it as a call does.
func (m *machine) instance(class, args any) (any, error) {
	g, ok := class.(Global)
	if !ok || m.options.Functions[g] != nil {
		return m.call(class, args)
	}
	tuple, ok := args.(Tuple)
	if !ok {
		return nil, fmt.Errorf("%v: its arguments are of the type %T, not a tuple", g, args)
	}
	return &Object{Class: g, Args: tuple}, nil
}

// build gives an object its state. A dictionary's attributes are dropped.
func build(v, state any) error {
	switch v := v.(type) {
	case *Object:
		v.State = state
	case *Dict:
	default:
		return fmt.Errorf("a value of the type %T is given a state", v)
	}
	return nil
}
