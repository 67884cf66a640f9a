package command

import (
	"errors"
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
	File *os.File
	gone atomic.Bool
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
	return n, err
}
