package program

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/hubel-go/hubel/internal/command"
)

// options are the flags, and the folders.
type options struct {
	address command.Listen
	runs    []string
}

// maxRuns is how many runs are shown at once: more colours than that cannot be told apart.
const maxRuns = 8

// flagSet declares the flags.
func (o *options) flagSet() *flag.FlagSet {
	f := flag.NewFlagSet("live", flag.ContinueOnError)
	f.SetOutput(io.Discard) // an error is one line, without the usage
	o.address = command.ListenLoopback
	f.Var(&o.address, "addr", "listen at this `address` instead of a free port of 127.0.0.1: HOST:PORT, or a port of 127.0.0.1")
	return f
}

// parse reads the command line. Its error for -h is flag.ErrHelp.
func parse(args []string) (*options, error) {
	o := &options{}
	f := o.flagSet()
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, fmt.Errorf("%w; -h lists the flags", err)
	}
	o.runs = f.Args()
	switch {
	case len(o.runs) == 0:
		return nil, errors.New("the folders of runs are missing, such as runs/lenet-mnist; -h lists the flags")
	case len(o.runs) > maxRuns:
		return nil, fmt.Errorf("%d runs are too many to tell apart: give at most %d", len(o.runs), maxRuns)
	}
	return o, nil
}

// usage prints what -h shows.
func usage(w io.Writer, f *flag.FlagSet) {
	fmt.Fprint(w, `live shows training runs in a browser: curves, filters, histograms, mistakes, the
network and its memory. It reads the folders of runs, and follows those that are
still trained. Several runs are drawn into the same charts.

  live RUNFOLDER...
  live -addr 8080 runs/lenet-mnist runs/second

`)
	f.VisitAll(func(f *flag.Flag) { command.Explain(w, f) })
	fmt.Fprint(w, `
Exit code: 1 the server failed; 2 the flags or the folders are wrong, or the address
cannot be listened on; 130 ended by Ctrl-C.
`)
}
