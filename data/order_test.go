package data

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// uneven is a set of four classes, one of them empty: sample i has the label
// labels[i], and its first value is i.
type uneven struct{ labels []int32 }

func (u uneven) Len() int                           { return len(u.labels) }
func (u uneven) Shape() tensor.Shape                { return numberedShape }
func (u uneven) Classes() []string                  { return []string{"large", "none", "small", "one"} }
func (u uneven) Label(i int) (label int32, ok bool) { return u.labels[i], true }

func (u uneven) Read(dst []float32, i int) (int32, error) {
	dst[0] = float32(i)
	return u.labels[i], nil
}

func TestBalance(t *testing.T) {
	labels := append(slices.Repeat([]int32{0, 0, 2, 0}, 9), 0, 3, 0, 0) // 30, 0, 9, 1
	const n, epochs = 40, 30
	read := func(o LoaderOptions) (seen [][]int) {
		o.Batch, o.Shuffle, o.Balance, o.Seed = 7, true, true, 3
		l := newLoader(t, uneven{labels}, o)
		for range epochs*6 - o.Start {
			b, err := l.Next()
			require.NoError(t, err)
			seen = append(seen, slices.Clone(b.Samples))
			for k, i := range b.Samples {
				require.Equal(t, labels[i], b.Labels.Int32s()[k])
			}
			b.Release()
		}
		return seen
	}
	batches := read(LoaderOptions{})
	times, perClass := make([]int, n), map[int32]int{}
	var firsts []int
	for epoch := range epochs {
		samples := slices.Concat(batches[6*epoch : 6*epoch+6]...)
		require.Len(t, samples, n)
		firsts = append(firsts, samples[0])
		in, of := make([]int, n), map[int32]int{}
		for _, i := range samples {
			in[i]++
			times[i]++
			of[labels[i]]++
			perClass[labels[i]]++
		}
		for _, c := range []int32{0, 2, 3} { // 40 = 3*13 + 1
			require.Contains(t, []int{13, 14}, of[c])
		}
		for i, k := range in {
			switch labels[i] {
			case 0:
				require.LessOrEqual(t, k, 1)
			case 2:
				require.Contains(t, []int{1, 2}, k)
			}
		}
	}
	for _, c := range []int32{0, 2, 3} {
		require.Equal(t, epochs*n/3, perClass[c], "what is left over goes round")
	}
	for i, k := range times {
		switch labels[i] {
		case 0: // 400 draws of 30
			require.InDelta(t, 400./30, k, 8)
		case 2:
			require.InDelta(t, 400./9, k, 8)
		}
	}
	require.Greater(t, len(slices.Compact(slices.Sorted(slices.Values(firsts)))), 10)

	require.Equal(t, batches, read(LoaderOptions{Workers: 3, Prefetch: 5}))
	require.Equal(t, batches[50:], read(LoaderOptions{Start: 50}), "a run is resumed with the same samples")
}

// All sets of classes here know their labels, also where they are augmented.
func TestLabelled(t *testing.T) {
	train, _, err := NewSynthetic(SyntheticOptions{Train: 20, Test: 1})
	require.NoError(t, err)
	augmented, varied, err := Augmented(train, Augment{{Op: Flip, P: 0.5}}, nil)
	require.NoError(t, err)
	bytes := &images{pixels: make([]byte, 6), labels: []byte{0, 1, 1}, shape: tensor.Shape{1, 1, 2}, classes: []string{"a", "b"}}
	for _, set := range []Dataset{train, augmented, varied, bytes} {
		x := make([]float32, set.Shape().TotalSize())
		for i := range set.Len() {
			want, err := set.Read(x, i)
			require.NoError(t, err)
			label, ok := set.(Labelled).Label(i)
			require.True(t, ok)
			require.Equal(t, want, label)
		}
	}
}

func TestBalanceRefused(t *testing.T) {
	hidden, _, err := Augmented(numbered{n: 4}, nil, nil)
	require.NoError(t, err)
	faces, _, err := NewSynthetic(SyntheticOptions{Targets: 4, Train: 4, Test: 1})
	require.NoError(t, err)
	for _, c := range []struct {
		d    Dataset
		o    LoaderOptions
		want string
	}{
		{uneven{[]int32{0, 2}}, LoaderOptions{}, "balanced classes need shuffled samples"},
		{uneven{[]int32{0, 4}}, LoaderOptions{Shuffle: true}, "sample 1: label 4 is not one of the 4 classes"},
		{numbered{n: 4}, LoaderOptions{Shuffle: true}, "the data set does not know the labels"},
		{hidden, LoaderOptions{Shuffle: true}, "the data set does not know the labels"},
		{faces, LoaderOptions{Shuffle: true}, "the data set has 4 numbers to predict instead"},
	} {
		c.o.Batch, c.o.Balance = 2, true
		_, err := NewLoader(t.Context(), c.d, c.o)
		require.ErrorContains(t, err, c.want)
	}
}
