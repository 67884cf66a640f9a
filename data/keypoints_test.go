package data

import (
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

func TestKeypointsAreWhereTheTargetSays(t *testing.T) {
	train, test, err := NewSynthetic(SyntheticOptions{Shape: tensor.Shape{2, 64, 48}, Targets: 6, Train: 50, Test: 20, Seed: 3})
	require.NoError(t, err)
	require.Empty(t, train.Classes())
	require.Equal(t, 50, train.Len())
	require.Equal(t, 20, test.Len())
	faces := train.(Regression)
	require.Equal(t, 6, faces.Targets())
	x, target := make([]float32, 2*64*48), make([]float32, 6)
	for i := range train.Len() {
		_, err := train.Read(x, i)
		require.NoError(t, err)
		require.NoError(t, faces.ReadTarget(target, i))
		for d := 0; d < 6; d += 2 {
			px, py := int(pixel(target[d], 48)+0.5), int(pixel(target[d+1], 64)+0.5)
			require.Greater(t, x[py*48+px], float32(200), "sample %d, dot %d", i, d/2)
			require.Equal(t, x[py*48+px], x[64*48+py*48+px], "the channels are the same")
		}
		bright := 0
		for _, v := range x[:64*48] {
			if v > 200 {
				bright++
			}
		}
		require.LessOrEqual(t, bright, 3*16, "and nowhere else")
	}
	other := make([]float32, 6)
	require.NoError(t, test.(Regression).ReadTarget(other, 49%20))
	require.NotEqual(t, target, other)
	require.Zero(t, testing.AllocsPerRun(10, func() { train.Read(x, 1); _ = faces.ReadTarget(target, 1) }))

	_, _, err = NewSynthetic(SyntheticOptions{Targets: -1})
	require.ErrorContains(t, err, "-1 targets")
	_, _, err = NewSynthetic(SyntheticOptions{Targets: 3, Shape: tensor.Shape{1, 8, 8}, Train: 1, Test: 1})
	require.NoError(t, err)
}

func TestLoaderBringsTargets(t *testing.T) {
	train, _, err := NewSynthetic(SyntheticOptions{Shape: tensor.Shape{1, 8, 8}, Targets: 3, Train: 10, Test: 1})
	require.NoError(t, err)
	l, err := NewLoader(t.Context(), train, LoaderOptions{Batch: 4, Shuffle: true, Epochs: 1})
	require.NoError(t, err)
	defer l.Close()
	target := make([]float32, 3)
	for _, n := range []int{4, 4, 2} {
		b, err := l.Next()
		require.NoError(t, err)
		require.Equal(t, tensor.Shape{n, 3}, b.Targets.Shape())
		for k, i := range b.Samples {
			require.NoError(t, train.(Regression).ReadTarget(target, i))
			require.Equal(t, target, b.Targets.Float32s()[3*k:3*k+3])
		}
		b.Release()
	}
	plain, _, err := NewSynthetic(SyntheticOptions{Shape: tensor.Shape{1, 8, 8}, Train: 10, Test: 1})
	require.NoError(t, err)
	l, err = NewLoader(t.Context(), plain, LoaderOptions{Batch: 4})
	require.NoError(t, err)
	defer l.Close()
	b, err := l.Next()
	require.NoError(t, err)
	require.Nil(t, b.Targets)
}
