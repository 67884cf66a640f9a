package report

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/results"
)

// The sizes of a confusion matrix. A thousand classes make 3000 pixels.
const (
	confusionDPI = 100
	largestCell  = 40 // points
	smallestCell = 2
	namedCell    = 7  // from here on cells are high enough for a name
	countedCell  = 16 // and from here on for a count
	matrixSide   = 12 * vg.Inch
)

// Confusion draws a confusion matrix to a PNG file: a row for each class of
// the samples, a column for each answer. The darker a cell, the larger its
// fraction of the row: blue on the diagonal, which is right, and red elsewhere.
// Cells hold their counts and rows end with the fraction that was right, where
// there are few enough classes to read them.
func Confusion(path, title string, c *results.Confusion) error {
	n := len(c.Counts)
	if n == 0 || len(c.Classes) != n {
		return fmt.Errorf("picture of a confusion matrix: %d names for %d classes", len(c.Classes), n)
	}
	m := newMatrix(c, title)
	canvas := vgimg.NewWith(vgimg.UseWH(m.width, m.height), vgimg.UseDPI(confusionDPI))
	m.draw(draw.New(canvas))
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := vgimg.PngCanvas{Canvas: canvas}.WriteTo(w)
		return err
	})
}

// matrix is a confusion matrix with its measures.
type matrix struct {
	counts        [][]int
	classes       []string // as they are drawn; none where there is no room
	title         string
	cell          vg.Length
	names         vg.Length // room for the longest name; 0 where none is written
	width, height vg.Length
	left, bottom  vg.Length // of the cells
	label, head   text.Style
}

func newMatrix(c *results.Confusion, title string) *matrix {
	n := vg.Length(len(c.Counts))
	m := &matrix{counts: c.Counts, title: shown(title, maxTitle), cell: min(largestCell, max(smallestCell, matrixSide/n))}
	m.head = style(vg.Points(14))
	m.label = style(min(vg.Points(11), 0.8*m.cell))
	gap := vg.Points(12)
	fractions := vg.Length(0) // the column of them
	if m.cell >= namedCell {
		for _, name := range c.Classes {
			name = shown(name, maxClass)
			m.classes = append(m.classes, name)
			m.names = max(m.names, m.label.Width(name))
		}
		m.names += gap / 2
		fractions = m.label.Width("100.0 %") + gap
	}
	axis := 2 * m.head.Font.Size // the word beside an axis
	m.left = gap + axis + m.names
	m.bottom = gap + axis + m.names
	m.width = max(m.left+n*m.cell+fractions+gap, m.head.Width(m.title)+2*gap)
	m.height = m.bottom + n*m.cell + 3*m.head.Font.Size + gap
	return m
}

// style is text of a size in the house's font.
func style(size vg.Length) text.Style {
	f := plotter.DefaultFont
	f.Variant, f.Size = "Sans", size
	return text.Style{Color: color.Black, Font: f, Handler: text.Plain{Fonts: font.DefaultCache}}
}

func (m *matrix) draw(c draw.Canvas) {
	n := len(m.counts)
	side := vg.Length(n) * m.cell
	at := func(x, y vg.Length) vg.Point { return vg.Point{X: x, Y: y} }
	aligned := func(s text.Style, x text.XAlignment, y text.YAlignment) text.Style {
		s.XAlign, s.YAlign = x, y
		return s
	}
	upright := func(s text.Style) text.Style {
		s.Rotation = math.Pi / 2
		return s
	}
	axis := m.head
	axis.Font.Size = vg.Points(12)
	c.FillText(aligned(m.head, text.XLeft, text.YCenter), at(vg.Points(12), m.height-2*m.head.Font.Size), m.title)
	c.FillText(aligned(axis, text.XCenter, text.YBottom), at(m.left+side/2, vg.Points(8)), "answer")
	c.FillText(aligned(upright(axis), text.XCenter, text.YTop), at(vg.Points(8), m.bottom+side/2), "class")

	label := aligned(m.label, text.XRight, text.YCenter)
	for i, counts := range m.counts {
		total := 0
		for _, k := range counts {
			total += k
		}
		y := m.bottom + vg.Length(n-1-i)*m.cell
		for k, count := range counts {
			fraction := 0.0
			if total > 0 {
				fraction = float64(count) / float64(total)
			}
			m.drawCell(c, at(m.left+vg.Length(k)*m.cell, y), i == k, count, fraction)
		}
		if m.names == 0 {
			continue
		}
		c.FillText(label, at(m.left-vg.Points(5), y+m.cell/2), m.classes[i])
		c.FillText(upright(label), at(m.left+(vg.Length(i)+0.5)*m.cell, m.bottom-vg.Points(5)), m.classes[i])
		if total > 0 {
			right := fmt.Sprintf("%.1f %%", 100*float64(counts[i])/float64(total))
			c.FillText(aligned(m.label, text.XLeft, text.YCenter), at(m.left+side+vg.Points(6), y+m.cell/2), right)
		}
	}
	frame := draw.LineStyle{Color: color.Gray{0x60}, Width: vg.Points(0.75)}
	c.StrokeLine2(frame, m.left, m.bottom, m.left+side, m.bottom)
	c.StrokeLine2(frame, m.left, m.bottom+side, m.left+side, m.bottom+side)
	c.StrokeLine2(frame, m.left, m.bottom, m.left, m.bottom+side)
	c.StrokeLine2(frame, m.left+side, m.bottom, m.left+side, m.bottom+side)
}

// drawCell draws a cell whose lower left corner is at p.
func (m *matrix) drawCell(c draw.Canvas, p vg.Point, right bool, count int, fraction float64) {
	if count == 0 {
		return
	}
	full := testColour
	if right {
		full = lossColour
	}
	q := vg.Point{X: p.X + m.cell, Y: p.Y + m.cell}
	c.FillPolygon(tint(full, fraction), []vg.Point{p, {X: q.X, Y: p.Y}, q, {X: p.X, Y: q.Y}})
	if m.cell < countedCell {
		return
	}
	s := m.label
	s.XAlign, s.YAlign = text.XCenter, text.YCenter
	if fraction > 0.6 {
		s.Color = color.White
	}
	number := strconv.Itoa(count)
	if w := s.Width(number); w > 0.9*m.cell {
		s.Font.Size *= 0.9 * m.cell / w
	}
	c.FillText(s, vg.Point{X: p.X + m.cell/2, Y: p.Y + m.cell/2}, number)
}

// tint is a colour on white. The square root lets rare mistakes be seen.
func tint(c color.RGBA, fraction float64) color.RGBA {
	s := math.Sqrt(fraction)
	mix := func(v uint8) uint8 { return uint8(255 + s*(float64(v)-255)) }
	return color.RGBA{mix(c.R), mix(c.G), mix(c.B), 0xff}
}
