package report

import (
	"image"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMapsAsImages(t *testing.T) {
	require.Equal(t, []float32{0, 127.5, 255}, Grey([]float32{1, 2, 3}, 1, 3, 1, 3).Pixels)
	require.Equal(t, []float32{0, 0}, Grey([]float32{7, 7}, 1, 2, 7, 7).Pixels, "nothing to scale by")
	require.Equal(t, []float32{127.5, 255, 63.75}, Signed([]float32{0, 2, -1}, 1, 1, 3).Pixels)
	require.Equal(t, []float32{127.5}, Signed([]float32{0}, 1, 1, 1).Pixels)

	s := Captioned{Pixels: []float32{10, 100, 200, 250}, C: 1, H: 2, W: 2}
	grey := Captioned{Pixels: []float32{100, 100, 100, 100}, C: 1, H: 2, W: 2}
	require.InDeltaSlice(t, []float32{40, 255, 255, 40, 40, 255, 255, 40, 40, 0, 0, 40}, Heat(grey, []float32{0, 1, 2, -1}).Pixels, 1e-4)
	require.Equal(t, []float32{127.5, 127.5, 127.5, 10}, s.Part(image.Rect(-1, -1, 1, 1)).Pixels)
	require.Equal(t, []float32{100, 127.5}, s.Part(image.Rect(1, 0, 3, 1), "x").Pixels)

	f := s.Framed(image.Rect(0, 0, 1, 1), "field")
	require.Equal(t, []string{"field"}, f.Lines)
	require.Equal(t, 160, f.H)
	require.Equal(t, testColour, f.at(0, 79))
	require.Equal(t, testColour, f.at(79, 1))
	require.EqualValues(t, 10, f.at(40, 40).R)
	require.EqualValues(t, 100, f.at(80, 0).R)
	open := s.Framed(image.Rect(1, 1, 9, 9))
	require.Equal(t, testColour, open.at(81, 159))
	require.EqualValues(t, 250, open.at(159, 159).R, "the frame does not close")
}
