package program

import (
	"context"
	"fmt"
	"io"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/report"
	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
)

// findUpdates is how many updates -lr-find makes without -iters.
const findUpdates = 100

// findRate makes a range test of learning rates, draws it, and prints the rate that it
// suggests.
func findRate(ctx context.Context, o *options, stdout, stderr io.Writer) (err error) {
	from, to, updates := o.findRange.From, o.findRange.To, findUpdates
	if !o.given["lr-range"] {
		from, to = 1e-4*o.rate, 1e3*o.rate
	}
	if o.given["iters"] {
		updates = o.iters
	}
	c, opened, err := o.newRun(ctx, stderr)
	if err != nil {
		return err
	}
	if c.Device, err = o.openDevice(c); err != nil {
		return err
	}
	defer command.Close(c.Device, &err)
	shown := newProgress(stderr)
	c.Observers = []solver.Observer{solver.ObserverFunc(func(e solver.Event) error {
		if p, ok := e.(solver.Progress); ok {
			shown.update(p)
		}
		return nil
	})}
	found, err := solver.FindRate(ctx, c, from, to, updates)
	shown.clear()
	if err != nil {
		return err
	}
	title := c.Network.Name + " on " + dataName(c.Data)
	fmt.Fprintf(stdout, "%s: rates from %.3g to %.3g in %d updates of %d images with %s\n", printable.Name(title), from, to, updates, c.Whole(), o.method)
	if len(found.Losses) == 0 {
		return command.BrokenError{Err: fmt.Errorf("the loss is not finite at the rate %g: -check says more", from)}
	}
	if err := report.Rates(o.find, title, &found); err != nil {
		return command.BrokenError{Err: fmt.Errorf("-lr-find: %w", err)}
	}
	printRates(stdout, &found)
	fmt.Fprintf(stdout, "the curve is in %s\n", printable.Name(o.find))
	listSkipped(stdout, opened.skipped)
	return nil
}

// printRates says how a range test ended, and what rate it suggests and why.
func printRates(w io.Writer, t *results.RateTest) {
	last, lowest := len(t.Rates)-1, t.Lowest()
	if t.Stopped {
		fmt.Fprintf(w, "stopped after update %d, at the rate %.2g: the smoothed loss was more than %d times its lowest, or not finite\n", last+1, t.Rates[last], results.RateGrowth)
	}
	rate := t.Suggested()
	if rate == 0 {
		fmt.Fprintf(w, "the loss never fell: begin with a lower rate than %.2g in -lr-range\n", t.Rates[0])
		return
	}
	fmt.Fprintf(w, "the smoothed loss was lowest, %.4g, at the rate %.2g\n", t.Smoothed[lowest], t.Rates[lowest])
	fmt.Fprintf(w, "suggested: -lr %.2g, a tenth of that\n", rate)
	if lowest == last {
		fmt.Fprintf(w, "the loss was still falling at the highest rate: a higher one in -lr-range may suggest more\n")
	}
}
