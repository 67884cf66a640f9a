package pickle

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"strconv"
)

// opcode is an opcode with its name in pickletools.py. run is nil if it is refused.
type opcode struct {
	name string
	run  func(*machine) error
}

// opcodes are those of protocols 0 to 5.
var opcodes [256]opcode

func init() {
	// The functions read what is behind the opcode from the machine.
	for code, op := range map[byte]opcode{
		'.': {"STOP", func(*machine) error { return errStop }},
		'(': {"MARK", (*machine).mark},
		'0': {"POP", (*machine).drop},
		'1': {"POP_MARK", func(m *machine) error { _, err := m.popMark(); return err }},
		'2': {"DUP", (*machine).dup},

		// Numbers and constants.
		'N':  {"NONE", func(m *machine) error { return m.push(nil) }},
		0x88: {"NEWTRUE", func(m *machine) error { return m.push(true) }},
		0x89: {"NEWFALSE", func(m *machine) error { return m.push(false) }},
		'I':  {"INT", text(decimal)},
		'L':  {"LONG", text(decimal)},
		'J':  {"BININT", integer(4)},
		'K':  {"BININT1", integer(1)},
		'M':  {"BININT2", integer(2)},
		0x8a: {"LONG1", longOf(1)},
		0x8b: {"LONG4", longOf(4)},
		'F':  {"FLOAT", text(func(s string) (any, error) { return strconv.ParseFloat(s, 64) })},
		'G':  {"BINFLOAT", (*machine).float},

		// Strings and bytes.
		'S':  {"STRING", text(func(s string) (any, error) { return quoted(s) })},
		'V':  {"UNICODE", text(func(s string) (any, error) { return unescaped(s) })},
		'T':  {"BINSTRING", stringOf(4)},
		'U':  {"SHORT_BINSTRING", stringOf(1)},
		'X':  {"BINUNICODE", stringOf(4)},
		0x8c: {"SHORT_BINUNICODE", stringOf(1)},
		0x8d: {"BINUNICODE8", stringOf(8)},
		'B':  {"BINBYTES", bytesOf(4)},
		'C':  {"SHORT_BINBYTES", bytesOf(1)},
		0x8e: {"BINBYTES8", bytesOf(8)},
		0x96: {"BYTEARRAY8", bytesOf(8)},

		// Containers.
		')':  {"EMPTY_TUPLE", func(m *machine) error { return m.push(Tuple(nil)) }},
		'}':  {"EMPTY_DICT", func(m *machine) error { return m.push(&Dict{}) }},
		']':  {"EMPTY_LIST", func(m *machine) error { return m.push(&List{}) }},
		0x8f: {"EMPTY_SET", func(m *machine) error { return m.push(&Set{}) }},
		0x85: {"TUPLE1", tuple(1)},
		0x86: {"TUPLE2", tuple(2)},
		0x87: {"TUPLE3", tuple(3)},
		't':  {"TUPLE", marked(func(v []any) (any, error) { return Tuple(append([]any(nil), v...)), nil })},
		'l':  {"LIST", marked(func(v []any) (any, error) { return &List{append([]any(nil), v...)}, nil })},
		0x91: {"FROZENSET", marked(func(v []any) (any, error) { return &Set{append([]any(nil), v...)}, nil })},
		'd':  {"DICT", marked(func(v []any) (any, error) { d := &Dict{}; return d, setItems(d, v) })},
		'a':  {"APPEND", (*machine).appendOne},
		's':  {"SETITEM", (*machine).setOne},
		'e':  {"APPENDS", into(appendItems)},
		'u':  {"SETITEMS", into(setItems)},
		0x90: {"ADDITEMS", into(appendItems)},

		// The memo.
		'p':  {"PUT", memoText((*machine).put)},
		'q':  {"BINPUT", memo(1, (*machine).put)},
		'r':  {"LONG_BINPUT", memo(4, (*machine).put)},
		0x94: {"MEMOIZE", func(m *machine) error { return m.put(uint64(len(m.memo))) }},
		'g':  {"GET", memoText((*machine).get)},
		'h':  {"BINGET", memo(1, (*machine).get)},
		'j':  {"LONG_BINGET", memo(4, (*machine).get)},

		// Globals, and what is made of them.
		'c':  {"GLOBAL", (*machine).globalLines},
		0x93: {"STACK_GLOBAL", (*machine).globalStack},
		'R':  {"REDUCE", func(m *machine) error { return m.replace(2, func(v []any) (any, error) { return m.call(v[0], v[1]) }) }},
		0x81: {"NEWOBJ", func(m *machine) error {
			return m.replace(2, func(v []any) (any, error) { return m.instance(v[0], v[1]) })
		}},
		0x92: {"NEWOBJ_EX", (*machine).newobjEx},
		'o':  {"OBJ", (*machine).obj},
		'i':  {"INST", (*machine).inst},
		'b':  {"BUILD", (*machine).build},
		'P':  {"PERSID", (*machine).persid},
		'Q':  {"BINPERSID", (*machine).binpersid},

		// Protocol and frames.
		0x80: {"PROTO", (*machine).proto},
		0x95: {"FRAME", (*machine).frame},

		// Refused: an extension registry, and buffers outside of the file.
		0x82: {"EXT1", nil},
		0x83: {"EXT2", nil},
		0x84: {"EXT4", nil},
		0x97: {"NEXT_BUFFER", nil},
		0x98: {"READONLY_BUFFER", nil},
	} {
		opcodes[code] = op
	}
}

