package data

import (
	"bytes"
	"cmp"
	"context"
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

	"golang.org/x/text/unicode/norm"
)

// Files is a set of labelled picture files: those of a folder that has a
// folder for each class, or the members of tar files, which are read where
// they lie. Only an index is in memory.
//
// A class is the first folder of a file's name, after the folders that all
// files share. In a tar file in WebDataset's manner the label stands in a
// member beside the picture instead: 0001.jpg has its label in 0001.cls, a
// number or the name of a class.
//
// Files are in order of their names, which do not depend on how they are stored:
// a folder and tar files of it, in whatever order, are the same set.
type Files struct {
	shards  []string // tar files, or one folder
	tar     bool
	whole   bool      // without parts: a list names all that is in the set
	root    string    // folders that all files share, with a slash behind each
	part    string    // of a set that has parts, the name of this one
	keyed   bool      // names are WebDataset's keys, and belong to their tar file
	caffe   *caffeSet // of a data set of Caffe's
	files   []file
	classes []string
	skipped []Skip
}

// file is a picture in a file or in a part of one.
type file struct {
	name         string // in the set: without the folders that all files share, with slashes
	stored       string // in the folder or the tar file, with slashes
	label        int32
	shard        int32 // index in shards
	offset, size int64 // in a tar file or a database; the size is -1 before it is known
	time         int64 // when it, or its tar file, was changed last
}

// Skip is a file that was left out, and why.
type Skip struct {
	Name, Reason string

	shard string // what Name begins with: the tar file, where there are several
}

// largestFile bounds the size of an encoded picture.
const largestFile = 1 << 28

// OpenFiles indexes a folder of class folders, a tar file, a folder of tar files,
// a list of paths and classes whose name ends in .txt, or a data set of Caffe's. It
// reads names and sizes, not pictures. A set that has parts, such as folders "train" and "val", is for
// OpenPhotos.
func OpenFiles(path string) (*Files, error) { return openFiles(context.Background(), path, "", nil) }

// openFiles is OpenFiles with the order of channels in a data set of Caffe's, and with
// an index.
func openFiles(ctx context.Context, path, order string, x *Index) (*Files, error) {
	parts, err := openSet(ctx, path, order, x)
	if err != nil {
		return nil, err
	}
	if divided(parts) {
		return nil, fmt.Errorf("%s has parts, %s: name one of them, or the whole for training", path, partList(parts))
	}
	return parts[0], nil
}

// openSet indexes the files of each part of a set, which are nil where there are
// none. A set without parts is one to train on. The order is that of channels in a
// data set of Caffe's.
func openSet(ctx context.Context, path, order string, x *Index) (parts [3]*Files, err error) {
	s, err := os.Stat(path)
	if err != nil {
		return parts, err
	}
	if order != "" && order != "bgr" && order != "rgb" {
		return parts, fmt.Errorf("the order of channels %q is neither bgr nor rgb", order)
	}
	if parts[0], err = openCaffe(path, order); err != nil || parts[0] != nil {
		return parts, err
	}
	if order != "" {
		return parts, fmt.Errorf("%s is no data set of Caffe's, whose order of channels would have to be known", path)
	}
	f := &Files{}
	var found []labelled
	list := !s.IsDir() && isList(path)
	f.whole = list
	switch {
	case list:
	case !s.IsDir():
		f.shards, f.tar = []string{path}, true
	default:
		if err := f.findTars(path); err != nil {
			return parts, err
		}
		if f.tar = len(f.shards) > 0; !f.tar {
			if parts, err = openShardFolders(ctx, path, x); err != nil || divided(parts) {
				return parts, err
			}
		}
	}
	switch {
	case f.tar:
		return x.open(ctx, path, f)
	case list:
		found, err = f.indexList(path)
	default:
		f.shards = []string{path}
		found, err = f.indexFolder(path)
	}
	if err != nil {
		return parts, err
	}
	if parts, err = f.parts(path, found); err == nil && list {
		err = parts[0].nameClasses(path)
	}
	return parts, err
}

