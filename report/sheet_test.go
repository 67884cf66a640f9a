package report

import (
	"image/color"
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDrawSheet(t *testing.T) {
	red := Captioned{Pixels: make([]float32, 3*4*6), C: 3, H: 4, W: 6, Lines: []string{"a very long name of a file that ends in 17.jpg"}}
	for i := range 24 {
		red.Pixels[i] = 300 // cut off
		red.Pixels[24+i] = -7
	}
	grey := Captioned{Pixels: make([]float32, 24), C: 1, H: 4, W: 6}
	grey.Pixels[23] = 99.6
	m := drawSheet([]Captioned{red, grey, red, red, red, red, red}, 2)
	const zoom = 32
	require.Equal(t, color.RGBA{255, 0, 0, 255}, m.RGBAAt(sheetGap, sheetGap))
	require.Equal(t, color.RGBA{255, 0, 0, 255}, m.RGBAAt(sheetGap+6*zoom-1, sheetGap+4*zoom-1))
	x := sheetGap + 6*zoom + sheetGap
	require.Equal(t, color.RGBA{0, 0, 0, 255}, m.RGBAAt(x, sheetGap))
	require.Equal(t, color.RGBA{100, 100, 100, 255}, m.RGBAAt(x+6*zoom-1, sheetGap+4*zoom-1))
	require.Equal(t, 6*(6*zoom+sheetGap)+sheetGap, m.Bounds().Dx(), "three groups of two fit")

	require.Equal(t, "~17.jpg", shown("a/17.jpg", 7))
	require.Equal(t, "17.jpg", shown("17.jpg", 7))
	require.NoError(t, Sheet(filepath.Join(t.TempDir(), "a.png"), []Captioned{red}, 4))
}

// A point is a white cross on black, cut off at the edge; one that is missing or outside is
// not drawn.
func TestMark(t *testing.T) {
	nan := float32(math.NaN())
	s := Captioned{Pixels: make([]float32, 2*5*6), C: 2, H: 5, W: 6}
	for i := range s.Pixels {
		s.Pixels[i] = 7
	}
	s.Mark([]float32{-1, -1, 0.1, 0.9, nan, 0, 0, nan, 1, 0, -1.5, 0, 0})
	want := []float32{
		255, 255, 7, 7, 7, 7,
		255, 0, 7, 7, 7, 7,
		7, 7, 7, 7, 7, 7,
		7, 7, 0, 255, 0, 7,
		7, 7, 255, 255, 255, 7,
	}
	require.Equal(t, append(want, want...), s.Pixels)
}