// text pushes the value of a line.
func text(value func(string) (any, error)) func(*machine) error {
	return func(m *machine) error {
		line, err := m.line()
		if err != nil {
			return err
		}
		v, err := value(line)
		if err != nil {
			return err
		}
		return m.push(v)
	}
}

func integer(size int) func(*machine) error {
	return func(m *machine) error {
		n, err := m.uint(size)
		if err != nil {
			return err
		}
		if size == 4 {
			return m.push(int64(int32(n)))
		}
		return m.push(int64(n))
	}
}

func longOf(size int) func(*machine) error {
	return func(m *machine) error {
		n, err := m.uint(size)
		if err != nil {
			return err
		}
		b, err := m.bytes(n, maxLong)
		if err != nil {
			return err
		}
		return m.push(long(b))
	}
}

func (m *machine) float() error {
	b, err := m.bytes(8, 8)
	if err != nil {
		return err
	}
	var bits uint64
	for _, c := range b {
		bits = bits<<8 | uint64(c)
	}
	return m.push(math.Float64frombits(bits))
}

func stringOf(size int) func(*machine) error {
	return func(m *machine) error {
		b, err := m.counted(size)
		if err != nil {
			return err
		}
		return m.push(string(b))
	}
}

func bytesOf(size int) func(*machine) error {
	return func(m *machine) error {
		b, err := m.counted(size)
		if err != nil {
			return err
		}
		return m.push(b)
	}
}

func (m *machine) mark() error {
	if len(m.marks) == maxDepth {
		return fmt.Errorf("more than %d containers are open", maxDepth)
	}
	m.marks = append(m.marks, len(m.stack))
	return nil
}

func (m *machine) drop() error {
	if len(m.marks) > 0 && m.floor() == len(m.stack) { // it takes a mark too
		m.marks = m.marks[:len(m.marks)-1]
		return nil
	}
	_, err := m.pop()
	return err
}

func (m *machine) dup() error {
	v, err := m.top()
	if err != nil {
		return err
	}
	return m.push(v)
}

func tuple(n int) func(*machine) error {
	return func(m *machine) error {
		return m.replace(n, func(v []any) (any, error) { return Tuple(append([]any(nil), v...)), nil })
	}
}

// marked pushes what is made of the values behind the mark.
func marked(f func([]any) (any, error)) func(*machine) error {
	return func(m *machine) error {
		items, err := m.popMark()
		if err != nil {
			return err
		}
		v, err := f(items)
		if err != nil {
			return err
		}
		return m.push(v)
	}
}

// into adds the values behind the mark to the container before it.
func into(add func(container any, items []any) error) func(*machine) error {
	return func(m *machine) error {
		items, err := m.popMark()
		if err != nil {
			return err
		}
		container, err := m.top()
		if err != nil {
			return err
		}
		return add(container, items)
	}
}

func appendItems(container any, items []any) error {
	switch c := container.(type) {
	case *List:
		c.Items = append(c.Items, items...)
	case *Set:
		c.Items = append(c.Items, items...)
	case *Object: // of a class that extends list: its items are of no interest
	default:
		return fmt.Errorf("items are added to a value of the type %T", container)
	}
	return nil
}

func setItems(container any, items []any) error {
	if len(items)%2 != 0 {
		return errors.New("a key has no value: the pickle is damaged")
	}
	switch d := container.(type) {
	case *Dict:
		for i := 0; i < len(items); i += 2 {
			d.Set(items[i], items[i+1])
		}
	case *Object: // of a class that extends dict
	default:
		return fmt.Errorf("keys are set in a value of the type %T", container)
	}
	return nil
}

