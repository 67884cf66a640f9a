// Package command is what the programs of cmd have in common: exit codes, what
// Ctrl-C and a closed terminal do, and how errors and flags are shown.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/hubel-go/hubel/internal/printable"
)

// The exit codes.
const (
	Done        = 0
	Broken      = 1   // what was asked for had begun, and failed
	Wrong       = 2   // flags, or files they name
	Interrupted = 130 // what shells report for Ctrl-C: 128 + SIGINT
)

// Main ends the process with the exit code that run returns. Ctrl-C, SIGTERM and
// SIGHUP, which comes when a terminal is closed, cancel its ctx. A second Ctrl-C or
// SIGTERM ends the process at once; a terminal that is closed sends SIGHUP more than
// once. A SIGHUP that was ignored at the start, as nohup has it, stays so. What run
// writes to standard output and standard error cannot steer a terminal.
func Main(run func(ctx context.Context, stdout, stderr io.Writer) int) {
	main(os.Stdout, os.Stderr, ending(), run)
}

// MainLasting is Main for a program whose work is worth more than what it prints:
// its outputs are Lasting.
func MainLasting(program string, run func(ctx context.Context, stdout, stderr io.Writer) int) {
	lasting(program, ending(), run)
}

// MainReloading is MainLasting for a program that goes on when SIGHUP comes, and reads again
// what it works with: reload has a value after one or more of those.
func MainReloading(program string, run func(ctx context.Context, reload <-chan os.Signal, stdout, stderr io.Writer) int) {
	reload := make(chan os.Signal, 1)
	signal.Notify(reload, syscall.SIGHUP) // which never comes on Windows
	lasting(program, ends, func(ctx context.Context, stdout, stderr io.Writer) int { return run(ctx, reload, stdout, stderr) })
}

// ends are the signals that end every program.
var ends = []os.Signal{os.Interrupt, syscall.SIGTERM}

// ending are those that end a program for which SIGHUP is nothing else.
func ending() []os.Signal {
	if signal.Ignored(syscall.SIGHUP) {
		return ends
	}
	return append([]os.Signal{syscall.SIGHUP}, ends...)
}

func lasting(program string, signals []os.Signal, run func(ctx context.Context, stdout, stderr io.Writer) int) {
	out, err := NewLasting(os.Stdout), NewLasting(os.Stderr)
	main(out, err, signals, func(ctx context.Context, stdout, stderr io.Writer) int {
		return out.Exit(run(ctx, stdout, stderr), stderr, program)
	})
}

func main(out, err io.Writer, signals []os.Signal, run func(ctx context.Context, stdout, stderr io.Writer) int) {
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, func() {
		signal.Ignore(syscall.SIGHUP)
		stop()
	})
	stdout, stderr := printable.NewWriter(out), printable.NewWriter(err)
	code := run(ctx, stdout, stderr)
	for _, w := range []*printable.Writer{stdout, stderr} {
		_ = w.Flush() // half a character, which nobody misses
	}
	os.Exit(code)
}

// BrokenError is one of something that had begun: its exit code is Broken.
type BrokenError struct{ Err error }

// Error is what went wrong.
func (e BrokenError) Error() string { return e.Err.Error() }

// Unwrap is for errors.Is.
func (e BrokenError) Unwrap() error { return e.Err }

// Exit says on stderr, in one line, why a program failed, if it did, and returns
// its exit code. An error that comes of a cancelled ctx is Interrupted and says
// nothing; a BrokenError is Broken, as any is where broken is set; others are
// Wrong.
func Exit(ctx context.Context, stderr io.Writer, program string, err error, broken bool) int {
	switch {
	case err == nil:
		return Done
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return Interrupted
	}
	fmt.Fprintf(stderr, "%s: %s\n", program, printable.Line(err.Error()))
	if broken || errors.As(err, new(BrokenError)) {
		return Broken
	}
	return Wrong
}

// CheckFolder says whether files can be put into a folder that is there or is to be
// made, as far as that can be known without writing. An empty name is none.
func CheckFolder(name string) error {
	for ; name != ""; name = filepath.Dir(name) {
		s, err := os.Stat(name)
		switch {
		case err == nil && !s.IsDir():
			return fmt.Errorf("%s is not a folder", name)
		case err == nil:
			return nil
		case !errors.Is(err, fs.ErrNotExist):
			return err
		case name == filepath.Dir(name):
			return err
		}
	}
	return nil
}

// Close closes what work was done with, and puts its error into err, as a
// BrokenError, if there is none yet.
func Close(c io.Closer, err *error) {
	if closing := c.Close(); closing != nil && *err == nil {
		*err = BrokenError{closing}
	}
}
