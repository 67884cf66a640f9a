package program

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/internal/command"
)

// options are the experiment, and the flags.
type options struct {
	example *example

	data, val, out string
	seeds, epochs  int
	at             int
	rest           []string // flags for each training
}

// names are those of the examples.
func names() string {
	var list []string
	for _, e := range examples() {
		list = append(list, e.name)
	}
	return strings.Join(list, ", ")
}

// flagSet declares the flags.
func (o *options) flagSet() *flag.FlagSet {
	f := flag.NewFlagSet("examples", flag.ContinueOnError)
	f.SetOutput(io.Discard) // an error is one line, without the usage
	f.StringVar(&o.data, "data", "", "`SET` to train on, as train takes it; for faces a CSV file")
	f.StringVar(&o.val, "val", "", "`path` of photographs to test on")
	f.StringVar(&o.out, "out", "", "`folder` for all files; without it runs/EXAMPLE")
	f.IntVar(&o.seeds, "seeds", 0, "`number` of seeds for each training; 0 for what the example has")
	f.IntVar(&o.epochs, "epochs", 0, "passes over the training set; 0 for what the example has")
	f.IntVar(&o.at, "at", 0, "`epoch` whose gradients are shown; 0 for the last")
	return f
}

// parse reads the command line. Its error for -h is flag.ErrHelp.
func parse(args []string) (*options, error) {
	o := &options{}
	f := o.flagSet()
	if len(args) == 0 || strings.HasPrefix(args[0], "-") {
		if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, fmt.Errorf("the first word is the example: %s; -h lists the flags", names())
	}
	all := examples()
	i := slices.IndexFunc(all, func(e example) bool { return e.name == args[0] })
	if i < 0 {
		return nil, fmt.Errorf("there is no example %.40q: there are %s", args[0], names())
	}
	o.example = &all[i]
	if i := slices.Index(args, "--"); i >= 0 {
		args, o.rest = args[:i], args[i+1:]
	}
	if err := f.Parse(args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, fmt.Errorf("%w; -h lists the flags", err)
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%q is no flag; flags for each training come after --", f.Arg(0))
	}
	given := map[string]bool{}
	f.Visit(func(g *flag.Flag) { given[g.Name] = true })
	if o.out == "" {
		o.out = filepath.Join("runs", o.example.name)
	}
	if o.seeds == 0 {
		o.seeds = o.example.seeds
	}
	return o, o.check(given)
}

// check says what is wrong with the flags, if anything.
func (o *options) check(given map[string]bool) error {
	takes := slices.Concat(o.example.flags, onEach)
	for name := range given {
		if !slices.Contains(takes, name) {
			return fmt.Errorf("-%s has no meaning for %s; it takes -%s", name, o.example.name, strings.Join(takes, ", -"))
		}
	}
	for _, name := range o.example.needs {
		if !given[name] {
			return fmt.Errorf("%s needs -%s", o.example.name, name)
		}
	}
	switch {
	case o.seeds < 1:
		return errors.New("-seeds must be at least 1")
	case o.epochs < 0:
		return errors.New("-epochs must be at least 0")
	case o.at < 0:
		return errors.New("-at must be at least 0")
	}
	for _, flag := range o.rest {
		name, _, _ := strings.Cut(strings.TrimLeft(flag, "-"), "=")
		if strings.HasPrefix(flag, "-") && slices.Contains([]string{"out", "seed", "resume", "data", "epochs", "batch"}, name) {
			return fmt.Errorf("-%s after -- is what the example itself gives to train", name)
		}
	}
	if err := command.CheckFolder(o.out); err != nil {
		return fmt.Errorf("-out: %w", err)
	}
	return nil
}

const usageHead = `examples repeats the experiments of the lecture. Each is a list of trainings; their
commands are printed, and a table of the results ends it. Trainings that are done
already are not repeated, and one that was stopped goes on.

  examples EXAMPLE [flags] [-- flags of train]

`

const usageFoot = `
Examples
  examples faces -data faces.csv
  examples faces -data faces.csv -epochs 5 -out runs/short -- -threads 1
  examples ablation -data imagenette-train.tar -val imagenette-val.tar
  examples tiny-vgg -data cifar10:datasets/cifar-10-batches-bin -at 10

Exit code: 0 done; 1 a training failed; 2 the flags or files are wrong; 130 stopped by
Ctrl-C, and the training saved.
`

// usage writes the help.
func usage(w io.Writer, f *flag.FlagSet) {
	fmt.Fprint(w, usageHead)
	for _, e := range examples() {
		fmt.Fprintf(w, "  %-12s %s\n", e.name, e.what)
		if len(e.flags) > 0 {
			fmt.Fprintf(w, "  %-12s takes -%s\n", "", strings.Join(e.flags, " -"))
		}
	}
	fmt.Fprintln(w)
	f.VisitAll(func(f *flag.Flag) { command.Explain(w, f) })
	fmt.Fprint(w, usageFoot)
}
