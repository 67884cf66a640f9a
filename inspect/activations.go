package inspect

import (
	"cmp"
	"context"
)

// Activations are the maps of a layer's output for a sample, one for each channel.
func (x *Inspector) Activations(ctx context.Context, sample []float32, layer string) ([]Map, error) {
	shape, err := x.mapsOf(layer)
	if err != nil {
		return nil, err
	}
	p, err := x.predictor(1, layer)
	if err != nil {
		return nil, err
	}
	y, err := p.Predict(ctx, sample)
	if err = cmp.Or(err, p.Close()); err != nil {
		return nil, err
	}
	return channels(y[0].Features[0], shape), nil
}

// channels are the maps of values [C,H,W].
func channels(values []float32, shape []int) []Map {
	h, w := shape[1], shape[2]
	maps := make([]Map, shape[0])
	for c := range maps {
		maps[c] = Map{h, w, values[c*h*w : (c+1)*h*w]}
	}
	return maps
}
