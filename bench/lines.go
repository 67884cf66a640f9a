package bench

import (
	"fmt"
	"io"
	"strings"
)

// WriteLines writes a line for each sample in the format of Go's benchmarks,
// which benchstat reads.
func (r *Report) WriteLines(out io.Writer) error {
	m := r.Machine
	if _, err := fmt.Fprintf(out, "goos: %s\ngoarch: %s\ncpu: %s\npath: %s\n", m.OS, m.Arch, m.CPU, m.Path); err != nil {
		return err
	}
	for _, x := range r.Results {
		name := "Benchmark" + strings.ToUpper(x.Kind[:1]) + x.Kind[1:]
		if x.Model != "" { // not so of shapes that were given
			name += fmt.Sprintf("/%s/%d", x.Model, x.Batch)
		}
		name += fmt.Sprintf("/%s/%s/%s-%d", x.Name, x.Pass, x.Device, max(1, x.Threads))
		name = strings.ReplaceAll(name, " ", "_") // a name ends at a space
		for _, s := range x.Samples {
			line := fmt.Sprintf("%s\t1\t%.0f ns/op", name, 1e9*s)
			if x.FLOPs > 0 {
				line += fmt.Sprintf("\t%.2f GFLOP/s", float64(x.FLOPs)/s/1e9)
			}
			if x.Images > 0 {
				line += fmt.Sprintf("\t%.2f images/s", float64(x.Images)/s)
			}
			if _, err := fmt.Fprintln(out, line); err != nil {
				return err
			}
		}
	}
	return nil
}
