// Package hdf5 reads HDF5 files (https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html,
// version 3.0 of the file format specification): groups, data sets and attributes.
//
// It reads what Keras, Caffe, MATLAB and h5py write: superblocks of version 0 to 3, object
// headers of both versions, old and new groups, compact, contiguous and chunked data sets
// with every index of chunks, the filters deflate, shuffle and fletcher32, numbers of up to
// 8 bytes, strings, enumerations and references to objects. Other element types and filters
// are errors that name them.
//
// A file is data from anywhere. Each size in it is compared with the size of the file before
// memory is taken. The parts of one index may not overlap, which bounds them all by the size
// of the file, and a chunk may inflate to no more than deflate can hold. Parts that carry a
// checksum are checked.
package hdf5

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// signature is what a file begins with, after a user block of 0, 512, 1,024 ... bytes.
var signature = []byte("\x89HDF\r\n\x1a\n")

// mostUserBlock bounds the user block, which programs put their own text into.
const mostUserBlock = 1 << 20

// Is reports whether the beginning of a file is that of an HDF5 file. A user block as long
// as head, or longer, hides it.
func Is(head []byte) bool {
	for at := 0; at < len(head); at = max(2*at, 512) {
		if bytes.HasPrefix(head[at:], signature) {
			return true
		}
	}
	return false
}

// File is an HDF5 file open for reading. Its methods, and those of what it holds, are for one
// goroutine at a time.
type File struct {
	name  string // in errors
	r     io.ReaderAt
	size  int64
	close func() error

	base             int64 // of all addresses
	offsets, lengths int   // bytes of an address and of a size
	root             uint64

	heaps    map[uint64]map[uint16]string // global heaps that were read, by address
	heapSize int64                        // bytes of them
}

// Open opens a file and checks its superblock. Close it after use.
func Open(path string) (*File, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s, err := r.Stat()
	if err == nil && !s.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		r.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f, err := Read(path, r, s.Size())
	if err != nil {
		r.Close()
		return nil, err
	}
	f.close = r.Close
	return f, nil
}

// Read checks the superblock of a file of size bytes behind r. Errors call it name.
func Read(name string, r io.ReaderAt, size int64) (*File, error) {
	f := &File{name: name, r: r, size: size, heaps: map[uint64]map[uint16]string{}, close: func() error { return nil }}
	if err := f.readSuperblock(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// Close closes what Open opened.
func (f *File) Close() error { return f.close() }

// Root is the group of the path "/".
func (f *File) Root() (*Group, error) {
	n, err := f.node("/", f.root)
	if err != nil {
		return nil, err
	}
	return asGroup(n)
}

// readSuperblock finds the superblock and reads it.
func (f *File) readSuperblock() error {
	for at := int64(0); at < min(f.size, mostUserBlock); at = max(2*at, 512) {
		var head [len("\x89HDF\r\n\x1a\n")]byte
		if f.size-at < int64(len(head)) {
			break
		}
		if err := f.readAt(head[:], at); err != nil {
			return err
		}
		if bytes.Equal(head[:], signature) {
			f.base = at
			return f.readSuperblockAt()
		}
	}
	return errors.New("not an HDF5 file, or its beginning is missing")
}

func (f *File) readSuperblockAt() error {
	d, err := f.read(uint64(len(signature)), 4)
	if err != nil {
		return err
	}
	version := d.u8()
	sizes := d.take(3) // of versions 2 and 3
	switch version {
	case 0, 1:
		if d, err = f.read(13, 2); err != nil {
			return err
		}
		sizes = d.take(2)
	case 2, 3:
	default:
		return fmt.Errorf("its superblock is of version %d; versions 0 to 3 are read", version)
	}
	f.offsets, f.lengths = int(sizes[0]), int(sizes[1])
	for _, n := range []int{f.offsets, f.lengths} {
		if n != 2 && n != 4 && n != 8 {
			return fmt.Errorf("its addresses have %d bytes and its sizes %d; each may have 2, 4 or 8", f.offsets, f.lengths)
		}
	}
	base, end := uint64(0), uint64(0)
	o := uint64(f.offsets)
	if version < 2 {
		at := uint64(24) // behind sizes, numbers of children and flags
		if version == 1 {
			at = 28
		}
		if d, err = f.read(at, 6*o); err != nil {
			return err
		}
		base = d.offset()
		d.offset() // of free space
		end = d.offset()
		d.offset() // of information of a driver
		d.offset() // of the root's name
		f.root = d.offset()
	} else {
		if d, err = f.checked(0, 12+4*o+4, signature); err != nil {
			return err
		}
		d.take(4)
		base = d.offset()
		d.offset() // of the superblock's extension
		end = d.offset()
		f.root = d.offset()
	}
	if base == uint64(f.base) && end > uint64(f.size) {
		return fmt.Errorf("the file is truncated: it has %d bytes, but was %d long", f.size, end)
	}
	return nil
}
