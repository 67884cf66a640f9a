package inspect

import (
	"cmp"
	"fmt"
	"math"
)

// GradCAM is Grad-CAM (Selvaraju et al. 2017): the ReLU of the sum of a layer's maps,
// each times the mean of the gradient of a class's score with respect to the map. It
// has the size of the maps; Enlarge brings it to that of the image.
func (x *Inspector) GradCAM(sample []float32, class int, layer string) (m Map, err error) {
	shape, err := x.mapsOf(layer)
	if err != nil {
		return Map{}, err
	}
	b, err := x.backward(x.scores, Gradient)
	if err != nil {
		return Map{}, err
	}
	defer func() { err = cmp.Or(err, b.Close()) }()
	if _, err := b.exec.Tensor(layer); err != nil {
		return Map{}, fmt.Errorf("the scores of classes, %s, do not depend on %s: name a layer before", x.scores, layer)
	}
	if err := b.run(sample, b.oneHot(class)); err != nil {
		return Map{}, err
	}
	values, err := b.read(layer)
	if err != nil {
		return Map{}, err
	}
	gradient, err := b.read(gradientOf(layer))
	if err != nil {
		return Map{}, err
	}
	maps, gradients := channels(values, shape), channels(gradient, shape)
	sums := make([]float64, shape[1]*shape[2])
	for c := range maps {
		weight := 0.0
		for _, v := range gradients[c].Values {
			weight += float64(v) / float64(len(sums))
		}
		for p, v := range maps[c].Values {
			sums[p] += weight * float64(v)
		}
	}
	m = Map{shape[1], shape[2], make([]float32, len(sums))}
	for p, v := range sums {
		m.Values[p] = float32(max(v, 0))
	}
	return m, nil
}

// Enlarge is the map at another size, bilinear between the centres of its pixels.
func (m Map) Enlarge(h, w int) Map {
	y := Map{h, w, make([]float32, h*w)}
	rows, columns := taps(h, m.H), taps(w, m.W)
	for i, r := range rows {
		for j, c := range columns {
			above := m.Values[r.first*m.W+c.first]*(1-c.share) + m.Values[r.first*m.W+c.second]*c.share
			below := m.Values[r.second*m.W+c.first]*(1-c.share) + m.Values[r.second*m.W+c.second]*c.share
			y.Values[i*w+j] = above*(1-r.share) + below*r.share
		}
	}
	return y
}

// tap is the two pixels that a new one lies between, and the share of the second.
type tap struct {
	first, second int
	share         float32
}

// taps are those of n pixels made of m.
func taps(n, m int) []tap {
	list := make([]tap, n)
	for i := range list {
		at := (float64(i)+0.5)*float64(m)/float64(n) - 0.5
		at = min(max(at, 0), float64(m-1))
		first := int(math.Floor(at))
		list[i] = tap{first, min(first+1, m-1), float32(at - float64(first))}
	}
	return list
}
