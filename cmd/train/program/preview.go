package program

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/report"
)

// preview is what -preview draws from.
type preview struct {
	set        data.Varied
	augment    data.Augment
	preprocess data.Preprocess
	skipped    []data.Skip // files that were left out
}

// drawPreview draws images of a training set as the augmentation makes them, four of each
// picture: as a test sees it, and as it is in epochs 1 to 3. One that is mixed with another
// is named by the share of each class. Without an augmentation these are the same, and there
// is one. With -preprocess each is followed by what a network sees.
func drawPreview(ctx context.Context, o *options, stdout, stderr io.Writer) error {
	p, err := o.openPreview(ctx, stderr)
	if err != nil {
		return err
	}
	shape := p.set.Shape()
	views, images, note := 1, 1, ""
	if o.augment != nil {
		views = 4
	}
	if o.normal != "" {
		if err := p.preprocess.Check(shape); err != nil {
			return err
		}
		images, note = 2, ", each before and after -preprocess "+o.normal
	}
	var sheet []report.Captioned
	loader, err := data.NewLoader(ctx, p.set, data.LoaderOptions{Batch: 1, Shuffle: true, Seed: o.seed, Workers: 1})
	if err != nil {
		return err
	}
	defer loader.Close()
	for len(sheet) < images*o.preview {
		b, err := loader.Next()
		if err != nil {
			return err
		}
		i, class := b.Samples[0], ""
		if names := p.set.Classes(); len(names) > 0 {
			class = names[b.Labels.Int32s()[0]]
		}
		b.Release()
		for view := 0; view < views && len(sheet) < images*o.preview; view++ {
			before, after, err := p.draw(i, view, o.seed, class)
			if err != nil {
				return err
			}
			sheet = append(sheet, []report.Captioned{before, after}[:images]...)
		}
	}
	if err := report.Sheet(o.picture, sheet, views*images); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%d images of %dx%d from %s%s in %s\n", o.preview, shape[1], shape[2], printable.Name(dataName(o.data)), note, printable.Name(o.picture))
	listSkipped(stdout, p.skipped)
	return nil
}

// draw draws a view of a sample, before and after preprocessing. View 0 is that of a test.
func (p *preview) draw(sample, view int, seed uint64, class string) (before, after report.Captioned, err error) {
	shape := p.set.Shape()
	c, h, w := shape[0], shape[1], shape[2]
	x, name := make([]float32, shape.TotalSize()), "as in a test"
	if view == 0 {
		_, err = p.set.Read(x, sample)
	} else {
		name = fmt.Sprintf("epoch %d", view)
		var label int32
		label, err = p.set.ReadVaried(x, sample, seed, view-1)
		if classes := p.set.Classes(); err == nil && len(classes) > 0 && p.augment.Mixes() {
			class, err = p.mix(x, sample, label, seed, view-1)
		}
	}
	if err != nil {
		return before, after, err
	}
	if c != 1 && c != 3 {
		c = 1 // the first channel of a stack
	}
	made := slices.Clone(x)
	p.preprocess.Apply(made)
	after = report.Signed(made[:c*h*w], c, h, w, class, data.Name(p.set, sample), "preprocessed")
	before = report.Captioned{Pixels: x, C: c, H: h, W: w, Lines: []string{class, data.Name(p.set, sample), name}}
	if points, ok := p.set.(data.VariedRegression); ok {
		err = drawPoints(before, points, sample, seed, view)
	}
	return before, after, err
}

// mix mixes x, a sample of the class label, and returns the classes in it with their shares.
func (p *preview) mix(x []float32, sample int, label int32, seed uint64, epoch int) (string, error) {
	classes := p.set.Classes()
	share := make([]float32, len(classes))
	if _, err := p.augment.Mix(share, x, make([]float32, len(x)), p.set, sample, label, seed, epoch); err != nil {
		return "", err
	}
	var parts []string
	for i, s := range share {
		if s > 0 {
			parts = append(parts, fmt.Sprintf("%s %.2f", classes[i], s))
		}
	}
	return strings.Join(parts, ", "), nil
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

// openPreview opens a training set with the augmentation of -augment and the preprocessing of
// -preprocess.
func (o *options) openPreview(ctx context.Context, stderr io.Writer) (*preview, error) {
	if data.IsPath(o.data) {
		p, err := o.photoOptions(nil, stderr)
		if err != nil {
			return nil, err
		}
		photos, err := data.OpenPhotos(ctx, data.PhotoSpec{Train: o.data, Order: o.order}, p)
		if err != nil {
			return nil, err
		}
		sayAssumed(stderr, photos.Assumed)
		return &preview{photos.Train, o.augment, photos.Preprocess, photos.Skipped}, nil
	}
	set, _, err := o.openNamed(o.data, nil)
	if err != nil {
		return nil, err
	}
	p, err := o.measured(ctx, set)
	if err != nil {
		return nil, err
	}
	_, varied, err := data.Augmented(set, o.augment, p.Statistics)
	return &preview{varied, o.augment, p, skippedOf(set)}, err
}
