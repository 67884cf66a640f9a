package data

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Files is a set of labelled picture files: those of a folder that has a
// folder for each class, or the members of tar files, which are read where
// they lie. Only an index is in memory.
//
// A class is the first folder of a file's name, after the folders that all
// files share. In a tar file in WebDataset's manner the label stands in a
// member beside the picture instead: 0001.jpg has its label in 0001.cls, a
// number or the name of a class.
type Files struct {
	shards  []string // tar files, or one folder
	tar     bool
	files   []file
	classes []string
	skipped []Skip
}

// file is a picture in a file or in a part of one.
type file struct {
	name         string // in the folder or the tar file, with slashes
	label        int32
	shard        int32 // index in shards
	offset, size int64 // in a tar file; the size is -1 before it is known
	time         int64 // when it, or its tar file, was changed last
}

// Skip is a file that was left out, and why.
type Skip struct {
	Name, Reason string

	shard string // what Name begins with: the tar file, where there are several
}

// largestFile bounds the size of an encoded picture.
const largestFile = 1 << 28

// OpenFiles indexes a folder of class folders, a tar file, a folder of tar
// files, or a list of paths and classes whose name ends in .txt. It reads names and sizes, not pictures.
func OpenFiles(path string) (*Files, error) {
	s, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f := &Files{}
	var found []labelled
	list := !s.IsDir() && isList(path)
	switch {
	case list:
	case !s.IsDir():
		f.shards, f.tar = []string{path}, true
	default:
		if err := f.findTars(path); err != nil {
			return nil, err
		}
		f.tar = len(f.shards) > 0
	}
	switch {
	case f.tar:
		found, err = f.indexTars()
	case list:
		found, err = f.indexList(path)
	default:
		f.shards = []string{path}
		found, err = f.indexFolder(path)
	}
	if err != nil {
		return nil, err
	}
	f.classify(found)
	if len(f.files) == 0 {
		err := fmt.Errorf("%s: there are no pictures in class folders, such as cat/1.jpg", path)
		if len(f.skipped) > 0 {
			err = fmt.Errorf("%w; %s: %s, for one", err, f.skipped[0].Name, f.skipped[0].Reason)
		}
		return nil, err
	}
	if list {
		return f, f.nameClasses(path)
	}
	return f, nil
}

// ListFiles is the set of picture files of these names, which have no labels:
// all are of one class without a name.
func ListFiles(names []string) *Files {
	f := &Files{shards: []string{""}, classes: []string{""}}
	for _, name := range names {
		f.files = append(f.files, file{name: filepath.ToSlash(name), size: -1})
	}
	return f
}

// findTars makes the tar files of a folder, in order, the shards. Pictures and
// folders beside them are skipped.
func (f *Files) findTars(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var others []Skip
	archive, folders := "", false
	for _, e := range entries {
		name := e.Name()
		folders = folders || e.IsDir()
		switch {
		case hidden(name):
		case !e.IsDir() && isArchive(name):
			archive = name
			others = append(others, Skip{Name: name, Reason: compressedShard})
		case e.IsDir() || isPicture(name):
			others = append(others, Skip{Name: name, Reason: "of a folder with tar files, only those are read"})
		case strings.EqualFold(filepath.Ext(name), ".tar"):
			f.shards = append(f.shards, filepath.Join(dir, name))
		}
	}
	switch {
	case len(f.shards) > 0:
		f.skipped = others
	case archive != "" && !folders:
		return fmt.Errorf("%s: %s: %s", dir, archive, compressedShard)
	}
	return nil
}

// labelled is a picture with the text of its label; hasText says whether there
// is one. Either all pictures of a set have one or none has: then the label is
// in the name.
type labelled struct {
	file
	text    string
	hasText bool
}

// isPicture goes by the name.
func isPicture(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp":
		return true
	}
	return false
}

// beginsAsPicture goes by the first bytes, where the name says nothing. It knows
// JPEG and PNG: the marks of others are short, or begin other files too.
func beginsAsPicture(r io.Reader) bool {
	var head [len(pngMagic)]byte
	n, _ := io.ReadFull(r, head[:])
	return bytes.HasPrefix(head[:n], []byte("\xff\xd8\xff")) || string(head[:n]) == pngMagic
}

