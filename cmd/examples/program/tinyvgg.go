package program

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/report"
	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
)

// tinyVGGBatch is the batch of its training.
const tinyVGGBatch = 64

// tinyVGG trains a small network of VGG's kind (Simonyan and Zisserman 2015) on pictures of
// CIFAR-10's size, and shows the gradients of each layer in the first update of an epoch.
func tinyVGG(s *study) error {
	set := s.data
	if set == "" {
		set = "fashion-mnist"
	}
	epochs := s.epochsOr(30)
	if s.at == 0 {
		s.at = epochs
	}
	if s.at > epochs {
		return fmt.Errorf("-at %d is after the last epoch, %d", s.at, epochs)
	}
	train, _, err := data.Open(set, data.OpenOptions{})
	if err != nil {
		return fmt.Errorf("-data: %w", err)
	}
	perEpoch := solver.Iterations(1, train.Len(), tinyVGGBatch)
	rows, err := s.trainAll(training{name: "tiny-vgg", flags: []string{"-model", "tiny-vgg", "-data", set, "-preprocess", "mean,std",
		"-augment", fmt.Sprintf("pad=4,crop=%dx%d,flip", train.Shape()[1], train.Shape()[2]),
		"-epochs", fmt.Sprint(epochs), "-batch", fmt.Sprint(tinyVGGBatch), "-lr", "0.02", "-lr-policy", "cosine", fmt.Sprintf("-monitor=%d", perEpoch)}})
	if err != nil {
		return err
	}
	curves := filepath.Join(s.out, "curves.png")
	if err := report.Runs(curves, "tiny-vgg", results.Metric{Name: accuracy, Share: true}, firstSeeds(rows)); err != nil {
		return err
	}
	if err := s.table(rows, lossColumn(), accuracyColumn()); err != nil {
		return err
	}
	first := rows[0][0].dir
	lines, err := results.ReadLines[results.MonitorLine](filepath.Join(first, results.MonitorFile))
	if err != nil {
		return err
	}
	update := (s.at-1)*perEpoch + 1
	i := slices.IndexFunc(lines, func(l results.MonitorLine) bool { return l.Iteration == update })
	if i < 0 {
		return fmt.Errorf("%s has nothing of update %d, the first of epoch %d: was -monitor changed? Remove %s, or choose another folder with -out", filepath.Join(first, results.MonitorFile), update, s.at, s.out)
	}
	fmt.Fprintf(s.stdout, "\nGradients of seed 1 in update %d, the first of epoch %d:\n\n", update, s.at)
	if err := s.gradients(lines[i]); err != nil {
		return err
	}
	fmt.Fprintf(s.stdout, "\nThe histograms of all epochs are in %s, the curves in %s.\n", filepath.Join(first, "monitor.png"), curves)
	return nil
}

// gradients writes a table of the gradients of each layer in an update, of the loss with
// respect to its outputs and to its weights, on standard output and into gradients.md.
func (s *study) gradients(l results.MonitorLine) error {
	return atomicfile.Write(filepath.Join(s.out, "gradients.md"), func(file io.Writer) error {
		w := io.MultiWriter(s.stdout, file)
		fmt.Fprintln(w, "| layer | of outputs: norm | mean | deviation | of weights: norm | mean | deviation |")
		fmt.Fprintln(w, "|---|---|---|---|---|---|---|")
		for _, n := range l.Layers {
			if n.OutputGradients == nil && n.WeightGradients == nil {
				continue
			}
			if _, err := fmt.Fprintf(w, "| %s |%s%s\n", n.Layer, moments(n.OutputGradients), moments(n.WeightGradients)); err != nil {
				return err
			}
		}
		return nil
	})
}

// moments are three cells of a table.
func moments(d *results.Distribution) string {
	if d == nil {
		return " | | |"
	}
	return fmt.Sprintf(" %.2g | %.2g | %.2g |", d.Norm, d.Mean, d.Deviation)
}
