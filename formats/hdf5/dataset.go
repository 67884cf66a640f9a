package hdf5

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"github.com/hubel-go/hubel/formats/inflate"
)

// Dataset is an array of elements, row-major.
type Dataset struct {
	object
	Shape []int // none for one element
	Type  Type

	most    []uint64 // what the dimensions may grow to
	layout  layout
	filters []filter
	fill    []byte // an element where nothing was written; none means zeros
}

// freeFill is how many bytes of a data set may have been written nowhere in the file.
const freeFill = 16 << 20

// readDataset reads what the header says of a data set.
func readDataset(o object) (*Dataset, error) {
	s := &Dataset{object: o}
	if err := s.readMessages(); err != nil {
		return nil, o.fail(err)
	}
	return s, nil
}

func (s *Dataset) readMessages() error {
	var parts [3]*decoder
	for i, kind := range []uint16{msgDatatype, msgDataspace, msgLayout} {
		var err error
		if parts[i], err = s.find(kind); err != nil {
			return err
		}
		if parts[i] == nil {
			return errors.New("the type, the shape or the place of its elements is missing: the file is damaged")
		}
	}
	var err error
	if s.Type, err = readType(parts[0], 0); err != nil {
		return err
	}
	space, err := readSpace(parts[1])
	if err != nil {
		return err
	}
	s.Shape, s.most = space.shape, space.most
	if s.layout, err = readLayout(parts[2], uint64(s.Type.Size)); err != nil {
		return err
	}
	if n := len(s.layout.chunk); s.layout.class == layoutChunked && n != len(s.Shape) {
		return fmt.Errorf("its chunks have %d dimensions and its shape %v has %d: the file is damaged", n, s.Shape, len(s.Shape))
	}
	if d, err := s.find(msgFilters); err != nil {
		return err
	} else if d != nil {
		if s.filters, err = readFilters(d); err != nil {
			return err
		}
	}
	if d, err := s.find(msgExternal); err != nil {
		return err
	} else if d != nil {
		return errors.New("its elements are in other files, which is not read: copy them into this one")
	}
	return s.readFill()
}

// readFill reads the fill value, of either message.
func (s *Dataset) readFill() error {
	d, err := s.find(msgFill)
	if err != nil {
		return err
	}
	if d == nil {
		if d, err = s.find(msgOldFill); d == nil || err != nil {
			return err
		}
		s.fill = d.take(uint64(d.u32()))
	} else {
		switch version := d.u8(); version {
		case 1, 2:
			d.take(2)
			if defined := d.u8(); version == 1 || defined != 0 {
				s.fill = d.take(uint64(d.u32()))
			}
		case 3:
			if d.u8()&32 != 0 {
				s.fill = d.take(uint64(d.u32()))
			}
		default:
			return d.fail("a fill value is of version %d; versions 1 to 3 are read", version)
		}
	}
	if n := len(s.fill); d.err == nil && n != 0 && n != s.Type.Size {
		return d.fail("a fill value has %d bytes, and an element %d", n, s.Type.Size)
	}
	return d.err
}

// Read reads all elements.
func (s *Dataset) Read() (*Array, error) {
	a := &Array{Shape: slices.Clone(s.Shape), Type: s.Type, f: s.f, what: s.what()}
	n, err := elements(s.Shape, s.Type.Size)
	if err == nil && n > 0 {
		a.raw, err = s.bytes(uint64(n * s.Type.Size))
	}
	if err != nil {
		return nil, s.fail(err)
	}
	return a, nil
}

// Plain is where in the file the elements lie, if they lie there in one piece, row-major, as
// little-endian numbers of IEEE 754 of 4 bytes.
func (s *Dataset) Plain() (at int64, ok bool) {
	n, err := elements(s.Shape, s.Type.Size)
	l := &s.layout
	if err != nil || n == 0 || l.class != layoutContiguous || l.address == undefined || !s.Type.isIEEE(4) {
		return 0, false
	}
	if room := uint64(s.f.size - s.f.base); l.address > room || uint64(4*n) > room-l.address {
		return 0, false // Read says so
	}
	return s.f.base + int64(l.address), true
}

