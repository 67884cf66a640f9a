package data

import (
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/device"
)

// keypoints makes faces of its own: dots that keep their places to one
// another while the whole moves and grows.
type keypoints struct {
	n     int
	shape tensor.Shape
	dots  []float32 // [Targets], in [-0.5,0.5]: x and y in turn; the last may be an x alone
	faces device.Random
}

func newKeypoints(o SyntheticOptions) (train, test Dataset, err error) {
	if o.Targets < 1 || o.Train < 1 || o.Test < 1 {
		return nil, nil, fmt.Errorf("synthetic: %d targets, %d samples to train and %d to test: each number must be at least 1",
			o.Targets, o.Train, o.Test)
	}
	k := keypoints{n: o.Train, shape: o.Shape.Clone(), faces: device.Random{Seed: o.Seed, Stream: trainFacesStream}}
	r := device.Random{Seed: o.Seed, Stream: patternStream}
	for i := range o.Targets {
		k.dots = append(k.dots, uniform(r.Uint32(0, i))-0.5)
	}
	t := k
	t.n = o.Test
	t.faces.Stream = testFacesStream
	return &k, &t, nil
}

// uniform is a random number in [0,1).
func uniform(draw uint32) float32 { return float32(draw>>8) / (1 << 24) }

func (k *keypoints) Len() int            { return k.n }
func (k *keypoints) Shape() tensor.Shape { return k.shape }
func (k *keypoints) Classes() []string   { return nil }
func (k *keypoints) Targets() int        { return len(k.dots) }

// face is where sample i is and how large.
func (k *keypoints) face(i int) (size float32, centre [2]float32) {
	draws := k.faces.Block(i, 0)
	return 0.8 + 0.4*uniform(draws[0]), [2]float32{0.6*uniform(draws[1]) - 0.3, 0.6*uniform(draws[2]) - 0.3}
}

func (k *keypoints) ReadTarget(dst []float32, i int) error {
	size, centre := k.face(i)
	for d, at := range k.dots {
		dst[d] = centre[d%2] + size*at
	}
	return nil
}

// Read draws every dot as a bell, about an eighth of the image wide.
func (k *keypoints) Read(dst []float32, i int) (int32, error) {
	size, centre := k.face(i)
	h, w := k.shape[1], k.shape[2]
	plane := dst[:h*w]
	clear(plane)
	wide := float64(min(h, w)) / 32
	for d := 0; d < len(k.dots); d += 2 {
		x0, y0 := pixel(centre[0]+size*k.dots[d], w), float64(h-1)/2
		if d+1 < len(k.dots) {
			y0 = pixel(centre[1]+size*k.dots[d+1], h)
		}
		for y := max(0, int(y0-3*wide)); y <= min(h-1, int(y0+3*wide)); y++ {
			for x := max(0, int(x0-3*wide)); x <= min(w-1, int(x0+3*wide)); x++ {
				r2 := (float64(x)-x0)*(float64(x)-x0) + (float64(y)-y0)*(float64(y)-y0)
				plane[y*w+x] = max(plane[y*w+x], float32(255*math.Exp(-r2/(2*wide*wide))))
			}
		}
	}
	for c := 1; c < k.shape[0]; c++ {
		copy(dst[c*h*w:(c+1)*h*w], plane)
	}
	return 0, nil
}

// pixel is the place, among n pixels, of a coordinate in [-1,1].
func pixel(at float32, n int) float64 { return float64(at+1) / 2 * float64(n-1) }
