// Command gpu-check tests hubel on a GPU: it runs the conformance suite, trains
// LeNet, times AlexNet, and compares values and times with the CPU, with the
// predictions and with PyTorch. `make gpu-bundle` makes the folder that holds it,
// with all that it needs besides a driver. -h lists the flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/kernels/cuda/costmodel"
)

const usageText = `gpu-check tests this machine's GPU, step by step, and writes out/report.md. It
continues after a step that fails.

  gpu-check [flags]

`

const usageFoot = `
Exit code: 0 every step passed or had nothing to do; 1 a step failed; 2 the flags or
the folder are wrong; 130 stopped by Ctrl-C.
`

// options are the flags.
type options struct {
	device, out, gpu string
	quick            bool
	limit            time.Duration
}

func (o *options) flagSet() *flag.FlagSet {
	f := flag.NewFlagSet("gpu-check", flag.ContinueOnError)
	f.SetOutput(io.Discard) // an error is one line, without the usage
	f.StringVar(&o.device, "device", "cuda:0", "`name` of a device that bin/train -devices lists; with ptxsim, the simulator, all steps are smaller")
	f.StringVar(&o.out, "out", "out", "new or empty `folder` for the report and the files of the steps")
	f.StringVar(&o.gpu, "gpu", "", "`card` to predict, such as h100; without it, the card in the device's name")
	f.DurationVar(&o.limit, "limit", 5*time.Minute, "longest `time` for a step")
	return f
}

func main() {
	command.MainLasting("gpu-check", func(ctx context.Context, stdout, stderr io.Writer) int {
		program, err := os.Executable()
		if err == nil {
			program, err = filepath.EvalSymlinks(program)
		}
		if err != nil {
			return command.Exit(ctx, stderr, "gpu-check", fmt.Errorf("where this program is cannot be found out: %w", err), false)
		}
		return run(ctx, filepath.Dir(program), os.Args[1:], stdout, stderr)
	})
}

// run is the whole program, in the given bundle. It returns the exit code.
func run(ctx context.Context, bundle string, args []string, stdout, stderr io.Writer) int {
	o := options{}
	f := o.flagSet()
	err := f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, usageText)
		f.VisitAll(func(f *flag.Flag) { command.Explain(stdout, f) })
		fmt.Fprint(stdout, usageFoot)
		return command.Done
	case err != nil:
		err = fmt.Errorf("%w; -h lists the flags", err)
	case f.NArg() > 0:
		err = fmt.Errorf("%q is not a flag; -h lists the flags", f.Arg(0))
	case o.limit <= 0:
		err = fmt.Errorf("-limit %v must be positive", o.limit)
	case o.gpu != "":
		_, err = costmodel.Find(o.gpu)
	}
	if err == nil {
		err = prepare(bundle, o.out)
	}
	if err != nil {
		return command.Exit(ctx, stderr, "gpu-check", err, false)
	}
	o.quick = strings.HasPrefix(o.device, "ptxsim")
	c := &check{ctx: ctx, options: o, bundle: bundle, progress: stdout}
	c.steps()
	switch {
	case ctx.Err() != nil:
		return command.Interrupted
	case c.writeError != nil:
		return command.Exit(ctx, stderr, "gpu-check", c.writeError, true)
	case c.anyFailed():
		return command.Broken
	}
	return command.Done
}

// prepare checks the bundle and makes the folder of the report.
func prepare(bundle, out string) error {
	for _, name := range []string{"bin/train", "bin/bench", "tests/cuda.test", "mnist"} {
		if _, err := os.Stat(filepath.Join(bundle, name)); err != nil {
			return fmt.Errorf("%s is missing beside this program, which belongs into the folder that `make gpu-bundle` makes", name)
		}
	}
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("-out %s is not empty; name another, or remove it", out)
	}
	return nil
}
