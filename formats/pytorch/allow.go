package pytorch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/formats/pickle"
	"github.com/hubel-go/hubel/internal/printable"
)

// The modules of torch whose names are on the list.
const (
	torch = "torch"
	cuda  = "torch.cuda"
	utils = "torch._utils"
)

// isStorage reports whether a global is the class of a storage.
func isStorage(g pickle.Global) bool {
	_, ok := storageTypes[g.Name]
	return ok && (g.Module == torch || g.Module == cuda || g.Module == "torch.storage")
}

// isStorageOrTensor is for the pickles around the value, which name these alone.
func isStorageOrTensor(g pickle.Global) bool {
	kind, ok := strings.CutSuffix(g.Name, "Tensor")
	return isStorage(g) || ok && isStorage(pickle.Global{Module: g.Module, Name: kind + "Storage"})
}

// isClass is the list of classes that a pickle may name. Those of networks are instances
// with their attributes, nothing else.
func isClass(g pickle.Global) bool {
	switch g.Module {
	case torch:
		_, ok := dtypes[g.Name]
		return ok || isStorageOrTensor(g) || isPlainTensor(g)
	case "torch.nn.parameter":
		return isPlainTensor(g)
	case "builtins", "__builtin__":
		return slices.Contains([]string{"int", "float", "bool", "str", "list", "dict", "tuple"}, g.Name)
	case "argparse":
		return g.Name == "Namespace"
	case "numpy":
		return g.Name == "ndarray"
	}
	for _, prefix := range []string{"torch.nn.modules.", "torchvision.models.", "torchvision.ops.", "__torch__."} {
		if strings.HasPrefix(g.Module+".", prefix) {
			return true
		}
	}
	return isStorageOrTensor(g)
}

// inert are the functions of values that checkpoints hold beside tensors, and that nobody
// reads.
var inert = []pickle.Global{
	{Module: torch, Name: "Size"},
	{Module: torch, Name: "device"},
	{Module: "numpy", Name: "dtype"},
	{Module: "numpy.core.multiarray", Name: "scalar"},
	{Module: "numpy._core.multiarray", Name: "scalar"},
	{Module: "numpy.core.multiarray", Name: "_reconstruct"},
	{Module: "numpy._core.multiarray", Name: "_reconstruct"},
	{Module: "collections", Name: "Counter"},
	{Module: "pathlib", Name: "PosixPath"},
	{Module: "pathlib", Name: "WindowsPath"},
}

// options are what the pickle of a value may name. locate finds the storage of a key, which
// is asked for once; it is nil where ids are something else.
func (f *file) options(locate func(key string, d dtype, elements int64) (*storage, error)) pickle.Options {
	functions := map[pickle.Global]pickle.Func{
		{Module: utils, Name: "_rebuild_tensor"}:               rebuild(4, never),
		{Module: utils, Name: "_rebuild_tensor_v2"}:            rebuild(6, never),
		{Module: utils, Name: "_rebuild_tensor_v3"}:            rebuild(7, 6),
		{Module: utils, Name: "_rebuild_parameter"}:            first(3),
		{Module: utils, Name: "_rebuild_parameter_with_state"}: first(4),
		{Module: "collections", Name: "defaultdict"}:           func(pickle.Tuple) (any, error) { return &pickle.Dict{}, nil },
	}
	for _, g := range inert {
		functions[g] = pickle.Inert(g)
	}
	functions[fromType] = func(args pickle.Tuple) (any, error) {
		if len(args) != 4 {
			return nil, fmt.Errorf("it takes 4 values, and %d are given", len(args))
		}
		class, _ := args[1].(pickle.Global)
		if !isPlainTensor(class) {
			return nil, fmt.Errorf("a tensor of the class %v, which may mean other values than it holds: tensor.as_subclass(torch.Tensor) makes a plain one", class)
		}
		g, _ := args[0].(pickle.Global)
		inner, ok := args[2].(pickle.Tuple)
		if rebuild := functions[g]; ok && rebuild != nil && g.Module == utils {
			return rebuild(inner)
		}
		return nil, errors.New("it does not hold a plain tensor")
	}
	return pickle.Options{
		Functions: functions,
		Class:     isClass,
		Persistent: func(id any) (any, error) {
			return f.persistent(id, locate)
		},
	}
}

