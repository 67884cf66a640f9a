package pytorch

import (
	"errors"
	"fmt"
	"math/big"
	"strings"

	gorgonia "gorgonia.org/tensor"

	"github.com/hubel-go/hubel/formats/pickle"
	"github.com/hubel-go/hubel/internal/printable"
)

// stateDict is tensors by name, in the order of the file.
type stateDict struct {
	names   []string
	tensors map[string]*tensor

	facts, lost []string
}

func (d *stateDict) add(name string, t *tensor) {
	if d.tensors[name] == nil {
		d.names = append(d.names, name)
	}
	d.tensors[name] = t
}

// wrapped are the keys under which checkpoints hold a state_dict, the likeliest first.
var wrapped = []string{"state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "weights", "params", "state_dict_ema", "model_ema", "ema"}

// The bounds of what is looked through.
const (
	maxNesting = 4   // of checkpoints
	maxModules = 100 // of modules in modules
)

// findStateDict finds the tensors in what a pickle holds: a state_dict, a checkpoint with one
// under a usual key, or a module.
func findStateDict(v any) (*stateDict, error) {
	d := &stateDict{tensors: map[string]*tensor{}}
	for range maxNesting {
		if o, ok := v.(*pickle.Object); ok {
			err := d.module(o, "", 0)
			if err == nil && len(d.names) == 0 {
				err = fmt.Errorf("%v holds no tensors", o.Class)
			}
			d.facts = append(d.facts, fmt.Sprintf("a whole module, %v: its tensors were read, and nothing of it was run", o.Class))
			return d, err
		}
		dict, ok := v.(*pickle.Dict)
		if !ok {
			return nil, fmt.Errorf("it holds a value of the type %s, not a state_dict: torch.save(model.state_dict(), …) writes one", typeName(v))
		}
		inner, key := unwrap(dict)
		if inner == nil {
			return d, d.flat(dict)
		}
		d.facts = append(d.facts, "the state_dict is under the key "+key)
		for i, k := range dict.Keys {
			if name, ok := k.(string); ok && name != key && holdsTensors(dict.Values[i]) {
				d.facts = append(d.facts, "not read: tensors under the key "+printable.Name(name))
			}
		}
		v = inner
	}
	return nil, errors.New("its state_dict lies too deep in other dictionaries")
}

// typeName is what a value is in Python.
func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case *tensor:
		return "tensor"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case []byte:
		return "bytes"
	case *pickle.Dict:
		return "dict"
	case *pickle.Object:
		return v.Class.String()
	case *pickle.List:
		return "list"
	case pickle.Tuple:
		return "tuple"
	case *pickle.Set:
		return "set"
	case pickle.Global:
		return "class " + v.String()
	}
	return fmt.Sprintf("%T", v)
}

// unwrap finds the dictionary or module under one of the usual keys.
func unwrap(d *pickle.Dict) (any, string) {
	for _, key := range wrapped {
		if v, ok := d.Get(key); ok && holdsTensors(v) {
			return v, key
		}
	}
	return nil, ""
}

// holdsTensors reports whether a value is a dictionary with a tensor, or one that is wrapped
// again, or a module.
func holdsTensors(v any) bool {
	for range maxNesting {
		d, ok := v.(*pickle.Dict)
		if !ok {
			o, ok := v.(*pickle.Object)
			return ok && isModule(o)
		}
		for i, key := range d.Keys {
			if _, ok := key.(string); !ok {
				continue
			}
			if _, ok := d.Values[i].(*tensor); ok {
				return true
			}
		}
		v = nil
		for _, key := range wrapped {
			if inner, ok := d.Get(key); ok {
				v = inner
				break
			}
		}
	}
	return false
}

// isModule reports whether an object has the attributes of torch.nn.Module, or is of a
// TorchScript.
func isModule(o *pickle.Object) bool {
	state, ok := o.State.(*pickle.Dict)
	if !ok {
		return false
	}
	_, ok = state.Get("_modules")
	return ok || strings.HasPrefix(o.Class.Module, "__torch__")
}

// flat takes the tensors of a state_dict.
func (d *stateDict) flat(dict *pickle.Dict) error {
	for i, key := range dict.Keys {
		name, ok := key.(string)
		switch v := dict.Values[i].(type) {
		case *tensor:
			if !ok {
				return errors.New("it is not a state_dict: the name of a tensor is not a text")
			}
			d.add(name, v)
		case nil:
		default:
			d.lost = append(d.lost, fmt.Sprintf("%s: not a tensor, but a %s", printable.Name(keyName(key)), typeName(v)))
		}
	}
	if len(d.names) == 0 {
		var keys []string
		for _, key := range dict.Keys {
			keys = append(keys, keyName(key))
		}
		return fmt.Errorf("it holds no tensors by name; its keys are: %s", printable.Names(keys))
	}
	return nil
}

