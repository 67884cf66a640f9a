// Command ptxsim runs a CUDA kernel from a file of PTX on a simulated device,
// and prints its faults and its counters. -h lists the flags.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/kernels/cuda/driver"
	"github.com/hubel-go/hubel/kernels/cuda/ptxsim"
)

const usageText = `usage: ptxsim run FILE.ptx [flags]

Runs one launch of a kernel of FILE.ptx on a simulated CUDA device. If the
kernel does something wrong (a stray or misaligned access, a race, a read of
unwritten memory, a barrier that some threads miss), ptxsim prints the line of
PTX, the block and the thread, and exits with 1. Otherwise it prints the
counters of the launch and the buffers that the kernel changed.

  -kernel NAME     the kernel, if the file has several
  -grid X[,Y[,Z]]  blocks (1)
  -block X[,Y[,Z]] threads of a block (1)
  -shared BYTES    dynamic shared memory (0)
  -arg TYPE=VALUE  a scalar argument: f32=2.5, i32=-1, u64=7
  -arg TYPE[N]=CONTENTS
                   a pointer to N elements: rand (floats in [-1,1), integers
                   in [0,N)), count (0, 1, 2, …), none (never written), @FILE
                   (raw, little-endian), or a number for all of them
  -sm N            compute capability (80)
  -seed N          of rand (1)
  -print N         how many elements of each changed buffer to print (8)
  -unchecked       do not check for races and unwritten memory: faster

One -arg for each parameter, in order. Types: f32 f64 i32 u32 i64 u64 u8.

  ptxsim run saxpy.ptx -grid 4 -block 256 -arg f32[1000]=rand -arg f32[1000]=1 -arg f32=2 -arg i32=1000
`

func main() {
	command.Main(func(ctx context.Context, stdout, stderr io.Writer) int {
		context.AfterFunc(ctx, func() { os.Exit(command.Interrupted) }) // nothing is lost
		return run(os.Args[1:], stdout, stderr)
	})
}

// run is the whole program. It returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usageText)
		return command.Done
	}
	if err == nil {
		err = o.launch(stdout)
	}
	return command.Exit(context.Background(), stderr, "ptxsim", err, errors.As(err, new(*ptxsim.Fault)))
}

// options are the flags.
type options struct {
	file, kernel string
	config       driver.Config
	args         []*argument
	sim          ptxsim.Config
	seed         uint64
	print        int
}

func parse(args []string) (*options, error) {
	o := &options{config: driver.Config{Grid: driver.Dim{X: 1}, Block: driver.Dim{X: 1}}}
	f := flag.NewFlagSet("ptxsim", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.kernel, "kernel", "", "")
	f.Func("grid", "", func(s string) error { return parseDim(&o.config.Grid, s) })
	f.Func("block", "", func(s string) error { return parseDim(&o.config.Block, s) })
	f.IntVar(&o.config.Shared, "shared", 0, "")
	f.Func("arg", "", func(s string) error {
		a, err := parseArgument(s)
		o.args = append(o.args, a)
		return err
	})
	f.IntVar(&o.sim.Capability, "sm", 80, "")
	f.Uint64Var(&o.seed, "seed", 1, "")
	f.IntVar(&o.print, "print", 8, "")
	f.BoolVar(&o.sim.Unchecked, "unchecked", false, "")

	if len(args) > 0 && args[0] == "run" {
		args = args[1:]
		if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
			o.file, args = args[0], args[1:]
		}
		if err := f.Parse(args); err != nil {
			return nil, err
		}
		if o.file == "" && f.NArg() > 0 {
			o.file = f.Arg(0)
		} else if f.NArg() > 0 {
			return nil, fmt.Errorf("%q is left over; -h says how to write arguments", f.Arg(0))
		}
		if o.file != "" {
			return o, nil
		}
	} else if err := f.Parse(args); err != nil {
		return nil, err
	}
	return nil, errors.New("run which file? ptxsim run FILE.ptx; -h says more")
}

func parseDim(d *driver.Dim, s string) error {
	parts := strings.Split(s, ",")
	if len(parts) > 3 {
		return errors.New("has more than three extents")
	}
	for i, to := range []*int{&d.X, &d.Y, &d.Z}[:len(parts)] {
		n, err := strconv.Atoi(parts[i])
		if err != nil || n < 1 {
			return fmt.Errorf("%q is not an extent of at least 1", parts[i])
		}
		*to = n
	}
	return nil
}

var entry = regexp.MustCompile(`\.entry\s+(\w+)`)

// launch runs the kernel and prints what it did.
func (o *options) launch(stdout io.Writer) error {
	text, err := os.ReadFile(o.file)
	if err != nil {
		return err
	}
	if o.kernel == "" {
		names := entry.FindAllSubmatch(text, -1)
		if len(names) != 1 {
			var all []string
			for _, n := range names {
				all = append(all, string(n[1]))
			}
			return fmt.Errorf("%s has %d kernels; choose one with -kernel: %s", o.file, len(all), strings.Join(all, ", "))
		}
		o.kernel = string(names[0][1])
	}
	var report ptxsim.Report
	o.sim.OnLaunch = func(r ptxsim.Report) { report = r }
	sim := ptxsim.New(o.sim)
	defer sim.Close()
	module, err := sim.Load(o.file, string(text))
	if err != nil {
		return err
	}
	f, err := module.Function(o.kernel)
	if err != nil {
		return err
	}
	stream, err := sim.NewStream()
	if err != nil {
		return err
	}
	var args driver.Args
	if len(o.args) > driver.MaxArgs {
		return fmt.Errorf("%d arguments, %d are the most", len(o.args), driver.MaxArgs)
	}
	for i, a := range o.args {
		if err := a.bind(sim, stream, &args, i, o.seed); err != nil {
			return fmt.Errorf("argument %d, %s: %w", i, a, err)
		}
	}
	if err := stream.Launch(f, o.config, &args); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: grid %s, block %s, simulated in %.3g s\n", o.kernel, o.config.Grid, o.config.Block, report.Elapsed.Seconds())
	fmt.Fprint(stdout, report.Counters.String())
	for i, a := range o.args {
		if err := a.print(stdout, stream, i, o.print); err != nil {
			return err
		}
	}
	return nil
}
