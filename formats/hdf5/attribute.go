package hdf5

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
)

// Attribute implements Node.
func (o *object) Attribute(name string) (*Array, error) {
	if err := o.listAttributes(); err != nil {
		return nil, o.fail(err)
	}
	m, ok := o.attributes[name]
	if !ok {
		return nil, nil
	}
	a, err := o.readAttribute(*m)
	if err != nil {
		return nil, o.fail(fmt.Errorf("attribute %q: %w", name, err))
	}
	a.what = fmt.Sprintf("%s: attribute %q", o.what(), name)
	return a, nil
}

// Attributes implements Node.
func (o *object) Attributes() ([]string, error) {
	if err := o.listAttributes(); err != nil {
		return nil, o.fail(err)
	}
	return slices.Sorted(maps.Keys(o.attributes)), nil
}

// listAttributes finds the attribute messages, of the header and of the heap that it may
// name.
func (o *object) listAttributes() error {
	if o.attributes != nil {
		return nil
	}
	found := map[string]*decoder{}
	add := func(shared bool, d decoder) error {
		m, err := o.f.resolve(msgAttribute, shared, d)
		if err != nil {
			return err
		}
		a, err := attributeHead(*m)
		if err != nil {
			return err
		}
		if _, ok := found[a.name]; ok {
			return fmt.Errorf("attribute %q is there twice: the file is damaged", a.name)
		}
		found[a.name] = m
		return nil
	}
	for _, m := range o.messages {
		switch m.kind {
		case msgAttribute:
			if err := add(m.shared, *m.data); err != nil {
				return err
			}
		case msgAttributes:
			d := *m.data
			d.take(1)
			if flags := d.u8(); flags&1 != 0 {
				d.take(2) // the largest order of creation
			}
			heap, tree := d.offset(), d.offset()
			if d.err != nil {
				return d.err
			}
			if heap == undefined {
				continue
			}
			if err := o.f.denseMessages(heap, tree, treeAttributes, func(m *decoder, flags uint8) error {
				return add(flags&2 != 0, *m)
			}); err != nil {
				return err
			}
		}
	}
	o.attributes = found
	return nil
}

// attribute is the parts of an attribute message.
type attribute struct {
	name                    string
	version, flags          uint8
	kind, space, data       *decoder
	sharedKind, sharedSpace bool
}

// attributeHead reads the parts of an attribute message, but not what they say.
func attributeHead(d decoder) (attribute, error) {
	a := attribute{version: d.u8(), flags: d.u8()}
	if d.err == nil && (a.version < 1 || a.version > 3) {
		return a, d.fail("an attribute is of version %d; versions 1 to 3 are read", a.version)
	}
	name, kind, space := uint64(d.u16()), uint64(d.u16()), uint64(d.u16())
	pad := uint64(0)
	switch a.version {
	case 1:
		pad, a.flags = 7, 0
	case 3:
		d.take(1) // character set
	}
	part := func(n uint64) *decoder {
		p := d.sub(n)
		d.take((n+pad)&^pad - n)
		return p
	}
	b := part(name)
	a.kind, a.space = part(kind), part(space)
	a.name, _, _ = strings.Cut(string(b.b), "\x00")
	a.data = d.sub(uint64(d.left()))
	a.sharedKind, a.sharedSpace = a.flags&1 != 0, a.flags&2 != 0
	return a, d.err
}

// readAttribute reads the value of an attribute.
func (o *object) readAttribute(d decoder) (*Array, error) {
	a, err := attributeHead(d)
	if err != nil {
		return nil, err
	}
	kind, err := o.f.resolve(msgDatatype, a.sharedKind, *a.kind)
	if err != nil {
		return nil, err
	}
	t, err := readType(kind, 0)
	if err != nil {
		return nil, err
	}
	at, err := o.f.resolve(msgDataspace, a.sharedSpace, *a.space)
	if err != nil {
		return nil, err
	}
	space, err := readSpace(at)
	if err != nil {
		return nil, err
	}
	n, err := elements(space.shape, t.Size)
	if err != nil {
		return nil, err
	}
	high, total := bits.Mul64(uint64(n), uint64(t.Size))
	if have := uint64(a.data.left()); high != 0 || have < total {
		return nil, fmt.Errorf("%d bytes of elements are there in place of %d: the file is damaged", have, total)
	}
	return &Array{Shape: space.shape, Type: t, f: o.f, raw: a.data.take(total)}, nil
}
