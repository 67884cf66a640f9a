// Command bench measures how fast devices run matrix products, layers and
// whole networks, and compares with the limits of the machine. -h lists the flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/hubel-go/hubel/bench"
	_ "github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/internal/atomicfile"
	"github.com/hubel-go/hubel/internal/command"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	_ "github.com/hubel-go/hubel/kernels/cuda/cudadevice"
	_ "github.com/hubel-go/hubel/kernels/cuda/simdevice"
)

func main() {
	command.MainLasting("bench", func(ctx context.Context, stdout, stderr io.Writer) int { return run(ctx, os.Args[1:], stdout, stderr) })
}

// run is the whole program. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		usage(stdout)
		return command.Done
	}
	if err == nil {
		err = measure(ctx, o, stdout, stderr)
	}
	return command.Exit(ctx, stderr, "bench", err, errors.As(err, new(bench.FailedError)))
}

// measure does what the flags ask for.
func measure(ctx context.Context, o *options, stdout, stderr io.Writer) (err error) {
	var before *bench.Report
	if o.compare != "" {
		if before, err = bench.ReadFile(o.compare); err != nil {
			return err
		}
	}
	var peers []*bench.Report
	for _, path := range o.peers {
		p, err := bench.ReadFile(path)
		if err != nil {
			return err
		}
		peers = append(peers, p)
	}
	for _, path := range o.files() {
		if err := atomicfile.Check(path); err != nil {
			return err
		}
	}
	o.Progress = stderr
	r, err := bench.Run(ctx, o.Options)
	if err != nil {
		if len(r.Results) > 0 { // files stay as they are
			err = errors.Join(err, o.print(r, stdout))
		}
		return err
	}
	var differ error
	for i, p := range peers {
		compared, err := r.AddPeer(p)
		if err != nil {
			differ = errors.Join(differ, err)
			continue
		}
		fmt.Fprintf(stderr, "%s: %d of its results have the values of this program\n", o.peers[i], compared)
	}
	if err := errors.Join(write(o, r, before, stdout), differ); err != nil {
		return command.BrokenError{Err: err}
	}
	return nil
}

// print writes the report as -format says.
func (o *options) print(r *bench.Report, stdout io.Writer) error {
	return map[string]func(io.Writer) error{asTable: r.WriteTable, asLines: r.WriteLines, asPages: r.WriteMarkdown}[o.format](stdout)
}

// write gives out the report in every way that was asked for. A file that cannot
// be written keeps none from the others.
func write(o *options, r, before *bench.Report, stdout io.Writer) error {
	if err := o.print(r, stdout); err != nil {
		return err
	}
	if o.peers != nil {
		if err := r.WriteRatios(stdout); err != nil {
			return err
		}
	}
	if before != nil {
		if err := bench.WriteComparison(stdout, before, r); err != nil {
			return err
		}
	}
	var failed error
	for _, f := range []struct {
		path  string
		write func(io.Writer) error
	}{{o.json, r.WriteJSON}, {o.plot, r.WritePlot}, {o.roofline, r.WriteRoofline}, {o.trace, r.WriteTrace}} {
		if f.path == "" {
			continue
		}
		failed = errors.Join(failed, atomicfile.Write(f.path, f.write))
	}
	return failed
}
