package live

import (
	"context"
	"errors"
	"image"
)

// oneAtATime makes pictures of a run wait for each other, so that they take little from
// training.
type oneAtATime struct {
	pictures Pictures
	turn     chan struct{}
}

// picture is that of a sample.
func (r *Run) picture(ctx context.Context, sample int) (image.Image, error) {
	if r.pictures.pictures == nil {
		return nil, errors.New("the pictures of the test set are not known here")
	}
	select {
	case r.pictures.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-r.pictures.turn }()
	return r.pictures.pictures.Picture(ctx, sample)
}
