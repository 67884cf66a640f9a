package program

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/solver"
)

// diverged says where a loss that is not finite came from, if that is what the
// error is.
func (s *session) diverged(err error) bool {
	var d *solver.Diverged
	if !errors.As(err, &d) {
		return false
	}
	printDiverged(d, s.stdout)
	fmt.Fprintln(s.stdout, "\nWhat next")
	w := tabwriter.NewWriter(s.stdout, 0, 0, 2, ' ', 0)
	if d.File != "" && !d.Test {
		fmt.Fprintf(w, "  repeat that update\t%s -replay %s\n", s.program, command.Quoted(d.File))
		fmt.Fprintf(w, "  on one thread of plain Go\t%s -replay %s -cpu-path generic -threads 1\n", s.program, command.Quoted(d.File))
	}
	fmt.Fprintf(w, "  start again\t%s\n", d.Advice())
	_ = w.Flush() // standard output's error shows elsewhere
	return true
}

// printDiverged prints the numbers of every layer and the first bad value.
func printDiverged(d *solver.Diverged, stdout io.Writer) {
	fmt.Fprintf(stdout, "\nThe layers of iteration %d, computed again with every value kept\n", d.Iteration)
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "layer\tmean\tdeviation\tzeros\tlargest\tNaN or infinite\tgradient/weight\t")
	for _, l := range d.Layers {
		gradient := ""
		if l.Gradient != nil {
			gradient = fmt.Sprintf("%.2g", *l.Gradient)
		}
		fmt.Fprintf(w, "%s\t%.3g\t%.3g\t%.1f %%\t%.3g\t%d\t%s\t\n", l.Layer, l.Mean, l.Deviation, 100*l.Zeros, l.Largest, l.Bad, gradient)
	}
	_ = w.Flush() // standard output's error shows elsewhere
	fmt.Fprintf(stdout, "\nThe first value to go bad is in %s.\n", d.Where())
}

// replay repeats the update of a file of a run that diverged.
func replay(o *options, stdout io.Writer) (err error) {
	d, err := device.Open(o.device, o.deviceOptions())
	if err != nil {
		return err
	}
	defer command.Close(d, &err)
	bad, err := solver.Replay(d, o.replay)
	if err != nil {
		return err
	}
	if bad == nil {
		fmt.Fprintf(stdout, "Repeated on %s: every value is finite.\n", o.device)
		return nil
	}
	printDiverged(bad, stdout)
	return command.BrokenError{Err: bad}
}
