package hdf5

import (
	"math/bits"
)

// Classes of layouts.
const (
	layoutCompact    = 0
	layoutContiguous = 1
	layoutChunked    = 2
)

// Indexes of chunks.
const (
	indexTree       = 0 // a B-tree of version 1
	indexSingle     = 1
	indexImplicit   = 2
	indexFixed      = 3
	indexExtensible = 4
	indexNewTree    = 5
)

// layout says where the elements of a data set are.
type layout struct {
	class   uint8
	address uint64
	data    []byte // of a compact one

	chunk       []uint64 // shape of chunks
	chunkBytes  uint64
	index       uint8
	wholeEdges  bool // chunks that go beyond the shape are not filtered
	size        uint64
	mask        uint32 // of a single chunk
	singleSized bool   // it has both
}

// readLayout reads a data layout message, for elements of so many bytes.
func readLayout(d *decoder, element uint64) (layout, error) {
	var l layout
	var err error
	switch version := d.u8(); version {
	case 1, 2:
		err = l.readFirst(d)
	case 3, 4, 5:
		l.class = d.u8()
		switch l.class {
		case layoutCompact:
			l.data = d.take(uint64(d.u16()))
		case layoutContiguous:
			l.address = d.offset()
			d.length()
		case layoutChunked:
			if version == 3 {
				rank := int(d.u8())
				l.address = d.offset()
				err = l.readChunk(d, rank, 4)
			} else {
				err = l.readIndex(d)
			}
		case 3:
			return l, d.fail("a virtual data set, of parts of other files, is not read: copy its values into this file")
		default:
			return l, d.fail("a data set has a layout of class %d, which does not exist", l.class)
		}
	default:
		return l, d.fail("the layout of a data set is of version %d; versions 1 to 5 are read", version)
	}
	if err == nil {
		err = d.err
	}
	if err != nil || l.class != layoutChunked {
		return l, err
	}
	l.chunkBytes = element
	for _, n := range l.chunk {
		high, low := bits.Mul64(l.chunkBytes, n)
		if high != 0 || low > 1<<40 || n == 0 {
			return l, d.fail("chunks have the shape %v: the file is damaged", l.chunk)
		}
		l.chunkBytes = low
	}
	return l, nil
}

// readFirst reads a layout of version 1 or 2.
func (l *layout) readFirst(d *decoder) error {
	rank := int(d.u8())
	l.class = d.u8()
	d.take(5)
	if l.class != layoutCompact {
		l.address = d.offset()
	}
	switch l.class {
	case layoutCompact, layoutContiguous:
		d.take(4 * uint64(rank))
		if l.class == layoutCompact {
			l.data = d.take(uint64(d.u32()))
		}
		return nil
	case layoutChunked:
		return l.readChunk(d, rank, 4)
	}
	return d.fail("a data set has a layout of class %d, which does not exist", l.class)
}

// readChunk reads the shape of chunks, of numbers of so many bytes. The last of them is the
// size of an element.
func (l *layout) readChunk(d *decoder, rank, size int) error {
	if rank < 2 || rank > mostDims+1 || size < 1 || size > 8 {
		return d.fail("chunks have %d dimensions, written in %d bytes: the file is damaged", rank-1, size)
	}
	l.chunk = make([]uint64, rank-1)
	for i := range l.chunk {
		l.chunk[i] = d.number(size)
	}
	d.number(size)
	return d.err
}

// readIndex reads a chunked layout from version 4 on.
func (l *layout) readIndex(d *decoder) error {
	flags, rank, size := d.u8(), int(d.u8()), int(d.u8())
	l.wholeEdges = flags&1 != 0
	if err := l.readChunk(d, rank, size); err != nil {
		return err
	}
	// What stands here of the indexes is in their own headers too.
	switch l.index = d.u8(); l.index {
	case indexSingle:
		if l.singleSized = flags&2 != 0; l.singleSized {
			l.size, l.mask = d.length(), d.u32()
		}
	case indexImplicit:
	case indexFixed:
		d.take(1)
	case indexExtensible:
		d.take(5)
	case indexNewTree:
		d.take(6)
	default:
		return d.fail("chunks have an index of kind %d, which is not read", l.index)
	}
	l.address = d.offset()
	return d.err
}
