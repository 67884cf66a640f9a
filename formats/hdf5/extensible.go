package hdf5

import "math/bits"

// extensible adds the chunks of an extensible array: some in its index block, the others in
// data blocks that grow, of which the index block names the first ones, and super blocks the
// rest (H5EAhdr.c, H5EAiblock.c).
func (i *arrayIndex) extensible() error {
	f := i.set.f
	w := f.walk()
	o, l := uint64(f.offsets), uint64(f.lengths)
	d, err := w.checked(i.set.layout.address, 12+6*l+o+4, "EAHD")
	if err != nil {
		return err
	}
	d.take(1)
	client, element := d.u8(), uint64(d.u8())
	a := extensibleArray{arrayIndex: i, walk: w, element: element}
	mostBits, inIndex := uint64(d.u8()), uint64(d.u8())
	a.least = uint64(d.u8())
	pointers := uint64(d.u8())
	pageBits := d.u8()
	d.take(4 * l) // numbers of blocks and their bytes
	a.count = d.length()
	d.length()
	at := d.offset()
	if err := i.elementSize(d, client, element); err != nil {
		return err
	}
	if at == undefined {
		return nil
	}
	if mostBits > 64 || bits.OnesCount64(a.least) != 1 || bits.OnesCount64(pointers) != 1 || pageBits > 32 ||
		uint64(bits.Len64(a.least)) > mostBits {
		return d.fail("an index of chunks has blocks of %d and more: the file is damaged", a.least)
	}
	a.page = 1 << pageBits
	a.offset = (mostBits + 7) / 8
	levels := 1 + mostBits - uint64(bits.Len64(a.least)-1) // of super blocks, those in the index block too
	inBlock := 2 * uint64(bits.Len64(pointers)-1)
	if inBlock > levels {
		return d.fail("an index of chunks has %d levels, and %d of them in its first block: the file is damaged", levels, inBlock)
	}
	blocks := 2 * (pointers - 1)
	head := 6 + o
	if d, err = w.checked(at, head+inIndex*element+(blocks+levels-inBlock)*o+4, "EAIB"); err != nil {
		return err
	}
	d.take(head - 4)
	if err := i.elements(d, 0, inIndex, element); err != nil {
		return err
	}
	a.next = inIndex
	for level := range inBlock {
		for range blocksOf(level) {
			if err := a.dataBlock(d.offset(), level, nil, 0); err != nil {
				return err
			}
		}
	}
	for level := inBlock; level < levels; level++ {
		if err := a.superBlock(d.offset(), level); err != nil {
			return err
		}
	}
	return d.err
}

// extensibleArray is what the blocks of an extensible array have in common.
type extensibleArray struct {
	*arrayIndex
	walk    *walk
	element uint64 // bytes
	least   uint64 // elements of the smallest data block
	page    uint64 // elements of a page, of larger blocks
	offset  uint64 // bytes of the number of an element
	count   uint64 // elements that were ever set, from 0 on
	next    uint64 // the number of the element that the next block begins with
}

// blocksOf is how many data blocks a super block of a level has.
func blocksOf(level uint64) uint64 { return 1 << (level / 2) }

// size is how many elements each of them has.
func (a *extensibleArray) size(level uint64) uint64 { return a.least << ((level + 1) / 2) }

// superBlock adds the chunks of a super block.
func (a *extensibleArray) superBlock(at, level uint64) error {
	if a.next >= a.count {
		return nil
	}
	blocks, size := blocksOf(level), a.size(level)
	if at == undefined {
		a.next += blocks * size
		return nil
	}
	o := uint64(a.set.f.offsets)
	if blocks > uint64(a.set.f.size) {
		return errNoRoom
	}
	bitmap := uint64(0) // bytes of which pages were written, for a block
	if size > a.page {
		bitmap = (size/a.page + 7) / 8
	}
	if bitmap > uint64(a.set.f.size) {
		return errNoRoom
	}
	head := 6 + o + a.offset
	d, err := a.walk.checked(at, head+blocks*(bitmap+o)+4, "EASB")
	if err != nil {
		return err
	}
	d.take(head - 4)
	written := d.take(blocks * bitmap) // a bit a page, those of one block right behind another's
	for i := range blocks {
		if err := a.dataBlock(d.offset(), level, written, i*(size/a.page)); err != nil {
			return err
		}
	}
	return nil
}

// dataBlock adds the chunks of a data block, whose pages begin with a bit of those written.
func (a *extensibleArray) dataBlock(at, level uint64, written []byte, bit uint64) error {
	n, size := a.next, a.size(level)
	a.next += size
	if at == undefined || n >= a.count {
		return nil
	}
	if size > uint64(a.set.f.size) {
		return errNoRoom
	}
	head := 6 + uint64(a.set.f.offsets) + a.offset
	if size > a.page && len(written) > 0 {
		if _, err := a.walk.checked(at, head+4, "EADB"); err != nil {
			return err
		}
		return a.writtenPages(a.walk, at+head+4, written, bit, n, size, a.page, a.element)
	}
	d, err := a.walk.checked(at, head+size*a.element+4, "EADB")
	if err != nil {
		return err
	}
	d.take(head - 4)
	return a.elements(d, n, size, a.element)
}
