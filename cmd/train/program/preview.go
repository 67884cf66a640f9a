package program

import (
	"context"
	"fmt"
	"io"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/report"
)

// drawPreview draws images of a training set as the augmentation makes them,
// four of each picture: as a test sees it, and as it is in epochs 1 to 3.
func drawPreview(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	set, skipped, err := o.previewSet(ctx, stderr)
	if err != nil {
		return err
	}
	shape := set.Shape()
	var images []report.Captioned
	loader, err := data.NewLoader(ctx, set, data.LoaderOptions{Batch: 1, Shuffle: true, Seed: o.seed, Workers: 1})
	if err != nil {
		return err
	}
	defer loader.Close()
	for len(images) < o.preview {
		b, err := loader.Next()
		if err != nil {
			return err
		}
		i, class := b.Samples[0], ""
		if names := set.Classes(); len(names) > 0 {
			class = names[b.Labels.Int32s()[0]]
		}
		b.Release()
		for view := 0; view < 4 && len(images) < o.preview; view++ {
			s := report.Captioned{
				Pixels: make([]float32, shape.TotalSize()), C: shape[0], H: shape[1], W: shape[2],
				Lines: []string{class, data.Name(set, i), "as in a test"},
			}
			if view == 0 {
				_, err = set.Read(s.Pixels, i)
			} else {
				s.Lines[2] = fmt.Sprintf("epoch %d", view)
				_, err = set.ReadVaried(s.Pixels, i, o.seed, view-1)
			}
			if points, ok := set.(data.VariedRegression); ok && err == nil {
				err = drawPoints(s, points, i, o.seed, view)
			}
			if err != nil {
				return err
			}
			if s.C != 1 && s.C != 3 {
				s.C = 1 // the first channel of a stack
			}
			images = append(images, s)
		}
	}
	if err := report.Sheet(o.picture, images, 4); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d images of %dx%d from %s in %s\n", len(images), shape[1], shape[2], printable.Name(dataName(o.data)), printable.Name(o.picture))
	listSkipped(stdout, skipped)
	return nil
}

// drawPoints draws the points of a sample into it.
func drawPoints(s report.Captioned, set data.VariedRegression, i int, seed uint64, view int) error {
	at := make([]float32, set.Targets())
	err := set.ReadTarget(at, i)
	if view > 0 {
		err = set.ReadVariedTarget(at, i, seed, view-1)
	}
	if err != nil {
		return err
	}
	s.Mark(at)
	return nil
}

// previewSet is a training set with the augmentation of -augment, and the files
// that were left out of it.
func (o *options) previewSet(ctx context.Context, stderr io.Writer) (data.Varied, []data.Skip, error) {
	if data.IsPath(o.data) {
		p, err := o.photoOptions(nil, stderr)
		if err != nil {
			return nil, nil, err
		}
		photos, err := data.OpenPhotos(ctx, data.PhotoSpec{Train: o.data}, p)
		if err != nil {
			return nil, nil, err
		}
		return photos.Train, photos.Skipped, nil
	}
	set, _, err := o.openNamed(o.data, nil)
	if err != nil {
		return nil, nil, err
	}
	p, err := o.measured(ctx, set)
	if err != nil {
		return nil, nil, err
	}
	_, varied, err := data.Augmented(set, o.augment, p.Statistics)
	return varied, skippedOf(set), err
}
