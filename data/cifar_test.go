package data

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// record is one of CIFAR-10, whose pixels count up from first.
func cifarImage(label, first byte) []byte {
	r := make([]byte, cifarRecord)
	r[0] = label
	for i := range r[1:] {
		r[1+i] = first + byte(i)
	}
	return r
}

func TestOpenCIFAR10(t *testing.T) {
	dir := t.TempDir()
	for n := 1; n <= 5; n++ {
		writeTree(t, dir, map[string][]byte{fmt.Sprintf("data_batch_%d.bin", n): append(cifarImage(byte(n), 3), cifarImage(0, byte(n))...)})
	}
	_, _, err := OpenCIFAR10(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "the binary version at")
	writeTree(t, dir, map[string][]byte{"test_batch.bin": cifarImage(9, 0)})
	train, test, err := Open("cifar10:"+dir, OpenOptions{})
	require.NoError(t, err)
	require.Equal(t, 10, train.Len())
	require.Equal(t, 1, test.Len())
	require.Equal(t, tensor.Shape{3, 32, 32}, train.Shape())
	require.Equal(t, "truck", test.Classes()[9])
	x := make([]float32, 3*32*32)
	label, err := train.Read(x, 5)
	require.NoError(t, err)
	require.Zero(t, label)
	label, err = train.Read(x, 4)
	require.NoError(t, err)
	require.Equal(t, int32(3), label)
	require.Equal(t, []float32{3, 4, 5}, x[:3])

	writeTree(t, dir, map[string][]byte{"batches.meta.txt": []byte("\ufeffa\r\nb\r\n\r\n")})
	_, _, err = OpenCIFAR10(dir)
	require.ErrorContains(t, err, "label 2 of image 0 is not one of the 2 classes")
	for want, content := range map[string][]byte{
		"it is empty": {}, "truncated: 100 bytes are not a number of records of 3073": make([]byte, 100),
	} {
		require.NoError(t, os.Remove(filepath.Join(dir, "test_batch.bin")))
		writeTree(t, dir, map[string][]byte{"test_batch.bin": content, "batches.meta.txt": []byte("0 1 2 3 4 5")})
		_, _, err = OpenCIFAR10(dir)
		require.ErrorContains(t, err, want)
	}
	writeTree(t, dir, map[string][]byte{"batches.meta.txt": nil})
	_, _, err = OpenCIFAR10(dir)
	require.ErrorContains(t, err, "0 names of classes")
}

func FuzzCIFAR(f *testing.F) {
	f.Add(cifarImage(3, 1))
	f.Add(cifarImage(11, 1)[:400])
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &images{shape: tensor.Shape{3, 32, 32}, classes: cifar10Classes}
		if s.readCIFAR(bytes.NewReader(b)) == nil {
			require.Len(t, s.pixels, 3072*len(s.labels))
			require.Positive(t, s.Len())
		}
	})
}
