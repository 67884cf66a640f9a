package data

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// dots are pictures of 40x48, each with a bright dot at one of its three points.
// The first two change places in a mirror. The third is missing in each fourth
// picture.
type dots struct{ n int }

const dotsH, dotsW = 40, 48

var dotsShape, dotsMirrored = tensor.Shape{1, dotsH, dotsW}, []int{1, 0, 2}

func (d dots) Len() int            { return d.n }
func (d dots) Shape() tensor.Shape { return dotsShape }
func (d dots) Classes() []string   { return nil }
func (d dots) Targets() int        { return 6 }
func (d dots) Mirrored() []int     { return dotsMirrored }

func (d dots) ReadTarget(dst []float32, i int) error {
	for k := range dst {
		dst[k] = 0.4 * float32(math.Sin(float64(6*i+k)))
	}
	if i%4 == 3 {
		dst[4], dst[5] = float32(math.NaN()), float32(math.NaN())
	}
	return nil
}

func (d dots) Read(dst []float32, i int) (int32, error) {
	var p [6]float32
	_ = d.ReadTarget(p[:], i)
	px, py := float64(p[2*(i%2)]+1)/2*dotsW, float64(p[2*(i%2)+1]+1)/2*dotsH
	for y := range dotsH {
		for x := range dotsW {
			dx, dy := float64(x)+0.5-px, float64(y)+0.5-py
			dst[y*dotsW+x] = float32(math.Round(255 * math.Exp(-(dx*dx+dy*dy)/8)))
		}
	}
	return 0, nil
}

// centroid is where the bright pixels of an image are, as a point.
func centroid(x []float32, h, w int) (cx, cy float64) {
	sum := 0.
	for i, v := range x {
		sum += float64(v)
		cx += float64(v) * (float64(i%w) + 0.5)
		cy += float64(v) * (float64(i/w) + 0.5)
	}
	return 2*cx/sum/float64(w) - 1, 2*cy/sum/float64(h) - 1
}

func TestPointsMoveWithThePicture(t *testing.T) {
	const n = 24
	for _, text := range []string{
		"flip", "flip@1", "rotate=25", "translate=0.1", "zoom=0.2", "crop=36x44", "resize=30x60", "resize=60", "pad=5",
		"rrcrop=40x48:0.7..1", "resize=50,crop=46,flip,rotate=10,translate=0.03,zoom=0.1", "rotate=20,flip,pad=2",
	} {
		a, err := ParseAugment(text)
		require.NoError(t, err)
		test, varied, err := Augmented(dots{n}, a, nil)
		require.NoError(t, err)
		h, w := test.Shape()[1], test.Shape()[2]
		x, target, plain := make([]float32, h*w), make([]float32, 6), make([]float32, 6)
		inside := 0
		agree := func(i, dot int, what string) {
			cx, cy := centroid(x, h, w)
			px, py := float64(target[2*dot]), float64(target[2*dot+1])
			if max(math.Abs(px), math.Abs(py)) > 0.6 { // a part of the dot may be cut off
				return
			}
			inside++
			require.InDelta(t, px, cx, 0.5/float64(w), "%s, %s, x of %d", text, what, i)
			require.InDelta(t, py, cy, 0.5/float64(h), "%s, %s, y of %d", text, what, i)
		}
		mirroredOnce := false
		for i := range n {
			_, err := test.Read(x, i)
			require.NoError(t, err)
			require.NoError(t, test.(Points).ReadTarget(target, i))
			agree(i, i%2, "test")
			_, err = varied.ReadVaried(x, i, 7, 3)
			require.NoError(t, err)
			require.NoError(t, varied.(VariedRegression).ReadVariedTarget(target, i, 7, 3))
			require.NoError(t, dots{n}.ReadTarget(plain, i))
			m, _, _ := a.geometry(randomView(i, 7, 3), dotsH, dotsW)
			dot := i % 2
			if m.a*m.e-m.b*m.d < 0 {
				dot, mirroredOnce = 1-dot, true
			}
			agree(i, dot, "varied")
			require.Equal(t, i%4 == 3, target[4] != target[4], "a missing point stays missing")
		}
		require.Greater(t, inside, n)
		require.Equal(t, a.has(Flip), mirroredOnce, text)
	}
}

// A mirror negates x and swaps the pairs, to the last bit.
func TestFlipOfPoints(t *testing.T) {
	_, varied, err := Augmented(dots{4}, Augment{{Op: Flip, P: 1}}, nil)
	require.NoError(t, err)
	p, q := make([]float32, 6), make([]float32, 6)
	require.NoError(t, varied.(Regression).ReadTarget(q, 0))
	require.NoError(t, dots{4}.ReadTarget(p, 0))
	require.Equal(t, p, q, "a test mirrors nothing")
	require.NoError(t, varied.(VariedRegression).ReadVariedTarget(q, 0, 1, 0))
	require.Equal(t, []float32{-p[2], p[3], -p[0], p[1], -p[4], p[5]}, q)
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = varied.(VariedRegression).ReadVariedTarget(q, 0, 1, 0) }))
}

func TestLoaderBringsMovedPoints(t *testing.T) {
	a, err := ParseAugment("flip,rotate=10,translate=0.1")
	require.NoError(t, err)
	_, varied, err := Augmented(dots{30}, a, nil)
	require.NoError(t, err)
	x, target := make([]float32, dotsH*dotsW), make([]float32, 6)
	var first []string
	for _, workers := range []int{1, 3} {
		l, err := NewLoader(t.Context(), varied, LoaderOptions{Batch: 7, Shuffle: true, Seed: 5, Epochs: 2, Workers: workers})
		require.NoError(t, err)
		var seen []string
		for range 2 * 5 {
			b, err := l.Next()
			require.NoError(t, err)
			for k, i := range b.Samples {
				_, err := varied.ReadVaried(x, i, 5, b.Epoch)
				require.NoError(t, err)
				require.NoError(t, varied.(VariedRegression).ReadVariedTarget(target, i, 5, b.Epoch))
				require.Equal(t, x, b.X.Float32s()[k*len(x):(k+1)*len(x)])
				require.Equal(t, fmt.Sprint(target), fmt.Sprint(b.Targets.Float32s()[6*k:6*k+6]))
				seen = append(seen, fmt.Sprint(i, target))
			}
			b.Release()
		}
		l.Close()
		if first == nil {
			first = seen
		}
		require.Equal(t, first, seen)
	}
}

// lopsided are points that a mirror would lose.
type lopsided struct {
	dots
	mirrored []int
}

func (l lopsided) Mirrored() []int { return l.mirrored }

func TestPointsThatCannotMove(t *testing.T) {
	flip := Augment{{Op: Flip, P: 0.5}}
	for want, m := range map[string][]int{
		"6 numbers are not 2 points":                   {0, 1},
		"point 1 becomes point 2 in a mirror, but not": {0, 2, 0},
		"point 2 becomes point 3 in a mirror, but not": {0, 1, 3},
	} {
		_, _, err := Augmented(lopsided{dots{3}, m}, flip, nil)
		require.ErrorContains(t, err, want)
	}
}
