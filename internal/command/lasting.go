package command

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// Lasting is the standard output, or standard error, of a program whose work is
// worth more than what it prints: where nobody reads that any more, because a pipe
// or a terminal was closed, it goes nowhere and the program goes on.
type Lasting struct {
	File   *os.File
	gone   atomic.Bool
	failed atomic.Pointer[error] // the first error of another kind
}

// NewLasting makes f last. The signal of a closed pipe, which would end the process,
// is ignored from then on.
func NewLasting(f *os.File) *Lasting {
	signal.Ignore(syscall.SIGPIPE)
	return &Lasting{File: f}
}

var _ io.Writer = (*Lasting)(nil)

// Write writes to the file, as long as somebody reads it.
func (l *Lasting) Write(b []byte) (int, error) {
	if l.gone.Load() {
		return len(b), nil
	}
	n, err := l.File.Write(b)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) {
		l.gone.Store(true)
		return len(b), nil
	}
	if err != nil {
		l.failed.CompareAndSwap(nil, &err)
	}
	return n, err
}

// Exit is the exit code of a program that ends with a code, of which this was the
// output: Broken, said on stderr, where something that somebody reads could not be
// written, as on a disk that is full.
func (l *Lasting) Exit(code int, stderr io.Writer, program string) int {
	err := l.failed.Load()
	if err == nil || code == Interrupted {
		return code
	}
	if code == Done { // otherwise something is said already
		fmt.Fprintf(stderr, "%s: %v\n", program, *err)
	}
	return Broken
}
