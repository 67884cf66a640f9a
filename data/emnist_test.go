package data

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// emnistFiles writes a split whose first image to train on is an F, stored as
// EMNIST stores it: row after row of the file is column after column of the F.
func emnistFiles(t *testing.T, dir, split string, labels ...byte) {
	upright := []string{
		"####",
		"#...",
		"###.",
		"#...",
		"#...",
	}
	var f []byte
	for x := range 4 {
		for y := range 5 {
			f = append(f, map[byte]byte{'#': 255, '.': 0}[upright[y][x]])
		}
	}
	pixels := append(f, make([]byte, 20*(len(labels)-1))...)
	writeTree(t, dir, map[string][]byte{
		"emnist-" + split + "-train-images-idx3-ubyte.gz": zip(idx(pixels, len(labels), 4, 5)),
		"emnist-" + split + "-train-labels-idx1-ubyte.gz": zip(idx(labels, len(labels))),
		"emnist-" + split + "-test-images-idx3-ubyte":     idx(make([]byte, 20), 1, 4, 5),
		"emnist-" + split + "-test-labels-idx1-ubyte":     idx(labels[:1], 1),
	})
}

func TestOpenEMNIST(t *testing.T) {
	for split, c := range map[string]struct {
		label   byte // of an F
		index   int
		classes int
		last    string
	}{
		"balanced": {15, 15, 47, "t"},
		"bymerge":  {15, 15, 47, "t"},
		"byclass":  {15, 15, 62, "z"},
		"letters":  {6, 5, 26, "Z"},
	} {
		t.Run(split, func(t *testing.T) {
			dir := t.TempDir()
			emnistFiles(t, dir, split, c.label, byte(c.classes+int(c.label)-c.index-1))
			train, test, err := Open("emnist-"+split+":"+dir, OpenOptions{})
			require.NoError(t, err)
			require.Equal(t, 2, train.Len())
			require.Equal(t, 1, test.Len())
			require.Equal(t, tensor.Shape{1, 5, 4}, train.Shape())
			require.Len(t, train.Classes(), c.classes)
			require.Equal(t, c.last, train.Classes()[c.classes-1])

			x := make([]float32, 20)
			label, err := train.Read(x, 0)
			require.NoError(t, err)
			require.Equal(t, "F", train.Classes()[label])
			const o = 255
			require.Equal(t, []float32{
				o, o, o, o,
				o, 0, 0, 0,
				o, o, o, 0,
				o, 0, 0, 0,
				o, 0, 0, 0,
			}, x)
			label, err = train.Read(x, 1)
			require.NoError(t, err)
			require.Equal(t, c.last, train.Classes()[label])

			emnistFiles(t, dir, split, c.label, byte(c.classes+int(c.label)-c.index))
			_, _, err = OpenEMNIST(split, dir)
			require.ErrorContains(t, err, "is not one of the")
		})
	}

	dir := t.TempDir()
	for _, split := range []string{"digits", "mnist"} {
		emnistFiles(t, dir+"/EMNIST/raw", split, 9, 0)
		train, _, err := Open("emnist-"+split+":"+dir, OpenOptions{})
		require.NoError(t, err)
		require.Equal(t, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, train.Classes())
		label, err := train.Read(make([]float32, 20), 0)
		require.NoError(t, err)
		require.Equal(t, int32(9), label)
	}

	emnistFiles(t, dir, "letters", 0)
	_, _, err := OpenEMNIST("letters", dir)
	require.ErrorContains(t, err, "label 0 of image 0 is not one of the 26 classes, 1 to 26")
	_, _, err = OpenEMNIST("byclass", dir)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "emnist-byclass-train-images-idx3-ubyte.gz: file does not exist; get NIST's gzip.zip of EMNIST and unpack it in "+dir)
	_, _, err = OpenEMNIST("words", dir)
	require.EqualError(t, err, `EMNIST has no split "words"`)
}
