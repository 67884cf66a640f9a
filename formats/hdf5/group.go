package hdf5

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/internal/printable"
)

// Node is an object of a file: a *Group or a *Dataset.
type Node interface {
	// Path is where the node was found, such as "/layers/conv". It is for errors: an
	// object may have several.
	Path() string

	// Attribute is the attribute of the name, or nil.
	Attribute(name string) (*Array, error)

	// Attributes are the names of all attributes, sorted.
	Attributes() ([]string, error)
}

// object is what groups and data sets have in common.
type object struct {
	*header
	path       string
	attributes map[string]*decoder // messages by name, once they are read
}

// Path implements Node.
func (o *object) Path() string { return o.path }

// what is the object in errors.
func (o *object) what() string { return o.f.name + ": " + printable.Name(o.path) }

func (o *object) fail(err error) error { return fmt.Errorf("%s: %w", o.what(), err) }

// Group is a folder of groups and data sets.
type Group struct {
	object
	links map[string]link
}

// link is where a name of a group leads to.
type link struct {
	address uint64
	soft    string // a path in place of an address
	outside bool   // to another file
}

// Names are the names in the group, sorted.
func (g *Group) Names() []string { return slices.Sorted(maps.Keys(g.links)) }

// deepestLinks bounds how many soft links lead to one object.
const deepestLinks = 16

// Node finds what a path leads to, from the group on, or from the root if it begins with a
// slash.
func (g *Group) Node(path string) (Node, error) {
	left := deepestLinks
	return g.find(path, &left)
}

// Group is Node for a group.
func (g *Group) Group(path string) (*Group, error) {
	n, err := g.Node(path)
	if err != nil {
		return nil, err
	}
	return asGroup(n)
}

// Dataset is Node for a data set.
func (g *Group) Dataset(path string) (*Dataset, error) {
	n, err := g.Node(path)
	if err != nil {
		return nil, err
	}
	d, ok := n.(*Dataset)
	if !ok {
		return nil, fmt.Errorf("%s: %s is a group, not a data set", g.f.name, printable.Name(n.Path()))
	}
	return d, nil
}

func asGroup(n Node) (*Group, error) {
	g, ok := n.(*Group)
	if !ok {
		d := n.(*Dataset)
		return nil, d.fail(errors.New("it is a data set, not a group"))
	}
	return g, nil
}

func (g *Group) find(path string, left *int) (Node, error) {
	if strings.HasPrefix(path, "/") {
		root, err := g.f.Root()
		if err != nil {
			return nil, err
		}
		g = root
	}
	var at Node = g
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." {
			continue
		}
		group, err := asGroup(at)
		if err != nil {
			return nil, err
		}
		l, ok := group.links[part]
		switch {
		case !ok:
			return nil, group.fail(fmt.Errorf("there is no %q", part))
		case l.outside:
			return nil, group.fail(fmt.Errorf("%q is in another file, which is not read: copy it into this one", part))
		case l.soft != "" && *left == 0:
			return nil, group.fail(fmt.Errorf("%q is a link to a link and so on, more than %d", part, deepestLinks))
		case l.soft != "":
			*left--
			at, err = group.find(l.soft, left)
		default:
			at, err = g.f.node(strings.TrimSuffix(group.path, "/")+"/"+part, l.address)
		}
		if err != nil {
			return nil, err
		}
	}
	return at, nil
}

// Follow is the object that a reference leads to.
func (f *File) Follow(r Ref) (Node, error) {
	return f.node(fmt.Sprintf("reference to byte %d", uint64(r)), uint64(r))
}

// node reads the object at an address.
func (f *File) node(path string, address uint64) (Node, error) {
	h, err := f.readHeader(address)
	o := object{path: path, header: h}
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", f.name, printable.Name(path), err)
	}
	for _, m := range h.messages {
		switch m.kind {
		case msgLayout:
			return readDataset(o)
		case msgSymbolTable, msgLink, msgLinkInfo:
			g := &Group{object: o, links: map[string]link{}}
			if err := g.readLinks(); err != nil {
				return nil, o.fail(err)
			}
			return g, nil
		}
	}
	return nil, o.fail(errors.New("it is neither a group nor a data set"))
}

// readLinks reads the names of the group, however they are kept.
func (g *Group) readLinks() error {
	for _, m := range g.messages {
		d := *m.data
		var err error
		switch m.kind {
		case msgSymbolTable:
			tree, heap := d.offset(), d.offset()
			if err = d.err; err == nil {
				err = g.readSymbols(tree, heap)
			}
		case msgLink:
			err = g.readLink(&d)
		case msgLinkInfo:
			err = g.readDenseLinks(&d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readSymbols reads an old group: a tree of tables of symbols, and a heap of their names.
func (g *Group) readSymbols(tree, heapAt uint64) error {
	w := g.f.walk()
	heap, err := w.localHeap(heapAt)
	if err != nil {
		return err
	}
	return w.oldTree(tree, oldTree{kind: 0, key: uint64(g.f.lengths)}, rootLevel, func(_ *decoder, child uint64) error {
		d, err := w.read(child, 8)
		if err != nil {
			return err
		}
		d.expect([]byte("SNOD"))
		d.take(2)
		count := uint64(d.u16())
		if d.err != nil {
			return d.err
		}
		o := uint64(g.f.offsets)
		if d, err = w.read(child+8, count*(2*o+24)); err != nil {
			return err
		}
		for range count {
			name, err := nameAt(heap, d.offset())
			if err != nil {
				return err
			}
			l := link{address: d.offset()}
			kind := d.u32()
			d.take(4)
			pad := d.sub(16)
			if kind == 2 {
				if l.soft, err = nameAt(heap, uint64(pad.u32())); err != nil {
					return err
				}
			}
			if err := g.add(name, l); err != nil {
				return err
			}
		}
		return nil
	})
}

// readLink reads a link message, of a new group.
func (g *Group) readLink(d *decoder) error {
	version, flags := d.u8(), d.u8()
	if d.err == nil && version != 1 {
		return d.fail("a link is of version %d, not 1", version)
	}
	kind := uint8(0)
	if flags&8 != 0 {
		kind = d.u8()
	}
	if flags&4 != 0 {
		d.take(8) // order of creation
	}
	if flags&16 != 0 {
		d.take(1) // character set
	}
	name := string(d.take(d.number(1 << (flags & 3))))
	var l link
	switch kind {
	case 0:
		l.address = d.offset()
	case 1:
		l.soft = string(d.take(uint64(d.u16())))
	default:
		l.outside = true
	}
	if d.err != nil {
		return d.err
	}
	return g.add(name, l)
}

// readDenseLinks reads a link info message, and the link messages in the heap that it may
// name.
func (g *Group) readDenseLinks(d *decoder) error {
	d.take(1)
	if flags := d.u8(); flags&1 != 0 {
		d.take(8) // the largest order of creation
	}
	heap, tree := d.offset(), d.offset()
	if d.err != nil || heap == undefined {
		return d.err
	}
	return g.f.denseMessages(heap, tree, treeLinks, func(m *decoder, _ uint8) error { return g.readLink(m) })
}

func (g *Group) add(name string, l link) error {
	if _, ok := g.links[name]; ok {
		return fmt.Errorf("%q is there twice: the file is damaged", name)
	}
	g.links[name] = l
	return nil
}
