package data

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hubel-go/hubel/internal/atomicfile"
)

// Index keeps in files what indexing tar files finds, so that they are indexed only
// once: by the first of several processes that start together, while the others wait
// for its file.
//
// A file is used where it is of the same tar files, by their names, sizes and times
// and by the bytes of some members, which are read again. Another is replaced. That
// one cannot be written is no error: it saves time alone. A nil Index keeps nothing.
type Index struct {
	// Folder is where the files are.
	Folder string

	// Hold says that nothing is written before Save, as into the folder of a run
	// that has not begun yet. Then nobody waits for this process.
	Hold bool

	// Notice is told in a line, which has names of files in it, why a file is
	// replaced or cannot be written, and who is waited for. It may be nil.
	Notice func(line string)

	found []encodedIndex
}

// encodedIndex is a file that waits for Save.
type encodedIndex struct {
	file    string
	content []byte
}

// indexRules counts the changes of what is found in the same tar files: of which
// members are pictures, of their order, and of their labels.
const indexRules = 1

// errOtherTars is the error of an index that is sound, but of something else.
var errOtherTars = errors.New("it is of other tar files than there are now")

// Save writes what Hold has kept back.
func (x *Index) Save() {
	if x == nil {
		return
	}
	for _, e := range x.found {
		x.write(e.file, e.content)
	}
	x.found = nil
}

func (x *Index) write(path string, content []byte) {
	err := atomicfile.Write(path, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
	if err != nil {
		x.say("the index of the tar files cannot be written: " + err.Error())
	}
}

func (x *Index) say(line string) {
	if x.Notice != nil {
		x.Notice(line)
	}
}

// open is the parts of the set of f's tar files, which have this path: those of the
// index, if it has them, or those that are found now.
func (x *Index) open(ctx context.Context, path string, f *Files) (parts [3]*Files, err error) {
	build := func() ([3]*Files, error) {
		found, err := f.indexTars(ctx)
		if err != nil {
			return parts, err
		}
		return f.parts(path, found)
	}
	if x == nil {
		return build()
	}
	beside := slices.Clone(f.skipped)
	before, err := statTars(f.shards, beside)
	if err != nil { // which indexing says better
		return build()
	}
	file := filepath.Join(x.Folder, indexName(path))
	if parts, ok := x.read(file, f, before); ok {
		return parts, nil
	}
	if !x.Hold {
		unlock, err := x.lock(ctx, file)
		if err != nil {
			return parts, err
		}
		defer unlock()
		if parts, err := readIndex(file, f, before); err == nil { // another process was faster
			return parts, nil
		}
	}
	if parts, err = build(); err != nil {
		return parts, err
	}
	after, err := statTars(f.shards, beside)
	if err != nil || after.digest != before.digest { // one is still being written
		return parts, nil
	}
	content, err := encodeIndex(parts, after)
	if err != nil {
		x.say("the index of the tar files is not kept: " + err.Error())
		return parts, nil
	}
	if x.Hold {
		x.found = append(x.found, encodedIndex{file, content})
	} else {
		x.write(file, content)
	}
	return parts, nil
}

// read reads an index, and says what is wrong with one that is there.
func (x *Index) read(file string, f *Files, tars tarStats) (parts [3]*Files, ok bool) {
	parts, err := readIndex(file, f, tars)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		x.say(fmt.Sprintf("%s is not used: %s; the tar files are indexed again", file, reason(err)))
	}
	return parts, err == nil
}

// lockEvery is the time between two looks at a lock that another process holds.
const lockEvery = 50 * time.Millisecond

// lock makes this process the only one that writes an index. Where there can be no
// lock, several may write the same.
func (x *Index) lock(ctx context.Context, file string) (unlock func(), err error) {
	if err := os.MkdirAll(x.Folder, 0o777); err != nil {
		return func() {}, nil // nor can the index be written, which is said then
	}
	for said := false; ; said = true {
		l, err := atomicfile.Lock(file + ".lock")
		switch {
		case err == nil:
			return func() { _ = l.Close() }, nil
		case !errors.Is(err, atomicfile.ErrLocked):
			return func() {}, nil
		case !said:
			x.say("another process is indexing the tar files; waiting for " + file)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(lockEvery):
		}
	}
}

// indexName is the name of the index of a set: that of the set, and what tells it
// from those of the same name elsewhere.
func indexName(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	h := sha256.Sum256([]byte(path))
	base := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	letters := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}
	return fmt.Sprintf("%.40s-%s.index", strings.Map(letters, base), hex.EncodeToString(h[:6]))
}

// tarStats is what tells tar files apart without reading them.
type tarStats struct {
	sizes, times []int64
	total        int64
	digest       [sha256.Size]byte // of names, sizes, times, and what is beside them
}

// statTars looks at the tar files of a set, beside which something is skipped.
func statTars(shards []string, beside []Skip) (t tarStats, err error) {
	h := sha256.New()
	fmt.Fprintf(h, "rules %d\n", indexRules)
	for _, shard := range shards {
		s, err := os.Stat(shard)
		if err != nil {
			return t, err
		}
		if !s.Mode().IsRegular() {
			return t, errNoTar
		}
		t.sizes = append(t.sizes, s.Size())
		t.times = append(t.times, s.ModTime().UnixNano())
		t.total += s.Size()
		fmt.Fprintf(h, "%q %d %d\n", filepath.Base(shard), s.Size(), s.ModTime().UnixNano())
	}
	for _, s := range beside {
		fmt.Fprintf(h, "%q %q\n", s.Name, s.Reason)
	}
	h.Sum(t.digest[:0])
	return t, nil
}

// What is read of the tar files again, to know an index for theirs: so many members,
// and so many bytes of each, with its header.
const (
	sampledMembers = 64
	sampledBytes   = tarBlock + 4096
)

// sampleMembers digests bytes of some members, spread evenly over each part.
func sampleMembers(parts [3]*Files) (digest [sha256.Size]byte, err error) {
	h := sha256.New()
	buf := make([]byte, sampledBytes)
	for _, p := range parts {
		if p == nil {
			continue
		}
		n := min(sampledMembers, len(p.files))
		var places []*file
		for i := range n {
			places = append(places, &p.files[i*len(p.files)/n])
		}
		slices.SortStableFunc(places, func(a, b *file) int { return int(a.shard) - int(b.shard) })
		for len(places) > 0 {
			shard := places[0].shard
			of := len(places)
			if i := slices.IndexFunc(places, func(e *file) bool { return e.shard != shard }); i > 0 {
				of = i
			}
			if err := digestMembers(h, p.shards[shard], places[:of], buf); err != nil {
				return digest, err
			}
			places = places[of:]
		}
	}
	h.Sum(digest[:0])
	return digest, nil
}

// digestMembers writes bytes of members of a tar file to a digest.
func digestMembers(h io.Writer, tar string, members []*file, buf []byte) error {
	r, err := os.Open(tar)
	if err != nil {
		return err
	}
	defer r.Close()
	for _, e := range members {
		from := max(0, e.offset-tarBlock)
		b := buf[:min(int64(len(buf)), e.offset+e.size-from)]
		if _, err := r.ReadAt(b, from); err != nil {
			return fmt.Errorf("%s: %w", tar, err)
		}
		var place [8]byte
		binary.LittleEndian.PutUint64(place[:], uint64(e.offset))
		_, _ = h.Write(place[:]) // a digest takes all
		_, _ = h.Write(b)
	}
	return nil
}
