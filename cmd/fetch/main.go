// Command fetch gets the files of a data set:
//
//	fetch mnist [DIR]
//	fetch fashion-mnist [DIR]
//
// DIR is datasets/mnist or datasets/fashion-mnist unless it is given. MNIST
// comes from a Go module, through the Go command and its proxy settings;
// Fashion-MNIST from a Debian package, through apt-get, without root. Files
// that exist and are right are kept. It exits with 1 if it fails, with 2 if the
// arguments are wrong, and with 130 after Ctrl-C.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hubel-go/hubel/data/fetch"
	"github.com/hubel-go/hubel/internal/command"
)

func main() {
	command.Main(func(ctx context.Context, stdout, stderr io.Writer) int {
		return command.Exit(ctx, stderr, "fetch", run(ctx, os.Args[1:], stdout), false)
	})
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) < 1 || len(args) > 2 || strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("usage: fetch SET [DIR], where SET is one of %s", strings.Join(fetch.Names(), ", "))
	}
	set, err := fetch.Find(args[0])
	if err != nil {
		return err
	}
	dir := set.Dir
	if len(args) == 2 {
		dir = args[1]
	}
	if err := set.Fetch(ctx, dir, stdout); err != nil {
		return command.BrokenError{Err: err}
	}
	return nil
}
