package hdf5

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
)

// undefined is the address of what is not there.
const undefined = math.MaxUint64

// decoder takes numbers from bytes of the file, little-endian. After the end it makes zeros
// and keeps an error, so that a caller asks once, before it believes what it took.
type decoder struct {
	b                []byte
	at               int64 // of b in the file
	next             int
	offsets, lengths int
	err              error
}

// take is the next n bytes; at the end there are none.
func (d *decoder) take(n uint64) []byte {
	if d.err == nil && n > uint64(len(d.b)-d.next) {
		d.err = d.fail("%d bytes are wanted, and only %d are left of this part", n, len(d.b)-d.next)
	}
	if d.err != nil {
		return nil
	}
	b := d.b[d.next : d.next+int(n)]
	d.next += int(n)
	return b
}

// fail is an error with the place in the file.
func (d *decoder) fail(format string, args ...any) error {
	return fmt.Errorf("at byte %d: %w", d.at+int64(d.next), fmt.Errorf(format, args...))
}

// left is how many bytes there are still.
func (d *decoder) left() int { return len(d.b) - d.next }

// sub is a decoder of the next n bytes.
func (d *decoder) sub(n uint64) *decoder {
	at := d.at + int64(d.next)
	return &decoder{b: d.take(n), at: at, offsets: d.offsets, lengths: d.lengths, err: d.err}
}

// number is the next n bytes, at most 8, as a number.
func (d *decoder) number(n int) uint64 {
	var x uint64
	for i, b := range d.take(uint64(n)) {
		x |= uint64(b) << (8 * i)
	}
	return x
}

func (d *decoder) u8() uint8   { return uint8(d.number(1)) }
func (d *decoder) u16() uint16 { return uint16(d.number(2)) }
func (d *decoder) u32() uint32 { return uint32(d.number(4)) }
func (d *decoder) u64() uint64 { return d.number(8) }

// length is a size, of as many bytes as the superblock says.
func (d *decoder) length() uint64 { return d.number(d.lengths) }

// offset is an address, of as many bytes as the superblock says.
func (d *decoder) offset() uint64 {
	x := d.number(d.offsets)
	if x == 1<<(8*d.offsets)-1 {
		return undefined
	}
	return x
}

// text is a name that ends with a zero byte.
func (d *decoder) text() string {
	end := bytes.IndexByte(d.b[d.next:], 0)
	if end < 0 {
		d.take(uint64(d.left()) + 1)
		return ""
	}
	return string(d.take(uint64(end) + 1)[:end])
}

// expect takes a signature or keeps an error.
func (d *decoder) expect(signature []byte) {
	if got := d.take(uint64(len(signature))); d.err == nil && !bytes.Equal(got, signature) {
		d.next -= len(got)
		d.err = d.fail("%q stands where %q belongs: the file is damaged", got, signature)
	}
}

// read is n bytes from an address on.
func (f *File) read(address, n uint64) (*decoder, error) {
	if address == undefined {
		return nil, errors.New("a part of the file has no address: the file is damaged")
	}
	room := uint64(f.size - f.base)
	if address > room || n > room-address {
		return nil, fmt.Errorf("%d bytes at byte %d go beyond the file's end at byte %d: the file is truncated or damaged", n, uint64(f.base)+address, f.size)
	}
	d := &decoder{b: make([]byte, n), at: f.base + int64(address), offsets: f.offsets, lengths: f.lengths}
	return d, f.readAt(d.b, d.at)
}

// checked is read for a part that begins with a signature and ends with a checksum of 4
// bytes. What is left of it is between the two.
func (f *File) checked(address, n uint64, signature []byte) (*decoder, error) {
	d, err := f.read(address, n)
	if err != nil {
		return nil, err
	}
	d.expect(signature)
	if d.err == nil {
		d.err = d.unsum()
	}
	return d, d.err
}

// unsum checks the checksum that all of the bytes end with, and cuts it off.
func (d *decoder) unsum() error {
	body := len(d.b) - 4
	if body < d.next {
		return d.fail("there is no room for a checksum")
	}
	sum := decoder{b: d.b[body:]}
	if want, got := sum.u32(), lookup3(d.b[:body]); want != got {
		return fmt.Errorf("at byte %d: the checksum of %d bytes does not match: the file is damaged", d.at, body)
	}
	d.b = d.b[:body]
	return nil
}

// readAt fills b, or fails: a file that shrank since it was opened is an error.
func (f *File) readAt(b []byte, at int64) error {
	n, err := f.r.ReadAt(b, at)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("at byte %d: %w", at+int64(n), err)
}

// walk reads the parts of one index. Parts do not overlap, so all of them together are no
// larger than the file: what leads in circles ends there.
type walk struct {
	f    *File
	left uint64
}

func (f *File) walk() *walk { return &walk{f, uint64(f.size)} }

// spend takes n bytes off what may still be read.
func (w *walk) spend(n uint64) error {
	if n > w.left {
		return errors.New("the parts of an index take more bytes than the file has: the file is damaged")
	}
	w.left -= n
	return nil
}

func (w *walk) read(address, n uint64) (*decoder, error) {
	if err := w.spend(n); err != nil {
		return nil, err
	}
	return w.f.read(address, n)
}

func (w *walk) checked(address, n uint64, signature string) (*decoder, error) {
	if err := w.spend(n); err != nil {
		return nil, err
	}
	return w.f.checked(address, n, []byte(signature))
}
