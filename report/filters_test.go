package report

import (
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"
)

// read decodes a PNG file, which must be alone in its folder.
func read(t *testing.T, path string) image.Image {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file is left")
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	m, err := png.Decode(f)
	require.NoError(t, err)
	return m
}

func rgb(m image.Image, x, y int) [3]uint8 {
	c := color.RGBAModel.Convert(m.At(x, y)).(color.RGBA)
	return [3]uint8{c.R, c.G, c.B}
}

func weights(values []float32, shape ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
}

var white = [3]uint8{255, 255, 255}

func TestFiltersGrey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "filters.png")
	// Two filters of 2x3, one of them ten times as strong, and one of zeros.
	require.NoError(t, Filters(path, weights([]float32{
		1, 0, -1, 0.5, 0, 0,
		0, 10, 0, 0, 0, -5,
		0, 0, 0, 0, 0, 0,
	}, 3, 1, 2, 3)))
	m := read(t, path)
	zoom := filtersWidth / 9 // two columns of 3 weights, three gaps
	require.Equal(t, image.Rect(0, 0, 9*zoom, 7*zoom), m.Bounds())

	weight := func(x, y int) [3]uint8 { // middle of the pixel that stands for a weight or a gap
		return rgb(m, x*zoom+zoom/2, y*zoom+zoom/2)
	}
	gap := [3]uint8{gapColour.R, gapColour.G, gapColour.B}
	require.Equal(t, gap, weight(0, 0), "border")
	require.Equal(t, gap, weight(4, 1), "gap between filters")
	require.Equal(t, white, weight(1, 1), "1 of 1")
	require.Equal(t, [3]uint8{127, 127, 127}, weight(2, 1), "0 of 1")
	require.Equal(t, [3]uint8{0, 0, 0}, weight(3, 1), "-1 of 1")
	require.Equal(t, [3]uint8{191, 191, 191}, weight(1, 2), "0.5 of 1")
	require.Equal(t, white, weight(6, 1), "10 of 10")
	require.Equal(t, [3]uint8{63, 63, 63}, weight(7, 2), "-5 of 10")
	require.Equal(t, [3]uint8{128, 128, 128}, weight(1, 4), "a filter of zeros")
	require.Equal(t, gap, weight(6, 5), "no fourth filter")
	require.Equal(t, weight(3, 1), rgb(m, 3*zoom, zoom), "corners of a magnified pixel")
	require.Equal(t, weight(3, 1), rgb(m, 4*zoom-1, 2*zoom-1))
}

func TestFiltersColourAndMean(t *testing.T) {
	path := filepath.Join(t.TempDir(), "filters.png")
	require.NoError(t, Filters(path, weights([]float32{1, 0, -1}, 1, 3, 1, 1)))
	m := read(t, path)
	middle := m.Bounds().Dx() / 2
	require.Equal(t, [3]uint8{255, 127, 0}, rgb(m, middle, middle))

	require.NoError(t, Filters(path, weights([]float32{1, -4, 3, 2}, 1, 2, 1, 2))) // means 2 and -1
	m = read(t, path)
	zoom := filtersWidth / 4
	require.Equal(t, white, rgb(m, zoom+zoom/2, zoom+zoom/2))
	require.Equal(t, [3]uint8{63, 63, 63}, rgb(m, 2*zoom+zoom/2, zoom+zoom/2))
}

func TestFiltersOfAlexNet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "filters.png")
	require.NoError(t, Filters(path, weights(make([]float32, 96*3*11*11), 96, 3, 11, 11)))
	side := (10*12 + 1) * 5 // ten columns and rows, five pixels a weight
	require.Equal(t, image.Rect(0, 0, side, side), read(t, path).Bounds())
}

func TestFiltersRefusesOtherShapes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "filters.png")
	require.ErrorContains(t, Filters(path, weights(make([]float32, 6), 2, 3)), "[2 3]")
	require.NoFileExists(t, path)
}
