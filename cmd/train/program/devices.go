package program

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/printable"
)

// listDevices prints what -devices promises.
func listDevices(o *options, stdout io.Writer) error {
	w := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	for _, d := range device.List(o.deviceOptions()) {
		name := d.Name
		line := func(what, text string) {
			fmt.Fprintf(w, "%s\t%s\t%s\n", name, what, text)
			name = ""
		}
		for _, f := range d.Facts {
			line(f.Name, printable.Line(f.Value))
		}
		if d.Problem != "" {
			line("cannot be used", printable.Line(d.Problem))
		}
	}
	return w.Flush()
}
