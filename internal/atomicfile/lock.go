package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// ErrLocked is the error of Lock where another process, or another Lock of this
// one, holds the lock.
var ErrLocked = errors.New("another process is at work there")

// Lock makes the file of that name and locks it until it is closed, which removes
// it. The lock of a process that dies dies with it: a file that is left behind is
// not locked. Where the file system has no locks, nothing is locked.
func Lock(path string) (io.Closer, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, err
		}
		if err := tryLock(f); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		// Whoever held it may have removed it after it was opened here.
		mine, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if there, err := os.Stat(path); err == nil && os.SameFile(mine, there) {
			return lock{f}, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

// lock is a file that is locked.
type lock struct{ file *os.File }

// Close removes the file while it is locked. Windows removes no open file; there
// it goes once it is closed, unless another process has locked it by then.
func (l lock) Close() error {
	removing := os.Remove(l.file.Name())
	err := l.file.Close()
	if removing != nil {
		_ = os.Remove(l.file.Name())
	}
	return err
}
