package data

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

var errNoTar = errors.New("it is neither a tar file nor a folder")

// indexTars finds the pictures in the tar files, and their labels where these
// stand beside them. Tar files are indexed side by side.
func (f *Files) indexTars(ctx context.Context) (found []labelled, err error) {
	type result struct {
		found   []labelled
		notes   []note
		skipped []Skip
	}
	results := make([]result, len(f.shards))
	var shards errgroup.Group
	shards.SetLimit(runtime.GOMAXPROCS(0))
	errs := make([]error, len(f.shards))
	for i, path := range f.shards {
		shards.Go(func() error {
			r, of := &results[i], &Files{shards: f.shards}
			r.found, r.notes, errs[i] = of.indexTarFile(ctx, path, int32(i))
			r.skipped = of.skipped
			return nil // the first error is that of the first tar file
		})
	}
	_ = shards.Wait()
	var notes []note
	for i, path := range f.shards {
		if err := errs[i]; err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if i == 0 {
			found, notes = results[i].found, results[i].notes
		} else {
			found, notes = append(found, results[i].found...), append(notes, results[i].notes...)
		}
		f.skipped = append(f.skipped, results[i].skipped...)
		results[i] = result{}
	}
	if found, err = f.samples(found, notes); err != nil {
		return nil, fmt.Errorf("%s: %w", f.shards[0], err)
	}
	return found, nil
}

func (f *Files) indexTarFile(ctx context.Context, path string, shard int32) ([]labelled, []note, error) {
	s, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !s.Mode().IsRegular() { // to open a pipe may wait for ever
		return nil, nil, errNoTar
	}
	r, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	found, notes, err := f.indexTar(ctx, &readAhead{file: r}, s.Size(), shard)
	for i := range found {
		found[i].time = s.ModTime().UnixNano()
	}
	return found, notes, err
}

// indexTar finds the pictures in a tar file of size bytes, and what stands
// beside them. Members are never unpacked and links never followed: a name can
// lead nowhere. Of members of one name the last counts, as it does where a tar
// file is unpacked. Blocks of zeros between members, as in tar files that were
// appended to each other, end nothing.
func (f *Files) indexTar(ctx context.Context, r io.ReadSeeker, size int64, shard int32) (found []labelled, notes []note, err error) {
	if size == 0 {
		f.skipTar(shard, "it is empty")
		return nil, nil, nil
	}
	if err := refuseCompressed(r); err != nil {
		return nil, nil, err
	}
	last := map[string]int64{} // where the last member of a name lies
	blocks := &tarBlocks{ReadSeeker: r}
	t := tar.NewReader(blocks)
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		h, err := blocks.next(t)
		if err == io.EOF {
			if !blocks.ended {
				f.skipTar(shard, fmt.Sprintf("it has no end mark after its %d members, as one that was cut off: some may be missing", n))
			}
			break
		}
		if err != nil && n == 0 {
			return nil, nil, errNoTar
		}
		offset, seekErr := r.Seek(0, io.SeekCurrent)
		if seekErr != nil {
			return nil, nil, seekErr
		}
		if err != nil {
			// What came before is whole.
			f.skipTar(shard, fmt.Sprintf("after %d members, at byte %d of %d: %v; what follows is not read",
				n, min(offset, size), size, truncated(err)))
			break
		}
		switch {
		case h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader || ignored(h.Name):
			continue
		case h.Typeflag == tar.TypeLink && cleaned(h.Linkname) == cleaned(h.Name): // packed twice; the first is whole
			continue
		}
		last[cleaned(h.Name)] = offset
		regular := h.Typeflag == tar.TypeReg && h.PAXRecords["GNU.sparse.major"] == "" && h.PAXRecords["GNU.sparse.map"] == ""
		switch {
		case regular && isNote(h.Name):
			notes = append(notes, readNote(t, file{name: h.Name, shard: shard, offset: offset, size: h.Size}))
		case !isPicture(h.Name) && !beginsAsPicture(t):
			f.skip(int(shard), h.Name, notAPicture)
		case !regular:
			f.skip(int(shard), h.Name, "it is a link, a device or a sparse file")
		case !f.sized(int(shard), h.Name, h.Size):
		case h.Size > size-offset:
			f.skip(int(shard), h.Name, "truncated: the tar file ends in it")
		default:
			found = append(found, labelled{file: file{name: h.Name, shard: shard, offset: offset, size: h.Size}})
		}
	}
	replaced := func(m file) bool {
		if last[cleaned(m.name)] == m.offset {
			return false
		}
		f.skip(int(shard), m.name, "a later member of the tar file has its name and counts instead")
		return true
	}
	found = slices.DeleteFunc(found, func(l labelled) bool { return replaced(l.file) })
	notes = slices.DeleteFunc(notes, func(n note) bool { return replaced(n.file) })
	return found, notes, nil
}

