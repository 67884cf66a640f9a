// Package program is the command live. A program of your own can link it together with your
// layers, as with package cmd/train/program:
//
//	import (
//		_ "example.com/you/layers"
//
//		"github.com/hubel-go/hubel/cmd/live/program"
//	)
//
//	func main() { program.Main() }
package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"

	_ "github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/internal/printable"
	_ "github.com/hubel-go/hubel/kernels/cpu"
	_ "github.com/hubel-go/hubel/kernels/cuda/cudadevice"
	_ "github.com/hubel-go/hubel/kernels/cuda/simdevice"
	"github.com/hubel-go/hubel/live"
	"github.com/hubel-go/hubel/live/watch"
)

// Main runs the command live with the arguments of the process, and ends the process.
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
		err = show(ctx, o, stdout)
	}
	return command.Exit(ctx, stderr, "live", err, false)
}

// show serves the runs until ctx is cancelled.
func show(ctx context.Context, o *options, stdout io.Writer) (err error) {
	s, err := live.Open(string(o.address))
	if err != nil {
		return fmt.Errorf("-addr: %w", err)
	}
	defer command.Close(s, &err)
	var folders []*live.Folder
	for _, dir := range o.runs {
		f, err := watch.Folder(s, dir)
		if err != nil {
			return err
		}
		folders = append(folders, f)
	}
	fmt.Fprintf(stdout, "%s at %s; Ctrl-C ends this\n", printable.Names(o.runs), s.Address())
	var following sync.WaitGroup
	defer following.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, f := range folders {
		following.Go(func() { f.Follow(ctx) })
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case err := <-s.Failed():
		return command.BrokenError{Err: err}
	}
}
