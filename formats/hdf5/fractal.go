package hdf5

import (
	"errors"
	"math/bits"
)

// fractalHeap is where new groups keep links, and objects attributes, that are many: blocks
// that double in size, row by row of a table.
type fractalHeap struct {
	f *File

	id                    uint64 // bytes of the name of an object
	width                 uint64 // blocks of a row
	first, largest        uint64 // bytes of the blocks of the first row, and of the largest with objects in them
	root                  uint64
	rows                  uint64 // of the root table; 0 if the root is a block with objects in it
	offsetSize, countSize uint64 // bytes of an offset in the heap, and of the length of an object

	walk   *walk               // over tables
	tables map[uint64]*decoder // that were read, by address

	hugeTree uint64                // index of objects that are too large for blocks
	huge     map[uint64]hugeObject // by number, once that was read
}

type hugeObject struct{ address, size uint64 }

// openFractalHeap reads the header of a heap.
func (f *File) openFractalHeap(address uint64) (*fractalHeap, error) {
	o, l := uint64(f.offsets), uint64(f.lengths)
	d, err := f.checked(address, 22+12*l+3*o+4, []byte("FRHP"))
	if err != nil {
		return nil, err
	}
	d.take(1)
	h := &fractalHeap{f: f, id: uint64(d.u16()), walk: f.walk(), tables: map[uint64]*decoder{}}
	filters := d.u16()
	d.take(1)
	mostManaged := uint64(d.u32())
	d.length()
	h.hugeTree = d.offset()
	d.length()
	d.offset()
	d.take(8 * l) // numbers of bytes and of objects
	h.width = uint64(d.u16())
	h.first, h.largest = d.length(), d.length()
	most := uint64(d.u16())
	d.take(2)
	h.root, h.rows = d.offset(), uint64(d.u16())
	if d.err != nil {
		return nil, d.err
	}
	if filters != 0 {
		return nil, errors.New("a heap of names or attributes is filtered, which is not read: write the file without filters of groups")
	}
	if bits.OnesCount64(h.first) != 1 || bits.OnesCount64(h.largest) != 1 || h.first > h.largest || bits.OnesCount64(h.width) != 1 || h.width > 1<<15 ||
		most == 0 || most > 64 || h.rows > 64 || h.largest > 1<<32 || h.id == 0 {
		return nil, d.fail("a heap has blocks of %d to %d bytes, %d a row: the file is damaged", h.first, h.largest, h.width)
	}
	h.offsetSize = (most + 7) / 8
	h.countSize = min(uint64(bits.Len64(h.largest)-1+7)/8, enough(mostManaged)) // H5HFhdr.c
	return h, nil
}

// denseMessages calls each for the messages in a heap that a tree of the given kind names,
// with the flags that it has for them.
func (f *File) denseMessages(heap, tree uint64, kind uint8, each func(d *decoder, flags uint8) error) error {
	h, err := f.openFractalHeap(heap)
	if err != nil {
		return err
	}
	objects := f.walk()
	return f.walk().newTree(tree, kind, func(record *decoder) error {
		var flags uint8
		if kind == treeLinks {
			record.take(4) // hash
		}
		id := record.sub(h.id)
		if kind == treeAttributes {
			flags = record.u8()
		}
		if record.err != nil {
			return record.err
		}
		d, err := h.object(objects, id)
		if err != nil {
			return err
		}
		return each(d, flags)
	})
}

// object is the object of a name, of as many bytes as the header says.
func (h *fractalHeap) object(w *walk, id *decoder) (*decoder, error) {
	head := id.u8()
	if head>>6 != 0 {
		return nil, id.fail("a name in a heap is of version %d, not 0", head>>6)
	}
	switch head >> 4 & 3 {
	case 0:
		offset, size := id.number(int(h.offsetSize)), id.number(int(h.countSize))
		if id.err != nil {
			return nil, id.err
		}
		at, err := h.find(offset, size)
		if err != nil {
			return nil, err
		}
		return w.read(at, size)
	case 1:
		return h.hugeObject(w, id)
	case 2: // in the name itself
		size := uint64(head&15) + 1
		if h.id > 17 { // with one more byte of size
			size = uint64(head&15)<<8 + uint64(id.u8()) + 1
		}
		d := id.sub(size)
		return d, d.err
	}
	return nil, id.fail("a name in a heap is of kind 3, which does not exist")
}

// hugeObject is an object outside of the blocks: the name has its address and size, or its
// number in a tree.
func (h *fractalHeap) hugeObject(w *walk, id *decoder) (*decoder, error) {
	o, l := uint64(h.f.offsets), uint64(h.f.lengths)
	if h.id-1 >= o+l {
		at, size := id.offset(), id.length()
		return w.read(at, size)
	}
	if h.huge == nil {
		h.huge = map[uint64]hugeObject{}
		if err := h.f.walk().newTree(h.hugeTree, treeHuge, func(record *decoder) error {
			at, size := record.offset(), record.length()
			h.huge[record.length()] = hugeObject{at, size}
			return record.err
		}); err != nil {
			return nil, err
		}
	}
	number := id.number(int(min(h.id-1, 8)))
	found, ok := h.huge[number]
	if !ok {
		return nil, id.fail("object %d of a heap is not there: the file is damaged", number)
	}
	return w.read(found.address, found.size)
}

var errHeap = errors.New("the blocks of a heap are not where its objects say: the file is damaged")

// find is the address of size bytes at an offset of the heap. Offsets count through all
// blocks, in the order of the table; a block may be a table itself.
func (h *fractalHeap) find(offset, size uint64) (uint64, error) {
	address, rows, block := h.root, h.rows, h.first
	for rows > 0 {
		row, column, begin := h.place(offset)
		if row >= rows {
			return 0, errHeap
		}
		table, err := h.table(address, rows)
		if err != nil {
			return 0, err
		}
		table.take((row*h.width + column) * uint64(h.f.offsets))
		address, offset, block, rows = table.offset(), offset-begin, h.blockSize(row), 0
		if block > h.largest {
			if rows = uint64(bits.Len64(block / (h.first * h.width))); rows == 0 {
				return 0, errHeap
			}
		}
	}
	if address == undefined || offset > block || size > block-offset {
		return 0, errHeap
	}
	return address + offset, nil
}

// blockSize is the size of the blocks of a row: those of the first two are equal.
func (h *fractalHeap) blockSize(row uint64) uint64 {
	const largest = 48 // bits, so that no product leaves a uint64
	return h.first << min(max(row, 1)-1, largest-uint64(bits.Len64(h.first)))
}

// place is the row and the column of the block that has an offset, and where it begins.
func (h *fractalHeap) place(offset uint64) (row, column, begin uint64) {
	for ; row < 64; row++ {
		size := h.blockSize(row)
		if whole := size * h.width; offset-begin >= whole {
			begin += whole
			continue
		}
		column = (offset - begin) / size
		return row, column, begin + column*size
	}
	return row, 0, begin
}

// table is the addresses of the blocks of a table.
func (h *fractalHeap) table(address, rows uint64) (*decoder, error) {
	d, ok := h.tables[address]
	if !ok {
		o := uint64(h.f.offsets)
		var err error
		if d, err = h.walk.checked(address, 5+o+h.offsetSize+rows*h.width*o+4, "FHIB"); err != nil {
			return nil, err
		}
		d.take(1 + o + h.offsetSize)
		h.tables[address] = d
	}
	at := *d
	return &at, nil
}
