package program

import (
	"fmt"
	"path/filepath"

	"github.com/hubel-go/hubel/report"
	"github.com/hubel-go/hubel/results"
)

// lenet5 trains LeNet-5 (LeCun et al. 1998) on digits and on articles of clothing.
func lenet5(s *study) error {
	epochs := s.epochsOr(5)
	row := func(set string) training {
		return training{name: set, flags: []string{"-model", "lenet5", "-data", set, "-epochs", fmt.Sprint(epochs), "-batch", "64", "-lr", "0.1", "-lr-policy", "cosine"}}
	}
	rows, err := s.trainAll(row("mnist"), row("fashion-mnist"))
	if err != nil {
		return err
	}
	curves := filepath.Join(s.out, "curves.png")
	if err := report.Runs(curves, "LeNet-5", results.Metric{Name: accuracy, Share: true}, firstSeeds(rows)); err != nil {
		return err
	}
	if err := s.table(rows, lossColumn(), errorColumn()); err != nil {
		return err
	}
	fmt.Fprintf(s.stdout, "\nThe tests are those after epoch %d. The curves of seed 1 are in %s.\n", epochs, curves)
	return nil
}
