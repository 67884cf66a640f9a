package report

import (
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/internal/printable"
)

const (
	sheetWidth  = 1200 // about how many pixels wide a sheet is
	sheetGap    = 4
	captionLine = 13 // pixels of a line of basicfont
)

// Captioned is an image of a sheet: pixels from 0 to 255, [C,H,W] with one
// channel or three, and the lines under it. Other values are cut off.
type Captioned struct {
	Pixels  []float32
	C, H, W int
	Lines   []string
}

// Mark draws points into the image, as white crosses on black: x and y in turn, from -1, the
// left or the upper edge, to 1. Points that are NaN, or outside of the image, are left out.
func (s *Captioned) Mark(points []float32) {
	set := func(x, y int, value float32) {
		if x < 0 || x >= s.W || y < 0 || y >= s.H {
			return
		}
		for c := range s.C {
			s.Pixels[(c*s.H+y)*s.W+x] = value
		}
	}
	for k := 0; k+1 < len(points); k += 2 {
		fx, fy := float64(points[k]+1)/2*float64(s.W), float64(points[k+1]+1)/2*float64(s.H)
		if !(fx >= 0 && fx < float64(s.W) && fy >= 0 && fy < float64(s.H)) {
			continue
		}
		x, y := int(fx), int(fy)
		for _, d := range [][2]int{{-1, -1}, {-1, 1}, {1, -1}, {1, 1}} {
			set(x+d[0], y+d[1], 0)
		}
		for _, d := range [][2]int{{0, 0}, {-1, 0}, {1, 0}, {0, -1}, {0, 1}} {
			set(x+d[0], y+d[1], 255)
		}
	}
}

// Sheet writes images of one size, with their captions, as a grid in a PNG
// file. A row holds a multiple of group images.
func Sheet(path string, images []Captioned, group int) error {
	m := drawSheet(images, group)
	return atomicfile.Write(path, func(out io.Writer) error { return png.Encode(out, m) })
}

func drawSheet(images []Captioned, group int) *image.RGBA {
	h, w, lines, zoom := 1, 1, 0, 1
	for _, s := range images {
		h, w, lines = max(h, s.H), max(w, s.W), max(lines, len(s.Lines))
	}
	for 2*zoom*max(h, w) <= 200 { // small ones can be seen too
		zoom *= 2
	}
	cellW, cellH := w*zoom+sheetGap, h*zoom+lines*captionLine+2*sheetGap
	columns := min(len(images), max(1, sheetWidth/cellW/group)*group)
	rows := (len(images) + columns - 1) / columns
	m := image.NewRGBA(image.Rect(0, 0, columns*cellW+sheetGap, rows*cellH+sheetGap))
	draw.Draw(m, m.Bounds(), image.White, image.Point{}, draw.Src)
	for i, s := range images {
		x0, y0 := sheetGap+i%columns*cellW, sheetGap+i/columns*cellH
		for y := range s.H * zoom {
			for x := range s.W * zoom {
				m.SetRGBA(x0+x, y0+y, s.at(x/zoom, y/zoom))
			}
		}
		for n, line := range s.Lines {
			d := font.Drawer{Dst: m, Src: image.Black, Face: basicfont.Face7x13,
				Dot: fixed.P(x0, y0+h*zoom+(n+1)*captionLine-2)}
			d.DrawString(shown(line, (cellW-sheetGap)/basicfont.Face7x13.Advance))
		}
	}
	return m
}

// The characters of a picture that names may take.
const (
	maxTitle = 100
	maxClass = 40
)

// shown is a text as it is drawn: what can be seen, and of more than so many
// characters the end, which is where the names of files differ.
func shown(text string, limit int) string {
	if r := []rune(printable.Name(text)); len(r) > limit {
		return "~" + string(r[len(r)-max(limit-1, 0):])
	}
	return printable.Name(text)
}

// at is the colour of a pixel.
func (s *Captioned) at(x, y int) color.RGBA {
	value := func(c int) uint8 {
		return uint8(min(max(s.Pixels[(c*s.H+y)*s.W+x]+0.5, 0), 255))
	}
	if s.C == 3 {
		return color.RGBA{value(0), value(1), value(2), 0xff}
	}
	return color.RGBA{value(0), value(0), value(0), 0xff}
}