func (m *machine) appendOne() error {
	v, err := m.pop()
	if err != nil {
		return err
	}
	list, err := m.top()
	if err != nil {
		return err
	}
	return appendItems(list, []any{v})
}

func (m *machine) setOne() error {
	value, err := m.pop()
	if err != nil {
		return err
	}
	key, err := m.pop()
	if err != nil {
		return err
	}
	dict, err := m.top()
	if err != nil {
		return err
	}
	return setItems(dict, []any{key, value})
}

// memo is an opcode with a place in the memo of so many bytes behind it.
func memo(size int, do func(*machine, uint64) error) func(*machine) error {
	return func(m *machine) error {
		i, err := m.uint(size)
		if err != nil {
			return err
		}
		return do(m, i)
	}
}

// memoText is one with a place in decimal.
func memoText(do func(*machine, uint64) error) func(*machine) error {
	return func(m *machine) error {
		line, err := m.line()
		if err != nil {
			return err
		}
		i, err := strconv.ParseUint(line, 10, 64)
		if err != nil {
			return fmt.Errorf("%.40q is not a place in the memo", line)
		}
		return do(m, i)
	}
}

func (m *machine) put(i uint64) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if len(m.memo) > DefaultValues {
		return errors.New("the memo is too large")
	}
	m.memo[i] = v
	return nil
}

func (m *machine) get(i uint64) error {
	v, ok := m.memo[i]
	if !ok {
		return fmt.Errorf("the memo has nothing at %d: the pickle is damaged", i)
	}
	return m.push(v)
}

func (m *machine) globalLines() error {
	module, err := m.line()
	if err != nil {
		return err
	}
	name, err := m.line()
	if err != nil {
		return err
	}
	g, err := m.global(module, name)
	if err != nil {
		return err
	}
	return m.push(g)
}

func (m *machine) globalStack() error {
	return m.replace(2, func(v []any) (any, error) {
		module, isText := v[0].(string)
		name, isName := v[1].(string)
		if !isText || !isName {
			return nil, errors.New("a global is named by something that is no text")
		}
		return m.global(module, name)
	})
}

// newobjEx makes an instance with keyword arguments, which must be none.
func (m *machine) newobjEx() error {
	return m.replace(3, func(v []any) (any, error) {
		if d, ok := v[2].(*Dict); !ok || len(d.Keys) > 0 {
			return nil, errors.New("keyword arguments are not read")
		}
		return m.instance(v[0], v[1])
	})
}

// obj makes an instance of the class behind the mark.
func (m *machine) obj() error {
	return marked(func(v []any) (any, error) {
		if len(v) == 0 {
			return nil, errEmpty
		}
		return m.instance(v[0], Tuple(append([]any(nil), v[1:]...)))
	})(m)
}

// inst makes an instance of a class that it names.
func (m *machine) inst() error {
	if err := m.globalLines(); err != nil {
		return err
	}
	class, err := m.pop()
	if err != nil {
		return err
	}
	return marked(func(v []any) (any, error) { return m.instance(class, Tuple(append([]any(nil), v...))) })(m)
}

func (m *machine) build() error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	return build(v, state)
}

func (m *machine) persistent(id any) (any, error) {
	if m.options.Persistent == nil {
		return nil, errors.New("a persistent id, where there can be none")
	}
	return m.options.Persistent(id)
}

func (m *machine) persid() error {
	return text(func(line string) (any, error) { return m.persistent(line) })(m)
}

func (m *machine) binpersid() error {
	return m.replace(1, func(v []any) (any, error) { return m.persistent(v[0]) })
}

// proto checks the protocol.
func (m *machine) proto() error {
	version, err := m.byte()
	if err == nil && version > 5 {
		err = fmt.Errorf("protocol %d is newer than 5, the newest that is read", version)
	}
	return err
}

// frame checks that a frame's bytes are there. What is in it is read like the rest.
func (m *machine) frame() error {
	n, err := m.uint(8)
	if err == nil && n > uint64(m.end-m.at) {
		err = fmt.Errorf("a frame of %d bytes, and %d are left in the file: the file is truncated", n, m.end-m.at)
	}
	return err
}

// Int is a value as an int64, if it is one: Python writes small numbers in many ways.
func Int(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case *big.Int:
		return v.Int64(), v.IsInt64()
	}
	return 0, false
}
