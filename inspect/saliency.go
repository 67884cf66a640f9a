package inspect

import "cmp"

// Saliency is, for each pixel, the largest magnitude over the channels of the gradient
// of a class's score with respect to the network's input (Simonyan et al. 2014, "Deep
// inside convolutional networks", section 3). The score is what the softmax reads.
func (x *Inspector) Saliency(sample []float32, class int) (m Map, err error) {
	b, err := x.backward(x.scores, Gradient)
	if err != nil {
		return Map{}, err
	}
	defer func() { err = cmp.Or(err, b.Close()) }()
	if err := b.run(sample, b.oneHot(class)); err != nil {
		return Map{}, err
	}
	gradient, err := b.read(gradientOf(x.image.Name))
	if err != nil {
		return Map{}, err
	}
	m = Map{x.image.Shape[1], x.image.Shape[2], make([]float32, x.image.Shape[1]*x.image.Shape[2])}
	for i, v := range gradient {
		p := i % len(m.Values)
		m.Values[p] = max(m.Values[p], v, -v)
	}
	return m, nil
}