// IsPicture reports whether a file is taken for a picture: by its name, or because
// it begins as a JPEG or PNG does.
func IsPicture(file string) bool {
	if isPicture(filepath.ToSlash(file)) {
		return true
	}
	if s, err := os.Stat(file); err != nil || !s.Mode().IsRegular() { // to open a pipe may wait for ever
		return false
	}
	r, err := os.Open(file)
	if err != nil {
		return false
	}
	defer r.Close()
	return beginsAsPicture(r)
}

// hidden reports whether a name, or a folder in it, begins with a dot.
func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") && part != "." && part != ".." {
			return true
		}
	}
	return false
}

const notAPicture = "neither its name nor its content is a picture's"

// indexFolder finds the pictures under a folder. Links are followed to files,
// not to folders.
func (f *Files) indexFolder(dir string) (found []labelled, err error) {
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil && name == ".":
			return err
		case err != nil:
			f.skip(0, name, reason(err))
			return nil
		case hidden(name) && e.IsDir():
			return fs.SkipDir
		case hidden(name) || e.IsDir():
			return nil
		}
		path := filepath.Join(dir, filepath.FromSlash(name))
		s, err := os.Stat(path)
		switch {
		case err != nil:
			f.skip(0, name, reason(err))
		case s.IsDir():
			f.skip(0, name, "it is a link to a folder")
		case !s.Mode().IsRegular():
			f.skip(0, name, "it is not a regular file")
		case !IsPicture(path):
			f.skip(0, name, notAPicture)
		case f.sized(0, name, s.Size()):
			found = append(found, labelled{file: file{name: name, size: s.Size(), time: s.ModTime().UnixNano()}})
		}
		return nil
	})
	return found, err
}

// sized skips a file whose size is none of a picture's.
func (f *Files) sized(shard int, name string, size int64) bool {
	switch {
	case size == 0:
		f.skip(shard, name, "it is empty")
	case size > largestFile:
		f.skip(shard, name, fmt.Sprintf("%d bytes are more than the %d allowed", size, largestFile))
	default:
		return true
	}
	return false
}

// reason is an error without the path, which stands before it.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return err.Error()
}

// skip notes that a file is left out. Where there are several tar files it
// says in which it is.
func (f *Files) skip(shard int, name, reason string) {
	s := Skip{Reason: reason}
	if len(f.shards) > 1 {
		s.shard = filepath.Base(f.shards[shard]) + ": "
	}
	s.Name = s.shard + name
	f.skipped = append(f.skipped, s)
}

// classify finds the classes, and the label of each file.
func (f *Files) classify(found []labelled) {
	named, err := f.labels(found)
	if err != nil {
		f.skip(0, f.shards[0], err.Error())
		return
	}
	index := map[string]int32{}
	for i, c := range f.classes {
		index[c] = int32(i)
	}
	for i, l := range found {
		if label, ok := index[named[i]]; ok {
			l.label = label
			f.files = append(f.files, l.file)
		}
	}
	if !f.tar { // tar files keep the order in which they are best read
		slices.SortFunc(f.files, func(a, b file) int { return cmp.Compare(a.name, b.name) })
	}
}

// labels sets the classes and returns the name of each file's, which is empty
// where the file is skipped.
func (f *Files) labels(found []labelled) ([]string, error) {
	named := make([]string, len(found))
	texts := slices.ContainsFunc(found, func(l labelled) bool { return l.hasText })
	prefix := sharedFolders(found)
	numbers, largest := texts, -1
	for i, l := range found {
		switch {
		case texts:
			named[i] = l.text
			n, err := strconv.Atoi(named[i])
			if err != nil || n < 0 {
				numbers = false
				continue
			}
			largest = max(largest, n)
		default:
			class, _, ok := strings.Cut(strings.TrimPrefix(cleaned(l.name), prefix), "/")
			if !ok {
				f.skip(int(l.shard), l.name, "it is not in a class folder")
				continue
			}
			named[i] = class
		}
	}
	if numbers && largest >= 0 {
		if largest > 10*len(found)+1000 {
			return nil, fmt.Errorf("the label %d of %d pictures cannot be the number of a class", largest, len(found))
		}
		f.classes = make([]string, largest+1)
		for i := range f.classes {
			f.classes[i] = strconv.Itoa(i)
		}
		for i := range named { // "007" is 7
			if n, err := strconv.Atoi(named[i]); err == nil {
				named[i] = strconv.Itoa(n)
			}
		}
		return named, nil
	}
	set := map[string]bool{}
	for _, c := range named {
		if c != "" {
			set[c] = true
		}
	}
	f.classes = slices.Sorted(maps.Keys(set))
	return named, nil
}

