package hdf5

import (
	"errors"
	"fmt"
	"strings"
)

// localHeap is the names of an old group.
func (w *walk) localHeap(address uint64) (*decoder, error) {
	d, err := w.read(address, 8+2*uint64(w.f.lengths)+uint64(w.f.offsets))
	if err != nil {
		return nil, err
	}
	d.expect([]byte("HEAP"))
	if version := d.u8(); d.err == nil && version != 0 {
		return nil, d.fail("a heap of names is of version %d, not 0", version)
	}
	d.take(3)
	size := d.length()
	d.length() // free space
	at := d.offset()
	if d.err != nil {
		return nil, d.err
	}
	return w.read(at, size)
}

// nameAt is the name at an offset of a local heap.
func nameAt(heap *decoder, offset uint64) (string, error) {
	if offset >= uint64(len(heap.b)) {
		return "", heap.fail("a name at offset %d is outside of its heap of %d bytes", offset, len(heap.b))
	}
	d := *heap
	d.next = int(offset)
	name := d.text()
	return name, d.err
}

// heapString is the string that an element of variable length refers to: its length, the
// address of a global heap, and its number there.
func (f *File) heapString(element []byte) (string, error) {
	d := &decoder{b: element, offsets: f.offsets, lengths: f.lengths}
	length, address, index := d.u32(), d.offset(), d.u32()
	if length == 0 {
		return "", nil
	}
	heap, ok := f.heaps[address]
	if !ok {
		var err error
		if heap, err = f.globalHeap(address); err != nil {
			return "", err
		}
		f.heaps[address] = heap
	}
	s, ok := heap[uint16(index)]
	if !ok || index > 0xffff || uint64(length) > uint64(len(s)) {
		return "", fmt.Errorf("a string of %d bytes is not in its heap: the file is damaged", length)
	}
	s, _, _ = strings.Cut(s[:length], "\x00")
	return s, nil
}

// globalHeap reads a global heap, which objects of variable length are in.
func (f *File) globalHeap(address uint64) (map[uint16]string, error) {
	head := 8 + uint64(f.lengths)
	d, err := f.read(address, head)
	if err != nil {
		return nil, err
	}
	d.expect([]byte("GCOL"))
	d.take(4)
	size := d.length()
	if d.err != nil {
		return nil, d.err
	}
	if size < head || size > uint64(f.size-f.heapSize) {
		return nil, errors.New("its heaps take more bytes than the file has: the file is damaged")
	}
	f.heapSize += int64(size)
	if d, err = f.read(address, size); err != nil {
		return nil, err
	}
	d.take(head)
	objects := map[uint16]string{}
	for d.left() >= 8+f.lengths {
		index := d.u16()
		d.take(6)
		size := d.length()
		if index == 0 { // free space up to the end
			break
		}
		objects[index] = string(d.take(size))
		d.take(min(-size&7, uint64(d.left())))
		if d.err != nil {
			return nil, d.err
		}
	}
	return objects, nil
}
