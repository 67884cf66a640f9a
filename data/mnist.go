package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"gorgonia.org/tensor"
)

// The folders where MNIST and Fashion-MNIST lie unless told otherwise,
// relative to the working directory.
const (
	MNISTDir        = "datasets/mnist"
	FashionMNISTDir = "datasets/fashion-mnist"
)

// debianFashionMNIST is where Debian's package dataset-fashion-mnist puts its
// files.
const debianFashionMNIST = "/usr/share/datasets/fashion-mnist"

// OpenMNIST reads the handwritten digits of LeCun et al. (1998), [1,28,28] in
// 10 classes, 60,000 to train and 10,000 to test, from the four files
// train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte
// and t10k-labels-idx1-ubyte, as they are or with .gz, in dir. An empty dir is
// MNISTDir. Sets of other sizes in files of the same format are read too.
func OpenMNIST(dir string) (train, test Dataset, err error) {
	remedy := "get the data with `make mnist` or `go run ./cmd/fetch mnist`"
	if dir == "" {
		dir = MNISTDir
	} else if filepath.Clean(dir) != filepath.FromSlash(MNISTDir) {
		remedy = fmt.Sprintf("get the data with `go run ./cmd/fetch mnist %s`", dir)
	}
	return openImages(dir, []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, remedy)
}

// OpenFashionMNIST reads Zalando's articles of clothing (Xiao et al. 2017), in
// MNIST's format and numbers. An empty dir is FashionMNISTDir or, where that
// is not there, the folder of Debian's package dataset-fashion-mnist.
func OpenFashionMNIST(dir string) (train, test Dataset, err error) {
	return openFashionMNIST(dir, debianFashionMNIST)
}

func openFashionMNIST(dir, packaged string) (train, test Dataset, err error) {
	remedy := "get the data with `go run ./cmd/fetch fashion-mnist` or `apt-get install dataset-fashion-mnist`"
	if dir == "" {
		dir = FashionMNISTDir
		if !isFolder(dir) && isFolder(packaged) {
			dir = packaged
		}
	} else if filepath.Clean(dir) != filepath.FromSlash(FashionMNISTDir) {
		remedy = fmt.Sprintf("get the data with `go run ./cmd/fetch fashion-mnist %s`", dir)
	}
	return openImages(dir, []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
		"Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}, remedy)
}

func isFolder(path string) bool {
	s, err := os.Stat(path)
	return err == nil && s.IsDir()
}

func openImages(dir string, classes []string, remedy string) (train, test Dataset, err error) {
	a, err := readImages(dir, "train", classes, remedy)
	if err != nil {
		return nil, nil, err
	}
	b, err := readImages(dir, "t10k", classes, remedy)
	if err != nil {
		return nil, nil, err
	}
	if !a.shape.Eq(b.shape) {
		return nil, nil, fmt.Errorf("%s: images to train are %s, images to test %s", dir, product(a.shape), product(b.shape))
	}
	return a, b, nil
}

// images is a set of images in memory, as bytes.
type images struct {
	pixels  []byte // [N,C,H,W]
	labels  []byte // [N]
	shape   tensor.Shape
	classes []string
}

func readImages(dir, part string, classes []string, remedy string) (*images, error) {
	imageFile, err := find(dir, part+"-images-idx3-ubyte", remedy)
	if err != nil {
		return nil, err
	}
	labelFile, err := find(dir, part+"-labels-idx1-ubyte", remedy)
	if err != nil {
		return nil, err
	}
	shape, pixels, err := readIDX(imageFile, 3)
	if err != nil {
		return nil, err
	}
	if len(pixels) == 0 {
		return nil, fmt.Errorf("%s: there are no pixels: the shape is %s", imageFile, product(shape))
	}
	_, labels, err := readIDX(labelFile, 1)
	if err != nil {
		return nil, err
	}
	if len(labels) != shape[0] {
		return nil, fmt.Errorf("%s has %d labels, but %s has %d images", labelFile, len(labels), imageFile, shape[0])
	}
	for i, l := range labels {
		if int(l) >= len(classes) {
			return nil, fmt.Errorf("%s: label %d of image %d is not one of the %d classes", labelFile, l, i, len(classes))
		}
	}
	return &images{pixels, labels, tensor.Shape{1, shape[1], shape[2]}, classes}, nil
}

// find returns the path of the file, as it is or with .gz.
func find(dir, name, remedy string) (string, error) {
	plain := filepath.Join(dir, name)
	for _, path := range []string{plain, plain + ".gz"} {
		_, err := os.Stat(path)
		if err == nil {
			return path, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return "", fmt.Errorf("%s.gz: %w; %s", plain, fs.ErrNotExist, remedy)
}

func (s *images) Len() int            { return len(s.labels) }
func (s *images) Shape() tensor.Shape { return s.shape }
func (s *images) Classes() []string   { return s.classes }

func (s *images) Read(dst []float32, i int) (int32, error) {
	n := s.shape.TotalSize()
	for j, p := range s.pixels[i*n : (i+1)*n] {
		dst[j] = float32(p)
	}
	return int32(s.labels[i]), nil
}
