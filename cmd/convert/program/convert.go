package program

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/plain"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/models"
)

// convert does what the flags ask for.
func (o *options) convert(ctx context.Context, stdout, stderr io.Writer) (err error) {
	reader, isRun, err := recognise(o.paths)
	if err == nil {
		err = o.checkOut(isRun) // before the work
	}
	if err != nil {
		return err
	}
	m, run, err := o.read(ctx, reader, isRun)
	if err != nil {
		return err
	}
	if o.info {
		return o.printInfo(stdout, m)
	}
	files := o.files()
	switch {
	case m.Network == nil:
		return fmt.Errorf("%s: there are weights and no network: -net or -model says which one they are of", files)
	case m.Weights == nil && (o.verify != "" || !o.networkAlone()):
		return fmt.Errorf("%s: there is a network and no weights: name the file of its weights too, or write the network alone, as -o net.json does", files)
	}
	d, err := device.Open(o.device, o.deviceOptions())
	if err != nil {
		return err
	}
	defer command.Close(d, &err)
	w, err := fit(m, d, files)
	if err != nil {
		return err
	}
	defer command.Close(w, &err)
	for _, lost := range m.Lost {
		fmt.Fprintf(stderr, "not carried over: %s\n", printable.Line(lost))
	}
	differs := false
	if o.verify != "" {
		if differs, err = o.compare(ctx, stdout, m, d, w); err != nil {
			return err
		}
	}
	if !o.force && (len(m.Lost) > 0 || differs) {
		return command.BrokenError{Err: refusal(len(m.Lost), differs, o.out)}
	}
	switch {
	case o.out == "":
		return nil
	case run != nil:
		return o.writeRun(stdout, run)
	}
	return o.write(stdout, m)
}

// files names what is read.
func (o *options) files() string {
	if len(o.paths) == 0 {
		return cmp.Or(o.net, o.model)
	}
	return strings.Join(o.paths, ", ")
}

// networkAlone reports whether -o writes no weights.
func (o *options) networkAlone() bool {
	w, err := writerOf(o.out)
	return err == nil && w.NetworkAlone
}

// refusal says why nothing was written.
func refusal(lost int, differs bool, out string) error {
	var why []string
	if lost > 0 {
		why = append(why, fmt.Sprintf("could not be carried over: %d, listed above", lost))
	}
	if differs {
		why = append(why, "the network computes other values than those recorded")
	}
	if out == "" {
		return errors.New(strings.Join(why, "; "))
	}
	return fmt.Errorf("%s; %s was not written: -force writes it all the same", strings.Join(why, "; "), out)
}

// checkOut looks at where -o lies: over no input, in a folder that is there, and with a name
// that says what is written. A run is written into a folder of its own.
func (o *options) checkOut(isRun bool) error {
	if o.batch != 0 && !isRun {
		return errors.New("-batch is for a run, one of whose files is the state of a training")
	}
	if o.out == "" {
		return nil
	}
	for _, path := range append(slices.Clone(o.paths), o.net, o.classes, o.verify) {
		if path == "" {
			continue
		}
		same, err := sameFile(path, o.out)
		if err != nil {
			return err
		}
		if same {
			return fmt.Errorf("-o %s is an input too: it would be written over; choose another name", o.out)
		}
	}
	if isRun {
		return o.checkRunFolder()
	}
	w, err := writerOf(o.out)
	if err == nil && o.withPreprocessing && !w.Preprocessing {
		err = fmt.Errorf("-with-preprocessing: what is written to %s has no place for it in the network", w.Suffix)
	}
	if err != nil {
		return err
	}
	if err := command.CheckFolder(filepath.Dir(o.out)); err != nil {
		return fmt.Errorf("-o: %w", err)
	}
	return nil
}

// sameFile reports whether two names are of one file. The second need not be there.
func sameFile(in, out string) (bool, error) {
	a, err := os.Stat(in)
	if err != nil {
		return false, err
	}
	b, err := os.Stat(out)
	return err == nil && os.SameFile(a, b), nil
}

// read reads the files, and adds what the flags say. The run is nil if they are none.
func (o *options) read(ctx context.Context, reader formats.Reader, isRun bool) (*formats.Model, *formats.Run, error) {
	classes, err := o.classNames()
	if err != nil {
		return nil, nil, err
	}
	given := formats.Options{Input: o.input, Order: o.order}
	switch {
	case o.net != "":
		given.Network, err = graph.ReadFile(o.net)
	case o.model != "":
		given.Network, err = models.Build(o.model, models.Options{Classes: len(classes), Shape: o.input})
	}
	if err != nil {
		return nil, nil, err
	}
	var m *formats.Model
	var run *formats.Run
	if isRun {
		if run, err = reader.ReadRun(ctx, o.paths, given); err == nil {
			m = run.Model
		}
	} else {
		m, err = reader.Read(ctx, o.paths, given)
	}
	if err != nil {
		return nil, nil, err
	}
	if m.Network == nil {
		return m, run, nil
	}
	if classes != nil {
		m.Classes = classes
	}
	return m, run, o.setPreprocessing(m)
}

// classNames reads the file of -classes.
func (o *options) classNames() ([]string, error) {
	if o.classes == "" {
		return nil, nil
	}
	text, err := plain.ReadFile(o.classes)
	if err != nil {
		return nil, err
	}
	var names []string
	for line := range bytes.Lines(text) {
		names = append(names, strings.TrimRight(string(line), "\r\n"))
	}
	for len(names) > 0 && strings.TrimSpace(names[len(names)-1]) == "" {
		names = names[:len(names)-1]
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("-classes %s: there is no name in it", o.classes)
	}
	if i := slices.IndexFunc(names, func(name string) bool { return strings.TrimSpace(name) == "" }); i >= 0 {
		return nil, fmt.Errorf("-classes %s: line %d is empty, and a class needs a name", o.classes, i+1)
	}
	return names, nil
}

