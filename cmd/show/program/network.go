package program

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/inspect"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/report"
)

func (o *options) deviceOptions() device.Options {
	return device.Options{Threads: o.threads, CPUPath: string(o.cpuPath)}
}

// model reads the weights file, after a look at where -out lies.
func (o *options) model() (*modelfile.Model, error) {
	if o.out != "" {
		if err := command.CheckFolder(filepath.Dir(o.out)); err != nil { // before the work
			return nil, fmt.Errorf("-out: %w", err)
		}
	}
	return modelfile.Read(o.weights)
}

// draw makes the folder of -out, writes a picture into it, and says so.
func (o *options) draw(write func(path string) error, format string, args ...any) error {
	if err := os.MkdirAll(filepath.Dir(o.out), 0o777); err != nil {
		return err
	}
	if err := write(o.out); err != nil {
		return err
	}
	_, err := fmt.Fprintf(o.stdout, format+" in %s\n", append(args, printable.Name(o.out))...)
	return err
}

// showFilters draws the filters of -layer, or of the first convolution.
func showFilters(_ context.Context, o *options) error {
	m, err := o.model()
	if err != nil {
		return err
	}
	for _, node := range m.Network.Nodes {
		_, isConv := node.Layer.(*layers.Conv)
		if node.Name != o.layer && (o.layer != "" || !isConv) {
			continue
		}
		w := m.Weights[node.WeightName("weight")]
		if w == nil || w.Dims() != 4 {
			return fmt.Errorf("layer %s, of the type %s, has no filters: name a convolution", printable.Name(node.Name), node.Layer.Type())
		}
		return o.draw(func(path string) error { return report.Filters(path, w) }, "%d filters of %s, %dx%dx%d",
			w.Shape()[0], printable.Name(node.Name), w.Shape()[1], w.Shape()[2], w.Shape()[3])
	}
	if o.layer == "" {
		return fmt.Errorf("%v has no convolution", m.Network)
	}
	return fmt.Errorf("%v has no layer %.40q", m.Network, o.layer)
}

// showParameters prints the layers with what they make and hold.
func showParameters(_ context.Context, o *options) error {
	m, err := o.model()
	if err != nil {
		return err
	}
	traits, err := device.TraitsOf(o.device, o.deviceOptions())
	if err != nil {
		return err
	}
	table, err := m.Network.Summary(traits, graph.PlanOptions{Mode: graph.Infer, Batch: 1})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(o.stdout, "%s\n\n%s", printable.Name(m.Network.Name), table)
	return err
}

// showFields prints the receptive fields, and draws that of the middle unit of each
// layer that sees more than the one before.
func showFields(_ context.Context, o *options) error {
	if o.given["image"] != o.given["out"] {
		return fmt.Errorf("-image and -out belong together: the table needs neither")
	}
	m, err := o.model()
	if err != nil {
		return err
	}
	traits, err := device.TraitsOf(o.device, o.deviceOptions())
	if err != nil {
		return err
	}
	fields, err := inspect.ReceptiveFields(traits, m.Network)
	if err != nil {
		return err
	}
	var picture report.Captioned
	if o.given["image"] {
		if picture, err = o.picture(m); err != nil {
			return err
		}
	}
	w := tabwriter.NewWriter(o.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "layer\ttype\toutput\treceptive field\tstride\toffset\t")
	for _, f := range fields {
		stride := both(f.Rows.Stride, f.Columns.Stride)
		if f.Rows.Stride == 0 {
			stride = ""
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t\n", printable.Name(f.Layer), f.Type, f.Shape(),
			both(f.Rows.Size, f.Columns.Size), stride, both(f.Rows.Offset, f.Columns.Offset))
	}
	if err := w.Flush(); err != nil || !o.given["image"] {
		return err
	}
	var images []report.Captioned
	last := 1.0
	for _, f := range fields {
		if f.Rows.Size == last {
			continue
		}
		last = f.Rows.Size
		row, column := 0, 0
		if len(f.Out) == 3 {
			row, column = f.Out[1]/2, f.Out[2]/2
		}
		images = append(images, picture.Framed(f.At(row, column), f.Layer, "sees "+both(f.Rows.Size, f.Columns.Size)))
	}
	return o.draw(func(path string) error { return report.Sheet(path, images, 1) }, "\nfields of the middle units of %d layers", len(images))
}

// both is a number of rows and one of columns, once if they are the same.
func both(rows, columns float64) string {
	text := strconv.FormatFloat(rows, 'g', 6, 64)
	if rows != columns {
		text += "x" + strconv.FormatFloat(columns, 'g', 6, 64)
	}
	return text
}
