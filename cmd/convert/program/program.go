// Package program is the command convert. A program of your own can link it
// together with your layers, as with package cmd/train/program:
//
//	import (
//		_ "example.com/you/layers"
//
//		"github.com/hubel-go/hubel/cmd/convert/program"
//	)
//
//	func main() { program.Main() }
package program

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"

	_ "github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/internal/command"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	_ "github.com/hubel-go/hubel/kernels/cuda/cudadevice"
)

// Main runs the command convert with the arguments of the process, and ends the
// process.
func Main() {
	command.Main(func(ctx context.Context, stdout, stderr io.Writer) int { return run(ctx, os.Args[1:], stdout, stderr) })
}

// run is the whole program. It returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		usage(stdout, new(options).flagSet())
		return command.Done
	}
	if err == nil {
		err = o.convert(ctx, stdout, stderr)
	}
	return command.Exit(ctx, stderr, "convert", err, false)
}
