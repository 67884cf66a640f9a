package data

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// idx makes an idx file of unsigned bytes.
func idx(data []byte, shape ...int) []byte {
	b := []byte{0, 0, 8, byte(len(shape))}
	for _, d := range shape {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return append(b, data...)
}

func zip(b []byte) []byte {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	w.Write(b)
	w.Close()
	return z.Bytes()
}

func TestReadIDX(t *testing.T) {
	data := []byte{1, 2, 3, 4, 5, 6}
	for name, b := range map[string][]byte{"plain": idx(data, 1, 2, 3), "gzip": zip(idx(data, 1, 2, 3))} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			require.NoError(t, os.WriteFile(path, b, 0o666))
			shape, got, err := readIDX(path, 3)
			require.NoError(t, err)
			require.Equal(t, []int{1, 2, 3}, shape)
			require.Equal(t, data, got)
		})
	}
}

func TestReadIDXRefuses(t *testing.T) {
	good := idx([]byte{1, 2, 3, 4, 5, 6}, 1, 2, 3)
	with := func(i int, v byte) []byte {
		b := bytes.Clone(good)
		b[i] = v
		return b
	}
	zipped := zip(good)
	badSum := bytes.Clone(zipped)
	badSum[len(badSum)-8] ^= 1
	for _, c := range []struct {
		name, want string
		file       []byte
	}{
		{"nothing", "header: truncated", nil},
		{"part of the magic number", "header: truncated", good[:3]},
		{"part of the dimensions", "header: truncated", good[:15]},
		{"another file", "not an idx file: it begins with 0x7f 0x45, not with two zeros", []byte("\x7fELF")},
		{"unknown type", "not an idx file: element type 0x07 is unknown", with(2, 7)},
		{"floats", "the elements are 32-bit floats; only unsigned bytes are read", with(2, 0x0d)},
		{"labels for images", "the file has 1 dimensions, not 3", idx([]byte{1}, 1)},
		{"truncated", "truncated: the header says 1x2x3 = 6 bytes of data, found 5", good[:21]},
		{"too long", "too long: the header says 1x2x3 = 6 bytes of data, found more", append(bytes.Clone(good), 0)},
		{"more than the file", "truncated: the header says 1x2x33554435 = 67108870 bytes of data, but a file of 22 bytes cannot hold them", with(12, 2)},
		{"more than the bound", "the header says 1x2x1073741824 bytes of data, which is more than the 1073741824 allowed", idx(nil, 1, 2, 1<<30)},
		{"overflow", "which is more than the 1073741824 allowed", idx(nil, 1<<30, 1<<30, 1<<30)},
		{"huge dimension", "dimension 0 is 4294967295, more than", idx(nil, 1<<32-1, 0, 0)},
		{"truncated gzip header", "gzip: truncated", zipped[:5]},
		{"truncated gzip", "truncated", zipped[:len(zipped)-12]},
		{"gzip without its end", "after the data: unexpected EOF", zipped[:len(zipped)-4]},
		{"gzip with a wrong checksum", "after the data: gzip: invalid checksum", badSum},
		{"gzip of too much", "too long", zip(append(bytes.Clone(good), 0))},
		{"gzip that claims too much", "1x32768x32768 = 1073741824 bytes of data, but a file of ", zip(idx(nil, 1, 1<<15, 1<<15))},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			require.NoError(t, os.WriteFile(path, c.file, 0o666))
			_, _, err := readIDX(path, 3)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, path)
		})
	}
}

func FuzzIdx(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		for dims := 1; dims <= 3; dims++ {
			shape, data, err := parseIDX(bytes.NewReader(b), int64(len(b)), dims)
			if err != nil {
				continue
			}
			n := 1
			for _, d := range shape {
				n *= d
			}
			require.Len(t, data, n)
			require.Len(t, shape, dims)
			// Written again it reads the same.
			again := idx(data, shape...)
			shape2, data2, err := parseIDX(bytes.NewReader(again), int64(len(again)), dims)
			require.NoError(t, err)
			require.Equal(t, shape, shape2)
			require.Equal(t, data, data2)
		}
	})
}
