// Package data holds the data sets that networks learn from, and the loader
// that makes batches of them.
//
// A Dataset gives one raw sample at a time; a Loader chooses the order,
// applies the preprocessing and prefetches batches. What a sample costs to
// read is the Dataset's affair, the order is the Loader's alone.
package data

import (
	"fmt"

	"gorgonia.org/tensor"
)

// Dataset is a set of labelled images. Its methods may be called from several
// goroutines and allocate nothing.
type Dataset interface {
	// Len is the number of samples.
	Len() int

	// Shape is that of one sample: [C,H,W]. The caller must not change it.
	Shape() tensor.Shape

	// Classes names the classes; a label is an index into it. The caller must
	// not change it.
	Classes() []string

	// Read writes the values of sample i, 0 <= i < Len, to dst, which has
	// exactly a sample's length, row-major, and returns the sample's label.
	// The values are raw: pixels are 0 to 255.
	Read(dst []float32, i int) (label int32, err error)
}

// Regression is a Dataset whose samples have numbers to predict instead of a
// class: its Classes is empty, and the labels mean nothing.
type Regression interface {
	Dataset

	// Targets is how many numbers a sample has, at least 1.
	Targets() int

	// ReadTarget writes the numbers of sample i to dst, which has exactly
	// Targets elements. It may be called from several goroutines.
	ReadTarget(dst []float32, i int) error
}

// Named is a Dataset whose samples have names that a person can look up, such
// as the paths of files.
type Named interface {
	Dataset

	// Name is that of sample i, 0 <= i < Len.
	Name(i int) string
}

// Varied is a Dataset whose samples differ from epoch to epoch, as augmented
// ones do. Its Read gives a sample without chance, as for a test.
type Varied interface {
	Dataset

	// ReadVaried is Read with chance: what is random depends on the seed, the
	// epoch and i alone.
	ReadVaried(dst []float32, i int, seed uint64, epoch int) (label int32, err error)
}

// Name is what to call sample i of a data set: "n01440764/7.jpg", "sample 7".
func Name(d Dataset, i int) string {
	if n, ok := d.(Named); ok {
		return n.Name(i)
	}
	return fmt.Sprintf("sample %d", i)
}
