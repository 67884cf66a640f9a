// Package lmdb reads the files of LMDB, the Lightning Memory-Mapped Database
// (https://www.symas.com/mdb, version 1 of the file format, that of LMDB 0.9): what Caffe and
// DIGITS keep data sets in. The format is described by the structures in mdb.c.
//
// It reads the main database of little-endian files of 64-bit programs: its keys in their order,
// and where in the file their values are. A value lies there in one piece, so that each can be
// read alone. Databases by name, and several values of a key, are errors that say so.
//
// A file is data from anywhere. No more pages of the tree are read than the file has, and the
// nodes of a page may not overlap, so that an index is bounded by the size of the file.
package lmdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// FileName is the file of a database's folder. The other one, lock.mdb, is not read.
const FileName = "data.mdb"

const (
	magic       = 0xBEEFC0DE
	version     = 1
	headBytes   = 16  // of a page
	metaBytes   = 136 // of what a meta page holds
	smallPage   = 512
	largestPage = 1 << 16
	mostDepth   = 32 // LMDB's own bound
	noPage      = 1<<64 - 1
)

// The flags of pages, databases and nodes.
const (
	pageBranch   = 1
	pageLeaf     = 2
	pageOverflow = 4
	pageMeta     = 8

	databaseReverse = 2 // keys are compared from their end
	databaseSeveral = 4 // a key may have several values
	databaseInteger = 8 // keys are numbers of the machine

	nodeBig      = 1 // the value has pages of its own
	nodeDatabase = 2
	nodeSeveral  = 4
)

// Is reports whether the beginning of a file is that of LMDB's data.mdb, of any version and any
// machine.
func Is(head []byte) bool {
	for _, at := range []int{12, 16} { // of 32 and 64 bits
		if len(head) >= at+4 {
			b := head[at : at+4]
			if binary.LittleEndian.Uint32(b) == magic || binary.BigEndian.Uint32(b) == magic {
				return true
			}
		}
	}
	return false
}

// File finds the file of a database by its path, which is that of its folder or of the file
// itself. It is not there if the file does not begin as LMDB's do.
func File(path string) (file string, ok bool) {
	s, err := os.Stat(path)
	if err == nil && s.IsDir() {
		path = filepath.Join(path, FileName)
		s, err = os.Stat(path)
	}
	if err != nil || !s.Mode().IsRegular() { // to open a pipe may wait for ever
		return "", false
	}
	f, err := os.Open(path)
	if err != nil {
		return "", false
	}
	defer f.Close()
	var head [headBytes + 4]byte
	n, _ := io.ReadFull(f, head[:])
	return path, Is(head[:n])
}

// DB is a database open for reading. It may be used by several goroutines.
type DB struct {
	name  string // in errors
	r     io.ReaderAt
	size  int64
	close func() error

	page    int64 // bytes of one
	flags   uint16
	depth   int
	entries uint64
	root    uint64
}

// Open opens the database in a folder, or in a file as there is one in such a folder. Close it
// after use.
func Open(path string) (*DB, error) {
	s, err := os.Stat(path)
	if err == nil && s.IsDir() {
		path = filepath.Join(path, FileName)
		s, err = os.Stat(path)
	}
	if err == nil && !s.Mode().IsRegular() {
		err = fmt.Errorf("%s: not a regular file", path)
	}
	if err != nil {
		return nil, err
	}
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	d, err := Read(path, r, s.Size())
	if err != nil {
		r.Close()
		return nil, err
	}
	d.close = r.Close
	return d, nil
}

// Read reads the meta pages of a file of size bytes behind r. Errors call it name.
func Read(name string, r io.ReaderAt, size int64) (*DB, error) {
	d := &DB{name: name, r: r, size: size, close: func() error { return nil }}
	if err := d.readMeta(); err != nil {
		return nil, d.fail(err)
	}
	return d, nil
}

// Close closes what Open opened.
func (d *DB) Close() error { return d.close() }

// Len is the number of keys, as the file says.
func (d *DB) Len() uint64 { return d.entries }

func (d *DB) fail(err error) error { return fmt.Errorf("%s: %w", d.name, err) }

