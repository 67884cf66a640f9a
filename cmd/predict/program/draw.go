package program

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/predict"
	"github.com/hubel-go/hubel/report"
)

// drawnPictures is how many pictures a drawing has at most: the first ones.
const drawnPictures = 96

// drawing is pictures with the points that a network predicts.
type drawing struct {
	photos *data.Photos
	images []report.Captioned
}

// newDrawing is a drawing of the files, for a network that predicts points.
func newDrawing(p *predict.Predictor, names []string) (*drawing, error) {
	outputs := 1
	for _, d := range p.OutputShape() {
		outputs *= d
	}
	if len(p.Classes()) > 0 || outputs%2 != 0 {
		return nil, errors.New("-draw is for a network that predicts points, x and y in turn, from -1 to 1: its numbers are even, and it has no classes")
	}
	photos, err := p.Photos(names)
	return &drawing{photos: photos}, err
}

// add draws the points of picture i.
func (d *drawing) add(i int, name string, points []float32) error {
	if len(d.images) == drawnPictures {
		return nil
	}
	shape := d.photos.Shape()
	s := report.Captioned{Pixels: make([]float32, shape.TotalSize()), C: shape[0], H: shape[1], W: shape[2], Lines: []string{name}}
	if _, err := d.photos.Read(s.Pixels, i); err != nil {
		return err
	}
	if s.C != 1 && s.C != 3 {
		s.C = 1 // the first channel of a stack
	}
	s.Mark(points)
	d.images = append(d.images, s)
	return nil
}

// write writes the drawing, if there is something in it.
func (d *drawing) write(path string) error {
	if len(d.images) == 0 {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return fmt.Errorf("-draw: %w", err)
	}
	if err := report.Sheet(path, d.images, 1); err != nil {
		return fmt.Errorf("-draw: %w", err)
	}
	return nil
}
