// Command train trains a network on a data set, goes on with a run, evaluates
// weights, or describes a network. Its -h says how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	_ "github.com/hubel-go/hubel/device/reference"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	_ "github.com/hubel-go/hubel/kernels/cuda/cudadevice"
	_ "github.com/hubel-go/hubel/kernels/cuda/simdevice"
	"github.com/hubel-go/hubel/solver"
)

// The exit codes.
const (
	done        = 0
	broken      = 1   // training or a test began and could not go on
	wrong       = 2   // flags, or files they name; nothing was written
	interrupted = 130 // what shells report for Ctrl-C: 128 + SIGINT
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args, os.Stdout, os.Stderr))
}

// run is the whole program; args begin with its name. It returns the exit
// code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args[1:])
	if errors.Is(err, flag.ErrHelp) {
		usage(stdout, new(options).flagSet())
		return done
	}
	if err == nil {
		switch o.mode {
		case summarising:
			err = summarise(o, stdout)
		case evaluating:
			err = evaluate(ctx, o, stdout, stderr)
		case replaying:
			err = replay(o, stdout)
		case listing:
			err = listDevices(o, stdout)
		case previewing:
			err = drawPreview(ctx, o, stdout, stderr)
		default:
			if o.check {
				err = check(ctx, o, stdout, stderr)
				break
			}
			err = train(ctx, o, program(args[0]), stdout, stderr)
		}
	}
	if err == nil {
		return done
	}
	code := exitCode(ctx, err)
	if code != interrupted {
		fmt.Fprintln(stderr, "train:", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return code
}

func exitCode(ctx context.Context, err error) int {
	var b brokenError
	var f solver.FailedError
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return interrupted
	case errors.As(err, &b), errors.As(err, &f):
		return broken
	}
	return wrong
}

// program is how the user can call the program again: as before, unless that
// was a temporary file of `go run`.
func program(arg string) string {
	if strings.HasPrefix(arg, filepath.Clean(os.TempDir())+string(filepath.Separator)+"go-build") {
		return filepath.Base(arg)
	}
	return quoted(arg)
}
