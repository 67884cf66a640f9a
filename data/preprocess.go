package data

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/mat"
	"gorgonia.org/tensor"
)

// Preprocess is what happens to a picture before a network sees it. The
// Augment makes a raw sample of it, and every sample then becomes
//
//	y = W (x - Mean) * Scale
//
// where W is the unit matrix unless there is Whiten. A network that was
// trained with it must be used with it, so it is kept, as JSON, in the file of
// the weights. The zero Preprocess changes nothing.
type Preprocess struct {
	Augment Augment `json:"augment,omitempty"` // none: samples are as the data set has them

	Mean  Floats  `json:"mean,omitempty"`  // [C], or [C,H,W] for a mean image; none means 0
	Scale float32 `json:"scale,omitempty"` // 0 means 1

	// Deviation divides channels, [C]; none means 1.
	Deviation Floats `json:"deviation,omitempty"`

	// Whiten is W: [C,C] for the channels of each pixel, or all values of a
	// sample squared.
	Whiten Floats `json:"whiten,omitempty"`

	// Statistics are what the steps of Augment need.
	Statistics *Statistics `json:"statistics,omitempty"`

	// TenCrops asks whoever uses the network for the mean over Photos.TenCrops.
	// Tests during training take the centre alone.
	TenCrops bool `json:"ten_crops,omitempty"`
}

// Check says what is wrong with the preprocessing for samples of the shape
// [C,H,W], if anything.
func (p Preprocess) Check(sample tensor.Shape) error {
	c, n := sample[0], sample.TotalSize()
	switch {
	case len(p.Mean) != 0 && len(p.Mean) != c && len(p.Mean) != n:
		if len(p.Mean) < 64 {
			return fmt.Errorf("preprocessing has a mean for %d channels, but a sample has %d", len(p.Mean), c)
		}
		return fmt.Errorf("preprocessing has a mean image of %d values, but a sample has %d", len(p.Mean), n)
	case len(p.Deviation) != 0 && len(p.Deviation) != c:
		return fmt.Errorf("preprocessing has a deviation for %d channels, but a sample has %d", len(p.Deviation), c)
	case len(p.Whiten) != 0 && len(p.Whiten) != c*c && len(p.Whiten) != n*n:
		return fmt.Errorf("preprocessing has a whitening matrix of %d elements, but a sample has %d channels and %d values", len(p.Whiten), c, n)
	case len(p.Whiten) == c*c && c > mostWhitened && c < n:
		return fmt.Errorf("preprocessing whitens at most %d channels, and a sample has %d", mostWhitened, c)
	}
	for _, values := range []Floats{{p.Scale}, p.Mean, p.Deviation, p.Whiten} {
		for _, v := range values {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				return errors.New("preprocessing: means, deviations and scale must be finite")
			}
		}
	}
	if slices.Contains(p.Deviation, 0) {
		return errors.New("preprocessing: a deviation of 0 cannot divide")
	}
	if p.TenCrops && !p.Augment.has(Crop) {
		return errors.New("preprocessing: ten crops need a step of augmentation that crops")
	}
	return p.Augment.Check()
}

// Apply changes one sample, [C,H,W], in place. Where a sample is whitened
// whole it needs as much memory again.
func (p Preprocess) Apply(x []float32) {
	scale := p.Scale
	if scale == 0 {
		scale = 1
	}
	if len(p.Whiten) > 0 {
		p.shift(x)
		if len(p.Whiten) == len(x)*len(x) {
			multiply(x, p.Whiten, slices.Clone(x))
		} else {
			whitenPixels(x, p.Whiten)
		}
		p.Mean = nil
	}
	channels := max(len(p.Deviation), 1)
	if len(p.Mean) < len(x) {
		channels = max(len(p.Mean), channels)
	} else {
		p.shift(x)
		p.Mean = nil
	}
	plane := len(x) / channels
	for c := range channels {
		mean, factor := float32(0), scale
		if len(p.Mean) > 0 {
			mean = p.Mean[c]
		}
		if len(p.Deviation) > 0 {
			factor = scale / p.Deviation[c]
		}
		if mean != 0 || factor != 1 {
			shiftScale(x[c*plane:(c+1)*plane], mean, factor)
		}
	}
}

