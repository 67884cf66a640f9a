// Package program is the command train. A program of your own can link it
// together with your layers:
//
//	package main
//
//	import (
//		_ "example.com/you/layers" // whose init functions call layers.Register
//
//		"github.com/hubel-go/hubel/cmd/train/program"
//	)
//
//	func main() { program.Main() }
//
// Its -net then takes networks with these layers. Package cmd/predict/program
// does the same for predict.
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/command"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	_ "github.com/hubel-go/hubel/kernels/cuda/cudadevice"
	_ "github.com/hubel-go/hubel/kernels/cuda/simdevice"
	"github.com/hubel-go/hubel/modelfile"
)

// Main runs the command train with the arguments of the process, and ends the
// process.
func Main() {
	command.MainLasting("train", func(ctx context.Context, stdout, stderr io.Writer) int { return Run(ctx, os.Args, stdout, stderr) })
}

// Run is the whole program for another one, such as cmd/examples: args begin with the
// name by which messages call it. It returns the exit code.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	o, err := parse(args[1:])
	if errors.Is(err, flag.ErrHelp) {
		usage(stdout, new(options).flagSet())
		return command.Done
	}
	if err != nil {
		o = new(options) // of which nothing is known
	} else {
		o.stop = stop
		switch o.mode {
		case summarising:
			err = summarise(o, stdout)
		case evaluating:
			err = evaluate(ctx, o, stdout, stderr)
		case replaying:
			err = replay(o, stdout)
		case listing:
			err = listDevices(o, stdout)
		case finding:
			err = findRate(ctx, o, stdout, stderr)
		case previewing:
			err = drawPreview(ctx, o, stdout, stderr)
		default:
			if o.check {
				err = check(ctx, o, stdout, stderr)
				break
			}
			if len(o.deviceNames()) > 1 {
				return o.trainOnEach(ctx, program(args[0]), stdout, stderr)
			}
			notes := stderr // of rank 0 alone; errors are those of all
			if err = o.join(ctx, &stdout, &notes); err == nil {
				err = train(ctx, o, program(args[0]), stdout, notes)
			}
		}
	}
	return o.leave(ctx, stderr, o.named(err))
}

// named adds to an error the file of the network that cannot be planned, or the flag that
// leaves weights out which do not fit.
func (o *options) named(err error) error {
	switch {
	case errors.As(err, new(*graph.NetworkError)) && o.net != "":
		return fmt.Errorf("%s: %w", o.net, err)
	case errors.As(err, new(*graph.NetworkError)) && o.mode == evaluating:
		return fmt.Errorf("%s: %w", o.weights, err)
	case errors.As(err, new(modelfile.MismatchError)) && o.mode == training:
		return fmt.Errorf("%w; -fresh LAYER leaves out the weights of a layer", err)
	}
	return err
}

// program is how the user can call the program again: as before, unless that
// was a temporary file of `go run`.
func program(arg string) string {
	if strings.HasPrefix(arg, filepath.Clean(os.TempDir())+string(filepath.Separator)+"go-build") {
		return filepath.Base(arg)
	}
	return command.Quoted(arg)
}
