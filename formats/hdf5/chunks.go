package hdf5

import (
	"errors"
	"math/bits"
	"slices"
)

// chunk is where a chunk of a data set is stored.
type chunk struct {
	at      []uint64 // in units of chunks
	address uint64
	size    uint64 // bytes as they are stored
	mask    uint32 // filters that were not applied
}

// chunks lists the chunks that are stored.
func (s *Dataset) chunks() ([]chunk, error) {
	l := &s.layout
	if l.address == undefined {
		return nil, nil
	}
	switch l.index {
	case indexTree:
		return s.treeChunks()
	case indexNewTree:
		return s.newTreeChunks()
	case indexSingle:
		c := chunk{at: make([]uint64, len(l.chunk)), address: l.address, size: l.chunkBytes}
		if l.singleSized {
			c.size, c.mask = l.size, l.mask
		}
		return []chunk{c}, nil
	}
	i := &arrayIndex{set: s, filtered: len(s.filters) > 0}
	var err error
	if i.grid, i.first, err = s.grid(); err == nil {
		switch l.index {
		case indexImplicit:
			err = i.implicit()
		case indexFixed:
			err = i.fixed()
		default:
			err = i.extensible()
		}
	}
	return i.chunks, err
}

// treeChunks are those of a B-tree of version 1.
func (s *Dataset) treeChunks() (list []chunk, err error) {
	w := s.f.walk()
	rank := uint64(len(s.layout.chunk))
	err = w.oldTree(s.layout.address, oldTree{kind: 1, key: 8 + 8*(rank+1)}, rootLevel, func(key *decoder, child uint64) error {
		c := chunk{address: child, size: uint64(key.u32()), mask: key.u32()}
		for _, n := range s.layout.chunk {
			at := key.u64()
			if at%n != 0 {
				return key.fail("a chunk begins at %d, which is no multiple of %d: the file is damaged", at, n)
			}
			c.at = append(c.at, at/n)
		}
		list = append(list, c)
		return key.err
	})
	return list, err
}

// newTreeChunks are those of a B-tree of version 2.
func (s *Dataset) newTreeChunks() (list []chunk, err error) {
	w := s.f.walk()
	kind := uint8(treeChunks)
	if len(s.filters) > 0 {
		kind = treeFiltered
	}
	coordinates := 8 * len(s.layout.chunk)
	err = w.newTree(s.layout.address, kind, func(record *decoder) error {
		c := chunk{address: record.offset(), size: s.layout.chunkBytes}
		if kind == treeFiltered {
			size := record.left() - 4 - coordinates
			if size < 1 || size > 8 {
				return record.fail("the records of an index have no room for the size of a chunk: the file is damaged")
			}
			c.size, c.mask = record.number(size), record.u32()
		}
		for range s.layout.chunk {
			c.at = append(c.at, record.u64())
		}
		list = append(list, c)
		return record.err
	})
	return list, err
}

// grid is how many chunks there may be along each axis, those that can grow without limit
// first, and which axis that is, or 0.
func (s *Dataset) grid() (grid []uint64, first int, err error) {
	for i, n := range s.layout.chunk {
		most := s.most[i]
		if most == undefined {
			most, first = uint64(s.Shape[i]), i
		}
		grid = append(grid, most/n+min(most%n, 1))
	}
	grid = slices.Insert(slices.Delete(slices.Clone(grid), first, first+1), 0, grid[first])
	total := uint64(1)
	for _, n := range grid[1:] {
		high, low := bits.Mul64(total, n)
		if high != 0 {
			return nil, 0, errors.New("its chunks are too many to count")
		}
		total = low
	}
	return grid, first, nil
}

// arrayIndex makes chunks of an index that has them in the order of the axes.
type arrayIndex struct {
	set      *Dataset
	grid     []uint64 // chunks along each axis, in the order of the index
	first    int      // the axis that is first in that order, before all others
	filtered bool
	chunks   []chunk
}

// place is chunk n in units of chunks, and whether it is within the shape.
func (i *arrayIndex) place(n uint64) ([]uint64, bool) {
	at := make([]uint64, len(i.grid))
	for k, size := range slices.Backward(i.grid[1:]) {
		if size == 0 {
			return nil, false
		}
		at[k+1] = n % size
		n /= size
	}
	at[0] = n
	first := at[0]
	at = slices.Insert(at[1:], i.first, first)
	for k, c := range i.set.layout.chunk {
		if high, low := bits.Mul64(at[k], c); high != 0 || low >= uint64(i.set.Shape[k]) {
			return nil, false
		}
	}
	return at, true
}

