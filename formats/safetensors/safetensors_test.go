package safetensors

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func dense(backing any, shape ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(backing))
}

// sample has a tensor of every type, in an order that is not the file's.
func sample() ([]Tensor, map[string]string) {
	return []Tensor{
		{"step", dense([]int64{1 << 40})},
		{"conv1.weight", dense([]float32{1, -2, 0.5, float32(math.Inf(1)), 5, 6}, 3, 2)},
		{"mask", dense([]uint8{1, 0, 255}, 3)},
		{"index", dense([]int32{-1, math.MaxInt32}, 2)},
		{"conv1.bias", dense([]float32{7}, 1)},
	}, map[string]string{"network": `{"a": "<é>"}`, "epoch": "3"}
}

func encode(t *testing.T, tensors []Tensor, metadata map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, WriteTo(&b, tensors, metadata))
	return b.Bytes()
}

func decode(b []byte) (*File, error) { return Read(bytes.NewReader(b), int64(len(b))) }

func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	tensors, metadata := sample()
	require.NoError(t, Write(path, tensors, metadata))

	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Verify())
	require.Equal(t, metadata, f.Metadata())
	require.Len(t, f.Tensors(), len(tensors))
	for _, want := range tensors {
		got, err := f.ReadDense(want.Name)
		require.NoError(t, err, want.Name)
		require.Equal(t, want.Value.Dtype(), got.Dtype(), want.Name)
		require.True(t, want.Value.Shape().Eq(got.Shape()), want.Name)
		require.Equal(t, want.Value.Data(), got.Data(), want.Name)
	}
}

// Elements cross the boundaries of the buffers that reading and writing use.
func TestRoundTripOfLargeTensor(t *testing.T) {
	values := make([]float32, 100_003)
	for i := range values {
		values[i] = float32(i)
	}
	f, err := decode(encode(t, []Tensor{{"w", dense(values, len(values))}}, nil))
	require.NoError(t, err)
	require.NoError(t, f.Verify())
	got, err := f.ReadDense("w")
	require.NoError(t, err)
	require.Equal(t, values, got.Float32s())
}

// The layout is the reference implementation's, byte for byte: compare with
// testdata/reference.safetensors.
func TestLayout(t *testing.T) {
	tensors, metadata := sample()
	b := encode(t, tensors, metadata)

	header := `{"__metadata__":{"epoch":"3","network":"{\"a\": \"<é>\"}","sha256":"` + noChecksum + `"},` +
		`"step":{"dtype":"I64","shape":[],"data_offsets":[0,8]},` +
		`"conv1.bias":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},` +
		`"conv1.weight":{"dtype":"F32","shape":[3,2],"data_offsets":[12,36]},` +
		`"index":{"dtype":"I32","shape":[2],"data_offsets":[36,44]},` +
		`"mask":{"dtype":"U8","shape":[3],"data_offsets":[44,47]}}`
	header += strings.Repeat(" ", -len(header)&7)
	want := []byte{byte(len(header)), byte(len(header) >> 8), 0, 0, 0, 0, 0, 0}
	want = append(want, header...)
	want = append(want,
		0, 0, 0, 0, 0, 1, 0, 0, // step
		0, 0, 0xe0, 0x40, // conv1.bias
		0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 0, 0, 0, 0x3f, 0, 0, 0x80, 0x7f, 0, 0, 0xa0, 0x40, 0, 0, 0xc0, 0x40,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, // index
		1, 0, 255) // mask
	sum := sha256.Sum256(want)
	want = bytes.Replace(want, []byte(noChecksum), []byte(hex.EncodeToString(sum[:])), 1)
	require.Equal(t, string(want), string(b))
}

// The type goes before the name, by falling alignment, and of equal alignment
// the floating-point numbers come first.
func TestOrderOfTypes(t *testing.T) {
	b := encode(t, []Tensor{
		{"a", dense([]uint8{1}, 1)}, {"b", dense([]int32{1}, 1)}, {"c", dense([]float32{1}, 1)}, {"d", dense([]int64{1}, 1)},
		{"e", dense([]uint8{1}, 1)}, {"f", dense([]int32{1}, 1)}, {"g", dense([]float32{1}, 1)}, {"h", dense([]int64{1}, 1)},
	}, nil)
	f, err := decode(b)
	require.NoError(t, err)
	var names string
	for _, info := range f.Tensors() {
		names += info.Name
	}
	require.Equal(t, "dhcgbfae", names)
}

