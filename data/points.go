package data

import (
	"context"
	"errors"
	"fmt"
)

// Points is a Regression whose targets are points of the image: x and y in turn,
// from -1, the left and the upper edge, to 1, the right and the lower one. A
// point that is not known is NaN.
type Points interface {
	Regression

	// Mirrored is which point, of Targets/2, each becomes when the image is
	// mirrored left and right: the left eye becomes the right one, and the right
	// one the left. The caller must not change it.
	Mirrored() []int
}

// movedPoints are Photos of Points, which move with the picture.
type movedPoints struct {
	*Photos
	from Points
}

func newMovedPoints(p *Photos, r Regression) (*movedPoints, error) {
	points, ok := r.(Points)
	if !ok {
		return nil, errors.New("augmentation would not move what is to be predicted with the picture: the data set has numbers that are no points")
	}
	mirrored := points.Mirrored()
	if 2*len(mirrored) != points.Targets() {
		return nil, fmt.Errorf("augmentation: %d numbers are not %d points", points.Targets(), len(mirrored))
	}
	for i, k := range mirrored {
		if k < 0 || k >= len(mirrored) || mirrored[k] != i {
			return nil, fmt.Errorf("augmentation: point %d becomes point %d in a mirror, but not the other way", i, k)
		}
	}
	return &movedPoints{p, points}, nil
}

func (p *movedPoints) Targets() int    { return p.from.Targets() }
func (p *movedPoints) Mirrored() []int { return p.from.Mirrored() }

func (p *movedPoints) WithContext(ctx context.Context) Dataset {
	return &movedPoints{p.withContext(ctx), p.from}
}

func (p *movedPoints) ReadTarget(dst []float32, i int) error { return p.readTarget(dst, i, view{}) }

// readTarget moves the points of sample i as a view of it moves its pixels. They
// may come to lie outside of the image.
func (p *movedPoints) readTarget(dst []float32, i int, v view) error {
	if err := p.from.ReadTarget(dst, i); err != nil {
		return err
	}
	shape := p.from.Shape()
	h, w := shape[1], shape[2]
	m, outH, outW := p.augment.geometry(v, h, w)
	if m == (affine{a: 1, e: 1}) && outH == h && outW == w {
		return nil
	}
	back := m.inverse()
	for k := 0; k < len(dst); k += 2 {
		x, y := back.apply((float64(dst[k])+1)/2*float64(w), (float64(dst[k+1])+1)/2*float64(h))
		dst[k], dst[k+1] = float32(2*x/float64(outW)-1), float32(2*y/float64(outH)-1)
	}
	if m.a*m.e < m.b*m.d { // mirrored
		for a, b := range p.from.Mirrored() {
			if a < b {
				dst[2*a], dst[2*b] = dst[2*b], dst[2*a]
				dst[2*a+1], dst[2*b+1] = dst[2*b+1], dst[2*a+1]
			}
		}
	}
	return nil
}

// Varied is the same set with chance.
func (p *movedPoints) Varied() Varied { return variedPoints{p} }

// variedPoints are movedPoints with chance.
type variedPoints struct{ *movedPoints }

func (v variedPoints) WithContext(ctx context.Context) Dataset {
	return variedPoints{&movedPoints{v.withContext(ctx), v.from}}
}

func (v variedPoints) ReadVaried(dst []float32, i int, seed uint64, epoch int) (label int32, err error) {
	return v.read(dst, i, randomView(i, seed, epoch))
}

func (v variedPoints) ReadVariedTarget(dst []float32, i int, seed uint64, epoch int) error {
	return v.readTarget(dst, i, randomView(i, seed, epoch))
}
