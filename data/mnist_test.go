package data

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// writeMNIST writes a set of 3 images to train and 2 to test, of 2x3 pixels
// that count up. Changes replace or, where nil, remove files.
func writeMNIST(t *testing.T, dir string, changes map[string][]byte) {
	t.Helper()
	pixels := make([]byte, 18)
	for i := range pixels {
		pixels[i] = byte(15 * i)
	}
	files := map[string][]byte{
		"train-images-idx3-ubyte.gz": zip(idx(pixels, 3, 2, 3)),
		"train-labels-idx1-ubyte":    idx([]byte{9, 0, 5}, 3),
		"t10k-images-idx3-ubyte":     idx(pixels[:12], 2, 2, 3),
		"t10k-labels-idx1-ubyte.gz":  zip(idx([]byte{1, 2}, 2)),
	}
	for name, b := range changes {
		files[name] = b
	}
	require.NoError(t, os.MkdirAll(dir, 0o777))
	for name, b := range files {
		if b != nil {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o666))
		}
	}
}

func TestOpenMNIST(t *testing.T) {
	dir := t.TempDir()
	writeMNIST(t, dir, nil)
	train, test, err := OpenMNIST(dir)
	require.NoError(t, err)
	require.Equal(t, 3, train.Len())
	require.Equal(t, 2, test.Len())
	require.Equal(t, tensor.Shape{1, 2, 3}, train.Shape())
	require.Len(t, train.Classes(), 10)
	require.Equal(t, "7", train.Classes()[7])

	x := make([]float32, 6)
	label, err := train.Read(x, 2)
	require.NoError(t, err)
	require.Equal(t, int32(5), label)
	require.Equal(t, []float32{180, 195, 210, 225, 240, 255}, x)
	label, err = test.Read(x, 0)
	require.NoError(t, err)
	require.Equal(t, int32(1), label)
	require.Equal(t, []float32{0, 15, 30, 45, 60, 75}, x)
	require.Zero(t, testing.AllocsPerRun(10, func() { train.Read(x, 1) }))
}

// TestMNISTByOtherNames has the names and places that others give the files.
func TestMNISTByOtherNames(t *testing.T) {
	names := []string{"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"}
	content := [][]byte{idx(make([]byte, 12), 2, 2, 3), idx([]byte{7, 1}, 2), idx(make([]byte, 6), 1, 2, 3), idx([]byte{3}, 1)}
	dots := strings.NewReplacer("-idx", ".idx")
	other := idx([]byte{9, 9, 9}, 3) // labels of some other set
	for name, c := range map[string]struct {
		path   func(name string) string
		beside map[string][]byte // files that must not be taken
	}{
		"dots":                {func(n string) string { return dots.Replace(n) }, nil},
		"dots and .gz":        {func(n string) string { return dots.Replace(n) + ".gz" }, nil},
		"upper case":          {strings.ToUpper, nil},
		"upper case and .GZ":  {func(n string) string { return strings.ToUpper(n) + ".GZ" }, nil},
		"test":                {func(n string) string { return strings.Replace(n, "t10k", "test", 1) }, nil},
		"torchvision":         {func(n string) string { return "MNIST/raw/" + n }, map[string][]byte{"FashionMNIST/raw/train-labels-idx1-ubyte": other}},
		"torchvision's MNIST": {func(n string) string { return "raw/" + n + ".gz" }, nil},
		"Kaggle":              {func(n string) string { return n + "/" + n }, nil},
		"Kaggle, both":        {func(n string) string { return n + "/" + n }, map[string][]byte{"train-labels.idx1-ubyte.gz": zip(other), "notes.txt": nil}},
		"plain before .gz":    {func(n string) string { return n }, map[string][]byte{"train-labels-idx1-ubyte.gz": zip(other)}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files := c.beside
			if files == nil {
				files = map[string][]byte{}
			}
			for i, n := range names {
				b := content[i]
				if strings.HasSuffix(strings.ToLower(c.path(n)), ".gz") {
					b = zip(b)
				}
				files[c.path(n)] = b
			}
			writeTree(t, dir, files)
			train, test, err := OpenMNIST(dir)
			require.NoError(t, err)
			for set, want := range map[Dataset]int32{train: 7, test: 3} {
				label, err := set.Read(make([]float32, 6), 0)
				require.NoError(t, err)
				require.Equal(t, want, label)
			}
		})
	}
}

