package device

import (
	"errors"
	"sync/atomic"
)

// ErrClosed is the error of calls of a device, its queues and its events after
// the device's Close.
var ErrClosed = errors.New("the device is closed")

// Lifetime stores whether a device is closed. The device and its queues share
// it. The zero Lifetime is that of an open device.
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
