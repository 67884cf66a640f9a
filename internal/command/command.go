// Package command is what the programs of cmd have in common: exit codes, what
// Ctrl-C does, and how errors and flags are shown.
package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// The exit codes.
const (
	Done        = 0
	Broken      = 1   // what was asked for had begun, and failed
	Wrong       = 2   // flags, or files they name
	Interrupted = 130 // what shells report for Ctrl-C: 128 + SIGINT
)

// Main ends the process with the exit code that run returns. Ctrl-C and SIGTERM
// cancel its ctx; a second signal ends the process at once.
func Main(run func(ctx context.Context) int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx))
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
	fmt.Fprintf(stderr, "%s: %s\n", program, strings.ReplaceAll(err.Error(), "\n", "; "))
	if broken || errors.As(err, new(BrokenError)) {
		return Broken
	}
	return Wrong
}

// Close closes what work was done with, and puts its error into err, as a
// BrokenError, if there is none yet.
func Close(c io.Closer, err *error) {
	if closing := c.Close(); closing != nil && *err == nil {
		*err = BrokenError{closing}
	}
}