func TestOpenMNISTErrors(t *testing.T) {
	for _, c := range []struct {
		name, want string
		changes    map[string][]byte
	}{
		{"fewer labels", "train-labels-idx1-ubyte has 2 labels, but {dir}/train-images-idx3-ubyte.gz has 3 images",
			map[string][]byte{"train-labels-idx1-ubyte": idx([]byte{1, 2}, 2)}},
		{"label out of range", "train-labels-idx1-ubyte: label 10 of image 1 is not one of the 10 classes",
			map[string][]byte{"train-labels-idx1-ubyte": idx([]byte{9, 10, 11}, 3)}},
		{"other size", "images to train are 1x2x3, images to test 1x3x2",
			map[string][]byte{"t10k-images-idx3-ubyte": idx(make([]byte, 12), 2, 3, 2)}},
		{"empty", "t10k-images-idx3-ubyte: there are no pixels: the shape is 0x2x3",
			map[string][]byte{"t10k-images-idx3-ubyte": idx(nil, 0, 2, 3)}},
		{"damaged", "t10k-images-idx3-ubyte: truncated: the header says 2x2x3 = 12 bytes",
			map[string][]byte{"t10k-images-idx3-ubyte": idx(make([]byte, 11), 2, 2, 3)}},
		{"missing", "t10k-images-idx3-ubyte.gz: file does not exist; get the data with `go run ./cmd/fetch mnist {dir}`",
			map[string][]byte{"t10k-images-idx3-ubyte": nil}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			writeMNIST(t, "set", c.changes)
			_, _, err := OpenMNIST("set")
			want := strings.ReplaceAll(c.want, "{dir}/train", filepath.Join("set", "train"))
			want = strings.ReplaceAll(want, "{dir}", "set")
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, err, "set")
		})
	}
}

func TestMissingDataNamesTheRemedy(t *testing.T) {
	t.Chdir(t.TempDir())
	_, _, err := OpenMNIST("")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.EqualError(t, err, filepath.FromSlash("datasets/mnist/train-images-idx3-ubyte.gz")+
		": file does not exist; get the data with `make mnist` or `go run ./cmd/fetch mnist`")

	_, _, err = openFashionMNIST("", "no such folder")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.EqualError(t, err, filepath.FromSlash("datasets/fashion-mnist/train-images-idx3-ubyte.gz")+
		": file does not exist; get the data with `go run ./cmd/fetch fashion-mnist` or `apt-get install dataset-fashion-mnist`")
}

func TestOpenFashionMNISTFolders(t *testing.T) {
	t.Chdir(t.TempDir())
	writeMNIST(t, "packaged", nil)
	train, _, err := openFashionMNIST("", "packaged")
	require.NoError(t, err)
	require.Equal(t, 3, train.Len())
	require.Equal(t, "Ankle boot", train.Classes()[9])

	// The default folder goes first, and is not passed over where it is not
	// complete.
	require.NoError(t, os.MkdirAll(FashionMNISTDir, 0o777))
	_, _, err = openFashionMNIST("", "packaged")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, filepath.FromSlash(FashionMNISTDir))
}

func TestOpen(t *testing.T) {
	t.Chdir(t.TempDir())
	writeMNIST(t, MNISTDir, nil)
	writeMNIST(t, "other", map[string][]byte{"train-labels-idx1-ubyte": idx([]byte{3, 3, 3}, 3)})

	label := func(spec string) int32 {
		train, _, err := Open(spec, OpenOptions{})
		require.NoError(t, err)
		l, err := train.Read(make([]float32, 6), 0)
		require.NoError(t, err)
		return l
	}
	require.Equal(t, int32(9), label("mnist"))
	require.Equal(t, int32(3), label("mnist:other"))
	require.Equal(t, int32(3), label("fashion-mnist:other"))

	train, test, err := Open("synthetic", OpenOptions{Synthetic: SyntheticOptions{Test: 7}})
	require.NoError(t, err)
	require.Equal(t, 60_000, train.Len())
	require.Equal(t, 7, test.Len())

	_, _, err = Open("cifar", OpenOptions{})
	require.EqualError(t, err, `data set "cifar" is unknown; there are mnist, fashion-mnist, emnist-balanced, emnist-byclass, emnist-bymerge, emnist-letters, emnist-digits, emnist-mnist, cifar10, keypoints, keypoints-missing, synthetic, and folders or tar files of pictures, but none of this name`)
	_, _, err = Open("mnist:", OpenOptions{})
	require.ErrorContains(t, err, "the folder after the colon is missing")
	_, _, err = Open("synthetic:x", OpenOptions{})
	require.ErrorContains(t, err, "has no folder")
}
