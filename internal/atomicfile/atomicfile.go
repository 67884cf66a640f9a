// Package atomicfile replaces files as a whole: a reader, and a machine that
// loses power, finds the old file or the new one, never a part.
package atomicfile

import (
	"bufio"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
)

// Write calls write with the new content's destination and puts the result in
// the place of path. It writes a temporary file in the same folder, flushes it
// to the disk, renames it, and flushes the folder. If anything fails before
// the rename, what path named stays as it was and the temporary file is
// removed.
func Write(path string, write func(w io.Writer) error) error {
	return replace(path, write, func() error { return nil })
}

// Rotate is Write, but what path named is kept as previous, in the place of
// what that named. Between the two renames there is previous alone.
func Rotate(path, previous string, write func(w io.Writer) error) error {
	return replace(path, write, func() error {
		if err := os.Rename(path, previous); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}

// Check says whether Write could write to path, for those who want to know before
// they work out what to write.
func Check(path string) error {
	f, err := create(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// Clean removes the temporary files that writes which were killed have left in a
// folder. No write into it may be under way.
func Clean(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Type().IsRegular() && temporary.MatchString(e.Name()) {
			if err := os.Remove(filepath.Join(folder, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// extension ends the names of temporary files: those of create.
const extension = ".tmp"

var temporary = regexp.MustCompile(`.\.[A-Z2-7]{26,}\` + extension + `$`)

// replace calls before once the new content is on the disk.
func replace(path string, write func(w io.Writer) error, before func() error) error {
	f, err := create(path)
	if err != nil {
		return err
	}
	temp := f.Name()
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
	if err := before(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	renamed = true
	return syncFolder(filepath.Dir(path))
}

// create makes a temporary file for path. What path names must not be a folder,
// or a device such as /dev/null, which a rename would replace.
func create(path string) (*os.File, error) {
	if s, err := os.Stat(path); err == nil && !s.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	// Not os.CreateTemp: its files can be read by their owner alone, whatever
	// the umask.
	f, err := os.OpenFile(path+"."+rand.Text()+extension, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, errors.Unwrap(err)) // without the temporary name
	}
	return f, nil
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
