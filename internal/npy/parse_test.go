package npy

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// file is an array with the given header and data.
func file(version byte, header string, data ...byte) []byte {
	b := []byte{0x93, 'N', 'U', 'M', 'P', 'Y', version, 0, byte(len(header)), byte(len(header) >> 8)}
	if version > 1 {
		b = append(b, 0, 0)
	}
	return append(append(b, header...), data...)
}

func header(descr, order, shape string) string {
	return fmt.Sprintf("{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }\n", descr, order, shape)
}

func TestParse(t *testing.T) {
	for version := byte(1); version <= 3; version++ {
		a, err := Parse(file(version, header("|u1", "False", "2, 3"), 1, 2, 3, 4, 5, 6))
		require.NoError(t, err)
		require.Equal(t, Array{Dims: 2, Shape: [4]int{2, 3}, Data: []byte{1, 2, 3, 4, 5, 6}}, a)
	}
	var b bytes.Buffer
	require.NoError(t, Write(&b, []int{1, 2, 1}, []float32{1, -2}))
	a, err := Parse(b.Bytes())
	require.NoError(t, err)
	require.Equal(t, Array{Float32: true, Dims: 3, Shape: [4]int{1, 2, 1}, Data: []byte{0, 0, 128, 63, 0, 0, 0, 192}}, a)
	require.Zero(t, testing.AllocsPerRun(10, func() { _, _ = Parse(b.Bytes()) }))
	b.Reset()
	require.NoError(t, Write(&b, []int{2}, []float32{1, -2}))
	a, err = Parse(b.Bytes())
	require.NoError(t, err)
	require.Equal(t, 1, a.Dims)
	a, err = Parse(file(1, header("|u1", "False", ""), 7))
	require.NoError(t, err, "one number")
	require.Zero(t, a.Dims)

	for want, b := range map[string][]byte{
		"it is not an array of NumPy": []byte("\x89PNG"),
		"truncated":                   file(1, header("|u1", "False", "2"), 1),
		"there are 1 bytes more than the 2 of its shape": file(1, header("|u1", "False", "2"), 1, 2, 3),
		"it is of version 4 of the format":               file(4, header("|u1", "False", "2"), 1, 2),
		`its elements are "<f8"`:                         file(1, header("<f8", "False", "2"), 1, 2),
		"it is stored by columns":                        file(1, header("|u1", "True", "2"), 1, 2),
		`its shape has the dimension "x"`:                file(1, header("|u1", "False", "x"), 1, 2),
		`its shape has the dimension "-2"`:               file(1, header("|u1", "False", "-2"), 1, 2),
		`its shape has the dimension ""`:                 file(1, header("|u1", "False", ",2"), 1, 2),
		"it has more than 4 dimensions":                  file(1, header("|u1", "False", "1, 1, 1, 1, 1"), 1),
		"its shape is too large":                         file(1, header("|u1", "False", "1099511627775, 1099511627775"), 1),
		"its header has no 'descr'":                      file(1, "{}", 1),
		"its header has no 'shape'":                      file(1, "{'descr': '|u1', 'fortran_order': False}", 1),
		"its header has no shape":                        file(1, "{'descr': '|u1', 'fortran_order': False, 'shape': 3)}", 1, 2, 3),
		"its header has no 'fortran_order'":              file(1, "{'descr': '|u1'}", 1),
	} {
		_, err := Parse(b)
		require.ErrorContains(t, err, want)
	}
	for n := range 12 {
		_, err := Parse(file(2, header("|u1", "False", "2"), 1, 2)[:n])
		require.Error(t, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(file(1, header("|u1", "False", "2, 3"), 1, 2, 3, 4, 5, 6))
	f.Add(file(2, header("<f4", "False", "1,"), 1, 2, 3, 4))
	f.Add(file(1, strings.Repeat(" ", 200)))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := Parse(b)
		if err != nil {
			return
		}
		n := 1
		for _, d := range a.Shape[:a.Dims] {
			require.GreaterOrEqual(t, d, 0)
			n *= d
		}
		if a.Float32 {
			n *= 4
		}
		require.Len(t, a.Data, n)
	})
}