// parts is the set of each part of the pictures that were found.
func (f *Files) parts(path string, found []labelled) (parts [3]*Files, err error) {
	if !f.whole { // a list says itself what it means
		found = f.photographs(f.withoutArrays(found))
	}
	if parts, err = f.divide(found); err != nil {
		return parts, fmt.Errorf("%s: %w", path, err)
	}
	if train := parts[0]; train.Len() == 0 {
		err = fmt.Errorf("%s: there are no pictures in class folders, such as cat/1.jpg", path)
		if len(train.skipped) > 0 {
			err = fmt.Errorf("%w; %s: %s, for one", err, train.skipped[0].Name, train.skipped[0].Reason)
		}
	}
	return parts, err
}

// ListFiles is the set of picture files of these names, which have no labels:
// all are of one class without a name.
func ListFiles(names []string) *Files {
	f := &Files{shards: []string{""}, classes: []string{""}}
	for _, name := range names {
		f.files = append(f.files, file{name: filepath.ToSlash(name), stored: filepath.ToSlash(name), size: -1})
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
		case ignored(name):
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
	case ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".npy":
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

const notAPicture = "neither its name nor its content is a picture's"

// indexFolder finds the pictures under a folder. Links are followed.
func (f *Files) indexFolder(dir string) (found []labelled, err error) {
	skip := func(name, reason string) { f.skip(0, name, reason) }
	return found, walkFolder(dir, func(name string, s os.FileInfo) {
		switch {
		case !s.Mode().IsRegular():
			skip(name, "it is not a regular file")
		case !IsPicture(filepath.Join(dir, filepath.FromSlash(name))):
			skip(name, notAPicture)
		case f.sized(0, name, s.Size()):
			found = append(found, labelled{file: file{name: name, size: s.Size(), time: s.ModTime().UnixNano()}})
		}
	}, skip)
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

// divide makes the set of each part of the pictures that were found, and gives
// them their names in it.
func (f *Files) divide(found []labelled) (parts [3]*Files, err error) {
	for i := range found {
		l := &found[i]
		l.name, l.stored = canonical(l.name), l.name
	}
	groups, err := f.groups(found)
	if err != nil {
		return parts, err
	}
	for k, g := range groups {
		if k > 0 && g.found == nil {
			continue
		}
		p := &Files{shards: f.shards, tar: f.tar, part: g.name, caffe: f.caffe}
		if err := p.classify(g.found); err != nil {
			return parts, err
		}
		parts[k] = p
	}
	parts[0].skipped = append(f.skipped, parts[0].skipped...)
	for k, p := range parts[1:] {
		if p != nil && len(p.files) == 0 { // as a test set whose answers are secret
			parts[0].skipped = append(parts[0].skipped, Skip{Name: p.part, Reason: fmt.Sprintf("none of its %d pictures is in a class folder", len(p.skipped))})
			parts[1+k] = nil
		}
	}
	known := func(class string) bool { return slices.Contains(parts[0].classes, class) }
	if test := parts[2]; parts[1] != nil && test != nil && !slices.ContainsFunc(test.classes, known) {
		parts[0].skipped = append(parts[0].skipped, Skip{Name: test.part, Reason: fmt.Sprintf("its %d pictures are in none of the class folders to train on", len(test.files))})
		parts[2] = nil
	}
	return parts, nil
}

// classify finds the classes, and the label and the place of each file.
func (f *Files) classify(found []labelled) error {
	texts := slices.ContainsFunc(found, func(l labelled) bool { return l.hasText })
	f.root = classRoot(found)
	if texts {
		f.root, f.keyed = sharedFolders(found), f.tar
	}
	for i := range found {
		l := &found[i]
		name, ok := strings.CutPrefix(l.name, f.root)
		if !ok { // beside a folder that the class folders are in
			name = path.Base(l.name)
		}
		l.name = name
	}
	named, err := f.labels(found, texts)
	if err != nil {
		f.skip(0, f.shards[0], err.Error())
		return nil
	}
	index := map[string]int32{}
	for i, c := range f.classes {
		index[c] = int32(i)
	}
	f.files = make([]file, 0, len(found))
	for i, l := range found {
		if label, ok := index[named[i]]; ok {
			l.label = label
			f.files = append(f.files, l.file)
		}
	}
	slices.SortFunc(f.files, func(a, b file) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.shard, b.shard), cmp.Compare(a.offset, b.offset), cmp.Compare(a.stored, b.stored))
	})
	if texts {
		return nil
	}
	return f.refuseParts()
}

