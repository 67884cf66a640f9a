package matfile

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var files = []string{"v5.mat", "v5_compressed.mat", "v73.mat"}

// variables reads a file of testdata.
func variables(t testing.TB, b []byte) map[string]*Value {
	list, err := Read(b)
	require.NoError(t, err)
	m := map[string]*Value{}
	for _, v := range list {
		m[v.Name] = v.Value
	}
	return m
}

func testFile(t testing.TB, name string) []byte {
	b, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return b
}

// checkValues compares with what testdata/small.py writes.
func checkValues(t *testing.T, m map[string]*Value) {
	require.Equal(t, "single", m["a"].Class)
	require.Equal(t, []int{2, 3, 4}, m["a"].Dims)
	x, err := m["a"].Float32s()
	require.NoError(t, err)
	for i := range 2 {
		for j := range 3 {
			for k := range 4 { // the first index is the fastest
				require.Equal(t, float32(i*12+j*4+k)/8, x[i+2*(j+3*k)])
			}
		}
	}
	for name, want := range map[string][]float64{"b": {1.5, -2}, "d": {1, 0}, "e": {-7, 300}, "h": nil} {
		got, err := m[name].Float64s()
		require.NoError(t, err, name)
		require.Equal(t, want, append([]float64(nil), got...), name)
	}
	require.Equal(t, "int16", m["e"].Class)
	require.Equal(t, "logical", m["d"].Class)
	require.Equal(t, []int{2, 1}, m["e"].Dims)
	require.Equal(t, []int{0, 3}, m["h"].Dims)
	text := func(v *Value) string {
		s, err := v.Text()
		require.NoError(t, err)
		return s
	}
	require.Equal(t, "some text", text(m["c"]))
	require.Equal(t, "cell", m["f"].Class)
	require.Equal(t, "x", text(m["f"].Cells[0]))
	require.Equal(t, []int{3, 4}, m["f"].Cells[1].Dims)
	require.Equal(t, "deep", text(m["g"].Field("q").Field("r")))
	require.Nil(t, m["g"].Field("none").Field("r"))
	require.Equal(t, []int{1, 2}, m["i"].Dims)
	require.Equal(t, []string{"n", "s"}, m["i"].Names)
	require.Equal(t, "two", text(m["i"].Fields["s"][1]))
	require.Nil(t, m["i"].Field("s"), "it has two elements")
	require.Equal(t, "complex double", m["z"].Class)
	_, err = m["z"].Float32s()
	require.ErrorContains(t, err, `a value of class "complex double" is not numbers`)
}

func TestReadsEachVersion(t *testing.T) {
	for _, name := range files {
		t.Run(name, func(t *testing.T) {
			b := testFile(t, name)
			require.True(t, Is(b))
			checkValues(t, variables(t, b))
			list, err := Open(filepath.Join("testdata", name))
			require.NoError(t, err)
			require.Len(t, list, 10)
		})
	}
	require.False(t, Is([]byte("MATLAB")))
	_, err := Read([]byte("PK"))
	require.ErrorContains(t, err, "not a MAT file of version 5 or 7.3")
}

// bigEndian is a file of one array of int32, of one element of a cell.
func bigEndian(numbers ...int32) []byte {
	o := binary.BigEndian
	element := func(kind uint32, data []byte) []byte {
		b := o.AppendUint32(o.AppendUint32(nil, kind), uint32(len(data)))
		return append(append(b, data...), make([]byte, -len(data)&7)...)
	}
	words := func(x ...int32) (b []byte) {
		for _, n := range x {
			b = o.AppendUint32(b, uint32(n))
		}
		return b
	}
	matrix := func(class int32, name string, dims []int32, data []byte) []byte {
		return element(miMatrix, bytes.Join([][]byte{element(miUint32, words(class, 0)), element(miInt32, words(dims...)), element(miInt8, []byte(name)), data}, nil))
	}
	head := make([]byte, headSize)
	copy(head, "MATLAB 5.0 MAT-file")
	copy(head[124:], "\x01\x00MI")
	inner := matrix(12, "", []int32{1, int32(len(numbers))}, element(miInt32, words(numbers...)))
	return append(head, matrix(1, "cell", []int32{1, 1}, inner)...)
}

func TestReadsBigEndian(t *testing.T) {
	x, err := variables(t, bigEndian(1, -2))["cell"].Cells[0].Float64s()
	require.NoError(t, err)
	require.Equal(t, []float64{1, -2}, x)
}

// A file that is cut is an error, unless it is cut behind a variable.
func TestTruncatedFilesAreErrors(t *testing.T) {
	for _, name := range files {
		b := testFile(t, name)
		whole := 0
		for n := range b {
			if _, err := Read(b[:n]); err == nil {
				whole++
			}
		}
		require.LessOrEqual(t, whole, 10*8, name)
	}
}

func TestDamagedFilesDoNotPanic(t *testing.T) {
	for _, name := range files {
		b := testFile(t, name)
		step := 1
		if name == "v73.mat" {
			step = 5
		}
		for i := 0; i < len(b); i += step {
			for _, flip := range []byte{0xff, 1} {
				b[i] ^= flip
				_, _ = Read(b)
				b[i] ^= flip
			}
		}
	}
}

func TestBombsAreRefused(t *testing.T) {
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, err := w.Write([]byte{miMatrix, 0, 0, 0, 0, 0, 0, 0x7f})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	head := testFile(t, "v5.mat")[:headSize]
	b := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(bytes.Clone(head), miCompressed), uint32(z.Len()))
	_, err = Read(append(b, z.Bytes()...))
	require.ErrorContains(t, err, "made to exhaust memory")
}

// Structures whose fields are one and the same, ten times in each of ten steps, are 10^10 values.
func TestGroupsWithoutAnEndAreErrors(t *testing.T) {
	b := testFile(t, "groups.mat")
	require.True(t, Is(b))
	_, err := Read(b)
	require.ErrorContains(t, err, "there are more values than a file of this size holds")
}

func FuzzRead(f *testing.F) {
	for _, name := range files {
		f.Add(testFile(f, name))
	}
	f.Add(bigEndian(3))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = Read(b) })
}
