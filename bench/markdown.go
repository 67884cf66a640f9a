package bench

import (
	"fmt"
	"io"
	"strings"
)

// WriteMarkdown writes the tables of the report for a document: what each place
// took, the fraction of its roof, and what limits a predicted time.
func (r *Report) WriteMarkdown(out io.Writer) error {
	for i, t := range r.grouped() {
		if i > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "| %s | pass |", t.title())
		for _, place := range t.places {
			fmt.Fprintf(out, " %s |", place)
		}
		fmt.Fprintf(out, "\n|---|---|%s\n", strings.Repeat("---|", len(t.places)))
		for _, row := range t.rows {
			x := first(row)
			fmt.Fprintf(out, "| %s | %s |", x.Name, x.Pass)
			for _, x := range row {
				fmt.Fprintf(out, " %s |", r.Machine.short(x))
			}
			if _, err := fmt.Fprintln(out); err != nil {
				return err
			}
		}
	}
	return nil
}

// short is a result in a cell.
func (m Machine) short(x *Result) string {
	if x == nil {
		return ""
	}
	parts := []string{brief(x.Seconds)}
	if x.Images > 0 {
		parts = append(parts, fmt.Sprintf("%.0f images/s", x.PerSecond()))
	}
	if fraction, _, ok := m.OfRoof(*x); ok && x.Bytes > 0 { // those of a step are not known
		parts = append(parts, fmt.Sprintf("%.0f %%", 100*fraction))
	}
	if x.Limit != "" && x.Images == 0 {
		parts = append(parts, x.Limit)
	}
	return strings.Join(parts, ", ")
}

// brief is a time with three digits.
func brief(seconds float64) string {
	v, unit := 1e3*seconds, "ms"
	if v < 1 {
		v, unit = 1e3*v, "µs"
	}
	digits := 0
	switch {
	case v < 10:
		digits = 2
	case v < 100:
		digits = 1
	}
	return fmt.Sprintf("%.*f %s", digits, v, unit)
}
