package data

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func TestSyntheticIsDeterministic(t *testing.T) {
	o := SyntheticOptions{Shape: tensor.Shape{3, 11, 13}, Classes: 4, Train: 9, Test: 5, Seed: 42}
	train, test, err := NewSynthetic(o)
	require.NoError(t, err)
	again, _, err := NewSynthetic(o)
	require.NoError(t, err)
	o.Seed++
	other, _, err := NewSynthetic(o)
	require.NoError(t, err)
	require.Equal(t, 9, train.Len())
	require.Equal(t, 5, test.Len())
	require.Equal(t, []string{"0", "1", "2", "3"}, train.Classes())

	n := train.Shape().TotalSize()
	x, y := make([]float32, n), make([]float32, n)
	for i := range train.Len() {
		label, err := train.Read(x, i)
		require.NoError(t, err)
		require.Equal(t, int32(i%4), label)
		for _, v := range x {
			require.True(t, v >= 0 && v <= 255 && v == float32(int(v)), "%g is not a pixel's value", v)
		}
		_, err = again.Read(y, i)
		require.NoError(t, err)
		require.Equal(t, x, y)
		_, err = other.Read(y, i)
		require.NoError(t, err)
		require.NotEqual(t, x, y, "another seed")
		if i >= 4 {
			_, err = train.Read(y, i-4)
			require.NoError(t, err)
			require.NotEqual(t, x, y, "another sample of the class")
		}
	}
	_, err = train.Read(x, 0)
	require.NoError(t, err)
	_, err = test.Read(y, 0)
	require.NoError(t, err)
	require.NotEqual(t, x, y, "train and test")
	require.Zero(t, testing.AllocsPerRun(10, func() { train.Read(x, 1) }))
}

// What the mean of a class's training samples tells apart, a network can
// learn.
func TestSyntheticCanBeLearnt(t *testing.T) {
	train, test, err := NewSynthetic(SyntheticOptions{Train: 200, Test: 100})
	require.NoError(t, err)
	n := train.Shape().TotalSize()
	means := make([][]float32, 10)
	x := make([]float32, n)
	for i := range means {
		means[i] = make([]float32, n)
	}
	for i := range train.Len() {
		label, err := train.Read(x, i)
		require.NoError(t, err)
		for j, v := range x {
			means[label][j] += v / 20
		}
	}
	hits := 0
	for i := range test.Len() {
		label, err := test.Read(x, i)
		require.NoError(t, err)
		best, nearest := 0, float32(0)
		for k, m := range means {
			d := float32(0)
			for j, v := range x {
				d += (v - m[j]) * (v - m[j])
			}
			if k == 0 || d < nearest {
				best, nearest = k, d
			}
		}
		if best == int(label) {
			hits++
		}
	}
	require.GreaterOrEqual(t, hits, 99)
}

func TestSyntheticRefuses(t *testing.T) {
	for want, o := range map[string]SyntheticOptions{
		"a sample of shape (28, 28) is not [C,H,W]":       {Shape: tensor.Shape{28, 28}},
		"a sample of shape (1, 0, 28) is empty":           {Shape: tensor.Shape{1, 0, 28}},
		"a sample of shape (65536, 65536, 1) is empty or": {Shape: tensor.Shape{65536, 65536, 1}},
		"-1 classes": {Classes: -1},
		"-1 samples": {Train: -1},
		"-1 to test": {Test: -1},
	} {
		_, _, err := NewSynthetic(o)
		require.ErrorContains(t, err, want)
	}
}

func BenchmarkSyntheticAlexNet(b *testing.B) {
	train, _, err := NewSynthetic(SyntheticOptions{Shape: tensor.Shape{3, 227, 227}, Classes: 1000})
	if err != nil {
		b.Fatal(err)
	}
	x := make([]float32, train.Shape().TotalSize())
	b.SetBytes(int64(4 * len(x)))
	for i := range b.N {
		train.Read(x, i%train.Len())
	}
}
