package program

import (
	"fmt"
	"math"
	"path/filepath"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/predict"
	"github.com/hubel-go/hubel/report"
	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
)

// drawnFaces is how many faces of the test set are drawn with their points.
const drawnFaces = 16

// faces trains net1 to net5 of Nouri 2014, "Using convolutional neural nets to detect facial
// keypoints": one hidden layer; three convolutions; these with flips; with a rate and a
// momentum that change; and with both.
func faces(s *study) error {
	_, test, err := data.OpenKeypoints(s.data, false)
	if err != nil {
		return fmt.Errorf("-data: %w", err)
	}
	epochs := s.epochsOr(20)
	each := []string{"-data", "keypoints:" + s.data, "-epochs", fmt.Sprint(epochs), "-batch", "128", "-nesterov", "-decay", "0"}
	fixed := []string{"-lr", "0.01"}
	changing := []string{"-lr", "0.03", "-lr-policy", "linear", "-lr-end", "0.0001", "-momentum-end", "0.999"}
	row := func(name, model string, parts ...[]string) training {
		t := training{name: name, flags: append([]string{"-model", model}, each...)}
		for _, p := range parts {
			t.flags = append(t.flags, p...)
		}
		return t
	}
	flip := []string{"-augment", "flip"}
	rows, err := s.trainAll(
		row("net1", "net1", fixed),
		row("net2", "net2", fixed),
		row("net3", "net2", fixed, flip),
		row("net4", "net2", changing),
		row("net5", "net2", changing, flip),
	)
	if err != nil {
		return err
	}
	curves := filepath.Join(s.out, "curves.png")
	if err := report.Runs(curves, "facial keypoints", results.Metric{}, firstSeeds(rows)); err != nil {
		return err
	}
	drawing := filepath.Join(s.out, "faces.png")
	if err := s.drawFaces(rows[len(rows)-1][0], test, drawing); err != nil {
		return err
	}
	targets := test.(data.Regression).Targets()
	if err := s.table(rows, lossColumn(), squareColumn(targets), pixelsColumn(targets, test.Shape()[2])); err != nil {
		return err
	}
	fmt.Fprintf(s.stdout, "\nLosses are of the last epoch of %d. The curves are in %s, points of net5 in %s.\n", epochs, curves, drawing)
	return nil
}

// squareColumn is the mean of the squared differences of so many coordinates, which are
// from -1 to 1. The loss is half their sum.
func squareColumn(targets int) column {
	loss := lossColumn().value
	return column{"mean square", "%.6f", func(o outcome) (float64, bool) {
		x, ok := loss(o)
		return 2 * x / float64(targets), ok
	}}
}

// pixelsColumn is the root of that, in pixels of a picture so many pixels wide.
func pixelsColumn(targets, width int) column {
	square := squareColumn(targets).value
	return column{"root mean square, pixels", "%.2f", func(o outcome) (float64, bool) {
		x, ok := square(o)
		return math.Sqrt(x) * float64(width) / 2, ok
	}}
}

// drawFaces draws faces of a test set, evenly chosen, with the points that a training's
// network finds.
func (s *study) drawFaces(o outcome, test data.Dataset, path string) (err error) {
	d, err := device.Open("cpu", device.Options{})
	if err != nil {
		return err
	}
	defer command.Close(d, &err)
	p, err := predict.Open(d, filepath.Join(o.dir, solver.WeightsFile), predict.Options{})
	if err != nil {
		return err
	}
	defer command.Close(p, &err)
	shape := test.Shape()
	n := min(drawnFaces, test.Len())
	each := shape.TotalSize()
	pixels := make([]float32, n*each)
	images := make([]report.Captioned, n)
	for i := range n {
		at := i * test.Len() / n
		images[i] = report.Captioned{Pixels: pixels[i*each : (i+1)*each], C: shape[0], H: shape[1], W: shape[2], Lines: []string{data.Name(test, at)}}
		if _, err := test.Read(images[i].Pixels, at); err != nil {
			return err
		}
	}
	found, err := p.Predict(s.ctx, pixels)
	if err != nil {
		return err
	}
	for i := range images {
		images[i].Mark(found[i].Output)
	}
	return report.Sheet(path, images, 1)
}
