package data

import (
	"fmt"
	"strconv"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// SyntheticOptions describes a synthetic data set. A zero field takes the
// value of MNIST: 60,000 and 10,000 images of [1,28,28] in 10 classes.
type SyntheticOptions struct {
	Shape       tensor.Shape // [C,H,W]
	Classes     int
	Train, Test int // numbers of samples
	Seed        uint64

	// Targets is how many coordinates there are to predict. Where it is not 0
	// the sets are Regressions, of keypoints instead of classes.
	Targets int
}

const (
	patternSide = 8       // a pattern has at most 8x8 patches
	noiseStarts = 1 << 16 // rows of noise begin at one of so many places
)

// synthetic makes images of its own. Each class has a pattern of flat patches
// with values in [64,192], drawn once; a sample is its class's pattern plus
// noise in [-64,63]. Values are whole numbers in [0,255], like pixels.
//
// To be cheap for large images, noise is drawn once into a table, and each row
// of a sample reads on from a random place in it.
type synthetic struct {
	n             int
	shape         tensor.Shape
	classes       []string
	height, width int       // of a pattern, in patches
	patterns      []float32 // [classes,C,height,width]
	noise         []float32 // [noiseStarts+W]
	rows          device.Random
}

// NewSynthetic makes a deterministic data set that a small network can learn,
// without files. Train and test share the patterns of the classes and differ
// in noise. Sample i has the label i modulo the number of classes. Classes
// are named "0", "1", ….
//
// With Targets, a sample is a face of bright dots at a place and of a size of
// its own, and its target is where they are: x and y in turn, each in [-1,1]
// over the image's width and height.
func NewSynthetic(o SyntheticOptions) (train, test Dataset, err error) {
	if o.Shape == nil {
		o.Shape = tensor.Shape{1, 28, 28}
	}
	o.Classes = orDefault(o.Classes, 10)
	o.Train = orDefault(o.Train, 60_000)
	o.Test = orDefault(o.Test, 10_000)
	if err := checkShape(o.Shape); err != nil {
		return nil, nil, fmt.Errorf("synthetic: %w", err)
	}
	if o.Targets != 0 {
		return newKeypoints(o)
	}
	if o.Classes < 1 || o.Train < 1 || o.Test < 1 {
		return nil, nil, fmt.Errorf("synthetic: %d classes, %d samples to train and %d to test: each number must be at least 1",
			o.Classes, o.Train, o.Test)
	}

	s := synthetic{
		n:      o.Train,
		shape:  o.Shape.Clone(),
		height: min(patternSide, o.Shape[1]),
		width:  min(patternSide, o.Shape[2]),
		rows:   device.Random{Seed: o.Seed, Stream: trainRowsStream},
	}
	s.classes = make([]string, o.Classes)
	for i := range s.classes {
		s.classes[i] = strconv.Itoa(i)
	}
	patches := o.Shape[0] * s.height * s.width
	s.patterns = make([]float32, o.Classes*patches)
	r := device.Random{Seed: o.Seed, Stream: patternStream}
	for i := range s.patterns {
		s.patterns[i] = float32(64 + r.Uint32(i/patches, i%patches)%129)
	}
	s.noise = make([]float32, noiseStarts+o.Shape[2])
	r.Stream = noiseStream
	for i := range s.noise {
		s.noise[i] = float32(r.Uint32(0, i)%128) - 64
	}

	t := s
	t.n = o.Test
	t.rows.Stream = testRowsStream
	return &s, &t, nil
}

func orDefault(n, byDefault int) int {
	if n == 0 {
		return byDefault
	}
	return n
}

func (s *synthetic) Len() int            { return s.n }
func (s *synthetic) Shape() tensor.Shape { return s.shape }
func (s *synthetic) Classes() []string   { return s.classes }

func (s *synthetic) Label(i int) (int32, bool) { return int32(i % len(s.classes)), true }

func (s *synthetic) Read(dst []float32, i int) (int32, error) {
	channels, h, w := s.shape[0], s.shape[1], s.shape[2]
	label := i % len(s.classes)
	patches := channels * s.height * s.width
	pattern := s.patterns[label*patches : (label+1)*patches]
	var draws [4]uint32
	for row := range channels * h {
		if row%4 == 0 {
			draws = s.rows.Block(i, row/4)
		}
		noise := s.noise[draws[row%4]%noiseStarts:]
		c, y := row/h, row%h
		begin := (c*s.height + y*s.height/h) * s.width
		line := dst[row*w : (row+1)*w]
		x := 0
		for p, v := range pattern[begin : begin+s.width] {
			for end := (p + 1) * w / s.width; x < end; x++ {
				line[x] = v + noise[x]
			}
		}
	}
	return int32(label), nil
}
