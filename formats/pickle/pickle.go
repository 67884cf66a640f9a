// Package pickle reads Python's pickles, protocols 0 to 5 (pickletools.py of CPython is their
// specification), as plain values. A pickle is a program for a stack machine that names and
// calls functions of Python. Here nothing is ever called but the functions of Go that the
// caller lists: a global or an opcode that is not on a list ends the reading, with its name
// and its offset in the file.
//
// Values are nil, bool, int64, *big.Int, float64, string, []byte, Tuple, *List, *Dict, *Set,
// Global, *Object, and what the caller's functions make. The strings of Python 2, which are
// bytes, are strings too. A value may hold itself, and one value may be in many places, so a
// caller that walks through values has to bound how deep it goes.
//
// Memory is bounded: a length is compared with what is left of the file before a byte is
// taken, and values, open containers and strings have limits.
package pickle

import (
	"fmt"
	"math/big"
)

// Global names a class or a function of Python's.
type Global struct{ Module, Name string }

// String is the name as Python has it, quoted where it is strange.
func (g Global) String() string {
	text := g.Module + "." + g.Name
	if quoted := fmt.Sprintf("%.200q", text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}

// Tuple is a tuple.
type Tuple []any

// List is a list.
type List struct{ Items []any }

// Set is a set or a frozen set, with repeated items as they are in the file.
type Set struct{ Items []any }

// Object is an instance of a class, as data: nothing of the class is known but its name.
type Object struct {
	Class Global
	Args  Tuple
	State any // usually a *Dict of its attributes; nil if there is none
}

// Dict is a dictionary in its order.
type Dict struct {
	Keys, Values []any

	index map[any]int // of keys that are strings, numbers or globals
}

// Get is the value of a key, which is a string, int64, float64, bool, nil or Global.
func (d *Dict) Get(key any) (any, bool) {
	i, ok := d.index[key]
	if !ok {
		return nil, false
	}
	return d.Values[i], true
}

// Set sets the value of a key. Keys of other types than Get takes are kept, as often as they
// are set.
func (d *Dict) Set(key, value any) {
	if n, ok := key.(*big.Int); ok {
		key = n.String()
	}
	switch key.(type) {
	case nil, bool, int64, float64, string, Global:
		if i, ok := d.index[key]; ok {
			d.Values[i] = value
			return
		}
		if d.index == nil {
			d.index = map[any]int{}
		}
		d.index[key] = len(d.Keys)
	}
	d.Keys, d.Values = append(d.Keys, key), append(d.Values, value)
}

// Func makes the value of a call of a global.
type Func func(args Tuple) (any, error)

// Options say what a pickle may name.
type Options struct {
	// Functions are the globals that may be called, and what is done instead of calling
	// them. Those of Plain are always there.
	Functions map[Global]Func

	// Class reports whether a global may be named. It may then be instantiated, as an
	// Object, but not called. It is nil if there are none.
	Class func(Global) bool

	// Persistent makes the value of a persistent id. If it is nil, an id is an error.
	Persistent func(id any) (any, error)

	// Values bounds how many values a pickle makes: DefaultValues if it is 0.
	Values int
}

// DefaultValues is how many values a pickle may make unless Options say so.
const DefaultValues = 1 << 22

// The other limits of a pickle.
const (
	maxDepth  = 1000     // containers that are open at a time
	maxString = 64 << 20 // bytes of a string
	maxLine   = 1 << 16  // bytes of a line of protocol 0
	maxLong   = 1 << 10  // bytes of an integer
)

// Inert is a Func for calls whose result is of no interest: it makes an Object of the class.
func Inert(class Global) Func {
	return func(args Tuple) (any, error) { return &Object{Class: class, Args: args}, nil }
}

// Plain are the functions of plain containers and of bytes.
var Plain = map[Global]Func{
	{"collections", "OrderedDict"}: dictOf,
	{"__builtin__", "set"}:         setOf,
	{"builtins", "set"}:            setOf,
	{"__builtin__", "frozenset"}:   setOf,
	{"builtins", "frozenset"}:      setOf,
	{"_codecs", "encode"}:          latin1,
}

// dictOf is OrderedDict() or OrderedDict([[key, value], …]).
func dictOf(args Tuple) (any, error) {
	d := &Dict{}
	if len(args) == 0 {
		return d, nil
	}
	items, ok := args[0].(*List)
	if !ok || len(args) > 1 {
		return nil, fmt.Errorf("it takes a list of pairs")
	}
	for _, item := range items.Items {
		var pair []any
		switch item := item.(type) {
		case Tuple:
			pair = item
		case *List:
			pair = item.Items
		}
		if len(pair) != 2 {
			return nil, fmt.Errorf("it takes a list of pairs")
		}
		d.Set(pair[0], pair[1])
	}
	return d, nil
}

// setOf is set() or set([…]).
func setOf(args Tuple) (any, error) {
	if len(args) == 0 {
		return &Set{}, nil
	}
	items, ok := args[0].(*List)
	if !ok || len(args) > 1 {
		return nil, fmt.Errorf("it takes a list")
	}
	return &Set{Items: items.Items}, nil
}

// latin1 is how protocol 2 writes bytes: encode(text, "latin1").
func latin1(args Tuple) (any, error) {
	if len(args) == 2 && args[1] == "latin1" {
		if text, ok := args[0].(string); ok {
			b := make([]byte, 0, len(text))
			for _, r := range text {
				if r > 0xff {
					return nil, fmt.Errorf("the text is not Latin-1")
				}
				b = append(b, byte(r))
			}
			return b, nil
		}
	}
	return nil, fmt.Errorf("it takes a text and \"latin1\"")
}
