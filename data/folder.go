package data

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ignored reports whether a name, or a folder in it, is none of the user's:
// it begins with a dot, or systems and programs leave it behind. Every reader
// passes over such names without a word, so that they are no reason to refuse
// a set either.
func ignored(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		part = strings.ToLower(part)
		switch {
		case part == "." || part == "..":
		case strings.HasPrefix(part, "."), strings.HasPrefix(part, "paxheader"), slices.Contains(leftBehind, part):
			return true
		}
	}
	return false
}

// leftBehind are such names in small letters: Windows', those of macOS and its
// archives, of file systems, NAS boxes and programs that show pictures.
var leftBehind = []string{
	"$recycle.bin", "recycler", "system volume information", "desktop.ini", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db",
	"__macosx", "icon\r", "network trash folder", "temporary items",
	"lost+found", "lost.dir",
	"@eadir", "#recycle", "@recycle", "@recently-snapshot",
	"picasa.ini",
}

// linkedOften bounds how often links may lead to one folder: folders full of
// links to one another have no end of paths.
const linkedOften = 16

// folder is a walk through a folder, in order of the names. Links are followed.
type folder struct {
	visit func(name string, s os.FileInfo) // of a file; its name in the folder, with slashes
	skip  func(name, reason string)        // of what cannot be read

	linked map[string]int // how often links have led to a folder
}

// walkFolder visits all files below dir but those with ignored names. Its
// error is that dir itself cannot be read.
func walkFolder(dir string, visit func(name string, s os.FileInfo), skip func(name, reason string)) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	if real, err = filepath.Abs(real); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	w := folder{visit: visit, skip: skip, linked: map[string]int{}}
	w.walk(dir, "", []string{real}, entries)
	return nil
}

// walk visits what is in a folder whose name ends in a slash, or is empty.
// Behind are the true paths of the folders that the walk is in, this one's last.
func (w *folder) walk(dir, name string, behind []string, entries []os.DirEntry) {
	for _, e := range entries {
		if ignored(e.Name()) {
			continue
		}
		path, name := filepath.Join(dir, e.Name()), name+e.Name()
		s, err := os.Stat(path) // of what a link leads to
		if err != nil {
			w.skip(name, reason(err))
			continue
		}
		if !s.IsDir() {
			w.visit(name, s)
			continue
		}
		real := filepath.Join(behind[len(behind)-1], e.Name())
		if e.Type()&os.ModeSymlink != 0 {
			if real, err = filepath.EvalSymlinks(path); err == nil {
				real, err = filepath.Abs(real)
			}
			if err == nil {
				err = w.follow(real, behind)
			}
		}
		var entries []os.DirEntry
		if err == nil {
			entries, err = os.ReadDir(path)
		}
		if err != nil { // the others can be read all the same
			w.skip(name, reason(err))
		}
		w.walk(path, name+"/", append(behind[:len(behind):len(behind)], real), entries)
	}
}

// follow says why a link to a folder is not followed.
func (w *folder) follow(real string, behind []string) error {
	for _, b := range behind {
		if b == real || strings.HasPrefix(b, strings.TrimSuffix(real, string(filepath.Separator))+string(filepath.Separator)) {
			return fmt.Errorf("it is a link to a folder that it is in, %s", real)
		}
	}
	if w.linked[real]++; w.linked[real] > linkedOften {
		return fmt.Errorf("it is a link to %s, which %d others lead to already", real, linkedOften)
	}
	return nil
}

// Pictures lists the files below a folder that are taken for pictures, in order,
// and what cannot be read: links that lead nowhere or round in circles
// are followed no further, and what a folder that cannot be read holds is not
// known.
func Pictures(dir string) (names []string, skipped []Skip, err error) {
	err = walkFolder(dir,
		func(name string, _ os.FileInfo) {
			if path := filepath.Join(dir, filepath.FromSlash(name)); IsPicture(path) {
				names = append(names, path)
			}
		},
		func(name, reason string) {
			skipped = append(skipped, Skip{Name: filepath.Join(dir, filepath.FromSlash(name)), Reason: reason})
		})
	return names, skipped, err
}
