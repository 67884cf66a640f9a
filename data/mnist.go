package data

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

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
// and t10k-labels-idx1-ubyte, as they are or with .gz, in dir or where
// torchvision puts them below it. An empty dir is MNISTDir. Sets of other sizes
// in files of the same format are read too.
func OpenMNIST(dir string) (train, test Dataset, err error) {
	s := idxSet{name: "MNIST", classes: characters(digits), remedy: "get the data with `make mnist` or `go run ./cmd/fetch mnist`"}
	if dir == "" {
		dir = MNISTDir
	} else if filepath.Clean(dir) != filepath.FromSlash(MNISTDir) {
		s.remedy = fmt.Sprintf("get the data with `go run ./cmd/fetch mnist %s`", dir)
	}
	return s.open(dir)
}

// OpenFashionMNIST reads Zalando's articles of clothing (Xiao et al. 2017), in
// MNIST's format and numbers. An empty dir is FashionMNISTDir or, where that
// is not there, the folder of Debian's package dataset-fashion-mnist.
func OpenFashionMNIST(dir string) (train, test Dataset, err error) {
	return openFashionMNIST(dir, debianFashionMNIST)
}

func openFashionMNIST(dir, packaged string) (train, test Dataset, err error) {
	s := idxSet{name: "FashionMNIST", classes: []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
		"Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
		remedy: "get the data with `go run ./cmd/fetch fashion-mnist` or `apt-get install dataset-fashion-mnist`"}
	if dir == "" {
		dir = FashionMNISTDir
		if !isFolder(dir) && isFolder(packaged) {
			dir = packaged
		}
	} else if filepath.Clean(dir) != filepath.FromSlash(FashionMNISTDir) {
		s.remedy = fmt.Sprintf("get the data with `go run ./cmd/fetch fashion-mnist %s`", dir)
	}
	return s.open(dir)
}

func isFolder(path string) bool {
	s, err := os.Stat(path)
	return err == nil && s.IsDir()
}

// characters are classes of one character each.
func characters(s string) []string { return strings.Split(s, "") }

// idxSet is a set in four idx files, in MNIST's manner.
type idxSet struct {
	name       string // of the folder that torchvision makes
	prefix     string // of the files' names
	classes    []string
	first      int  // the label of the first class
	transposed bool // the columns of an image are stored as its rows
	remedy     string
}

// The parts as the names of files have them.
var (
	idxTrain = []string{"train"}
	idxTest  = []string{"t10k", "test"}
)

func (s *idxSet) open(dir string) (train, test Dataset, err error) {
	in := s.folder(dir)
	a, err := s.read(in, idxTrain)
	if err != nil {
		return nil, nil, err
	}
	b, err := s.read(in, idxTest)
	if err != nil {
		return nil, nil, err
	}
	if !a.shape.Eq(b.shape) {
		return nil, nil, fmt.Errorf("%s: images to train are %s, images to test %s", in, product(a.shape), product(b.shape))
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

func (s *idxSet) read(dir string, part []string) (*images, error) {
	imageFile, err := s.find(dir, part, "images-idx3-ubyte")
	if err != nil {
		return nil, err
	}
	labelFile, err := s.find(dir, part, "labels-idx1-ubyte")
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
		if int(l) < s.first || int(l) >= s.first+len(s.classes) {
			return nil, fmt.Errorf("%s: label %d of image %d is not one of the %d classes, %d to %d",
				labelFile, l, i, len(s.classes), s.first, s.first+len(s.classes)-1)
		}
		labels[i] -= byte(s.first)
	}
	h, w := shape[1], shape[2]
	if s.transposed {
		transpose(pixels, h, w)
		h, w = w, h
	}
	return &images{pixels, labels, tensor.Shape{1, h, w}, s.classes}, nil
}

// transpose makes images of h by w pixels those of w by h.
func transpose(pixels []byte, h, w int) {
	stored := make([]byte, h*w)
	for ; len(pixels) > 0; pixels = pixels[h*w:] {
		copy(stored, pixels)
		for y := range h {
			for x := range w {
				pixels[x*h+y] = stored[y*w+x]
			}
		}
	}
}

// folder is the first folder below dir, or dir itself, that has the images to
// train on: where torchvision puts them, or where archives of them are unpacked.
func (s *idxSet) folder(dir string) string {
	for _, below := range []string{".", "raw", "gzip", s.name, s.name + "/raw", s.name + "/raw/gzip", "raw/gzip"} {
		in := filepath.Join(dir, filepath.FromSlash(below))
		if _, err := s.find(in, idxTrain, "images-idx3-ubyte"); err == nil {
			return in
		}
	}
	return dir
}

// find returns the path of a file: plain before .gz, in upper or lower case,
// with dots or hyphens (train-images.idx3-ubyte), or in a folder of its name, as
// Kaggle's archive is unpacked.
func (s *idxSet) find(dir string, part []string, kind string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	hyphens := strings.NewReplacer(".", "-", "_", "-")
	for _, gz := range []string{"", ".gz"} {
		for _, part := range part {
			for _, e := range entries {
				name, ok := strings.CutSuffix(strings.ToLower(e.Name()), gz)
				if !ok || hyphens.Replace(name) != s.prefix+part+"-"+kind {
					continue
				}
				path := filepath.Join(dir, e.Name())
				if !isFolder(path) {
					return path, nil
				}
				if inside, err := s.find(path, []string{part}, kind); err == nil {
					return inside, nil
				}
			}
		}
	}
	return "", fmt.Errorf("%s.gz: %w; %s", filepath.Join(dir, s.prefix+part[0]+"-"+kind), fs.ErrNotExist, s.remedy)
}

func (s *images) Len() int            { return len(s.labels) }
func (s *images) Shape() tensor.Shape { return s.shape }
func (s *images) Classes() []string   { return s.classes }

func (s *images) Label(i int) (int32, bool) { return int32(s.labels[i]), true }

func (s *images) Read(dst []float32, i int) (int32, error) {
	n := s.shape.TotalSize()
	for j, p := range s.pixels[i*n : (i+1)*n] {
		dst[j] = float32(p)
	}
	return int32(s.labels[i]), nil
}