// setPreprocessing adds -mean, -deviation and -scale, and looks whether the preprocessing
// fits the images.
func (o *options) setPreprocessing(m *formats.Model) error {
	p := &m.Preprocess
	images, err := m.Network.InputOf(graph.RoleImage)
	if err != nil || len(images.Shape) != 3 {
		if o.mean != nil || o.deviation != nil || o.scale != 0 {
			return fmt.Errorf("-mean, -deviation and -scale are for images, and %v takes none [C,H,W]", m.Network)
		}
		return nil
	}
	if o.mean != nil {
		p.Mean = o.mean.forChannels(images.Shape[0])
	}
	if o.deviation != nil {
		p.Deviation = o.deviation.forChannels(images.Shape[0])
	}
	if o.scale != 0 {
		p.Scale = float32(o.scale)
	}
	if err := p.Check(images.Shape); err != nil {
		return fmt.Errorf("%s: %w", o.files(), err)
	}
	return nil
}

// fit puts the weights into the network on a device. An error says what does not fit.
func fit(m *formats.Model, d device.Device, files string) (*graph.Weights, error) {
	plan, err := m.Network.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Infer, Batch: 1})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", files, err)
	}
	if n := len(m.Classes); n > 0 && len(m.Network.Outputs) > 0 {
		i := slices.IndexFunc(plan.Values, func(v graph.Value) bool { return v.Name == m.Network.Outputs[0] })
		if shape := plan.Values[i].Shape; len(shape) < 2 || shape[1] != n {
			return nil, fmt.Errorf("%s: there are names for %d classes, and the output %s has the shape %s", files, n, m.Network.Outputs[0], dims(shape[1:]))
		}
	}
	w, err := graph.NewWeights(m.Network, d)
	if err != nil {
		return nil, err
	}
	if m.Weights == nil { // nothing needs them
		return w, nil
	}
	if err := modelfile.SetWeights(w, m.Weights, files, nil); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// write writes the model to -o.
func (o *options) write(stdout io.Writer, m *formats.Model) error {
	to, err := writerOf(o.out)
	if err != nil {
		return err
	}
	err = atomicfile.Write(o.out, func(w io.Writer) error { return to.Write(w, m, o.writeOptions()) })
	if err != nil {
		return command.BrokenError{Err: err}
	}
	what := "without weights"
	if !to.NetworkAlone {
		count := 0
		for _, x := range m.Weights {
			count += x.Shape().TotalSize()
		}
		what = fmt.Sprintf("%d numbers in %d tensors", count, len(m.Weights))
	}
	_, err = fmt.Fprintf(stdout, "%s: %v, %d layers, %s, from %s\n", printable.Name(o.out), m.Network, len(m.Network.Nodes), what, m.Format)
	return err
}

// printInfo prints what the files hold.
func (o *options) printInfo(w io.Writer, m *formats.Model) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s: %s\n", printable.Line(o.files()), m.Format)
	for _, fact := range m.Facts {
		fmt.Fprintln(&b, printable.Line(fact))
	}
	if n := len(m.Classes); n > 0 {
		more := ""
		if n > 5 {
			more = ", ..."
		}
		fmt.Fprintf(&b, "%d classes: %s%s\n", n, printable.Names(m.Classes[:min(n, 5)]), more)
	}
	if p := m.Preprocess; len(p.Mean) > 0 || len(p.Deviation) > 0 || p.Scale != 0 {
		fmt.Fprintf(&b, "preprocessing: %s\n", describe(p.Mean, p.Deviation, p.Scale))
	}
	for _, lost := range m.Lost {
		fmt.Fprintf(&b, "not carried over: %s\n", printable.Line(lost))
	}
	switch {
	case m.Network == nil:
		fmt.Fprintln(&b, "network: none; -net or -model says which one the weights are of")
		for _, name := range slices.Sorted(maps.Keys(m.Weights)) {
			fmt.Fprintf(&b, "  %s  %s  %v\n", printable.Name(name), dims(m.Weights[name].Shape()), m.Weights[name].Dtype())
		}
	default:
		traits, err := device.TraitsOf(o.device, o.deviceOptions())
		if err != nil {
			return err
		}
		table, err := m.Network.Summary(traits, graph.PlanOptions{Mode: graph.Infer, Batch: 1})
		if err != nil {
			return fmt.Errorf("%s: %w", o.files(), err)
		}
		if m.Weights == nil {
			fmt.Fprintln(&b, "weights: none")
		}
		fmt.Fprintf(&b, "%s\n\n%s", printable.Name(m.Network.String()), table)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// describe says what preprocessing does to pixels.
func describe(mean, deviation []float32, scale float32) string {
	var steps []string
	switch {
	case len(mean) > 4:
		steps = append(steps, fmt.Sprintf("minus a mean image of %d values", len(mean)))
	case len(mean) > 0:
		steps = append(steps, fmt.Sprintf("minus %v", mean))
	}
	if len(deviation) > 0 {
		steps = append(steps, fmt.Sprintf("divided by %v", deviation))
	}
	if scale != 0 {
		steps = append(steps, fmt.Sprintf("times %v", scale))
	}
	return "pixels from 0 to 255, " + strings.Join(steps, ", ")
}

// dims is a shape as 3x32x32.
func dims(shape []int) string {
	if len(shape) == 0 {
		return "scalar"
	}
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = fmt.Sprint(d)
	}
	return strings.Join(parts, "x")
}