// cleaned is a name without the "./" that tar writes before it.
func cleaned(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// sharedFolders is the part of their names, up to a slash, that all files
// share and that leaves each of them a folder.
func sharedFolders(found []labelled) string {
	if len(found) == 0 {
		return ""
	}
	shared := path.Dir(cleaned(found[0].name)) + "/"
	for _, l := range found {
		name := cleaned(l.name)
		for !strings.HasPrefix(name, shared) {
			shared = shared[:strings.LastIndexByte(shared[:len(shared)-1], '/')+1]
			if shared == "" {
				return ""
			}
		}
	}
	for _, l := range found {
		for shared != "" && !strings.Contains(strings.TrimPrefix(cleaned(l.name), shared), "/") {
			shared = shared[:strings.LastIndexByte(shared[:len(shared)-1], '/')+1]
		}
	}
	return shared
}

// Len is the number of pictures.
func (f *Files) Len() int { return len(f.files) }

// Classes names the classes. The caller must not change it.
func (f *Files) Classes() []string { return f.classes }

// Label is an index into Classes.
func (f *Files) Label(i int) int32 { return f.files[i].label }

// Name is the name of file i in its folder or tar file.
func (f *Files) Name(i int) string { return f.files[i].name }

// Skipped lists the files that were left out so far, and why.
func (f *Files) Skipped() []Skip { return f.skipped }

// Load reads file i, as it is encoded, into buf, which grows if need be.
func (f *Files) Load(buf []byte, i int) ([]byte, error) {
	e := &f.files[i]
	path := f.shards[e.shard]
	if !f.tar {
		path = f.onDisk(e.name)
	}
	size := e.size
	if size < 0 { // of ListFiles
		s, err := os.Stat(path)
		switch {
		case err != nil:
			return buf[:0], err
		case !s.Mode().IsRegular():
			return buf[:0], errors.New("it is not a regular file")
		case s.Size() == 0:
			return buf[:0], errors.New("it is empty")
		case s.Size() > largestFile:
			return buf[:0], fmt.Errorf("%d bytes are more than the %d allowed", s.Size(), largestFile)
		}
		size = s.Size()
	}
	r, err := os.Open(path)
	if err != nil {
		return buf[:0], err
	}
	defer r.Close()
	if int64(cap(buf)) < size {
		buf = make([]byte, size+size/4)
	}
	buf = buf[:size]
	if n, err := r.ReadAt(buf, e.offset); int64(n) < size {
		if err == io.EOF {
			err = fmt.Errorf("it became shorter than the %d bytes it had", size)
		}
		return buf[:0], fmt.Errorf("%s: %w", path, err)
	}
	return buf, nil
}

// Relabel makes the classes of another set those of this one: the labels of a
// test set must mean what those of its training set mean.
func (f *Files) Relabel(classes []string) error {
	to := make([]int32, len(f.classes))
	for i, c := range f.classes {
		to[i] = int32(slices.Index(classes, c))
	}
	for i := range f.files {
		l := to[f.files[i].label]
		if l < 0 {
			return fmt.Errorf("%s: %s is of the class %q, which the training set does not have", f.shards[0], f.files[i].name, f.classes[f.files[i].label])
		}
		f.files[i].label = l
	}
	f.classes = classes
	return nil
}

// part is the set of some of the files, in the order given.
func (f *Files) part(indexes []int) *Files {
	p := &Files{shards: f.shards, tar: f.tar, classes: f.classes}
	for _, i := range indexes {
		p.files = append(p.files, f.files[i])
	}
	return p
}
