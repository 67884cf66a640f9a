package data

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/internal/plain"
)

// CIFAR10Dir is where CIFAR-10 lies unless told otherwise, relative to the
// working directory.
const CIFAR10Dir = "datasets/cifar-10-batches-bin"

// A record of CIFAR-10's binary format is a label and 32x32 bytes each of red,
// green and blue.
const (
	cifarSide   = 32
	cifarRecord = 1 + 3*cifarSide*cifarSide
)

var cifar10Classes = []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}

// largestCIFAR bounds a file, some headroom above the 10,000 records there are.
const largestCIFAR = 1 << 30

// OpenCIFAR10 reads the small photographs of Krizhevsky (2009), [3,32,32] in
// 10 classes, 50,000 to train and 10,000 to test, from the files
// data_batch_1.bin to data_batch_5.bin and test_batch.bin of the binary
// version. Class names are those of batches.meta.txt, where it is there. An
// empty dir is CIFAR10Dir.
func OpenCIFAR10(dir string) (train, test Dataset, err error) {
	if dir == "" {
		dir = CIFAR10Dir
	}
	classes := cifar10Classes
	names, err := plain.ReadFile(filepath.Join(dir, "batches.meta.txt"))
	switch {
	case err == nil:
		if classes = strings.Fields(string(names)); len(classes) < 1 || len(classes) > 256 {
			return nil, nil, fmt.Errorf("%s: %d names of classes are not 1 to 256", filepath.Join(dir, "batches.meta.txt"), len(classes))
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, nil, err
	}
	a := &images{shape: tensor.Shape{3, cifarSide, cifarSide}, classes: classes}
	for n := 1; n <= 5; n++ {
		if err := a.addCIFAR(filepath.Join(dir, fmt.Sprintf("data_batch_%d.bin", n))); err != nil {
			return nil, nil, err
		}
	}
	b := &images{shape: a.shape, classes: classes}
	if err := b.addCIFAR(filepath.Join(dir, "test_batch.bin")); err != nil {
		return nil, nil, err
	}
	return a, b, nil
}

// addCIFAR adds the records of a file.
func (s *images) addCIFAR(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w; the data is the binary version at https://www.cs.toronto.edu/~kriz/cifar.html", path, fs.ErrNotExist)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := s.readCIFAR(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readCIFAR adds records.
func (s *images) readCIFAR(r io.Reader) error {
	all, err := io.ReadAll(io.LimitReader(r, largestCIFAR+1))
	switch {
	case err != nil:
		return err
	case len(all) == 0:
		return errors.New("it is empty")
	case len(all) > largestCIFAR:
		return fmt.Errorf("it has more than the %d bytes allowed", largestCIFAR)
	case len(all)%cifarRecord != 0:
		return fmt.Errorf("truncated: %d bytes are not a number of records of %d", len(all), cifarRecord)
	}
	for i := 0; i < len(all); i += cifarRecord {
		if label := all[i]; int(label) >= len(s.classes) {
			return fmt.Errorf("label %d of image %d is not one of the %d classes", label, i/cifarRecord, len(s.classes))
		}
		s.labels = append(s.labels, all[i])
		s.pixels = append(s.pixels, all[i+1:i+cifarRecord]...)
	}
	return nil
}
