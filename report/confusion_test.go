package report

import (
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/results"
)

// confusion is a matrix of n classes where most answers are right.
func confusion(n int) *results.Confusion {
	c := &results.Confusion{}
	for i := range n {
		c.Classes = append(c.Classes, fmt.Sprintf("class number %d", i))
		row := make([]int, n)
		row[i] = 300 + 10*i%97
		row[(i+1)%n] += 40
		row[(i*i+3)%n] += 7
		c.Counts = append(c.Counts, row)
	}
	return c
}

func readPNG(t *testing.T, path string) image.Image {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	m, err := png.Decode(f)
	require.NoError(t, err)
	return m
}

func TestConfusion(t *testing.T) {
	for _, n := range []int{1, 2, 10, 100, 1000} {
		path := filepath.Join(t.TempDir(), "confusion.png")
		require.NoError(t, Confusion(path, "small on synthetic: 91.25 % right", confusion(n)))
		m := readPNG(t, path)
		require.Greater(t, m.Bounds().Dx(), 100)
		require.Less(t, m.Bounds().Dx(), 3600)
		require.Less(t, m.Bounds().Dy(), 3600)

		// There is a cell of the diagonal's blue in every row, and white.
		blue, white := 0, 0
		for y := range m.Bounds().Dy() {
			for x := range m.Bounds().Dx() {
				switch r, g, b, _ := m.At(x, y).RGBA(); {
				case b > r+0x3000 && b > g+0x1000:
					blue++
				case r == 0xffff && g == 0xffff && b == 0xffff:
					white++
				}
			}
		}
		require.Greater(t, blue, 4*n, "%d classes", n)
		require.Positive(t, white)
	}
}

func TestConfusionRefuses(t *testing.T) {
	c := confusion(3)
	c.Classes = c.Classes[:2]
	require.ErrorContains(t, Confusion(filepath.Join(t.TempDir(), "c.png"), "", c), "2 names for 3 classes")
	require.ErrorContains(t, Confusion(filepath.Join(t.TempDir(), "c.png"), "", &results.Confusion{}), "0 names for 0 classes")
}

// Names may be of any length and hold anything.
func TestNamesInPictures(t *testing.T) {
	hostile := "\x1b[2J\nclass\u202e\xff" + strings.Repeat("a", 1<<20)
	c := confusion(3)
	c.Classes[1] = hostile
	path := filepath.Join(t.TempDir(), "c.png")
	require.NoError(t, Confusion(path, hostile, c))
	require.Less(t, readPNG(t, path).Bounds().Dx(), 2000)
	require.NoError(t, Curve(path, hostile, []results.LogLine{{Iteration: 1, Loss: 1}}, results.Metric{}))
	require.NoError(t, Sheet(path, []Captioned{{Pixels: make([]float32, 1), C: 1, H: 1, W: 1, Lines: []string{hostile}}}, 1))
	require.Less(t, readPNG(t, path).Bounds().Dx(), 300)
	require.Equal(t, `"\x1b[2J\nclass\u202e\xff"`, shown(hostile[:len(hostile)-1<<20], 40))
}
