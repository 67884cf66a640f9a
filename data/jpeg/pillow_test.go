package jpeg

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// pixels are red, green and blue of a decoded picture of w by h, chroma being
// enlarged by linear interpolation.
func pixels(planes []Plane, space Space, w, h int) []uint8 {
	rgb := make([]uint8, 0, 3*w*h)
	rows := make([][]uint8, 3)
	for i := range rows {
		rows[i] = make([]uint8, w)
	}
	for y := range h {
		for i := range planes {
			planes[i].enlargedRow(rows[i], y, 1)
		}
		for x := range w {
			a, b, c := rows[0][x], rows[1][x], rows[2][x]
			switch space {
			case Grey:
				b, c = a, a
			case YCbCr:
				a, b, c = color.YCbCrToRGB(a, b, c)
			}
			rgb = append(rgb, a, b, c)
		}
	}
	return rgb
}

// meanDifference is that of two pictures.
func meanDifference(a, b []uint8) float64 {
	sum := 0.
	for i := range a {
		sum += math.Abs(float64(a[i]) - float64(b[i]))
	}
	return sum / float64(len(a))
}

// What Pillow made of the files of testdata/pillow is what this package makes of
// them: CMYK with and without Adobe's marker, subsampled; YCCK; one scan for
// two components of different sampling; no Huffman tables; samples of thirds and
// of 4 to 2; luma that is smaller than chroma; markers that disagree.
func TestAsPillow(t *testing.T) {
	names, err := filepath.Glob("testdata/pillow/*.jpg")
	require.NoError(t, err)
	require.Len(t, names, 12)
	for _, name := range names {
		f, err := os.Open(strings.TrimSuffix(name, ".jpg") + ".png")
		require.NoError(t, err)
		defer f.Close()
		m, err := png.Decode(f)
		require.NoError(t, err)
		var want []uint8
		w, h := m.Bounds().Dx(), m.Bounds().Dy()
		for i := range w * h {
			c := color.NRGBAModel.Convert(m.At(i%w, i/w)).(color.NRGBA)
			want = append(want, c.R, c.G, c.B)
		}
		config, planes := decode(t, readFile(t, strings.TrimPrefix(name, "testdata/")), 0)
		require.Equal(t, []int{w, h}, []int{config.Width, config.Height}, name)
		require.Less(t, meanDifference(pixels(planes, config.Space, w, h), want), 2., name)

		// Its halves show the same.
		for halvings := 1; halvings <= 3; halvings++ {
			config, planes = decode(t, readFile(t, strings.TrimPrefix(name, "testdata/")), halvings)
			for _, p := range planes {
				require.GreaterOrEqual(t, float64(p.W)*p.SX, float64(w), name)
				require.GreaterOrEqual(t, float64(p.H)*p.SY, float64(h), name)
			}
			require.InDelta(t, mean(want), mean(pixels(planes, config.Space, w, h)), 2, "%s, halved %d times", name, halvings)
		}
	}
}

func mean(pix []uint8) float64 { return meanDifference(pix, make([]uint8, len(pix))) }

// What Pillow makes of a grid of sampling, scans, restarts, progression, markers
// and identifiers, testdata/pillow.py has the kinds, is what this package makes
// of it.
func TestPillow(t *testing.T) {
	if os.Getenv("HUBEL_LONG") == "" {
		t.Skip("HUBEL_LONG=1 runs it: it writes and decodes thousands of pictures")
	}
	python := ""
	for _, p := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(p, "-c", "import PIL").Run() == nil {
			python = p
			break
		}
	}
	if python == "" {
		t.Skip("there is no python3 that can import PIL: install python3-pil")
	}
	c := exec.CommandContext(t.Context(), python, "testdata/pillow.py")
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.Start())
	files, worst := 0, 0.
	var d Decoder
	for r := bufio.NewReader(out); ; files++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		var head struct {
			Name                 string
			Bytes, Width, Height int
		}
		require.NoError(t, json.Unmarshal(line, &head))
		file, want := make([]byte, head.Bytes), make([]byte, 3*head.Width*head.Height)
		_, err = io.ReadFull(r, file)
		require.NoError(t, err)
		_, err = io.ReadFull(r, want)
		require.NoError(t, err)
		config, err := d.Open(file)
		require.NoError(t, err, head.Name)
		require.Equal(t, []int{head.Width, head.Height}, []int{config.Width, config.Height}, head.Name)
		planes, err := d.Decode(t.Context(), image.Rect(0, 0, config.Width, config.Height), 0)
		require.NoError(t, err, head.Name)
		off := meanDifference(pixels(planes, config.Space, config.Width, config.Height), want)
		require.Less(t, off, 2., head.Name)
		worst = max(worst, off)
	}
	require.NoError(t, c.Wait(), said.String())
	require.Greater(t, files, 500)
	t.Logf("%d files, mean difference at most %.2f of 255. %s", files, worst, said.String())
}
