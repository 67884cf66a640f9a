package npy

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// entry is an array of an archive.
type entry struct {
	name   string
	data   []byte
	stored bool // not deflated
}

// archive is a zip file of entries.
func archive(t testing.TB, entries ...entry) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		method := zip.Deflate
		if e.stored {
			method = zip.Store
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: e.name, Method: method})
		require.NoError(t, err)
		_, err = w.Write(e.data)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

// open writes an archive and opens it.
func open(t testing.TB, b []byte) (*Archive, error) {
	path := filepath.Join(t.TempDir(), "a.npz")
	require.NoError(t, os.WriteFile(path, b, 0o666))
	a, err := OpenArchive(path)
	if err == nil {
		t.Cleanup(func() { require.NoError(t, a.Close()) })
	}
	return a, err
}

func TestArchiveOfEveryType(t *testing.T) {
	le, be := binary.LittleEndian, binary.BigEndian
	x := func(descr, order, shape string, data ...byte) []byte {
		return file(1, header(descr, order, shape), data...)
	}
	entries := map[string]struct {
		data []byte
		want Numbers
	}{
		"u1":      {x("|u1", "False", "2,", 0, 255), Numbers{Shape: []int{2}, Values: []float32{0, 255}, Bytes: true}},
		"b1":      {x("|b1", "False", "2,", 0, 1), Numbers{Shape: []int{2}, Values: []float32{0, 1}}},
		"i1":      {x("|i1", "False", "1,", 0xfe), Numbers{Shape: []int{1}, Values: []float32{-2}}},
		"u2":      {x("<u2", "False", "1,", 1, 2), Numbers{Shape: []int{1}, Values: []float32{513}}},
		"i2":      {x(">i2", "False", "1,", 0xff, 0xfe), Numbers{Shape: []int{1}, Values: []float32{-2}}},
		"u4":      {x("<u4", "False", "1,", 1, 0, 1, 0), Numbers{Shape: []int{1}, Values: []float32{65537}}},
		"i4":      {x("<i4", "False", "1,", 0xfe, 0xff, 0xff, 0xff), Numbers{Shape: []int{1}, Values: []float32{-2}}},
		"i8":      {x("<i8", "False", "", le.AppendUint64(nil, math.MaxUint64)...), Numbers{Shape: []int{}, Values: []float32{-1}}},
		"u8":      {x("<u8", "False", "1, 1", le.AppendUint64(nil, 7)...), Numbers{Shape: []int{1, 1}, Values: []float32{7}}},
		"f8":      {x(">f8", "False", "1,", be.AppendUint64(nil, math.Float64bits(-0.1))...), Numbers{Shape: []int{1}, Values: []float32{-0.1}}},
		"f4":      {x("<f4", "False", "0, 3"), Numbers{Shape: []int{0, 3}, Values: []float32{}}},
		"f2":      {x("<f2", "False", "5,", 0, 0x3c, 0xff, 0x7b, 1, 0, 0, 0xfc, 1, 0x80), Numbers{Shape: []int{5}, Values: []float32{1, 65504, 0x1p-24, float32(math.Inf(-1)), -0x1p-24}}},
		"5d":      {x("|u1", "False", "1, 1, 2, 1, 1", 3, 4), Numbers{Shape: []int{1, 1, 2, 1, 1}, Values: []float32{3, 4}, Bytes: true}},
		"columns": {x("|u1", "True", "2, 3", 1, 4, 2, 5, 3, 6), Numbers{Shape: []int{2, 3}, Values: []float32{1, 2, 3, 4, 5, 6}, Bytes: true}},
	}
	var list []entry
	for name, e := range entries {
		list = append(list, entry{name + ".npy", e.data, len(list)%2 == 0})
	}
	a, err := open(t, archive(t, list...))
	require.NoError(t, err)
	require.Len(t, a.Names, len(entries))
	for _, name := range a.Names {
		got, err := a.Read(name)
		require.NoError(t, err)
		require.Equal(t, entries[name].want, got, name)
	}
	_, err = a.Read("absent")
	require.ErrorContains(t, err, `a.npz: array "absent": it is not there`)
}

func TestArchivesThatAreRefused(t *testing.T) {
	good := file(1, header("|u1", "False", "2,"), 1, 2)
	for want, b := range map[string][]byte{
		"it is not an archive of NumPy's arrays":           good,
		`its entry "a.txt" is not an array of .npy`:        archive(t, entry{name: "a.txt"}),
		`the array "a" is there twice`:                     archive(t, entry{name: "a.npy"}, entry{name: "a.npy"}),
		`array "a": it is not an array of NumPy`:           archive(t, entry{name: "a.npy", data: []byte("\x89PNG")}),
		`array "a": truncated`:                             archive(t, entry{name: "a.npy", data: good[:len(good)-1]}),
		`array "a": its elements are "<c8"; numbers of up`: archive(t, entry{name: "a.npy", data: file(1, header("<c8", "False", "0,"))}),
		// What a header says costs nothing.
		`array "b": truncated`: archive(t, entry{name: "b.npy", data: file(1, header("<f8", "True", "1048576, 1048575"))}),
	} {
		a, err := open(t, b)
		if err == nil {
			_, err = a.Read(a.Names[0])
		}
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "a.npz: ")
	}
	_, err := OpenArchive(filepath.Join(t.TempDir(), "none.npz"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// Cut anywhere, or with any byte changed, an archive is an error or gives some numbers.
func TestDamagedArchives(t *testing.T) {
	whole := archive(t, entry{"a.npy", file(1, header("<f4", "False", "1,"), 0, 0, 128, 63), true}, entry{"b.npy", file(1, header("|u1", "True", "2, 2"), 1, 2, 3, 4), false})
	path := filepath.Join(t.TempDir(), "a.npz")
	try := func(b []byte) (failed bool) {
		require.NoError(t, os.WriteFile(path, b, 0o666))
		a, err := OpenArchive(path)
		if err != nil {
			return true
		}
		for _, name := range a.Names {
			_, err := a.Read(name)
			failed = failed || err != nil
		}
		require.NoError(t, a.Close())
		return failed
	}
	for n := range whole {
		require.True(t, try(whole[:n]), "%d bytes of %d", n, len(whole))
		changed := bytes.Clone(whole)
		changed[n] ^= 0xff
		try(changed)
	}
}
