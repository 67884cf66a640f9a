package npy

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWriteIsWhatNumPyWrites(t *testing.T) {
	for _, c := range []struct {
		shape  []int
		values []float32
		want   string // of numpy.save, NumPy 2.4.6
	}{
		{[]int{2, 2}, []float32{1, -2.5, 0, 3e38}, "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }" +
			strings.Repeat(" ", 58) + "\n\x00\x00\x80?\x00\x00 \xc0\x00\x00\x00\x00\xe6\xb1a\x7f"},
		{[]int{1}, []float32{1}, "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }" +
			strings.Repeat(" ", 60) + "\n\x00\x00\x80?"},
		{nil, []float32{1}, "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (), }" +
			strings.Repeat(" ", 62) + "\n\x00\x00\x80?"},
	} {
		var b bytes.Buffer
		require.NoError(t, Write(&b, c.shape, c.values))
		require.Equal(t, c.want, b.String())
	}
}

func TestWriteOfAnyShape(t *testing.T) {
	for _, shape := range [][]int{{}, {0}, {7}, {3, 1, 2, 5}, {100_000}} {
		n := 1
		for _, d := range shape {
			n *= d
		}
		var b bytes.Buffer
		require.NoError(t, Write(&b, shape, make([]float32, n)))
		require.Zero(t, (b.Len()-4*n)%64)
	}
	require.ErrorContains(t, Write(&bytes.Buffer{}, []int{2, 3}, make([]float32, 5)), "5 values are not an array of the shape [2 3]")
	require.Error(t, Write(full{}, []int{1}, []float32{1}))
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }
