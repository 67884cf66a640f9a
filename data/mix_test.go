package data

import (
	"math"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// levels is a set of images of one value, which is the sample's number, of the class
// i modulo 3.
type levels struct{ n int }

var levelsShape = tensor.Shape{2, 8, 10}

func (d levels) Len() int            { return d.n }
func (d levels) Shape() tensor.Shape { return levelsShape }
func (d levels) Classes() []string   { return numberedClasses }

func (d levels) Read(dst []float32, i int) (int32, error) {
	for k := range dst {
		dst[k] = float32(i)
	}
	return int32(i % 3), nil
}

// mixed reads two epochs of a set as a loader mixes it.
func mixed(t *testing.T, augment string, n int, o LoaderOptions, each func(b *Batch, k int, x, share []float32)) {
	a, err := ParseAugment(augment)
	require.NoError(t, err)
	_, varied, err := Augmented(levels{n}, a, nil)
	require.NoError(t, err)
	o.Batch, o.Seed, o.OneHot, o.Shuffle, o.Epochs = 16, 3, true, true, 2
	o.Preprocess = Preprocess{Augment: a}
	l := newLoader(t, varied, o)
	size := levelsShape.TotalSize()
	for range 2 * ((n + 15) / 16) {
		b, err := l.Next()
		require.NoError(t, err)
		require.Equal(t, tensor.Shape{b.N, 3}, b.Targets.Shape())
		for k := range b.N {
			each(b, k, b.X.Float32s()[k*size:(k+1)*size], b.Targets.Float32s()[3*k:3*k+3])
		}
		b.Release()
	}
}

func TestMixup(t *testing.T) {
	const n = 500
	count, mean, square := 0., 0., 0.
	partners := map[int]bool{}
	mixed(t, "mixup=0.4", n, LoaderOptions{}, func(b *Batch, k int, x, share []float32) {
		i := b.Samples[k]
		require.InDelta(t, 1, share[0]+share[1]+share[2], 1e-6)
		require.Equal(t, slices.Max(share), share[b.Labels.Int32s()[k]], "the label is that of the larger share")
		for _, v := range x {
			require.Equal(t, x[0], v)
		}
		lambda := float64(share[i%3])
		if lambda == 1 || lambda == 0 { // of two samples of a class, or hardly mixed
			return
		}
		other := (float64(x[0]) - lambda*float64(i)) / (1 - lambda)
		if lambda < 0.9 { // else it is not known to a whole number
			require.InDelta(t, math.Round(other), other, 0.02)
			j := int(math.Round(other))
			require.InDelta(t, 1-lambda, share[j%3], 1e-6)
			partners[j] = true
		}
		count++
		mean += lambda
		square += lambda * lambda
	})
	require.Greater(t, len(partners), 200)
	mean /= count
	// The variance of Beta(a,a) is 1/(4(2a+1)).
	require.InDelta(t, 0.5, mean, 0.05)
	require.InDelta(t, 1/(4*1.8), square/count-mean*mean, 0.02)
}

func TestBeta(t *testing.T) {
	for _, a := range []float64{0.05, 0.2, 1} {
		n, mean, square := 20_000, 0., 0.
		for i := range n {
			x := randomView(i, 1, 0).beta(0, a)
			mean += x / float64(n)
			square += x * x / float64(n)
		}
		require.InDelta(t, 0.5, mean, 0.02)
		require.InDelta(t, 1/(4*(2*a+1)), square-mean*mean, 0.005)
	}
}

func TestCutmix(t *testing.T) {
	cut := 0
	mixed(t, "cutmix=1@0.5", 200, LoaderOptions{}, func(b *Batch, k int, x, share []float32) {
		i := b.Samples[k]
		kept, other := 0, float32(-1)
		for _, v := range x {
			if v == float32(i) {
				kept++
				continue
			}
			require.True(t, other < 0 || v == other, "of one other sample")
			other = v
		}
		if other < 0 {
			require.Equal(t, float32(1), share[i%3])
			return
		}
		cut++
		want := [3]float32{}
		want[i%3] = float32(float64(kept) / float64(len(x)))
		want[int(other)%3] += float32(1 - float64(kept)/float64(len(x)))
		require.InDeltaSlice(t, want[:], share, 1e-6)
	})
	require.InDelta(t, 180, cut, 40) // half, less those of which nothing is cut

	x, y := slices.Repeat([]float32{1}, 2*12), slices.Repeat([]float32{2}, 2*12)
	// A quarter of the area, 1 of 3 rows and 2 of 4 columns, about the middle.
	require.Equal(t, 1-2./12, cutmix(x, y, 3, 4, 0.75, [4]uint32{1 << 31, 1 << 31}))
	require.Equal(t, []float32{1, 1, 1, 1, 1, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 1, 1, 1, 1, 1}, x)
}

func TestMixedSamplesDoNotDependOnWorkers(t *testing.T) {
	var first []float32
	for _, workers := range []int{1, 4} {
		var seen []float32
		mixed(t, "flip,mixup=0.3@0.5,cutmix=1@0.7,noise=2", 60, LoaderOptions{Workers: workers}, func(b *Batch, k int, x, share []float32) {
			seen = append(append(append(seen, x...), share...), float32(b.Labels.Int32s()[k]))
		})
		if first == nil {
			first = seen
		}
		require.Equal(t, first, seen)
	}
}

func TestMixingAllocatesNothing(t *testing.T) {
	for _, a := range []Augment{{{Op: Mixup, Lo: 1, Hi: 1, P: 1}}, {{Op: Cutmix, Lo: 1, Hi: 1, P: 1}}} {
		_, varied, err := Augmented(levels{9}, a, nil)
		require.NoError(t, err)
		l := newLoader(t, varied, LoaderOptions{Batch: 4, OneHot: true, Preprocess: Preprocess{Augment: a}})
		b, err := l.Next()
		require.NoError(t, err)
		other := make([]float32, levelsShape.TotalSize())
		require.Zero(t, testing.AllocsPerRun(20, func() { _ = l.fill(b, 1, other) }))
	}
}

func TestOneHot(t *testing.T) {
	a := Augment{{Op: Mixup, Lo: 1, Hi: 1, P: 1}}
	test, _, err := Augmented(levels{5}, a, nil)
	require.NoError(t, err)
	l := newLoader(t, test, LoaderOptions{Batch: 5, OneHot: true, Preprocess: Preprocess{Augment: a}})
	b, err := l.Next()
	require.NoError(t, err)
	require.Equal(t, []float32{1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 1, 0}, b.Targets.Float32s(), "a test mixes nothing")
	require.Equal(t, float32(4), b.X.Float32s()[4*160])
	faces, _, err := NewSynthetic(SyntheticOptions{Targets: 4, Train: 4, Test: 1})
	require.NoError(t, err)
	_, err = NewLoader(t.Context(), faces, LoaderOptions{Batch: 2, OneHot: true})
	require.ErrorContains(t, err, "shares of classes need a data set with classes")
}