// elements adds chunks from n on that the next elements of an array name, of element bytes
// each, until there are count.
func (i *arrayIndex) elements(d *decoder, n, count, element uint64) error {
	for k := range count {
		c := chunk{address: d.offset(), size: i.set.layout.chunkBytes}
		if i.filtered {
			c.size = d.number(int(element) - d.offsets - 4)
			c.mask = d.u32()
		}
		if d.err != nil {
			return d.err
		}
		if c.address == undefined {
			continue
		}
		var inside bool
		if c.at, inside = i.place(n + k); inside {
			i.chunks = append(i.chunks, c)
		}
	}
	return nil
}

// elementSize checks how many bytes an element of an array has.
func (i *arrayIndex) elementSize(d *decoder, client uint8, element uint64) error {
	fits := element == uint64(d.offsets)
	if i.filtered {
		size := element - uint64(d.offsets) - 4
		fits = size >= 1 && size <= 8
	}
	if want := map[bool]uint8{true: 1}[i.filtered]; client != want || !fits {
		return d.fail("an index of chunks has elements of %d bytes and of kind %d: the file is damaged", element, client)
	}
	return nil
}

// implicit adds chunks that lie one behind the other.
func (i *arrayIndex) implicit() error {
	l := &i.set.layout
	n := uint64(0)
	for address := l.address; address < uint64(i.set.f.size); address += l.chunkBytes {
		at, inside := i.place(n)
		if at == nil && n >= i.count() {
			return nil
		}
		if inside {
			i.chunks = append(i.chunks, chunk{at: at, address: address, size: l.chunkBytes})
		}
		n++
	}
	return nil
}

// count is how many chunks there are in all.
func (i *arrayIndex) count() uint64 {
	total := uint64(1)
	for _, n := range i.grid {
		high, low := bits.Mul64(total, n)
		if high != 0 {
			return undefined
		}
		total = low
	}
	return total
}

// fixed adds the chunks of a fixed array.
func (i *arrayIndex) fixed() error {
	f := i.set.f
	w := f.walk()
	o, l := uint64(f.offsets), uint64(f.lengths)
	d, err := w.checked(i.set.layout.address, 8+l+o+4, "FAHD")
	if err != nil {
		return err
	}
	d.take(1)
	client, element, pageBits := d.u8(), uint64(d.u8()), d.u8()
	count, at := d.length(), d.offset()
	if err := i.elementSize(d, client, element); err != nil {
		return err
	}
	if at == undefined {
		return nil
	}
	if count > uint64(f.size) || pageBits > 32 {
		return d.fail("an index has %d chunks, more than the file can hold: the file is damaged", count)
	}
	head := 6 + o
	if page := uint64(1) << pageBits; count > page {
		return i.pages(w, at, head, "FADB", 0, count, page, element)
	}
	if d, err = w.checked(at, head+count*element+4, "FADB"); err != nil {
		return err
	}
	d.take(head - 4)
	return i.elements(d, 0, count, element)
}

// pages adds the chunks of an array in pages, each with a checksum. Which of them were ever
// written stands, a bit each, behind the head.
func (i *arrayIndex) pages(w *walk, at, head uint64, signature string, n, count, page, element uint64) error {
	pages := (count + page - 1) / page
	d, err := w.checked(at, head+(pages+7)/8+4, signature)
	if err != nil {
		return err
	}
	d.take(head - 4)
	written := d.take((pages + 7) / 8)
	return i.writtenPages(w, at+head+(pages+7)/8+4, written, 0, n, count, page, element)
}

// writtenPages adds the chunks of pages from an address on. Bits from one on say which were
// written.
func (i *arrayIndex) writtenPages(w *walk, at uint64, written []byte, bit, n, count, page, element uint64) error {
	for k := uint64(0); k*page < count; k++ {
		here := min(page, count-k*page)
		if b := bit + k; written[b/8]>>(7-b%8)&1 != 0 {
			d, err := w.checked(at, here*element+4, "")
			if err != nil {
				return err
			}
			if err := i.elements(d, n+k*page, here, element); err != nil {
				return err
			}
		}
		at += page*element + 4
	}
	return nil
}
