// Package atomicfile replaces files as a whole: a reader, and a machine that
// loses power, finds the old file or the new one, never a part.
package atomicfile

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// Write calls write with the new content's destination and puts the result in
// the place of path. It writes a temporary file in the same folder, flushes it
// to the disk, renames it, and flushes the folder. If anything fails before
// the rename, what path named stays as it was and the temporary file is
// removed.
func Write(path string, write func(w io.Writer) error) error {
	// Not os.CreateTemp: its files can be read by their owner alone, whatever
	// the umask.
	temp := path + "." + rand.Text() + ".tmp"
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	renamed := false
	defer func() {
		if !renamed { // also where write panics
			f.Close()
			os.Remove(temp)
		}
	}()

	b := bufio.NewWriterSize(f, 1<<16)
	if err := write(b); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := b.Flush(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	renamed = true
	return syncFolder(filepath.Dir(path))
}

// syncFolder makes a rename last. Windows cannot flush a folder, and some file
// systems refuse to; there the rename is as lasting as it gets.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
