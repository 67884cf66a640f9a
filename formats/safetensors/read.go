package safetensors

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"

	"gorgonia.org/tensor"
)

// File is a safetensors file open for reading. Only its header is in memory.
// Its methods may be called from several goroutines, where the reader under
// it may.
type File struct {
	name     string // in errors
	r        io.ReaderAt
	size     int64
	header   []byte // JSON with its padding
	tensors  []Info // in the order of their data
	index    map[string]int
	metadata map[string]string
	checksum string
	close    func() error
}

// Open opens the file and checks its header. Close it after use.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s, err := f.Stat()
	if err == nil && !s.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	file, err := read(path, f, s.Size())
	if err != nil {
		f.Close()
		return nil, err
	}
	file.close = f.Close
	return file, nil
}

// Read checks the header of a file of size bytes behind r.
func Read(r io.ReaderAt, size int64) (*File, error) {
	return read("safetensors", r, size)
}

func read(name string, r io.ReaderAt, size int64) (*File, error) {
	f := &File{name: name, r: r, size: size, close: func() error { return nil }}
	if err := f.readHeader(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

func (f *File) readHeader() error {
	if f.size < 8 {
		return fmt.Errorf("%d bytes are too few for a safetensors file", f.size)
	}
	var length [8]byte
	if err := f.readAt(length[:], 0); err != nil {
		return err
	}
	n := binary.LittleEndian.Uint64(length[:])
	if n > maxHeader {
		return fmt.Errorf("a header of %d bytes is more than the format allows, %d: not a safetensors file?", n, maxHeader)
	}
	if int64(n) > f.size-8 {
		return fmt.Errorf("the header takes %d bytes, but only %d are there: the file is truncated", n, f.size-8)
	}
	f.header = make([]byte, n)
	if err := f.readAt(f.header, 8); err != nil {
		return err
	}
	var err error
	if f.tensors, f.metadata, err = parseHeader(f.header, f.size-f.dataStart()); err != nil {
		return err
	}
	f.checksum = f.metadata[checksumKey]
	delete(f.metadata, checksumKey)
	f.index = make(map[string]int, len(f.tensors))
	for i, t := range f.tensors {
		f.index[t.Name] = i
	}
	return nil
}

func (f *File) dataStart() int64 { return 8 + int64(len(f.header)) }

// readAt fills b, or fails: a file that shrank since it was opened is an
// error.
func (f *File) readAt(b []byte, offset int64) error {
	n, err := f.r.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("at byte %d: %w", offset+int64(n), err)
}

// Close closes what Open opened.
func (f *File) Close() error { return f.close() }

// Tensors describes the tensors, in the order of their data. The caller must
// not change them.
func (f *File) Tensors() []Info { return f.tensors }

// Info describes the tensor of the name, if it is there.
func (f *File) Info(name string) (Info, bool) {
	i, ok := f.index[name]
	if !ok {
		return Info{}, false
	}
	return f.tensors[i], true
}

// Metadata is the file's strings, without the checksum. It is a copy.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Verify reads the whole file and compares it with the checksum it was written
// with. Its error wraps ErrChecksum or ErrNoChecksum.
func (f *File) Verify() error {
	if f.checksum == "" {
		return fmt.Errorf("%s: %w", f.name, ErrNoChecksum)
	}
	h := sha256.New()
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(len(f.header)))
	h.Write(length[:])
	h.Write(bytes.Replace(f.header, []byte(f.checksum), []byte(noChecksum), 1))
	n, err := io.Copy(h, io.NewSectionReader(f.r, f.dataStart(), f.size-f.dataStart()))
	if err == nil && n != f.size-f.dataStart() {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	if hex.EncodeToString(h.Sum(nil)) != f.checksum {
		return fmt.Errorf("%s: %w", f.name, ErrChecksum)
	}
	return nil
}

// ReadDense reads a tensor: of float32 for F32, F16, BF16 and F64, of int32,
// int64 or uint8 for I32, I64 and U8. What float32 cannot hold of an F64 is
// rounded; what is beyond its range becomes infinite.
func (f *File) ReadDense(name string) (*tensor.Dense, error) {
	t, err := f.find(name)
	if err != nil {
		return nil, err
	}
	var values any
	switch n := t.Len(); t.DType {
	case F32, F16, BF16, F64:
		v := make([]float32, n)
		values, err = v, readEach(f, t, v, floatsOf[t.DType])
	case I32:
		v := make([]int32, n)
		values, err = v, readEach(f, t, v, each(4, func(b []byte) int32 { return int32(binary.LittleEndian.Uint32(b)) }))
	case I64:
		v := make([]int64, n)
		values, err = v, readEach(f, t, v, each(8, func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)) }))
	case U8:
		v := make([]uint8, n)
		values, err = v, readEach(f, t, v, func(dst []uint8, b []byte) { copy(dst, b) })
	default:
		err = f.fail(t, fmt.Errorf("element type %s cannot be read; there are F32, F16, BF16, F64, I32, I64, U8", t.DType))
	}
	if err != nil {
		return nil, err
	}
	return tensor.New(tensor.WithShape(t.Shape...), tensor.WithBacking(values)), nil
}

func (f *File) find(name string) (Info, error) {
	t, ok := f.Info(name)
	if !ok {
		return Info{}, fmt.Errorf("%s: tensor %q is not there", f.name, name)
	}
	return t, nil
}

func (f *File) fail(t Info, err error) error {
	return fmt.Errorf("%s: tensor %q: %w", f.name, t.Name, err)
}

// readEach decodes a tensor's elements, a bounded number of bytes at a time.
func readEach[T any](f *File, t Info, dst []T, decode func(dst []T, b []byte)) error {
	size := int(sizes[t.DType])
	buf := make([]byte, min(t.size, 1<<18))
	at := f.dataStart() + t.offset
	for len(dst) > 0 {
		n := min(len(dst), len(buf)/size)
		b := buf[:n*size]
		if err := f.readAt(b, at); err != nil {
			return f.fail(t, err)
		}
		decode(dst[:n], b)
		dst = dst[n:]
		at += int64(len(b))
	}
	return nil
}

// each decodes element after element, each of size bytes.
func each[T any](size int, get func([]byte) T) func(dst []T, b []byte) {
	return func(dst []T, b []byte) {
		for i := range dst {
			dst[i] = get(b[i*size:])
		}
	}
}
