package bench

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/printable"
)

// WriteTable writes the report for people: a table for each kind and network,
// the devices side by side, and how many times faster each is than the first.
func (r *Report) WriteTable(out io.Writer) error {
	m := r.Machine
	fmt.Fprintf(out, "%s, cores %d, %s/%s, %s, path %s\n", m.CPU, m.Cores, m.OS, m.Arch, m.Go, m.Path)
	for _, f := range m.Roofs {
		place := f.Device
		if place == "" {
			place = fmt.Sprintf("threads %d", f.Threads)
		}
		fmt.Fprintf(out, "%s: at most %.0f GFLOP/s and %.1f GB/s", place, f.FLOPS/1e9, f.Bandwidth/1e9)
		if f.Handoff > 0 {
			fmt.Fprintf(out, "; %.0f ns from thread to thread and back", f.Handoff*1e9)
		}
		fmt.Fprintln(out)
	}
	for _, g := range r.grouped() {
		fmt.Fprintf(out, "\n%s\n", g.title())
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
		g.write(w, m)
		if err := w.Flush(); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out, "\nTimes are medians with half the interquartile range. % of roof is of peak or, marked b, of bandwidth, whichever"+
		"\nis the limit. FLOPs are those of the definition, also where Winograd's algorithm takes fewer; what stays in a"+
		"\ncache may pass the bandwidth of memory.")
	return err
}

// table is the results of one kind and network: a row for each thing measured
// and a column for each place it was measured in.
type table struct {
	kind, model string
	batch       int
	places      []string
	rows        [][]*Result // by row and place; nil where it was not measured
}

// title is what stands above the table.
func (t *table) title() string { return title(*first(t.rows[0])) }

// title says what kind of result it is, and of which network. Shapes that were
// given belong to none.
func title(r Result) string {
	if r.Model == "" {
		return r.Kind
	}
	return fmt.Sprintf("%s of %s, batch %d", r.Kind, r.Model, r.Batch)
}

func (r *Report) grouped() []*table {
	var tables []*table
	for i := range r.Results {
		x := &r.Results[i]
		t := slices.IndexFunc(tables, func(t *table) bool { return t.kind == x.Kind && t.model == x.Model && t.batch == x.Batch })
		if t < 0 {
			t = len(tables)
			tables = append(tables, &table{kind: x.Kind, model: x.Model, batch: x.Batch})
		}
		tables[t].add(x)
	}
	return tables
}

func (t *table) add(x *Result) {
	place := slices.Index(t.places, x.Where())
	if place < 0 {
		place = len(t.places)
		t.places = append(t.places, x.Where())
		for i := range t.rows {
			t.rows[i] = append(t.rows[i], nil)
		}
	}
	row := slices.IndexFunc(t.rows, func(row []*Result) bool { return first(row).Key() == x.Key() })
	if row < 0 {
		row = len(t.rows)
		t.rows = append(t.rows, make([]*Result, len(t.places)))
	}
	t.rows[row][place] = x
}

// first is a result of a row; each has one.
func first(row []*Result) *Result {
	return row[slices.IndexFunc(row, func(x *Result) bool { return x != nil })]
}

func (t *table) write(w io.Writer, m Machine) {
	head := []string{"what", "pass"}
	if t.kind == KindGEMM {
		head = append(head, "shape")
	}
	for i, place := range t.places {
		head = append(head, place, "±")
		if t.kind == KindNet {
			head = append(head, "images/s", "memory", "beyond it")
		}
		if t.kind == KindLayers {
			head = append(head, "MB")
		}
		head = append(head, "GFLOP/s", "% of roof", "limit")
		if i > 0 {
			head = append(head, "vs "+t.places[0])
		}
	}
	lines := [][]string{head}
	for _, row := range t.rows {
		x := first(row)
		cells := []string{x.Name, x.Pass}
		if t.kind == KindGEMM {
			cells = append(cells, x.Shape)
		}
		for i := range t.places {
			cells = append(cells, t.cells(row[i], m)...)
			if i > 0 {
				cells = append(cells, versus(row[0], row[i]))
			}
		}
		lines = append(lines, cells)
	}
	for _, cells := range told(lines) {
		line(w, cells)
	}
}

// told leaves out the columns that tell nothing: other programs do not know
// their traffic, and no machine's limits hold for them.
func told(lines [][]string) [][]string {
	var columns []int
	for i := range lines[0] {
		if slices.ContainsFunc(lines[1:], func(cells []string) bool { return cells[i] != nothing }) {
			columns = append(columns, i)
		}
	}
	out := make([][]string, len(lines))
	for i, cells := range lines {
		for _, c := range columns {
			out[i] = append(out[i], cells[c])
		}
	}
	return out
}

// nothing stands in a cell whose number is not known.
const nothing = "-"

func line(w io.Writer, cells []string) {
	for _, c := range cells {
		fmt.Fprint(w, printable.Name(c), "\t") // of a file, perhaps
	}
	fmt.Fprintln(w)
}

// cells is a result in one place.
func (t *table) cells(x *Result, m Machine) []string {
	if x == nil {
		n := map[string]int{KindGEMM: 5, KindLayers: 6, KindNet: 8}[t.kind]
		return slices.Repeat([]string{nothing}, n)
	}
	spread := nothing // of what is predicted
	if x.Limit == "" {
		spread = fmt.Sprintf("%.0f %%", 100*x.Spread)
	}
	cells := []string{fmt.Sprintf("%.3f ms", 1e3*x.Seconds), spread}
	if t.kind == KindNet {
		cells = append(cells, fmt.Sprintf("%.1f", x.PerSecond()), slabs(x), beyond(x))
	}
	if t.kind == KindLayers {
		cells = append(cells, megabytes(x))
	}
	gflops := nothing
	if x.FLOPs > 0 {
		gflops = fmt.Sprintf("%.1f", x.GFLOPS())
	}
	fraction := nothing
	if s, byBandwidth, ok := m.OfRoof(*x); ok {
		fraction = fmt.Sprintf("%.1f", 100*s)
		if byBandwidth {
			fraction += "b"
		}
	}
	limit := x.Limit
	if limit == "" {
		limit = nothing
	}
	return append(cells, gflops, fraction, limit)
}

// megabytes is the traffic of a layer; other programs do not tell theirs.
func megabytes(x *Result) string {
	if x.Bytes == 0 {
		return nothing
	}
	return fmt.Sprintf("%.1f", float64(x.Bytes)/1e6)
}

// slabs is the memory of a plan; other programs have none.
func slabs(x *Result) string {
	if x.Slabs == 0 {
		return nothing
	}
	return graph.MiB(x.Slabs)
}

func beyond(x *Result) string {
	if x.Device != cpuDevice {
		return nothing
	}
	return fmt.Sprintf("%s (%.1f %%)", graph.MiB(x.Beyond), 100*float64(x.Beyond)/float64(x.Slabs))
}

// versus is how many times faster b is than a.
func versus(a, b *Result) string {
	if a == nil || b == nil {
		return nothing
	}
	return fmt.Sprintf("%.2fx", a.Seconds/b.Seconds)
}
