package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// The idx format (http://yann.lecun.com/exdb/mnist): two zero bytes, the
// element type, the number of dimensions, each dimension as a big-endian
// 32-bit number, then the elements, the last dimension fastest.

// idxTypes names the element types of the format.
var idxTypes = map[byte]string{
	0x08: "unsigned bytes",
	0x09: "signed bytes",
	0x0b: "16-bit integers",
	0x0c: "32-bit integers",
	0x0d: "32-bit floats",
	0x0e: "64-bit floats",
}

// maxIDX bounds the bytes a file may claim, some headroom above the largest
// set in use (EMNIST's 814,255 images of 28x28).
const maxIDX = 1 << 30

// maxInflation is the most that a byte of deflate can become: 258 bytes take
// at least 2 bits.
const maxInflation = 1032

// readIDX reads an idx file of unsigned bytes, plain or gzip, that has the
// given number of dimensions.
func readIDX(path string, dims int) (shape []int, data []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	s, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if shape, data, err = parseIDX(f, s.Size(), dims); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return shape, data, nil
}

// parseIDX reads what readIDX reads from a file of size bytes.
func parseIDX(file io.Reader, size int64, dims int) (shape []int, data []byte, err error) {
	buffered := bufio.NewReaderSize(file, 1<<16)
	var r io.Reader = buffered
	limit := size // bytes that can be there
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if r, err = gzip.NewReader(buffered); err != nil {
			return nil, nil, fmt.Errorf("gzip: %w", truncated(err))
		}
		limit = size * maxInflation
	}

	shape, err = parseIDXHeader(r, dims)
	if err != nil {
		return nil, nil, err
	}
	want := int64(1)
	for _, d := range shape {
		if d > 0 && want > maxIDX/int64(d) {
			return nil, nil, fmt.Errorf("the header says %s bytes of data, which is more than the %d allowed: not an idx file?", product(shape), maxIDX)
		}
		want *= int64(d)
	}
	// Before memory is taken: a damaged header may say anything.
	if want > limit {
		return nil, nil, fmt.Errorf("truncated: the header says %s = %d bytes of data, but a file of %d bytes cannot hold them",
			product(shape), want, size)
	}
	data = make([]byte, want)
	n, err := io.ReadFull(r, data)
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return nil, nil, fmt.Errorf("truncated: the header says %s = %d bytes of data, found %d", product(shape), want, n)
	case err != nil:
		return nil, nil, fmt.Errorf("after %d bytes of data: %w", n, err)
	}
	// Reading to the end also makes gzip check its checksum.
	switch n, err := io.ReadFull(r, make([]byte, 1)); {
	case n > 0:
		return nil, nil, fmt.Errorf("too long: the header says %s = %d bytes of data, found more", product(shape), want)
	case err != io.EOF:
		return nil, nil, fmt.Errorf("after the data: %w", err)
	}
	return shape, data, nil
}

func parseIDXHeader(r io.Reader, dims int) ([]int, error) {
	var magic [4]byte
	if _, err := io.ReadFull(r, magic[:]); err != nil {
		return nil, fmt.Errorf("header: %w", truncated(err))
	}
	name, known := idxTypes[magic[2]]
	switch {
	case magic[0] != 0 || magic[1] != 0:
		return nil, fmt.Errorf("not an idx file: it begins with %#02x %#02x, not with two zeros", magic[0], magic[1])
	case !known:
		return nil, fmt.Errorf("not an idx file: element type %#02x is unknown", magic[2])
	case magic[2] != 0x08:
		return nil, fmt.Errorf("the elements are %s; only unsigned bytes are read", name)
	case int(magic[3]) != dims:
		return nil, fmt.Errorf("the file has %d dimensions, not %d", magic[3], dims)
	}
	raw := make([]byte, 4*dims)
	if _, err := io.ReadFull(r, raw); err != nil {
		return nil, fmt.Errorf("header: %w", truncated(err))
	}
	shape := make([]int, dims)
	for i := range shape {
		d := binary.BigEndian.Uint32(raw[4*i:])
		if d > maxIDX {
			return nil, fmt.Errorf("dimension %d is %d, more than the %d bytes allowed: not an idx file?", i, d, maxIDX)
		}
		shape[i] = int(d)
	}
	return shape, nil
}

// truncated says so where err is an end that comes too early.
func truncated(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("truncated")
	}
	return err
}

// product writes a shape as "60000x28x28".
func product(shape []int) string {
	var b bytes.Buffer
	for i, d := range shape {
		if i > 0 {
			b.WriteByte('x')
		}
		fmt.Fprint(&b, d)
	}
	return b.String()
}
