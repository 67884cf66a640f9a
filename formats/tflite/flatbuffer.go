package tflite

import (
	"encoding/binary"
	"fmt"
	"math"
)

// file reads FlatBuffers (https://flatbuffers.dev/internals/): tables, whose fields lie where a
// vtable says, and lists and texts, which they refer to by offsets. All numbers are
// little-endian. Each offset leads forward, so that nothing can lead back to itself; and room
// bounds what all lists have together, so that a small file cannot have the same list a million
// times.
//
// The first thing that is wrong is kept in err. What is read after it is empty.
type file struct {
	b    []byte
	room int // elements that lists may still have
	err  error
}

func newFile(b []byte) *file { return &file{b: b, room: 1024 + 2*len(b)} }

// fail notes what is wrong at an offset.
func (f *file) fail(at int, format string, args ...any) {
	if f.err == nil {
		f.err = fmt.Errorf("at byte %d: %s: the file is damaged or cut off", at, fmt.Sprintf(format, args...))
	}
}

// has reports whether size bytes lie at an offset.
func (f *file) has(at, size int) bool {
	if f.err == nil && (at < 0 || size < 0 || at > len(f.b) || size > len(f.b)-at) {
		f.fail(at, "%d bytes are wanted, and the file has %d", size, len(f.b))
	}
	return f.err == nil
}

// table is a table, or none if it is not in the file: then all fields have their defaults.
type table struct {
	f      *file
	at     int
	size   int    // of the table
	vtable []byte // offsets of the fields, each of two bytes; 0 where one is left out
}

// table finds the table at an offset.
func (f *file) table(at int) table {
	if !f.has(at, 4) {
		return table{}
	}
	v := at - int(int32(binary.LittleEndian.Uint32(f.b[at:])))
	if !f.has(v, 4) {
		return table{}
	}
	n, size := int(binary.LittleEndian.Uint16(f.b[v:])), int(binary.LittleEndian.Uint16(f.b[v+2:]))
	if n < 4 || n%2 != 0 || size < 4 {
		f.fail(v, "a vtable of %d bytes, for a table of %d", n, size)
	}
	if !f.has(v, n) || !f.has(at, size) {
		return table{}
	}
	return table{f: f, at: at, size: size, vtable: f.b[v+4 : v+n]}
}

// field is the bytes of a field from its first on, or nil if it is left out.
func (t table) field(i, size int) []byte {
	if t.f == nil || t.f.err != nil || 2*i+2 > len(t.vtable) {
		return nil
	}
	offset := int(binary.LittleEndian.Uint16(t.vtable[2*i:]))
	if offset == 0 {
		return nil
	}
	if offset < 4 || offset+size > t.size {
		t.f.fail(t.at, "field %d lies outside of its table", i)
		return nil
	}
	return t.f.b[t.at+offset : t.at+offset+size]
}

// byte is a field of one byte, 0 if it is left out, as those that follow.
func (t table) byte(i int) byte {
	if b := t.field(i, 1); b != nil {
		return b[0]
	}
	return 0
}

func (t table) bool(i int) bool { return t.byte(i) != 0 }

func (t table) int(i, otherwise int) int {
	if b := t.field(i, 4); b != nil {
		return int(int32(binary.LittleEndian.Uint32(b)))
	}
	return otherwise
}

func (t table) long(i int) uint64 {
	if b := t.field(i, 8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (t table) float(i int) float32 {
	if b := t.field(i, 4); b != nil {
		return math.Float32frombits(binary.LittleEndian.Uint32(b))
	}
	return 0
}

// follow is the offset that the reference at an offset leads to, 0 if something is wrong.
func (f *file) follow(at int) int {
	if !f.has(at, 4) {
		return 0
	}
	offset := binary.LittleEndian.Uint32(f.b[at:])
	if offset == 0 || int64(offset) > int64(len(f.b)-at) {
		f.fail(at, "a reference leads out of the file")
		return 0
	}
	return at + int(offset)
}

// reference is what a field refers to, 0 if it is left out.
func (t table) reference(i int) int {
	b := t.field(i, 4)
	if b == nil {
		return 0
	}
	return t.f.follow(t.at + int(binary.LittleEndian.Uint16(t.vtable[2*i:])))
}

// inner is the table that a field refers to.
func (t table) inner(i int) table {
	if at := t.reference(i); at > 0 {
		return t.f.table(at)
	}
	return table{}
}

// list is the place of a list of elements of so many bytes, and how many there are.
func (t table) list(i, size int) (at, n int) {
	at = t.reference(i)
	if at == 0 || !t.f.has(at, 4) {
		return 0, 0
	}
	count := int64(binary.LittleEndian.Uint32(t.f.b[at:]))
	if at += 4; count*int64(size) > int64(len(t.f.b)-at) {
		t.f.fail(at, "a list of %d elements ends behind the file", count)
		return 0, 0
	}
	return at, int(count)
}

// take counts elements that memory is taken for.
func (f *file) take(at, n int) bool {
	if f.room -= n; f.room < 0 {
		f.fail(at, "the lists of the file have far more elements than it has bytes")
	}
	return f.err == nil
}

// bytes are those of a field. They are a part of the file.
func (t table) bytes(i int) []byte {
	at, n := t.list(i, 1)
	if n == 0 {
		return nil
	}
	return t.f.b[at : at+n]
}

func (t table) text(i int) string {
	at, n := t.list(i, 1)
	if n == 0 || !t.f.take(at, n) {
		return ""
	}
	return string(t.f.b[at : at+n])
}

func (t table) ints(i int) []int {
	at, n := t.list(i, 4)
	if n == 0 || !t.f.take(at, n) {
		return nil
	}
	list := make([]int, n)
	for k := range list {
		list[k] = int(int32(binary.LittleEndian.Uint32(t.f.b[at+4*k:])))
	}
	return list
}

func (t table) tables(i int) []table {
	at, n := t.list(i, 4)
	if n == 0 || !t.f.take(at, n) {
		return nil
	}
	list := make([]table, 0, n)
	for k := range n {
		to := t.f.follow(at + 4*k)
		if t.f.err != nil {
			return nil
		}
		list = append(list, t.f.table(to))
	}
	return list
}
