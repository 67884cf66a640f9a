// Package data holds the data sets that networks learn from, and the loader
// that makes batches of them.
//
// A Dataset gives one raw sample at a time; a Loader chooses the order,
// applies the preprocessing and prefetches batches. What a sample costs to
// read is the Dataset's affair, the order is the Loader's alone.
package data

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"

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

// Labelled is a Dataset that may know labels without reading samples.
type Labelled interface {
	Dataset

	// Label is that of sample i, and whether it is known.
	Label(i int) (label int32, known bool)
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

// VariedRegression is a Varied set whose targets vary with its samples, as points
// do that move with an augmented picture.
type VariedRegression interface {
	Varied
	Regression

	// ReadVariedTarget is ReadTarget for the sample of ReadVaried.
	ReadVariedTarget(dst []float32, i int, seed uint64, epoch int) error
}

// Multiview is a Dataset that shows each picture Views times, in consecutive
// samples. A test averages what the network says of them.
type Multiview interface {
	Dataset

	// Views is how many samples show a picture, at least 1.
	Views() int
}

// Cancellable is a Dataset whose samples may take long to read. WithContext is the
// same set, with the same methods, whose reading ends soon after ctx is cancelled,
// with the error of ctx.
type Cancellable interface {
	Dataset

	WithContext(ctx context.Context) Dataset
}

// withContext is a data set whose reading ends with ctx, where it can.
func withContext(ctx context.Context, d Dataset) Dataset {
	if c, ok := d.(Cancellable); ok {
		return c.WithContext(ctx)
	}
	return d
}

// Name is what to call sample i of a data set: "n01440764/7.jpg", "sample 7".
func Name(d Dataset, i int) string {
	if n, ok := d.(Named); ok {
		return n.Name(i)
	}
	return fmt.Sprintf("sample %d", i)
}

// Digest tells data sets apart by the names of their samples, in order, and by
// their labels, where these are known without reading the samples. It is empty for
// a set that is not Named.
func Digest(d Dataset) string {
	named, ok := d.(Named)
	if !ok {
		return ""
	}
	views := 1
	if m, ok := d.(Multiview); ok {
		views = m.Views()
	}
	labels, _ := d.(interface{ label(i int) (int32, bool) })
	h := sha256.New()
	w := bufio.NewWriter(h) // its errors are those of h, which has none
	for i := 0; i < d.Len(); i += views {
		fmt.Fprintf(w, "%q", named.Name(i))
		if labels != nil {
			if label, ok := labels.label(i); ok {
				fmt.Fprintf(w, " %d", label)
			}
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// checkShape says what is wrong with the shape of a sample, if anything.
func checkShape(s tensor.Shape) error {
	if len(s) != 3 {
		return fmt.Errorf("a sample of shape %v is not [C,H,W]", s)
	}
	n := 1
	for _, d := range s {
		if d < 1 || n > math.MaxInt32/d {
			return fmt.Errorf("a sample of shape %v is empty or too large", s)
		}
		n *= d
	}
	return nil
}

// Streams of random numbers in this package. Layers count theirs from 1.
const (
	orderStream     = 1<<31 + iota // the order of an epoch
	patternStream                  // the patterns of synthetic classes
	noiseStream                    // the table of synthetic noise
	trainRowsStream                // where the rows of a synthetic sample begin in that table
	testRowsStream
	trainFacesStream // where the keypoints of a synthetic face are
	testFacesStream
	augmentStream // the steps of an Augment
	pixelStream   // its noise
	balanceStream // the order of a class in an epoch that is balanced
	eraseStream   // what an image is erased with
)