// bytes are those of all elements, so many.
func (s *Dataset) bytes(total uint64) ([]byte, error) {
	l := &s.layout
	switch {
	case l.class == layoutCompact:
		if uint64(len(l.data)) < total {
			return nil, fmt.Errorf("%d bytes of elements are there in place of %d: the file is damaged", len(l.data), total)
		}
		return l.data[:total], nil
	case l.class == layoutContiguous && l.address != undefined:
		d, err := s.f.read(l.address, total)
		if err != nil {
			return nil, err
		}
		return d.b, nil
	case l.class == layoutContiguous:
		return s.filled(total, 0)
	}
	chunks, err := s.chunks()
	if err != nil {
		return nil, err
	}
	w := s.f.walk()
	stored, factor := uint64(0), uint64(1)
	if slices.ContainsFunc(s.filters, func(f filter) bool { return f.id == filterDeflate }) {
		factor = inflate.Most
	}
	for _, c := range chunks {
		if err := w.spend(c.size); err != nil {
			return nil, err
		}
		stored += min(l.chunkBytes, factor*(c.size+1))
	}
	out, err := s.filled(total, stored)
	if err != nil {
		return nil, err
	}
	for _, c := range chunks {
		if err := s.readChunk(out, c); err != nil {
			return nil, fmt.Errorf("chunk %v: %w", c.at, err)
		}
	}
	return out, nil
}

// filled is so many bytes of the fill value, of which those stored in the file may then be
// written.
func (s *Dataset) filled(total, stored uint64) ([]byte, error) {
	if total > freeFill && total-freeFill > stored {
		return nil, errNoRoom
	}
	out := make([]byte, total)
	if slices.ContainsFunc(s.fill, func(b byte) bool { return b != 0 }) {
		for at := 0; at < len(out); at += len(s.fill) {
			copy(out[at:], s.fill)
		}
	}
	return out, nil
}

// readChunk copies a chunk to its place among all elements.
func (s *Dataset) readChunk(out []byte, c chunk) error {
	size := s.layout.chunkBytes
	rank := len(s.Shape)
	begin := make([]uint64, rank)  // of the chunk, in elements
	extent := make([]uint64, rank) // of what of it is within the shape
	edge := false
	for i, n := range s.layout.chunk {
		high, low := bits.Mul64(c.at[i], n)
		if high != 0 || low >= uint64(s.Shape[i]) {
			return nil // the data set was made smaller
		}
		begin[i], extent[i] = low, min(n, uint64(s.Shape[i])-low)
		edge = edge || extent[i] < n
	}
	filters := s.filters
	if edge && s.layout.wholeEdges {
		filters = nil
	}
	if len(filters) == 0 && c.size != size {
		return fmt.Errorf("it has %d bytes in place of %d: the file is damaged", c.size, size)
	}
	d, err := s.f.read(c.address, c.size)
	if err != nil {
		return err
	}
	b, err := unfilter(d.b, filters, c.mask, size)
	if err != nil {
		return err
	}
	// Rows of the last axis, one after the other.
	element := uint64(s.Type.Size)
	row := extent[rank-1] * element
	at := make([]uint64, rank)
	for {
		from, to := uint64(0), uint64(0)
		for i := range at {
			from = from*s.layout.chunk[i] + at[i]
			to = to*uint64(s.Shape[i]) + begin[i] + at[i]
		}
		copy(out[to*element:][:row], b[from*element:][:row])
		i := rank - 2
		for ; i >= 0; i-- {
			if at[i]++; at[i] < extent[i] {
				break
			}
			at[i] = 0
		}
		if i < 0 {
			return nil
		}
	}
}
