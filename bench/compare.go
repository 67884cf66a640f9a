package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Change is what was measured in two reports.
type Change struct {
	Old, New Result
}

// Ratio is how many times faster the new is.
func (c Change) Ratio() float64 { return c.Old.Seconds / c.New.Seconds }

// Compare pairs what two reports both measured, in the order of the new one,
// and counts what only one of them did.
func Compare(before, after *Report) (changes []Change, unpaired int) {
	type place struct{ key, where string }
	old := map[place]Result{}
	for _, x := range before.Results {
		old[place{x.Key(), x.Where()}] = x
	}
	for _, x := range after.Results {
		p := place{x.Key(), x.Where()}
		o, ok := old[p]
		if !ok {
			unpaired++
			continue
		}
		delete(old, p)
		changes = append(changes, Change{o, x})
	}
	return changes, unpaired + len(old)
}

// winograd is the flag that a report was made with.
func winograd(r *Report) string {
	if r.DirectConv {
		return "off"
	}
	return "auto"
}

// contents are the titles of a report's tables, with their places.
func contents(r *Report) string {
	var parts []string
	for _, t := range r.grouped() {
		parts = append(parts, fmt.Sprintf("%s, on %s", t.title(), strings.Join(t.places, " and ")))
	}
	return strings.Join(parts, "; ")
}

// WriteComparison writes the ratios of two reports for people.
func WriteComparison(out io.Writer, before, after *Report) error {
	if a, b := before.Machine, after.Machine; a.CPU != b.CPU || a.Path != b.Path || a.Go != b.Go || a.Cores != b.Cores {
		fmt.Fprintf(out, "\nold: %s, cores %d, %s, path %s\nnew: %s, cores %d, %s, path %s\nThe ratios are not of the code alone.\n",
			a.CPU, a.Cores, a.Go, a.Path, b.CPU, b.Cores, b.Go, b.Path)
	}
	if before.DirectConv != after.DirectConv {
		fmt.Fprintf(out, "\nold: -winograd=%s\nnew: -winograd=%s\n", winograd(before), winograd(after))
	}
	if before.TF32 != after.TF32 {
		fmt.Fprintf(out, "\nold: -tf32=%t\nnew: -tf32=%t\n", before.TF32, after.TF32)
	}
	changes, unpaired := Compare(before, after)
	fmt.Fprintln(out)
	if len(changes) == 0 {
		_, err := fmt.Fprintf(out, "Nothing is in both reports: the old one has %s, and the new one %s.\n", contents(before), contents(after))
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	line(w, []string{"what", "device", "old", "±", "new", "±", "old/new"})
	for _, c := range changes {
		line(w, []string{c.New.Key(), c.New.Where(),
			fmt.Sprintf("%.3f ms", 1e3*c.Old.Seconds), fmt.Sprintf("%.0f %%", 100*c.Old.Spread),
			fmt.Sprintf("%.3f ms", 1e3*c.New.Seconds), fmt.Sprintf("%.0f %%", 100*c.New.Spread),
			fmt.Sprintf("%.2fx", c.Ratio())})
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if unpaired > 0 {
		fmt.Fprintf(out, "%d more are in only one of the reports.\n", unpaired)
	}
	return nil
}
