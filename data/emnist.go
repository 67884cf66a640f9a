package data

import "fmt"

// EMNISTDir is the folder where EMNIST lies unless told otherwise, relative to
// the working directory.
const EMNISTDir = "datasets/emnist"

const (
	digits  = "0123456789"
	capital = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	small   = "abcdefghijklmnopqrstuvwxyz"
	unlike  = "abdefghnqrt" // small letters that do not look like capital ones
)

// emnistSplits are the ways in which EMNIST is divided into classes.
var emnistSplits = []struct {
	name, classes string
	first         int // the label of the first class
}{
	{"balanced", digits + capital + unlike, 0},
	{"byclass", digits + capital + small, 0},
	{"bymerge", digits + capital + unlike, 0},
	{"letters", capital, 1},
	{"digits", digits, 0},
	{"mnist", digits, 0},
}

// OpenEMNIST reads a split of the handwritten characters of Cohen et al. (2017),
// [1,28,28]: balanced and bymerge in 47 classes, byclass in 62, letters in 26,
// digits and mnist in 10. Its files, such as
// emnist-letters-train-images-idx3-ubyte.gz, store columns as rows; samples are
// upright. An empty dir is EMNISTDir.
func OpenEMNIST(split, dir string) (train, test Dataset, err error) {
	if dir == "" {
		dir = EMNISTDir
	}
	for _, e := range emnistSplits {
		if e.name == split {
			s := idxSet{name: "EMNIST", prefix: "emnist-" + split + "-", classes: characters(e.classes), first: e.first, transposed: true,
				remedy: fmt.Sprintf("get NIST's gzip.zip of EMNIST and unpack it in %s", dir)}
			return s.open(dir)
		}
	}
	return nil, nil, fmt.Errorf("EMNIST has no split %q", split)
}