// readMeta takes the newer one of the two meta pages that is whole.
func (d *DB) readMeta() error {
	head := make([]byte, headBytes+metaBytes)
	if d.size < int64(len(head)) {
		return errors.New("it is too short for a database of LMDB: it is truncated, or another file")
	}
	if err := d.readAt(head, 0); err != nil {
		return err
	}
	at := func(n int) uint32 { return binary.LittleEndian.Uint32(head[n:]) }
	switch {
	case at(headBytes) == magic:
	case at(12) == magic:
		return errors.New("it was written by a program of 32 bits, which is not read: mdb_dump there and mdb_load here make another file")
	case Is(head):
		return errors.New("it was written on a machine that is big-endian, which is not read: mdb_dump there and mdb_load here make another file")
	default:
		return errors.New("it does not begin as a database of LMDB")
	}
	if v := at(headBytes + 4); v != version {
		return fmt.Errorf("it is of version %d of the format; version %d is read", v, version)
	}
	page := int64(at(headBytes + 24))
	if page < smallPage || page > largestPage || page&(page-1) != 0 {
		return fmt.Errorf("a page of %d bytes: it is a power of 2 from %d to %d", page, smallPage, largestPage)
	}
	d.page = page
	newest, found := uint64(0), false
	for i := range int64(2) {
		if err := d.readAt(head, i*page); err != nil {
			return err
		}
		flags := binary.LittleEndian.Uint16(head[10:])
		if at(headBytes) != magic || at(headBytes+4) != version || flags&pageMeta == 0 || binary.LittleEndian.Uint64(head) != uint64(i) {
			continue
		}
		transaction := binary.LittleEndian.Uint64(head[headBytes+128:])
		if found && transaction <= newest {
			continue
		}
		newest, found = transaction, true
		db := head[headBytes+24+48:] // behind that of free pages
		d.flags, d.depth = binary.LittleEndian.Uint16(db[4:]), int(binary.LittleEndian.Uint16(db[6:]))
		d.entries, d.root = binary.LittleEndian.Uint64(db[32:]), binary.LittleEndian.Uint64(db[40:])
	}
	switch {
	case !found:
		return errors.New("neither of its two first pages is whole: the file is damaged")
	case d.flags&databaseSeveral != 0:
		return errors.New("its keys may have several values (DUPSORT), which is not read: such files are no data sets of Caffe's")
	case d.depth > mostDepth:
		return fmt.Errorf("its tree has %d levels, and LMDB's at most %d: the file is damaged", d.depth, mostDepth)
	case (d.root == noPage) != (d.entries == 0):
		return fmt.Errorf("it has %d keys, and its tree begins at page %d: the file is damaged", d.entries, d.root)
	case d.entries > uint64(d.size/8):
		return fmt.Errorf("it says that it has %d keys, and %d bytes hold no more than %d: the file is truncated or damaged", d.entries, d.size, d.size/8)
	}
	return nil
}

// readAt fills b, or fails.
func (d *DB) readAt(b []byte, at int64) error {
	if at < 0 || at > d.size || int64(len(b)) > d.size-at {
		return fmt.Errorf("%d bytes at byte %d go beyond the file's end at byte %d: the file is truncated or damaged", len(b), at, d.size)
	}
	n, err := d.r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("at byte %d: %w", at+int64(n), err)
}

// Entry is a key, and where its value is in the file.
type Entry struct {
	Key        []byte // valid until the next entry
	At, Length int64
}

// Value reads the value of an entry into b, which grows if need be.
func (d *DB) Value(b []byte, e Entry) ([]byte, error) {
	if e.Length < 0 || e.At < 0 || e.At > d.size || e.Length > d.size-e.At {
		return b[:0], d.fail(fmt.Errorf("%d bytes at byte %d go beyond the file's end", e.Length, e.At))
	}
	if int64(cap(b)) < e.Length {
		b = make([]byte, e.Length)
	}
	b = b[:e.Length]
	if err := d.readAt(b, e.At); err != nil {
		return b[:0], d.fail(err)
	}
	return b, nil
}

// compare is the order of keys; it is not known of databases of unusual kinds.
func (d *DB) compare(a, b []byte) (order int, known bool) {
	if d.flags&(databaseReverse|databaseInteger) != 0 {
		return 0, false
	}
	return bytes.Compare(a, b), true
}