// skipTar notes that something of a tar file is left out, or may be.
func (f *Files) skipTar(shard int32, reason string) {
	f.skipped = append(f.skipped, Skip{Name: filepath.Base(f.shards[shard]), Reason: reason})
}

// tarBlocks is a tar file without the blocks of zeros between its members,
// which archive/tar would take for its end.
type tarBlocks struct {
	io.ReadSeeker
	header bool // what is read now are headers
	ended  bool // such a block was the last that was read
}

const tarBlock = 512

// next reads the next header.
func (b *tarBlocks) next(t *tar.Reader) (*tar.Header, error) {
	b.header, b.ended = true, false
	defer func() { b.header = false }()
	return t.Next()
}

func (b *tarBlocks) Read(p []byte) (int, error) {
	for {
		n, err := b.ReadSeeker.Read(p)
		b.ended = b.ended && n == 0
		if !b.header || n < tarBlock || bytes.Count(p[:n], []byte{0}) < n {
			return n, err
		}
		b.ended = true
	}
}

// readAhead reads a file in pieces, so that a header that lies near the last one is
// in memory already. To look at the headers of large members it reads little more
// than those.
type readAhead struct {
	file io.ReaderAt
	at   int64 // of the next byte
	from int64 // where buf lies
	buf  []byte
	room [largestAhead]byte
}

// Bytes that are read at once: of small members, and of large ones.
const (
	largestAhead  = 64 << 10
	smallestAhead = 2 << 10
)

// Read fills p unless the file ends, as tarBlocks wants it.
func (r *readAhead) Read(p []byte) (int, error) {
	end := r.from + int64(len(r.buf))
	if r.at < r.from || r.at+int64(len(p)) > end {
		n := largestAhead
		if r.at < r.from || r.at > end+largestAhead/4 {
			n = smallestAhead
		}
		if len(p) > n {
			n, err := r.file.ReadAt(p, r.at)
			r.at += int64(n)
			return n, err
		}
		n, err := r.file.ReadAt(r.room[:n], r.at)
		if n == 0 {
			return 0, err
		}
		r.from, r.buf = r.at, r.room[:n] // an error comes with the bytes behind these
	}
	n := copy(p, r.buf[r.at-r.from:])
	r.at += int64(n)
	return n, nil
}

// Seek goes to a place from the beginning or from the last one; nobody asks for one
// from the end.
func (r *readAhead) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.at
	case io.SeekEnd:
		return r.at, errors.ErrUnsupported
	}
	r.at = offset
	return r.at, nil
}

// isArchive reports whether a name is that of a compressed tar file, a part of
// one, or an archive of another kind.
func isArchive(name string) bool {
	name = strings.ToLower(name)
	switch path.Ext(name) {
	case ".tgz", ".tbz", ".tbz2", ".txz", ".tzst", ".zip", ".7z", ".rar":
		return true
	case ".idx", ".index", ".json", ".txt", ".md5", ".sha1", ".sha256", ".sha512": // notes about a tar file
		return false
	}
	return strings.Contains(name, ".tar.")
}

const compressedShard = "only plain tar files are read: unpack it, with gunzip for .gz"

// refuseCompressed says what to do with a compressed tar file, whose members
// cannot be found without reading all that is before them.
func refuseCompressed(r io.ReadSeeker) error {
	var magic [6]byte
	n, err := io.ReadFull(r, magic[:])
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return err
	}
	for _, c := range []struct{ name, magic, tool string }{
		{"gzip", "\x1f\x8b", "gunzip"},
		{"bzip2", "BZh", "bunzip2"},
		{"xz", "\xfd7zXZ\x00", "unxz"},
		{"Zstandard", "\x28\xb5\x2f\xfd", "unzstd"},
		{"LZ4", "\x04\x22\x4d\x18", "unlz4"},
		{"ZIP", "PK\x03\x04", "unzip"},
	} {
		if bytes.HasPrefix(magic[:n], []byte(c.magic)) {
			return fmt.Errorf("it is compressed with %s; pictures are read from the middle of a tar file, so unpack it with %s", c.name, c.tool)
		}
	}
	_, err = r.Seek(0, io.SeekStart)
	return err
}
