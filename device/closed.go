package device

import (
	"errors"
	"sync/atomic"
)

// ErrClosed is the error of what is asked of a device after its Close, or of its
// queues and events.
var ErrClosed = errors.New("the device is closed")

// Lifetime is whether a device is closed, which its queues share. The zero
// Lifetime is of one that is open.
type Lifetime struct{ over atomic.Bool }

// End ends it, and reports whether it had not ended before.
func (l *Lifetime) End() bool { return !l.over.Swap(true) }

// Check is ErrClosed once the lifetime has ended.
func (l *Lifetime) Check() error {
	if l.over.Load() {
		return ErrClosed
	}
	return nil
}