// persistent is the storage or class of a persistent id:
//
//	("storage", class, key, location, elements, view), where view may be missing
//	("module", class, source file, source)
func (f *file) persistent(id any, locate func(string, dtype, int64) (*storage, error)) (any, error) {
	args, _ := id.(pickle.Tuple)
	if len(args) == 4 && args[0] == "module" {
		if class, ok := args[1].(pickle.Global); ok {
			return class, nil
		}
	}
	if len(args) < 5 || len(args) > 6 || args[0] != "storage" {
		return nil, errors.New("a persistent id is not that of a storage")
	}
	class, _ := args[1].(pickle.Global)
	if !isStorage(class) {
		return nil, fmt.Errorf("the type of a storage, %v, is not known", class)
	}
	key, d := keyOf(args[2]), storageTypes[class.Name]
	elements, ok := pickle.Int(args[4])
	if !ok || elements < 0 {
		return nil, fmt.Errorf("storage %.100q: its number of elements is none", key)
	}
	s := f.storages[key]
	if s == nil {
		var err error
		if s, err = locate(key, d, elements); err != nil {
			return nil, err
		}
		f.storages[key] = s
	}
	if s.dtype != d || s.elements != elements {
		return nil, fmt.Errorf("storage %.100q is %d elements of %v here and %d of %v elsewhere: the file is damaged", key, elements, d, s.elements, s.dtype)
	}
	if len(args) == 6 && args[5] != nil { // a part of a storage: key, offset, elements
		view, _ := args[5].(pickle.Tuple)
		if len(view) != 3 {
			return nil, fmt.Errorf("storage %.100q: its part is not key, offset and size", key)
		}
		return s.part(view[1], view[2])
	}
	return s, nil
}

// fromType makes tensors that have attributes of their own: function, class, arguments, state.
var fromType = pickle.Global{Module: "torch._tensor", Name: "_rebuild_from_type_v2"}

// isPlainTensor reports whether a class of tensors has the values that are stored. Those of
// others are what their code makes of them.
func isPlainTensor(g pickle.Global) bool {
	switch g.Module {
	case torch:
		return g.Name == "Tensor"
	case "torch.nn.parameter":
		return g.Name == "Parameter" || g.Name == "Buffer"
	}
	return false
}

// first is the tensor of a parameter, of count values. The others are whether it is trained,
// hooks of gradients, and attributes in Python.
func first(count int) pickle.Func {
	return func(args pickle.Tuple) (any, error) {
		if len(args) != count {
			return nil, fmt.Errorf("it takes %d values, and %d are given", count, len(args))
		}
		if t, ok := args[0].(*tensor); ok {
			return t, nil
		}
		return nil, errors.New("a parameter is not a tensor")
	}
}

// never is the place of a type that is not given.
const never = -1

// rebuild makes a tensor of storage, offset, sizes and strides, which are the first of count
// values, perhaps with metadata behind them. The value at typeAt is its type, unless that is
// the storage's. Whether it is trained and hooks of gradients change none of its values.
func rebuild(count, typeAt int) pickle.Func {
	return func(args pickle.Tuple) (any, error) {
		if len(args) != count && (len(args) != count+1 || count == 4) {
			return nil, fmt.Errorf("it takes %d values, and %d are given", count, len(args))
		}
		s, ok := args[0].(*storage)
		if !ok {
			return nil, errors.New("a tensor has no storage")
		}
		t := &tensor{storage: s, dtype: s.dtype}
		if typeAt != never {
			g, _ := args[typeAt].(pickle.Global)
			if t.dtype, ok = dtypes[g.Name]; !ok || g.Module != torch {
				return nil, fmt.Errorf("the type %v of a tensor is not known", g)
			}
		}
		if len(args) > count {
			if err := t.setMetadata(args[count]); err != nil {
				return nil, err
			}
		}
		var err error
		if t.offset, ok = pickle.Int(args[1]); !ok {
			return nil, errors.New("the offset of a tensor is not a number")
		}
		if t.shape, err = numbers(args[2]); err != nil {
			return nil, err
		}
		if t.stride, err = numbers(args[3]); err != nil {
			return nil, err
		}
		return t, t.check()
	}
}

// setMetadata takes the bits of a view: "neg", whose values are those of the storage with the
// other sign, and "conj", which only complex numbers have.
func (t *tensor) setMetadata(v any) error {
	if v == nil {
		return nil
	}
	d, ok := v.(*pickle.Dict)
	if !ok {
		return fmt.Errorf("the metadata of a tensor are a %s, not a dictionary", typeName(v))
	}
	for i, key := range d.Keys {
		set, ok := d.Values[i].(bool)
		switch {
		case key == "neg" && ok && (!set || t.dtype.isFloat() || t.dtype.isComplex()):
			t.negative = set
		case key == "conj" && ok && (!set || t.dtype.isComplex()):
		default:
			return fmt.Errorf("the metadata of a tensor have %s, which is not known to leave its values: tensor.clone() makes one without metadata", printable.Name(keyName(key)))
		}
	}
	return nil
}

// numbers are the sizes or strides of a tensor.
func numbers(v any) ([]int64, error) {
	if o, ok := v.(*pickle.Object); ok && len(o.Args) == 1 { // torch.Size((…))
		v = o.Args[0]
	}
	tuple, ok := v.(pickle.Tuple)
	if !ok || len(tuple) > maxDims {
		return nil, fmt.Errorf("the shape of a tensor is not a tuple of up to %d numbers", maxDims)
	}
	list := make([]int64, len(tuple))
	for i, v := range tuple {
		if list[i], ok = pickle.Int(v); !ok {
			return nil, errors.New("the shape of a tensor is not of numbers")
		}
	}
	return list, nil
}

// order is that of the bytes of the file's elements.
func (f *file) order() binary.ByteOrder {
	if f.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}
