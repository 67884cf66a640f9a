package matfile

import (
	"fmt"
	"slices"
	"unicode/utf16"

	"github.com/hubel-go/hubel/formats/hdf5"
)

// newReader reads the values of a file of version 7.3. Elements of cells are references.
type newReader struct {
	f      *hdf5.File
	values map[hdf5.Ref]*Value // that were followed; nil while one is being read
	left   int64               // values that may still be read: groups with many links are read for each
}

// value reads a value. Those of classes that are not read have no elements.
func (n *newReader) value(node hdf5.Node, depth int) (*Value, error) {
	if n.left--; n.left < 0 {
		return nil, fmt.Errorf("%s: there are more values than a file of this size holds", node.Path())
	}
	if depth > deepest {
		return nil, fmt.Errorf("%s: cells and structures are nested more than %d deep", node.Path(), deepest)
	}
	v := &Value{}
	class, err := node.Attribute("MATLAB_class")
	if err != nil {
		return nil, err
	}
	if class != nil {
		if v.Class, err = class.Text(); err != nil {
			return nil, err
		}
	}
	if g, ok := node.(*hdf5.Group); ok {
		return v, n.structure(v, g, depth)
	}
	s := node.(*hdf5.Dataset)
	a, err := s.Read()
	if err != nil {
		return nil, err
	}
	empty, err := node.Attribute("MATLAB_empty")
	if err != nil {
		return nil, err
	}
	if empty != nil {
		dims, err := a.Int64s()
		if err != nil {
			return nil, err
		}
		for _, d := range dims {
			v.Dims = append(v.Dims, int(min(max(d, 0), 1<<31)))
		}
		if !slices.Contains(v.Dims, 0) {
			v.Dims = []int{0, 0}
		}
		return v, nil
	}
	v.Dims = slices.Clone(a.Shape)
	slices.Reverse(v.Dims)
	switch {
	case a.Type.Class == hdf5.Reference:
		v.Cells, err = n.follow(a, depth)
	case v.Class == "single":
		v.single, err = a.Float32s()
	case numeric(v.Class):
		v.double, err = a.Float64s()
	}
	if a.Type.String() == "compound" {
		v.Class, err = "complex "+v.Class, nil
	}
	return v, err
}

// numeric reports whether a class has elements that are numbers.
func numeric(class string) bool {
	return class == "double" || class == "single" || class == "logical" || class == "char" || slices.Contains(classes[8:16], class)
}

// follow reads what an array of references leads to.
func (n *newReader) follow(a *hdf5.Array, depth int) ([]*Value, error) {
	refs, err := a.Refs()
	if err != nil {
		return nil, err
	}
	list := make([]*Value, len(refs))
	for i, r := range refs {
		v, ok := n.values[r]
		if ok && v == nil {
			return nil, fmt.Errorf("a cell holds itself: the file is damaged")
		}
		if !ok {
			n.values[r] = nil
			node, err := n.f.Follow(r)
			if err != nil {
				return nil, err
			}
			if v, err = n.value(node, depth+1); err != nil {
				return nil, err
			}
			n.values[r] = v
		}
		list[i] = v
	}
	return list, nil
}

// structure reads the fields of a structure: of one element they stand in the group, of
// several they are references.
func (n *newReader) structure(v *Value, g *hdf5.Group, depth int) error {
	v.Dims, v.Fields, v.Names = []int{1, 1}, map[string][]*Value{}, g.Names()
	for _, name := range v.Names {
		node, err := g.Node(name)
		if err != nil {
			return err
		}
		field, err := n.value(node, depth+1)
		if err != nil {
			return err
		}
		if field.Class == "" && field.Cells != nil {
			v.Fields[name], v.Dims = field.Cells, field.Dims
		} else {
			v.Fields[name] = []*Value{field}
		}
	}
	for _, name := range v.Names {
		if len(v.Fields[name]) != v.Len() {
			return fmt.Errorf("%s: field %q has %d values in place of %d", g.Path(), name, len(v.Fields[name]), v.Len())
		}
	}
	return nil
}

// runes is text of UTF-16.
func runes(x []float64) string {
	u := make([]uint16, len(x))
	for i, n := range x {
		u[i] = uint16(n)
	}
	return string(utf16.Decode(u))
}
