package data

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// largestLabel bounds the size of a .cls member.
const largestLabel = 256

var errNoTar = errors.New("it is neither a tar file nor a folder")

// indexTars finds the pictures in the tar files.
func (f *Files) indexTars() (found []labelled, err error) {
	for i, path := range f.shards {
		in, err := f.indexTarFile(path, int32(i))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		found = append(found, in...)
	}
	return found, nil
}

func (f *Files) indexTarFile(path string, shard int32) ([]labelled, error) {
	s, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !s.Mode().IsRegular() { // to open a pipe may wait for ever
		return nil, errNoTar
	}
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	found, err := f.indexTar(r, s.Size(), shard)
	for i := range found {
		found[i].time = s.ModTime().UnixNano()
	}
	return found, err
}

// indexTar finds the pictures in a tar file of size bytes. Members are never
// unpacked and links never followed: a name can lead nowhere.
func (f *Files) indexTar(r io.ReadSeeker, size int64, shard int32) ([]labelled, error) {
	if err := refuseCompressed(r); err != nil {
		return nil, err
	}
	var found []labelled
	texts := map[string]string{} // labels by the name without its extension
	t := tar.NewReader(r)
	for n := 0; ; n++ {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil && n == 0 {
			return nil, errNoTar
		}
		if err != nil {
			// What came before is whole; a file that is cut off ends here.
			f.skip(int(shard), filepath.Base(f.shards[shard]), fmt.Sprintf("after %d members: %v", n, err))
			break
		}
		switch {
		case h.Typeflag == tar.TypeDir || hidden(h.Name):
			continue
		case strings.EqualFold(path.Ext(h.Name), ".cls"):
			if h.Size > largestLabel {
				f.skip(int(shard), h.Name, fmt.Sprintf("a label of %d bytes is too long", h.Size))
				continue
			}
			text, err := io.ReadAll(t)
			if err != nil {
				f.skip(int(shard), h.Name, reason(truncated(err)))
				continue
			}
			texts[stem(h.Name)] = string(text)
			continue
		case !isPicture(h.Name):
			if ext := strings.ToLower(path.Ext(h.Name)); ext != ".json" && ext != ".txt" { // WebDataset's notes
				f.skip(int(shard), h.Name, notAPicture)
			}
			continue
		case h.Typeflag != tar.TypeReg || h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.map"] != "":
			f.skip(int(shard), h.Name, "it is a link, a device or a sparse file")
			continue
		}
		offset, err := r.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		switch {
		case !f.sized(int(shard), h.Name, h.Size):
		case h.Size > size-offset:
			f.skip(int(shard), h.Name, "truncated: the tar file ends in it")
		default:
			found = append(found, labelled{file: file{name: h.Name, shard: shard, offset: offset, size: h.Size}})
		}
	}
	for i := range found {
		found[i].text, found[i].hasText = texts[stem(found[i].name)]
	}
	return found, nil
}

// stem is what WebDataset calls a key: the name up to the first dot of its
// last part.
func stem(name string) string {
	dir, base := path.Split(name)
	base, _, _ = strings.Cut(base, ".")
	return dir + base
}

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
	} {
		if bytes.HasPrefix(magic[:n], []byte(c.magic)) {
			return fmt.Errorf("it is compressed with %s; pictures are read from the middle of a tar file, so unpack it with %s", c.name, c.tool)
		}
	}
	_, err = r.Seek(0, io.SeekStart)
	return err
}
