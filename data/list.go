package data

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/hubel-go/hubel/internal/plain"
)

// isList goes by the name.
func isList(path string) bool { return strings.EqualFold(filepath.Ext(path), ".txt") }

// classNames are files beside a list that name its classes, a line each, as
// Caffe and DIGITS call them.
var classNames = []string{"synset_words.txt", "labels.txt"}

// listLine is a line of a list.
type listLine struct {
	name, class string // with slashes; a number
	line        int
	again       bool // a line before it has the same name and class
}

// parseList reads the lines of a list as Caffe has it: a path and the number of
// a class, with space between.
func parseList(lines []string) (list []listLine, err error) {
	seen := map[string]listLine{}
	for i, text := range lines {
		if text == "" {
			continue
		}
		cut := strings.LastIndexAny(text, " \t")
		l := listLine{name: filepath.ToSlash(strings.TrimSpace(text[:max(cut, 0)])), line: i + 1}
		class, err := strconv.ParseUint(text[cut+1:], 10, 31)
		if l.name == "" || err != nil {
			return nil, fmt.Errorf("line %d is not the path of a picture and the number of its class, such as cat/1.jpg 0", l.line)
		}
		l.class = strconv.FormatUint(class, 10)
		before, ok := seen[cleaned(l.name)]
		if ok && before.class != l.class {
			return nil, fmt.Errorf("line %d gives %s the class %s, and line %d gave it %s", l.line, l.name, l.class, before.line, before.class)
		}
		l.again = ok
		if !ok {
			seen[cleaned(l.name)] = l
		}
		list = append(list, l)
	}
	if len(list) == 0 {
		return nil, errors.New("the list is empty")
	}
	return list, nil
}

// indexList finds the pictures of a list. Paths are absolute or begin at the
// list's folder.
func (f *Files) indexList(path string) (found []labelled, err error) {
	lines, err := readLines(path)
	if err != nil {
		return nil, err
	}
	list, err := parseList(lines)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f.shards = []string{filepath.Dir(path)}
	var missing []string
	for _, l := range list {
		s, err := os.Stat(f.onDisk(l.name))
		switch {
		case l.again:
			f.skip(0, l.name, fmt.Sprintf("line %d lists it again", l.line))
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, l.name)
			f.skip(0, l.name, "it is not there")
		case err != nil:
			f.skip(0, l.name, reason(err))
		case !s.Mode().IsRegular():
			f.skip(0, l.name, "it is not a regular file")
		case f.sized(0, l.name, s.Size()):
			found = append(found, labelled{file: file{name: l.name, size: s.Size(), time: s.ModTime().UnixNano()}, text: l.class, hasText: true})
		}
	}
	if len(found) == 0 && len(missing) > 0 {
		return nil, fmt.Errorf("%s: %d of its pictures are not there, such as %s: paths begin at the list's folder, so put the list where the pictures are",
			path, len(missing), missing[0])
	}
	return found, nil
}

// onDisk is the path of a file of the only shard, a folder.
func (f *Files) onDisk(name string) string {
	name = filepath.FromSlash(name)
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(f.shards[0], name)
}

// nameClasses gives the numbers of a list the names that a file beside it has,
// if there is one.
func (f *Files) nameClasses(list string) error {
	for _, name := range classNames {
		path := filepath.Join(f.shards[0], name)
		if name == filepath.Base(list) {
			continue
		}
		names, err := readLines(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for len(names) > 0 && names[len(names)-1] == "" {
			names = names[:len(names)-1]
		}
		if len(names) < len(f.classes) {
			return fmt.Errorf("%s names %d classes, but %s has a class %d, counted from 0", path, len(names), list, len(f.classes)-1)
		}
		lines := map[string]int{}
		for i, n := range names {
			switch first, ok := lines[n]; {
			case n == "":
				return fmt.Errorf("%s: line %d is empty, where the name of class %d should be", path, i+1, i)
			case ok:
				return fmt.Errorf("%s: lines %d and %d are both %q; each class needs a name of its own", path, first, i+1, n)
			}
			lines[n] = i + 1
		}
		f.classes = names
		return nil
	}
	return nil
}

// readLines reads the lines of a text, without space around them and without a
// byte-order mark.
func readLines(path string) (lines []string, err error) {
	s, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !s.Mode().IsRegular() { // to open a pipe may wait for ever
		return nil, fmt.Errorf("%s: it is not a regular file", path)
	}
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	scanner := bufio.NewScanner(plain.Text(r))
	for scanner.Scan() {
		lines = append(lines, strings.TrimSpace(scanner.Text()))
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("%s: line %d: %w", path, len(lines)+1, err)
	}
	return lines, nil
}