func TestBytesDoNotDependOnOrder(t *testing.T) {
	tensors, metadata := sample()
	want := encode(t, tensors, metadata)
	for range tensors {
		tensors = append(tensors[1:], tensors[0])
		require.Equal(t, want, encode(t, tensors, metadata))
	}
}

// Verify, or the checks of the header before it, find every flipped bit.
func TestVerifyFindsEveryFlippedBit(t *testing.T) {
	b := encode(t, []Tensor{{"w", dense([]float32{1, 2}, 2)}}, map[string]string{"iteration": "512"})
	for i := range 8 * len(b) {
		b[i/8] ^= 1 << (i % 8)
		f, err := decode(b)
		if err == nil {
			err = f.Verify()
		}
		require.Error(t, err, "byte %d, bit %d", i/8, i%8)
		b[i/8] ^= 1 << (i % 8)
	}
}

func TestVerifyErrors(t *testing.T) {
	f, err := Open("testdata/reference.safetensors")
	require.NoError(t, err)
	defer f.Close()
	require.ErrorIs(t, f.Verify(), ErrNoChecksum)

	path := filepath.Join(t.TempDir(), "w.safetensors")
	require.NoError(t, Write(path, []Tensor{{"w", dense([]float32{1, 2}, 2)}}, nil))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	b[len(b)-1] ^= 1
	require.NoError(t, os.WriteFile(path, b, 0o666))
	g, err := Open(path)
	require.NoError(t, err)
	defer g.Close()
	err = g.Verify()
	require.ErrorIs(t, err, ErrChecksum)
	require.ErrorContains(t, err, path)
}

// testdata/reference.safetensors was written by the reference implementation,
// Python package safetensors 0.5.3.
func TestReadReferenceFile(t *testing.T) {
	f, err := Open("testdata/reference.safetensors")
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, map[string]string{"format": "pt"}, f.Metadata())

	for name, want := range map[string][]float32{
		"f64":  {0.1, float32(math.Inf(-1))},
		"f32":  {1.5, -2, 0, 3e38},
		"f16":  {1.5, -2, 65504},
		"bf16": {1.5, -2},
	} {
		d, err := f.ReadDense(name)
		require.NoError(t, err, name)
		require.Equal(t, want, d.Float32s(), name)
	}
	d, err := f.ReadDense("i32")
	require.NoError(t, err)
	require.Equal(t, []int32{-7}, d.Int32s())
	require.True(t, d.IsScalar())
	d, err = f.ReadDense("i64")
	require.NoError(t, err)
	require.Equal(t, []int64{-1 << 40}, d.Int64s())
	d, err = f.ReadDense("u8")
	require.NoError(t, err)
	require.Equal(t, []uint8{0, 127, 255}, d.Uint8s())
	require.Equal(t, tensor.Shape{1, 3}, d.Shape())
	d, err = f.ReadDense("empty")
	require.NoError(t, err)
	require.Equal(t, tensor.Shape{0, 4}, d.Shape())

	_, err = f.ReadDense("missing")
	require.EqualError(t, err, `testdata/reference.safetensors: tensor "missing" is not there`)
	_, err = f.ReadDense("bool")
	require.EqualError(t, err, `testdata/reference.safetensors: tensor "bool": element type BOOL cannot be read; there are F32, F16, BF16, F64, I32, I64, U8`)
}

// A file that shrinks after it was opened is an error, not zeros.
func TestReadOfShrunkenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.safetensors")
	require.NoError(t, Write(path, []Tensor{{"w", dense([]float32{1, 2}, 2)}}, nil))
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, os.Truncate(path, f.size-1))
	_, err = f.ReadDense("w")
	require.EqualError(t, err, fmt.Sprintf(`%s: tensor "w": at byte %d: unexpected EOF`, path, f.size-1))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.EqualError(t, f.Verify(), path+": unexpected EOF")
}

func TestOpenErrors(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(t.TempDir())
	require.ErrorContains(t, err, "not a regular file")
}

// file makes a file of a header and n zero bytes of data.
func file(header string, n int) []byte {
	b := []byte{byte(len(header)), byte(len(header) >> 8), 0, 0, 0, 0, 0, 0}
	return append(append(b, header...), make([]byte, n)...)
}