func keyName(key any) string {
	if s, ok := key.(string); ok {
		return s
	}
	return fmt.Sprint(key)
}

// module takes the tensors of a module and of those in it, by the names that its state_dict
// would give them.
func (d *stateDict) module(o *pickle.Object, prefix string, depth int) error {
	state, ok := o.State.(*pickle.Dict)
	switch {
	case depth > maxModules:
		return errors.New("its modules lie too deep in each other")
	case len(d.names) > pickle.DefaultValues || len(prefix) > 4096:
		return errors.New("its modules hold too many tensors")
	case !ok || !isModule(o):
		return fmt.Errorf("%v is not a module of torch: torch.save(model.state_dict(), …) writes a file that is read", o.Class)
	}
	if strings.HasPrefix(o.Class.Module, "__torch__") { // attributes, in the order of the file
		return d.attributes(state, prefix, depth)
	}
	hidden := map[any]bool{} // buffers that a state_dict leaves out
	if set, ok := member[*pickle.Set](state, "_non_persistent_buffers_set"); ok {
		for _, name := range set.Items {
			if name, ok := name.(string); ok {
				hidden[name] = true
			}
		}
	}
	for _, kind := range []string{"_parameters", "_buffers"} {
		own, ok := member[*pickle.Dict](state, kind)
		if !ok {
			continue
		}
		for i, key := range own.Keys {
			name, isText := key.(string)
			if t, ok := own.Values[i].(*tensor); ok && isText && (kind == "_parameters" || !hidden[name]) {
				d.add(prefix+name, t)
			}
		}
	}
	inner, ok := member[*pickle.Dict](state, "_modules")
	if !ok {
		return fmt.Errorf("%v has no modules: torch.save(model.state_dict(), …) writes a file that is read", o.Class)
	}
	return d.attributes(inner, prefix, depth)
}

// attributes takes tensors and modules by name.
func (d *stateDict) attributes(dict *pickle.Dict, prefix string, depth int) error {
	for i, key := range dict.Keys {
		name, ok := key.(string)
		if !ok {
			continue
		}
		switch v := dict.Values[i].(type) {
		case *tensor:
			d.add(prefix+name, v)
		case *pickle.Object:
			if err := d.module(v, prefix+name+".", depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// member is a value of a type, by its key.
func member[T any](d *pickle.Dict, key string) (T, bool) {
	v, _ := d.Get(key)
	t, ok := v.(T)
	return t, ok
}

// mostElements bounds the elements of all tensors of a file: views may show an element of
// the file many times.
func mostElements(size int64) int64 { return 4*size + 1<<20 }

// weights are values by name, in order, whatever container they came in.
type weights struct {
	names  []string
	values map[string]*gorgonia.Dense

	places map[*gorgonia.Dense]string // of their elements in the file; the same ones for tied weights

	unordered bool // the names are not in the order of the modules

	facts, lost []string
}

// load reads the values, each storage once.
func (f *file) load(d *stateDict) (*weights, error) {
	w := &weights{values: map[string]*gorgonia.Dense{}, places: map[*gorgonia.Dense]string{}, facts: d.facts, lost: d.lost}
	users := map[*storage][]string{}
	var roots []*storage
	left, doubles := mostElements(f.size), 0
	for _, name := range d.names {
		t := d.tensors[name]
		if !t.readable() {
			w.lost = append(w.lost, fmt.Sprintf("%s: hubel has no elements of the type %v", printable.Name(name), t.dtype))
			continue
		}
		if left -= t.len(); left < 0 {
			return nil, fmt.Errorf("tensor %.100q: with it, the tensors of the file have more than %d elements, far more than the file holds", name, mostElements(f.size))
		}
		if t.dtype.name == "float64" {
			doubles++
		}
		w.names = append(w.names, name)
		root := t.storage
		if root.root != nil {
			root = root.root
		}
		if users[root] == nil {
			roots = append(roots, root)
		}
		users[root] = append(users[root], name)
	}
	if doubles > 0 {
		w.facts = append(w.facts, fmt.Sprintf("%d tensors of float64 were rounded to float32", doubles))
	}
	for _, root := range roots {
		var b []byte
		if root.read != nil {
			var err error
			if b, err = root.read(); err != nil {
				return nil, fmt.Errorf("tensor %.100q: %w", users[root][0], err)
			}
		}
		for _, name := range users[root] {
			t := d.tensors[name]
			x, beyond := t.dense(b)
			if beyond > 0 {
				w.lost = append(w.lost, fmt.Sprintf("%s: %d of its values are beyond float32, and became infinite", printable.Name(name), beyond))
			}
			w.values[name] = x
			w.places[x] = fmt.Sprintf("%p %d %d %v %v %v %v", root, t.storage.first, t.offset, t.dtype, t.shape, t.stride, t.negative)
		}
	}
	return w, nil
}