// labels sets the classes and returns the name of each file's, which is empty
// where the file is skipped.
func (f *Files) labels(found []labelled, texts bool) ([]string, error) {
	named := make([]string, len(found))
	numbers, largest := texts, -1
	for i, l := range found {
		switch {
		case texts:
			named[i] = norm.NFC.String(l.text)
			n, err := strconv.Atoi(named[i])
			if err != nil || n < 0 {
				numbers = false
				continue
			}
			largest = max(largest, n)
		default:
			class, _, ok := strings.Cut(l.name, "/")
			if !ok {
				f.skip(int(l.shard), l.stored, "it is not in a class folder")
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
func cleaned(name string) string {
	if path.Clean(name) == name && name[0] != '.' && name[0] != '/' { // as most are: no copy
		return name
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

// canonical is a name as it is the same everywhere: cleaned, and with its letters
// composed (Unicode's normal form C; macOS takes them apart). What is not UTF-8
// stays as it is.
func canonical(name string) string { return norm.NFC.String(cleaned(name)) }

// classRoot is the folder that the class folders are in, with a slash behind it:
// the first that has several folders with pictures. Where none has, there is one
// class, and that is the folder of the pictures nearest to the top.
func classRoot(found []labelled) string {
	root, nearest := "", ""
	for {
		folder, several := "", false
		for i := range found {
			under, ok := strings.CutPrefix(found[i].name, root)
			if !ok {
				continue
			}
			first, _, ok := strings.Cut(under, "/")
			switch {
			case !ok && nearest == "":
				nearest = root
			case ok && folder != "" && first != folder:
				several = true
			case ok:
				folder = first
			}
		}
		switch {
		case several:
			return root
		case folder == "":
			return nearest[:strings.LastIndexByte(strings.TrimSuffix(nearest, "/"), '/')+1]
		}
		root += folder + "/"
	}
}

// sharedFolders is the part of their names, up to a slash, that all files share.
func sharedFolders(found []labelled) string {
	if len(found) == 0 {
		return ""
	}
	shared := found[0].name[:strings.LastIndexByte(found[0].name, '/')+1]
	for i := range found {
		for !strings.HasPrefix(found[i].name, shared) {
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

// Name is the name of file i in the set, which is the same in a folder and in a
// tar file of it: without the folders that all files share. Files that nothing
// labels have the name that they were given.
func (f *Files) Name(i int) string { return f.files[i].name }

// Part is the name of the folder that the pictures are in where the set has
// parts, or that of the part where its tar files are parts, and otherwise empty.
func (f *Files) Part() string { return f.part }

// Skipped lists the files that were left out so far, and why.
func (f *Files) Skipped() []Skip { return f.skipped }

// Load reads file i, as it is encoded, into buf, which grows if need be.
func (f *Files) Load(buf []byte, i int) ([]byte, error) {
	e := &f.files[i]
	path := f.shards[e.shard]
	if f.caffe != nil && f.caffe.head != nil {
		return f.loadRow(buf, e)
	}
	if !f.tar && f.caffe == nil {
		path = f.onDisk(e.stored)
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
	known := map[string]int32{}
	for i, c := range classes {
		known[norm.NFC.String(c)] = int32(i)
	}
	to := make([]int32, len(f.classes))
	for i, c := range f.classes {
		l, ok := known[norm.NFC.String(c)]
		if !ok {
			l = -1
		}
		to[i] = l
	}
	for i := range f.files {
		l := to[f.files[i].label]
		if l < 0 {
			return fmt.Errorf("%s: %s is of the class %q, which the training set does not have", f.shards[0], f.files[i].stored, f.classes[f.files[i].label])
		}
		f.files[i].label = l
	}
	f.classes = classes
	return nil
}

// subset is the set of some of the files, in the order given.
func (f *Files) subset(indexes []int) *Files {
	p := *f
	p.files, p.skipped = make([]file, 0, len(indexes)), nil
	for _, i := range indexes {
		p.files = append(p.files, f.files[i])
	}
	return &p
}
