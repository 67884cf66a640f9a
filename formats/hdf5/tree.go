package hdf5

import "math/bits"

// oldTree is a B-tree of version 1: of groups, kind 0, or of chunks, kind 1, with keys of so
// many bytes.
type oldTree struct {
	kind uint8
	key  uint64
}

// rootLevel is the level of a root, whatever it is.
const rootLevel = -1

// oldTree calls leaf for each key and child of the lowest level, from a node of the given
// level on.
func (w *walk) oldTree(address uint64, t oldTree, want int, leaf func(key *decoder, child uint64) error) error {
	o := uint64(w.f.offsets)
	d, err := w.read(address, 8+2*o)
	if err != nil {
		return err
	}
	d.expect([]byte("TREE"))
	kind, level, count := d.u8(), int(d.u8()), uint64(d.u16())
	if d.err != nil {
		return d.err
	}
	if kind != t.kind || want != rootLevel && level != want {
		return d.fail("a node of an index is of kind %d and level %d in place of %d and %d: the file is damaged", kind, level, t.kind, want)
	}
	if d, err = w.read(address+8+2*o, count*(t.key+o)); err != nil {
		return err
	}
	for range count {
		key, child := d.sub(t.key), d.offset()
		if level == 0 {
			err = leaf(key, child)
		} else {
			err = w.oldTree(child, t, level-1, leaf)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// What B-trees of version 2 have records of.
const (
	treeHuge       = 1
	treeLinks      = 5
	treeAttributes = 8
	treeChunks     = 10 // without filters
	treeFiltered   = 11 // chunks with filters
)

// newTree is a B-tree of version 2.
type newTree struct {
	kind         uint8
	node, record uint64   // bytes
	counts       []uint64 // bytes of the number of all records below a child of a node, by level
	nodeCount    uint64   // bytes of the number of records of a child
}

// enough is how many bytes hold a number.
func enough(n uint64) uint64 { return uint64(max(bits.Len64(n), 1)+7) / 8 }

// newTree calls each for every record of a tree.
func (w *walk) newTree(address uint64, kind uint8, each func(record *decoder) error) error {
	o, l := uint64(w.f.offsets), uint64(w.f.lengths)
	d, err := w.checked(address, 4+12+o+2+l+4, "BTHD")
	if err != nil {
		return err
	}
	d.take(1)
	t := newTree{kind: d.u8(), node: uint64(d.u32()), record: uint64(d.u16())}
	depth := int(d.u16())
	d.take(2)
	root, records := d.offset(), uint64(d.u16())
	if d.err != nil || root == undefined {
		return d.err
	}
	const head = 10 // signature, version, kind and checksum
	if t.kind != kind || t.record == 0 || t.node < head+t.record || t.node > uint64(w.f.size) || depth > 32 {
		return d.fail("an index of kind %d has nodes of %d bytes for records of %d, %d levels: the file is damaged", t.kind, t.node, t.record, depth)
	}
	// The sizes of counts follow from the most records there can be: H5B2hdr.c.
	most := (t.node - head) / t.record
	t.nodeCount, t.counts = enough(most), []uint64{0}
	total := most
	for range depth {
		pointer := o + t.nodeCount + t.counts[len(t.counts)-1]
		if t.node < head+pointer+t.record+pointer {
			return d.fail("the nodes of an index are too small: the file is damaged")
		}
		n := (t.node - head - pointer) / (t.record + pointer)
		if high, low := bits.Mul64(n+1, total); high == 0 && low < 1<<62 {
			total = low + n
		} else {
			total = 1 << 62
		}
		t.counts = append(t.counts, enough(total))
	}
	return w.newNode(root, t, depth, records, each)
}

// newNode walks through a node with so many records.
func (w *walk) newNode(address uint64, t newTree, level int, records uint64, each func(record *decoder) error) error {
	if level == 0 {
		d, err := w.checked(address, 6+records*t.record+4, "BTLF")
		if err != nil {
			return err
		}
		d.take(2)
		for range records {
			if err := each(d.sub(t.record)); err != nil {
				return err
			}
		}
		return nil
	}
	pointer := uint64(w.f.offsets) + t.nodeCount + t.counts[level-1]
	d, err := w.checked(address, 6+records*t.record+(records+1)*pointer+4, "BTIN")
	if err != nil {
		return err
	}
	d.take(2)
	keys := d.sub(records * t.record)
	for i := range records + 1 {
		child, count := d.offset(), d.number(int(t.nodeCount))
		d.take(t.counts[level-1])
		if err := w.newNode(child, t, level-1, count, each); err != nil {
			return err
		}
		if i < records {
			if err := each(keys.sub(t.record)); err != nil {
				return err
			}
		}
	}
	return nil
}
