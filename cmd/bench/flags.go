package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/bench"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/kernels/cuda/costmodel"
	"github.com/hubel-go/hubel/models"
)

const usageText = `bench measures the limits of the machine, and then matrix products, layers and whole
networks on each device.

  bench [gemm|layers|net|all] [flags]

gemm     the matrix products of the networks: forward and both gradients
layers   each layer of a training step, kernel by kernel
net      whole training steps and inference: images/s and memory
all      all of these (default)

`

const usageFoot = `
Exit code: 0 done; 1 a measurement failed; 2 the flags, the batch or the files that
they name are wrong; 130 stopped by Ctrl-C.
`

// The formats of -format.
const (
	asTable = "table"
	asLines = "bench"
	asPages = "markdown"
)

// The values of -winograd.
const (
	winogradAuto = "auto"
	winogradOff  = "off"
)

// options are the flags.
type options struct {
	bench.Options
	format, winograd string

	json, compare, plot, roofline, trace string
	peers                                []string
}

// files are those to write.
func (o *options) files() []string {
	return slices.DeleteFunc([]string{o.json, o.plot, o.roofline, o.trace}, func(path string) bool { return path == "" })
}

// flagSet declares the flags.
func (o *options) flagSet() *flag.FlagSet {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(io.Discard) // an error is one line, without the usage
	o.Models, o.Devices = []string{"alexnet"}, []string{"cpu"}
	o.CPUPath = device.AutoPath
	o.Threads = []int{runtime.GOMAXPROCS(0)}
	f.Var((*command.Names)(&o.Models), "model", "`networks` separated by commas: "+strings.Join(models.Names(), ", "))
	f.IntVar(&o.Batch, "batch", 128, "images per pass")
	f.Var((*command.Size)(&o.Memory), "memory", "with net: plan a training step within this `size`, such as 2GiB: what does not fit is computed again in the backward pass")
	f.Var((*command.Names)(&o.Devices), "devices", "`devices` separated by commas: "+strings.Join(device.Names(), ", "))
	f.Var((*command.Numbers)(&o.Threads), "threads", "`numbers` of threads of device cpu, separated by commas, such as 1,2")
	f.Var((*command.Path)(&o.CPUPath), "cpu-path", command.PathUsage)
	f.StringVar(&o.winograd, "winograd", winogradAuto, "`when` convolutions use Winograd's algorithm: auto, if it is faster; off, never")
	f.BoolVar(&o.TF32, "tf32", false, "multiply on GPUs' tensor cores, which round to 10 bits after the leading one; needs compute capability 8.0 or later")
	f.Var((*cards)(&o.GPUs), "gpu", "`cards` whose times device ptxsim predicts, separated by commas: "+cardNames())
	f.Var((*shapes)(&o.Shapes), "shape", "matrix `products` for gemm, separated by commas, such as NN4096x4096x4096, instead of those of the networks")
	f.IntVar(&o.Runs, "runs", 5, "measurements of each time, after a warm run")
	f.StringVar(&o.format, "format", asTable, "output `format`: table; bench, the lines that benchstat reads; markdown, for documents")
	f.StringVar(&o.json, "json", "", "`file` for the results as JSON")
	f.StringVar(&o.compare, "compare", "", "`file` that -json wrote earlier, to print old/new ratios")
	f.Var((*command.Names)(&o.peers), "peers", "`files` with results of other programs to show beside, separated by commas; bench/peers makes them")
	f.StringVar(&o.plot, "plot", "", "`file` for a bar chart, PNG")
	f.StringVar(&o.roofline, "roofline", "", "`file` for a roofline diagram of the layers, PNG")
	f.StringVar(&o.trace, "trace", "", "`file` for the timeline of one step in Chrome's trace format")
	return f
}

// parse reads the command line. Its error for -h is flag.ErrHelp.
func parse(args []string) (*options, error) {
	o := &options{}
	f := o.flagSet()
	all := []string{bench.KindGEMM, bench.KindLayers, bench.KindNet}
	o.Kinds = all
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		switch {
		case slices.Contains(all, args[0]):
			o.Kinds = args[:1]
		case args[0] != "all":
			return nil, fmt.Errorf("%q is not gemm, layers, net or all", args[0])
		}
		args = args[1:]
	}
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, fmt.Errorf("%w; -h lists the flags", err)
	}
	layers, products := slices.Contains(o.Kinds, bench.KindLayers), slices.Contains(o.Kinds, bench.KindGEMM)
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("%q is not a flag; -h lists the flags", f.Arg(0))
	case o.format != asTable && o.format != asLines && o.format != asPages:
		return nil, fmt.Errorf("-format %q is not table, bench or markdown", o.format)
	case o.winograd != winogradAuto && o.winograd != winogradOff:
		return nil, fmt.Errorf("-winograd %q is not auto or off", o.winograd)
	case len(o.GPUs) > 0 && !slices.Contains(o.Devices, "ptxsim"):
		return nil, errors.New("-gpu predicts with the simulator; give -devices ptxsim")
	case o.Memory > 0 && (layers || products):
		return nil, errors.New("-memory is for whole steps; give net")
	case len(o.Shapes) > 0 && (layers || !products):
		return nil, errors.New("-shape is for gemm; give gemm")
	case o.trace != "" && !layers:
		return nil, errors.New("-trace shows the kernels of layers; give layers or all")
	case o.roofline != "" && !layers:
		return nil, errors.New("-roofline shows the passes of layers; give layers or all")
	case o.plot != "" && !layers && !products:
		return nil, errors.New("-plot shows products; give gemm, layers or all")
	}
	files := o.files()
	for i, path := range files {
		if slices.Contains(files[:i], path) {
			return nil, fmt.Errorf("%s is to be two files; give each a name of its own", path)
		}
	}
	o.DirectConv = o.winograd == winogradOff
	return o, nil
}

func usage(w io.Writer) {
	fmt.Fprint(w, usageText)
	new(options).flagSet().VisitAll(func(f *flag.Flag) { command.Explain(w, f) })
	fmt.Fprint(w, usageFoot)
}

// cards is a flag of GPUs with commas between.
type cards []costmodel.Card

// Set implements flag.Value.
func (l *cards) Set(text string) error {
	*l = nil
	for name := range strings.SplitSeq(text, ",") {
		c, err := costmodel.Find(name)
		if err != nil {
			return err
		}
		*l = append(*l, c)
	}
	return nil
}

// String implements flag.Value.
func (l *cards) String() string {
	parts := make([]string, len(*l))
	for i, c := range *l {
		parts[i] = c.Name
	}
	return strings.Join(parts, ",")
}

func cardNames() string { return (*cards)(&costmodel.Cards).String() }

// shapes is a flag of matrix products with commas between.
type shapes []device.GEMM

// Set implements flag.Value.
func (l *shapes) Set(text string) error {
	*l = nil
	for part := range strings.SplitSeq(text, ",") {
		g, err := bench.ParseShape(part)
		if err != nil {
			return err
		}
		*l = append(*l, g)
	}
	return nil
}

// String implements flag.Value.
func (l *shapes) String() string {
	parts := make([]string, len(*l))
	for i, g := range *l {
		parts[i] = strings.ReplaceAll(g.String(), " ", "")
	}
	return strings.Join(parts, ",")
}
