package safetensors

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"unicode/utf8"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/internal/atomicfile"
)

// Tensor is a named tensor to be written. Its elements are float32, int32,
// int64 or uint8, contiguous and row-major.
type Tensor struct {
	Name  string
	Value *tensor.Dense
}

// Write writes a file, replacing what is there only when the new one is whole
// and on the disk. Metadata may be nil; its key "sha256" is the checksum's.
func Write(path string, tensors []Tensor, metadata map[string]string) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		return WriteTo(w, tensors, metadata)
	})
}

// WriteTo writes what Write writes to w. It goes over the tensors twice: for
// the checksum, which stands in the header, and to write them.
func WriteTo(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	parts, err := plan(tensors)
	if err != nil {
		return err
	}
	if err := checkMetadata(metadata); err != nil {
		return err
	}
	h := sha256.New()
	if err := write(h, parts, metadata, noChecksum); err != nil {
		return err
	}
	return write(w, parts, metadata, hex.EncodeToString(h.Sum(nil)))
}

// part is a tensor with its place in the file.
type part struct {
	Info
	value *tensor.Dense
}

// plan checks the tensors and lays them out.
func plan(tensors []Tensor) ([]part, error) {
	parts := make([]part, len(tensors))
	for i, t := range tensors {
		info, err := describe(t)
		if err != nil {
			return nil, fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		parts[i] = part{info, t.Value}
	}
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(rank[a.DType], rank[b.DType]), cmp.Compare(a.Name, b.Name))
	})
	names := make(map[string]bool, len(parts))
	offset := int64(0)
	for i := range parts {
		p := &parts[i]
		if names[p.Name] {
			return nil, fmt.Errorf("tensor %q is there twice", p.Name)
		}
		names[p.Name] = true
		p.offset = offset
		offset += p.size
	}
	return parts, nil
}

func describe(t Tensor) (Info, error) {
	switch {
	case t.Name == metadataKey:
		return Info{}, errors.New("the name is reserved")
	case !utf8.ValidString(t.Name):
		return Info{}, errors.New("the name is not UTF-8")
	case t.Value == nil:
		return Info{}, errors.New("there is no value")
	}
	info := Info{Name: t.Name, Shape: t.Value.Shape()}
	// A tensor without elements has no layout, and calls itself masked.
	if info.Len() > 0 && (t.Value.RequiresIterator() || t.Value.DataOrder().IsColMajor()) {
		return Info{}, errors.New("the value must be contiguous and row-major; clone it first")
	}
	switch t.Value.Dtype() {
	case tensor.Float32:
		info.DType = F32
	case tensor.Int32:
		info.DType = I32
	case tensor.Int64:
		info.DType = I64
	case tensor.Uint8:
		info.DType = U8
	default:
		return Info{}, fmt.Errorf("element type %s cannot be written; there are float32, int32, int64 and uint8", t.Value.Dtype())
	}
	info.size = int64(info.Len()) * sizes[info.DType]
	return info, nil
}

func checkMetadata(metadata map[string]string) error {
	for k, v := range metadata {
		switch {
		case k == checksumKey:
			return fmt.Errorf("metadata %q is reserved for the checksum", k)
		case !utf8.ValidString(k) || !utf8.ValidString(v):
			return fmt.Errorf("metadata %q is not UTF-8", k)
		}
	}
	return nil
}

func write(w io.Writer, parts []part, metadata map[string]string, checksum string) error {
	h, err := header(parts, metadata, checksum)
	if err != nil {
		return err
	}
	if _, err := w.Write(h); err != nil {
		return err
	}
	buf := make([]byte, 0, 1<<16)
	for _, p := range parts {
		if err := writeElements(w, p, buf); err != nil {
			return fmt.Errorf("tensor %q: %w", p.Name, err)
		}
	}
	return nil
}

// header is everything in front of the data.
func header(parts []part, metadata map[string]string, checksum string) ([]byte, error) {
	var b bytes.Buffer
	b.Write(make([]byte, 8))
	fmt.Fprintf(&b, `{%q:{`, metadataKey)
	entries := maps.Clone(metadata)
	if entries == nil {
		entries = map[string]string{}
	}
	entries[checksumKey] = checksum
	for i, k := range slices.Sorted(maps.Keys(entries)) {
		if i > 0 {
			b.WriteByte(',')
		}
		quote(&b, k)
		b.WriteByte(':')
		quote(&b, entries[k])
	}
	b.WriteByte('}')
	for _, p := range parts {
		b.WriteByte(',')
		quote(&b, p.Name)
		fmt.Fprintf(&b, `:{"dtype":%q,"shape":[`, p.DType)
		for i, d := range p.Shape {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprint(&b, d)
		}
		fmt.Fprintf(&b, `],"data_offsets":[%d,%d]}`, p.offset, p.offset+p.size)
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	n := b.Len() - 8
	if n > maxHeader {
		return nil, fmt.Errorf("the header takes %d bytes; the format allows %d", n, maxHeader)
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(n))
	return b.Bytes(), nil
}

// quote writes a JSON string. It leaves <, > and & as they are, like the
// reference implementation.
func quote(b *bytes.Buffer, s string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a string has a JSON form, and a Buffer takes it
	}
	b.Truncate(b.Len() - 1) // Encode ends with a newline
}

// writeElements writes a tensor's elements, little-endian. buf is empty; its
// capacity is how many bytes go out at once.
func writeElements(w io.Writer, p part, buf []byte) error {
	switch p.DType {
	case F32:
		return writeEach(w, p.value.Float32s(), 4, buf, func(b []byte, v float32) []byte {
			return binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		})
	case I32:
		return writeEach(w, p.value.Int32s(), 4, buf, func(b []byte, v int32) []byte {
			return binary.LittleEndian.AppendUint32(b, uint32(v))
		})
	case I64:
		return writeEach(w, p.value.Int64s(), 8, buf, func(b []byte, v int64) []byte {
			return binary.LittleEndian.AppendUint64(b, uint64(v))
		})
	case U8:
		_, err := w.Write(p.value.Uint8s())
		return err
	}
	panic("safetensors: plan let through the type " + string(p.DType))
}

func writeEach[T any](w io.Writer, values []T, size int, buf []byte, put func([]byte, T) []byte) error {
	for chunk := range slices.Chunk(values, cap(buf)/size) {
		buf = buf[:0]
		for _, v := range chunk {
			buf = put(buf, v)
		}
		if _, err := w.Write(buf); err != nil {
			return err
		}
	}
	return nil
}
