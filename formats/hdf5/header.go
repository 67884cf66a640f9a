package hdf5

import (
	"errors"
	"fmt"
)

// Types of the messages that object headers consist of.
const (
	msgDataspace    = 0x01
	msgLinkInfo     = 0x02
	msgDatatype     = 0x03
	msgFill         = 0x05
	msgOldFill      = 0x04
	msgLink         = 0x06
	msgExternal     = 0x07
	msgLayout       = 0x08
	msgFilters      = 0x0b
	msgAttribute    = 0x0c
	msgContinuation = 0x10
	msgSymbolTable  = 0x11
	msgAttributes   = 0x15
)

// message is one part of an object header.
type message struct {
	kind   uint16
	shared bool // the data says where the message is
	data   *decoder
}

// header is the messages of an object.
type header struct {
	f        *File
	messages []message
}

// readHeader reads an object header of either version, with its continuations.
func (f *File) readHeader(address uint64) (*header, error) {
	w := f.walk()
	d, err := w.read(address, 4)
	if err != nil {
		return nil, err
	}
	h := &header{f: f}
	if string(d.b) == "OHDR" {
		return h, h.readNew(w, address)
	}
	if d.b[0] != 1 {
		return nil, fmt.Errorf("at byte %d: there is no object header: the file is damaged", d.at)
	}
	return h, h.readOld(w, address)
}

// block is a piece of a header that a continuation message names.
type block struct{ address, size uint64 }

// readOld reads a header of version 1.
func (h *header) readOld(w *walk, address uint64) error {
	d, err := w.read(address, 12)
	if err != nil {
		return err
	}
	d.take(2)
	count := int(d.u16())
	d.u32() // references to the object
	blocks := []block{{address + 16, uint64(d.u32())}}
	for len(blocks) > 0 && len(h.messages) < count {
		b, err := w.read(blocks[0].address, blocks[0].size)
		if err != nil {
			return err
		}
		blocks = blocks[1:]
		for b.left() >= 8 && len(h.messages) < count {
			kind, size, flags := b.u16(), uint64(b.u16()), b.u8()
			b.take(3)
			if err := h.add(&blocks, kind, flags, b.sub(size)); err != nil {
				return err
			}
		}
	}
	return nil
}

// readNew reads a header of version 2.
func (h *header) readNew(w *walk, address uint64) error {
	const mostPrefix = 4 + 2 + 16 + 4 + 8
	d, err := w.f.read(address, min(mostPrefix, uint64(w.f.size-w.f.base)-address))
	if err != nil {
		return err
	}
	d.take(4)
	if version := d.u8(); d.err == nil && version != 2 {
		return d.fail("the object header is of version %d; versions 1 and 2 are read", version)
	}
	flags := d.u8()
	if flags&0x20 != 0 {
		d.take(16) // times
	}
	if flags&0x10 != 0 {
		d.take(4) // bounds of attributes
	}
	size := d.number(1 << (flags & 3))
	if d.err != nil {
		return d.err
	}
	prefix := uint64(d.next)
	if size > uint64(w.f.size) {
		return d.fail("an object header of %d bytes is larger than the file", size)
	}
	b, err := w.checked(address, prefix+size+4, "OHDR")
	if err != nil {
		return err
	}
	b.take(prefix - 4)
	var blocks []block
	for {
		for b.left() >= 4 { // less is a gap
			kind, size, messageFlags := uint16(b.u8()), uint64(b.u16()), b.u8()
			if flags&4 != 0 {
				b.take(2) // order of creation
			}
			if err := h.add(&blocks, kind, messageFlags, b.sub(size)); err != nil {
				return err
			}
		}
		if len(blocks) == 0 {
			return nil
		}
		if b, err = w.checked(blocks[0].address, blocks[0].size, "OCHK"); err != nil {
			return err
		}
		blocks = blocks[1:]
	}
}

// add keeps a message. Continuations are added to the blocks to be read.
func (h *header) add(blocks *[]block, kind uint16, flags uint8, data *decoder) error {
	if data.err != nil {
		return data.err
	}
	if kind == msgContinuation {
		*blocks = append(*blocks, block{data.offset(), data.length()})
		return data.err
	}
	h.messages = append(h.messages, message{kind, flags&2 != 0, data})
	return nil
}

// find is the first message of a kind, at its beginning, or nil.
func (h *header) find(kind uint16) (*decoder, error) {
	for _, m := range h.messages {
		if m.kind == kind {
			return h.f.resolve(m.kind, m.shared, *m.data)
		}
	}
	return nil, nil
}

// resolve is a message's data, wherever it is: a type may have a name, and then it is an
// object of its own.
func (f *File) resolve(kind uint16, shared bool, d decoder) (*decoder, error) {
	if !shared {
		return &d, nil
	}
	version, place := d.u8(), d.u8()
	if version == 1 {
		d.take(6)
	}
	if version == 3 && place == 1 {
		return nil, errors.New("it shares messages in a heap, which is not read: write the file without shared messages")
	}
	address := d.offset()
	if d.err != nil {
		return nil, d.err
	}
	h, err := f.readHeader(address)
	if err != nil {
		return nil, err
	}
	for _, m := range h.messages {
		if m.kind == kind && !m.shared {
			return m.data, nil
		}
	}
	return nil, errors.New("what it shares with another object is not there: the file is damaged")
}
