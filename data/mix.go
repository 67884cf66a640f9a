package data

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// mixes reports whether a step mixes two samples.
func (s Step) mixes() bool { return s.Op == Mixup || s.Op == Cutmix }

// Mixes reports whether a step mixes samples, so that a network must learn shares
// of classes.
func (a Augment) Mixes() bool { return slices.ContainsFunc(a, Step.mixes) }

// Mix mixes x, sample i of a set and of the class label as ReadVaried gives it, as the
// steps say, and sets the share of each class in it. It returns the class of the larger
// share. What is random depends on the seed, the epoch and i alone. The other sample is
// read into other, which is as long as x. Without a step that mixes, or where chance
// takes none, x stays as it is.
func (a Augment) Mix(share, x, other []float32, set Varied, i int, label int32, seed uint64, epoch int) (int32, error) {
	clear(share)
	share[label] = 1
	v := randomView(i, seed, epoch)
	for k := range a { // the first that is taken
		s := &a[k]
		if !s.mixes() || !v.taken(s, k) {
			continue
		}
		words := v.words(k, 1)
		j, _ := bits.Mul64(uint64(words[0])<<32|uint64(words[1]), uint64(set.Len()))
		second, err := set.ReadVaried(other, int(j), seed, epoch)
		if err == nil {
			err = checkLabel(set, int(j), second)
		}
		if err != nil {
			return 0, fmt.Errorf("mixed with sample %d: %w", j, err)
		}
		lambda := v.beta(k, s.amount(words[2]))
		if s.Op == Mixup {
			mixup(x, other, float32(lambda))
		} else {
			shape := set.Shape()
			lambda = cutmix(x, other, shape[1], shape[2], lambda, v.words(k, 2))
		}
		share[label] = float32(lambda)
		share[second] += float32(1 - lambda)
		if lambda < 0.5 {
			label = second
		}
		break
	}
	return label, nil
}

// betaTries is how often beta draws; half of the draws count, or more.
const betaTries = 24

// beta is a number of the Beta distribution of two equal parameters up to 1, for
// step k (Johnk 1964).
func (v view) beta(k int, parameter float64) float64 {
	for try := range betaTries {
		words := v.words(k, 4+try)
		a, b := math.Pow(unit(words[0]), 1/parameter), math.Pow(unit(words[1]), 1/parameter)
		if sum := a + b; sum > 0 && sum <= 1 {
			return a / sum
		}
	}
	return 0.5
}

// mixup is x = lambda x + (1-lambda) other.
func mixup(x, other []float32, lambda float32) {
	for i, v := range other {
		x[i] = float32(lambda*x[i]) + float32((1-lambda)*v)
	}
}

// cutmix copies a rectangle of 1-lambda of the area from other to x, images of h
// by w pixels. Its centre may be anywhere, so that a part may be outside. It
// returns the share of the area that x keeps.
func cutmix(x, other []float32, h, w int, lambda float64, words [4]uint32) float64 {
	side := math.Sqrt(1 - lambda)
	ch, cw := int(side*float64(h)), int(side*float64(w))
	y0, x0 := int(unit(words[0])*float64(h))-ch/2, int(unit(words[1])*float64(w))-cw/2
	y1, x1 := min(y0+ch, h), min(x0+cw, w)
	y0, x0 = max(y0, 0), max(x0, 0)
	for from := 0; from < len(x); from += h * w {
		for y := y0; y < y1; y++ {
			copy(x[from+y*w+x0:from+y*w+x1], other[from+y*w+x0:])
		}
	}
	return 1 - float64((y1-y0)*(x1-x0))/float64(h*w)
}
