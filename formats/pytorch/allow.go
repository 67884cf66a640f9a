package pytorch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/formats/pickle"
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
		return ok || isStorageOrTensor(g)
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
		{Module: utils, Name: "_rebuild_tensor"}:               rebuild(4, nil),
		{Module: utils, Name: "_rebuild_tensor_v2"}:            rebuild(6, nil),
		{Module: utils, Name: "_rebuild_tensor_v3"}:            rebuild(7, func(args pickle.Tuple) any { return args[6] }),
		{Module: utils, Name: "_rebuild_parameter"}:            first,
		{Module: utils, Name: "_rebuild_parameter_with_state"}: first,
		{Module: "collections", Name: "defaultdict"}:           func(pickle.Tuple) (any, error) { return &pickle.Dict{}, nil },
	}
	for _, g := range inert {
		functions[g] = pickle.Inert(g)
	}
	functions[pickle.Global{Module: "torch._tensor", Name: "_rebuild_from_type_v2"}] = func(args pickle.Tuple) (any, error) {
		if len(args) == 4 {
			g, _ := args[0].(pickle.Global)
			inner, ok := args[2].(pickle.Tuple)
			if rebuild := functions[g]; ok && rebuild != nil && g.Module == utils {
				return rebuild(inner)
			}
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

// first is the tensor of a parameter.
func first(args pickle.Tuple) (any, error) {
	if len(args) > 0 {
		if t, ok := args[0].(*tensor); ok {
			return t, nil
		}
	}
	return nil, errors.New("a parameter is not a tensor")
}

// rebuild makes a tensor of (storage, offset, sizes, strides, …). dtypeOf is its type where
// that is not the storage's.
func rebuild(count int, dtypeOf func(pickle.Tuple) any) pickle.Func {
	return func(args pickle.Tuple) (any, error) {
		if len(args) < count {
			return nil, fmt.Errorf("it takes %d values, and %d are given", count, len(args))
		}
		s, ok := args[0].(*storage)
		if !ok {
			return nil, errors.New("a tensor has no storage")
		}
		t := &tensor{storage: s, dtype: s.dtype}
		if dtypeOf != nil {
			g, _ := dtypeOf(args).(pickle.Global)
			if t.dtype, ok = dtypes[g.Name]; !ok || g.Module != torch {
				return nil, fmt.Errorf("the type %v of a tensor is not known", g)
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
