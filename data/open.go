package data

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// OpenOptions are what a data set may be told when it is opened.
type OpenOptions struct {
	Synthetic SyntheticOptions // read by "synthetic" alone
}

var sets = []struct {
	name string
	open func(dir string, o OpenOptions) (train, test Dataset, err error)
}{
	{"mnist", func(dir string, _ OpenOptions) (Dataset, Dataset, error) { return OpenMNIST(dir) }},
	{"fashion-mnist", func(dir string, _ OpenOptions) (Dataset, Dataset, error) { return OpenFashionMNIST(dir) }},
	{"emnist-balanced", emnist("balanced")},
	{"emnist-byclass", emnist("byclass")},
	{"emnist-bymerge", emnist("bymerge")},
	{"emnist-letters", emnist("letters")},
	{"emnist-digits", emnist("digits")},
	{"emnist-mnist", emnist("mnist")},
	{"cifar10", func(dir string, _ OpenOptions) (Dataset, Dataset, error) { return OpenCIFAR10(dir) }},
	{"keypoints", keypointsFile(false)},
	{"keypoints-missing", keypointsFile(true)},
	{"synthetic", func(dir string, o OpenOptions) (Dataset, Dataset, error) {
		if dir != "" {
			return nil, nil, fmt.Errorf("data set synthetic has no folder, such as %q", dir)
		}
		return NewSynthetic(o.Synthetic)
	}},
}

func emnist(split string) func(dir string, _ OpenOptions) (train, test Dataset, err error) {
	return func(dir string, _ OpenOptions) (Dataset, Dataset, error) { return OpenEMNIST(split, dir) }
}

func keypointsFile(missing bool) func(file string, _ OpenOptions) (train, test Dataset, err error) {
	return func(file string, _ OpenOptions) (Dataset, Dataset, error) {
		if file == "" {
			return nil, nil, errors.New("data set keypoints needs the file, such as keypoints:training.csv")
		}
		return OpenKeypoints(file, missing)
	}
}

// Names lists the data sets that Open knows.
func Names() []string {
	names := make([]string, len(sets))
	for i, s := range sets {
		names[i] = s.name
	}
	return names
}

// IsPath reports whether a data set is meant by the path of its files: where
// Open does not know the name and there is such a file or folder.
func IsPath(spec string) bool {
	name, _, _ := strings.Cut(spec, ":")
	if slices.Contains(Names(), name) {
		return false
	}
	_, err := os.Stat(spec)
	return err == nil
}

// Open opens a data set by name: "mnist", "fashion-mnist", "cifar10",
// "emnist-letters" and EMNIST's other splits, "keypoints", "keypoints-missing", or
// "synthetic". All but the last take the folder of their files after a colon,
// "mnist:/data/mnist"; without one it is MNISTDir and so on. The two of keypoints
// take a file there, and need it.
func Open(spec string, o OpenOptions) (train, test Dataset, err error) {
	name, dir, colon := strings.Cut(spec, ":")
	for _, s := range sets {
		if s.name != name {
			continue
		}
		if colon && dir == "" {
			return nil, nil, fmt.Errorf("data set %q: the folder after the colon is missing", spec)
		}
		return s.open(dir, o)
	}
	return nil, nil, fmt.Errorf("data set %q is unknown; there are %s, and folders or tar files of pictures, but none of this name", spec, strings.Join(Names(), ", "))
}
