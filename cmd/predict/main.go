// Command predict tells what is in pictures, with weights that cmd/train has
// trained. Its -h says how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	_ "github.com/hubel-go/hubel/device/reference"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	_ "github.com/hubel-go/hubel/kernels/cuda/cudadevice"
	"github.com/hubel-go/hubel/solver"
)

// The exit codes.
const (
	done        = 0
	broken      = 1   // some pictures could not be read, what was found not be written, or the device failed
	wrong       = 2   // flags, or the weights
	interrupted = 130 // what shells report for Ctrl-C: 128 + SIGINT
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		usage(stdout, new(options).flagSet())
		return done
	}
	if err == nil {
		err = predictFiles(ctx, o, stdout, stderr)
	}
	if err == nil {
		return done
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return interrupted
	}
	fmt.Fprintln(stderr, "predict:", strings.ReplaceAll(err.Error(), "\n", "; "))
	var b brokenError
	var f solver.FailedError
	if errors.As(err, &b) || errors.As(err, &f) {
		return broken
	}
	return wrong
}

// brokenError is one of the pictures, the output or the device, not of the flags.
type brokenError struct{ error }

// Unwrap is for errors.Is.
func (e brokenError) Unwrap() error { return e.error }