// shift takes the mean, or the mean image, off.
func (p Preprocess) shift(x []float32) {
	if len(p.Mean) == len(x) {
		for i, m := range p.Mean {
			x[i] -= m
		}
		return
	}
	for c, m := range p.Mean {
		plane := len(x) / len(p.Mean)
		shiftScale(x[c*plane:(c+1)*plane], m, 1)
	}
}

// multiply is y = W x.
func multiply(y, w, x []float32) {
	for i := range y {
		sum := float32(0)
		for j, v := range w[i*len(x) : (i+1)*len(x)] {
			sum += float32(v * x[j])
		}
		y[i] = sum
	}
}

// mostWhitened bounds the channels of pixels that are whitened.
const mostWhitened = 16

// whitenPixels multiplies the channels of every pixel by w, [C,C].
func whitenPixels(x, w []float32) {
	c := int(math.Sqrt(float64(len(w))))
	plane := len(x) / c
	var pixel, white [mostWhitened]float32
	for i := range plane {
		for k := range c {
			pixel[k] = x[k*plane+i]
		}
		multiply(white[:c], w, pixel[:c])
		for k := range c {
			x[k*plane+i] = white[k]
		}
	}
}

// Normal says how samples are to be brought to a common scale.
type Normal struct {
	Mean          bool // subtract the mean of each channel
	MeanImage     bool // or that of each pixel
	Deviation     bool // divide channels by their deviation
	WhitenColours bool // whiten the channels of each pixel
	Whiten        bool // or whole samples
	Scale         float64
}

// whitenShare is the share of the mean variance that is added to each.
const whitenShare = 0.01

// ParseNormal reads words with commas between them: mean, mean-image, std,
// whiten-colours, whiten, scale=X; or none.
func ParseNormal(text string) (n Normal, err error) {
	n.Scale = 1
	for word := range strings.SplitSeq(text, ",") {
		name, value, hasValue := strings.Cut(word, "=")
		if hasValue != (name == "scale") {
			name = "" // none of them
		}
		switch name {
		case "none":
		case "mean":
			n.Mean = true
		case "mean-image":
			n.MeanImage = true
		case "std":
			n.Deviation = true
		case "whiten-colours":
			n.WhitenColours = true
		case "whiten":
			n.Whiten = true
		case "scale":
			if n.Scale, err = strconv.ParseFloat(value, 64); err != nil || n.Scale == 0 || !(math.Abs(n.Scale) <= math.MaxFloat32) {
				return n, fmt.Errorf("preprocessing %q: the scale is a number other than 0, such as scale=0.0078125", word)
			}
		default:
			return n, fmt.Errorf("preprocessing %q is unknown; there are mean, mean-image, std, whiten-colours, whiten, scale=X and none", word)
		}
	}
	switch {
	case n.Mean && n.MeanImage:
		return n, errors.New("preprocessing: mean and mean-image contradict each other")
	case n.Whiten && n.WhitenColours || (n.Whiten || n.WhitenColours) && n.Deviation:
		return n, errors.New("preprocessing: std, whiten and whiten-colours contradict each other")
	}
	return n, nil
}

// NeedsStatistics reports whether the training set must be measured first.
func (n Normal) NeedsStatistics() bool {
	return n.Mean || n.MeanImage || n.Deviation || n.WhitenColours || n.Whiten
}

// Preprocess is what the training set's statistics make of it. Whitening
// takes the mean off, if nothing else does.
func (n Normal) Preprocess(a Augment, s *Statistics) (p Preprocess, err error) {
	p = Preprocess{Augment: a}
	if n.Scale != 1 {
		p.Scale = float32(n.Scale)
	}
	if s == nil {
		return p, nil
	}
	switch {
	case n.MeanImage || n.Whiten:
		p.Mean = s.MeanImage
	case n.Mean || n.WhitenColours:
		p.Mean = s.Mean
	}
	if n.Deviation {
		p.Deviation = s.Deviation
	}
	if n.Whiten {
		p.Whiten, err = whiten(s.whole, whitenShare)
	}
	if n.WhitenColours {
		p.Whiten, err = whiten(mat.NewSymDense(len(s.Mean), s.Covariance), whitenShare)
	}
	if a != nil {
		p.Statistics = s.ofColours()
	}
	return p, err
}
