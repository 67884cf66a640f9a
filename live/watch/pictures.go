package watch

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"sync"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/live"
	"github.com/hubel-go/hubel/solver"
)

// pictures are those of a data set, as a test sees them before they are preprocessed.
type pictures struct {
	open func(ctx context.Context) (data.Dataset, error) // is called with the first picture

	mu  sync.Mutex
	set data.Dataset
}

var _ live.Pictures = (*pictures)(nil)

// Pictures are those of a test set that is open; nil of none.
func Pictures(test data.Dataset) live.Pictures {
	if test == nil {
		return nil
	}
	return &pictures{set: test}
}

// Picture is that of a sample.
func (p *pictures) Picture(ctx context.Context, sample int) (image.Image, error) {
	set, err := p.opened(ctx)
	if err != nil {
		return nil, err
	}
	if sample < 0 || sample >= set.Len() {
		return nil, fmt.Errorf("the test set has %d samples, and none of the number %d", set.Len(), sample)
	}
	shape := set.Shape()
	x := make([]float32, shape.TotalSize())
	if _, err := set.Read(x, sample); err != nil {
		return nil, err
	}
	return draw(x, shape[0], shape[1], shape[2]), nil
}

// opened is the data set, which is opened now if it is not yet.
func (p *pictures) opened(ctx context.Context) (data.Dataset, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.set != nil {
		return p.set, nil
	}
	set, err := p.open(ctx)
	if err == nil {
		p.set = set
	}
	return set, err
}

// draw is a sample [C,H,W] of pixels from 0 to 255: colours of three channels, otherwise the
// first channel in grey. Values outside, as generated images have them, are spread over that
// range.
func draw(x []float32, c, h, w int) image.Image {
	positions := h * w
	if c != 3 {
		x = x[:positions]
	}
	low, high := float32(0), float32(255)
	for _, v := range x {
		if v < low || v > high {
			low, high = limits(x)
			break
		}
	}
	level := func(v float32) uint8 { return uint8(max(0, min(255, 255*(v-low)/(high-low)+0.5))) }
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for i := range positions {
		r := level(x[i])
		g, b := r, r
		if c == 3 {
			g, b = level(x[positions+i]), level(x[2*positions+i])
		}
		m.SetRGBA(i%w, i/w, color.RGBA{r, g, b, 255})
	}
	return m
}

// limits are the smallest and the largest of some values, apart by more than nothing.
func limits(x []float32) (low, high float32) {
	low, high = x[0], x[0]
	for _, v := range x {
		low, high = min(low, v), max(high, v)
	}
	return low, max(high, low+1e-6)
}

// testSet opens the test set of a run by what its checkpoint says of it.
func testSet(ctx context.Context, c *solver.Config) (data.Dataset, error) {
	spec := data.ParsePhotoSpec(c.Data)
	if data.IsPath(spec.Train) {
		known := c.Preprocess
		photos, err := data.OpenPhotos(ctx, spec, data.PhotoOptions{Known: &known, CheckOptions: data.CheckOptions{Cache: data.UserCache()}})
		if err != nil {
			return nil, err
		}
		if photos.Val == nil {
			return nil, fmt.Errorf("%s has nothing to test on", spec.Train)
		}
		return photos.Val, nil
	}
	_, test, err := data.Open(spec.Train, data.OpenOptions{})
	if err != nil || c.Preprocess.Augment == nil {
		return test, err
	}
	augmented, _, err := data.Augmented(test, c.Preprocess.Augment, c.Preprocess.Statistics)
	return augmented, err
}