func TestReadRefuses(t *testing.T) {
	u8 := func(name, offsets string) string {
		return `"` + name + `":{"dtype":"U8","shape":[4],"data_offsets":` + offsets + `}`
	}
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"nothing", "0 bytes are too few", nil},
		{"part of the length", "7 bytes are too few", make([]byte, 7)},
		{"huge header", "more than the format allows", []byte{0, 0, 0, 0, 0, 0, 0, 0x80, '{', '}'}},
		{"header over the bound", "a header of 100000001 bytes is more than the format allows, 100000000: not", []byte{0x01, 0xe1, 0xf5, 0x05, 0, 0, 0, 0}},
		{"header of the bound", "the header takes 100000000 bytes, but only 0 are there", []byte{0x00, 0xe1, 0xf5, 0x05, 0, 0, 0, 0}},
		{"truncated header", "the header takes 3 bytes, but only 2 are there: the file is truncated", []byte{3, 0, 0, 0, 0, 0, 0, 0, '{', '}'}},
		{"empty header", "the header is not JSON: unexpected EOF", file("", 0)},
		{"not UTF-8", "not UTF-8", file("{\"\xff\":1}", 0)},
		{"not an object", "the header has [ where { belongs", file("[]", 0)},
		{"no JSON", "the header is not JSON: invalid character", file(`{"a":}`, 0)},
		{"cut JSON", "not JSON", file(`{"a":{"dtype":"U8"`, 0)},
		{"more after the header", "goes on after its end", file("{} {}", 0)},
		{"tensor twice", `"a" is there twice`, file(`{`+u8("a", "[0,4]")+`,`+u8("a", "[4,8]")+`}`, 8)},
		{"member twice", `"shape" is there twice`, file(`{"a":{"dtype":"U8","shape":[4],"shape":[4],"data_offsets":[0,4]}}`, 4)},
		{"metadata twice", `__metadata__: "k" is there twice`, file(`{"__metadata__":{"k":"1","k":"2"}}`, 0)},
		{"metadata not strings", `__metadata__: "k" is not a string`, file(`{"__metadata__":{"k":1}}`, 0)},
		{"overlap", `tensor "b" starts at byte 3 of the data, not at 4`, file(`{`+u8("a", "[0,4]")+`,`+u8("b", "[3,7]")+`}`, 7)},
		{"hole", `tensor "b" starts at byte 5 of the data, not at 4`, file(`{`+u8("a", "[0,4]")+`,`+u8("b", "[5,9]")+`}`, 9)},
		{"same data", `starts at byte 0 of the data, not at 4`, file(`{`+u8("a", "[0,4]")+`,`+u8("b", "[0,4]")+`}`, 4)},
		{"truncated data", `tensor "a" ends at byte 4 of the data, but there are only 3: the file is truncated`, file(`{`+u8("a", "[0,4]")+`}`, 3)},
		{"trailing bytes", "the tensors end at byte 4 of the data, but there are 5", file(`{`+u8("a", "[0,4]")+`}`, 5)},
		{"trailing bytes only", "the tensors end at byte 0 of the data, but there are 1", file(`{}`, 1)},
		{"offsets reversed", "data_offsets [4 0] are not a begin and an end", file(`{`+u8("a", "[4,0]")+`}`, 4)},
		{"three offsets", "are not a begin and an end", file(`{`+u8("a", "[0,4,4]")+`}`, 4)},
		{"negative offset", "-4 is not an integer in", file(`{`+u8("a", "[-4,0]")+`}`, 4)},
		{"offset beyond 64 bits", "is not an integer in", file(`{`+u8("a", "[0,18446744073709551620]")+`}`, 4)},
		{"wrong size", `tensor "a" has 4 bytes, which is not U8 of shape [5]`, file(`{"a":{"dtype":"U8","shape":[5],"data_offsets":[0,4]}}`, 4)},
		{"part of an element", `tensor "a" has 5 bytes, which is not F32 of shape [1]`, file(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,5]}}`, 5)},
		{"overflowing shape", "too many to count", file(`{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0)},
		{"overflowing bytes", "which is not F64", file(`{"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}}`, 0)},
		{"fractional shape", "1.5 is not an integer in", file(`{"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,0]}}`, 0)},
		{"shape of strings", "shape: x is not a number", file(`{"a":{"dtype":"U8","shape":["x"],"data_offsets":[0,0]}}`, 0)},
		{"no dtype", `tensor "a": dtype, shape or data_offsets is missing`, file(`{"a":{"shape":[],"data_offsets":[0,1]}}`, 1)},
		{"wrong case", `tensor "a": dtype, shape or data_offsets is missing`, file(`{"a":{"DType":"U8","shape":[1],"data_offsets":[0,1]}}`, 1)},
		{"type missing", `tensor "a": the header is not JSON: invalid character '}'`, file(`{"a":{"dtype":}}`, 1)},
		{"type not a string", `tensor "a": dtype is not a string`, file(`{"a":{"dtype":1,"shape":[],"data_offsets":[0,1]}}`, 1)},
		{"shape not an array", `tensor "a": shape: the header has 1 where [ belongs`, file(`{"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}}`, 1)},
		{"offsets not an array", `tensor "a": data_offsets: the header has 1 where [ belongs`, file(`{"a":{"dtype":"U8","shape":[],"data_offsets":1}}`, 1)},
		{"member cut", `tensor "a": the header is not JSON: unexpected EOF`, file(`{"a":{"new":[`, 1)},
		{"overflowing shape in its tensor", `tensor "a": the elements of shape [4611686018427387904 3] are too many to count`,
			file(`{"a":{"dtype":"U8","shape":[4611686018427387904,3],"data_offsets":[0,0]}}`, 0)},
		{"no description", `tensor "a": the header has <nil> where { belongs`, file(`{"a":null}`, 0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := decode(c.file)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestReadAccepts(t *testing.T) {
	// Padding, members and element types of a later version, any order of the
	// data, and tensors without elements at one place.
	f, err := decode(file(` {"b":{"dtype":"F4","shape":[3],"data_offsets":[4,6],"new":[{}]},`+
		`"e":{"dtype":"U8","shape":[0,9],"data_offsets":[4,4]},"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},`+
		`"d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}   `, 6))
	require.NoError(t, err)
	a, err := f.ReadDense("a")
	require.NoError(t, err)
	require.Equal(t, make([]uint8, 4), a.Uint8s())
	_, err = f.ReadDense("b")
	require.ErrorContains(t, err, "element type F4 cannot be read")
	info, ok := f.Info("b")
	require.True(t, ok)
	require.Equal(t, []int{3}, info.Shape)
}

// The data of a tensor of n elements takes so many bytes, whatever its type:
// those that are not read are checked too.
func TestSizesOfTypes(t *testing.T) {
	for size, types := range map[int][]string{
		1: {"BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0"},
		2: {"I16", "U16", "F16", "BF16"},
		4: {"I32", "U32", "F32"},
		8: {"C64", "F64", "I64", "U64"},
	} {
		for _, dtype := range types {
			for bytes := range 3*size + 2 {
				_, err := decode(file(fmt.Sprintf(`{"a":{"dtype":"%s","shape":[3],"data_offsets":[0,%d]}}`, dtype, bytes), bytes))
				if bytes == 3*size {
					require.NoError(t, err, dtype)
				} else {
					require.EqualError(t, err, fmt.Sprintf(`safetensors: tensor "a" has %d bytes, which is not %s of shape [3]`, bytes, dtype))
				}
			}
		}
	}
	n, err := elements([]int{1<<62 - 1, 2, 1})
	require.NoError(t, err)
	require.Equal(t, int64(1<<63-2), n)
	n, err = elements([]int{math.MaxInt64, 1})
	require.NoError(t, err, "as many as can be counted")
	require.Equal(t, int64(math.MaxInt64), n)
	n, err = elements([]int{1 << 62, 2})
	require.Error(t, err)
	require.Zero(t, n)
	n, err = elements([]int{1 << 62, 0, 1 << 62})
	require.NoError(t, err)
	require.Zero(t, n)
}

// Where a file can no longer be written, the error is that.
func TestWriteToFullDisk(t *testing.T) {
	tensors, metadata := sample()
	whole := int64(len(encode(t, tensors, metadata)))
	full := errors.New("the disk is full")
	for room := range whole {
		err := WriteTo(&disk{room: room, full: full}, tensors, metadata)
		require.ErrorIs(t, err, full, "%d bytes", room)
	}
	require.NoError(t, WriteTo(&disk{room: whole, full: full}, tensors, metadata))
	require.EqualError(t, WriteTo(&disk{room: whole - 1, full: full}, tensors, metadata), `tensor "mask": the disk is full`)
}

// disk takes so many bytes.
type disk struct {
	room int64
	full error
}

func (d *disk) Write(b []byte) (int, error) {
	if d.room -= int64(len(b)); d.room < 0 {
		return 0, d.full
	}
	return len(b), nil
}

func TestWriteRefuses(t *testing.T) {
	one := dense([]float32{1}, 1)
	matrix := dense(make([]float32, 12), 4, 3)
	column, err := matrix.Slice(nil, tensor.S(1, 2))
	require.NoError(t, err)
	turned := matrix.Clone().(*tensor.Dense)
	require.NoError(t, turned.T())
	for _, c := range []struct {
		name, want string
		tensors    []Tensor
		metadata   map[string]string
	}{
		{"twice", `tensor "a" is there twice`, []Tensor{{"a", one}, {"a", one}}, nil},
		{"twice, two types", `tensor "a" is there twice`, []Tensor{{"a", one}, {"a", dense([]int32{1}, 1)}}, nil},
		{"reserved name", `tensor "__metadata__": the name is reserved`, []Tensor{{"__metadata__", one}}, nil},
		{"name not UTF-8", "the name is not UTF-8", []Tensor{{"\xff", one}}, nil},
		{"no value", `tensor "a": there is no value`, []Tensor{{"a", nil}}, nil},
		{"float64", `tensor "a": element type float64 cannot be written`, []Tensor{{"a", dense([]float64{1}, 1)}}, nil},
		{"strided view", `tensor "a": the value must be contiguous`, []Tensor{{"a", column.(*tensor.Dense)}}, nil},
		{"transposed", `tensor "a": the value must be contiguous`, []Tensor{{"a", turned}}, nil},
		{"reserved metadata", `metadata "sha256" is reserved`, nil, map[string]string{"sha256": ""}},
		{"metadata not UTF-8", `metadata "k" is not UTF-8`, nil, map[string]string{"k": "\xff"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "w")
			err := Write(path, c.tensors, c.metadata)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
			require.NoFileExists(t, path)
		})
	}
}

// What was read can be written again: the checksum is not among the metadata.
func TestRewrite(t *testing.T) {
	tensors, metadata := sample()
	want := encode(t, tensors, metadata)
	f, err := decode(want)
	require.NoError(t, err)
	var again []Tensor
	for _, info := range f.Tensors() {
		d, err := f.ReadDense(info.Name)
		require.NoError(t, err)
		again = append(again, Tensor{info.Name, d})
	}
	require.Equal(t, want, encode(t, again, f.Metadata()))
}

func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		sign, exponent, fraction := 1.0, h>>10&31, float64(h&1023)
		if h>>15 == 1 {
			sign = -1
		}
		got := Half(uint16(h))
		var want float64
		switch {
		case exponent == 31 && fraction != 0:
			require.True(t, math.IsNaN(float64(got)), "%#04x", h)
			continue
		case exponent == 31:
			want = sign * math.Inf(1)
		case exponent == 0:
			want = sign * math.Ldexp(fraction, -24)
		default:
			want = sign * math.Ldexp(1024+fraction, exponent-25)
		}
		require.Equal(t, math.Signbit(sign), math.Signbit(float64(got)), "%#04x", h)
		require.Equal(t, want, float64(got), "%#04x", h)
	}
}

func FuzzRead(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := decode(b)
		if err != nil {
			return
		}
		_ = file.Verify() // must not panic; most inputs have no checksum
		total := int64(0)
		var writable []Tensor
		for _, info := range file.Tensors() {
			total += info.size
			d, err := file.ReadDense(info.Name)
			if _, known := rank[info.DType]; known {
				require.NoError(t, err)
				writable = append(writable, Tensor{info.Name, d})
			}
		}
		require.Equal(t, int64(len(b)), file.dataStart()+total, "every byte belongs to one tensor")

		var again bytes.Buffer
		require.NoError(t, WriteTo(&again, writable, file.Metadata()))
		second, err := decode(again.Bytes())
		require.NoError(t, err)
		require.NoError(t, second.Verify())
		require.Len(t, second.Tensors(), len(writable))
	})
}
