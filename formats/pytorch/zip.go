package pytorch

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/hubel-go/hubel/formats/pickle"
)

// readZip reads the form of torch 1.6 and later: a zip archive, perhaps zip64, whose entries
// are stored as they are. NAME/data.pkl is the pickle, NAME/data/KEY the storage of each key,
// NAME/byteorder the order of their bytes.
func (f *file) readZip() error {
	archive, err := zip.NewReader(f.r, f.size)
	if err != nil {
		return fmt.Errorf("the zip archive: %w: the file is truncated or damaged", err)
	}
	entries := map[string]*zip.File{}
	root := ""
	for _, e := range archive.File {
		if entries[e.Name] != nil {
			return fmt.Errorf("the zip archive has the entry %.200q twice", e.Name)
		}
		entries[e.Name] = e
		if dir, ok := strings.CutSuffix(e.Name, "/data.pkl"); ok && !strings.Contains(dir, "/") {
			root = dir
		}
		if strings.HasSuffix(e.Name, "/constants.pkl") {
			f.format = "PyTorch, TorchScript"
		}
	}
	pkl := entries[root+"/data.pkl"]
	if pkl == nil {
		return errors.New("the zip archive has no data.pkl: it is not a file of torch.save")
	}
	if order := entries[root+"/byteorder"]; order != nil {
		text, err := f.entry(order)
		if err != nil {
			return err
		}
		switch string(text) {
		case "little":
		case "big":
			f.big = true
		default:
			return fmt.Errorf("the byte order is %.20q, not little or big", text)
		}
	}
	at, err := f.stored(pkl)
	if err != nil {
		return err
	}
	var read int64 // bytes of storages
	options := f.options(func(key string, d dtype, elements int64) (*storage, error) {
		e := entries[root+"/data/"+key]
		if e == nil {
			return nil, fmt.Errorf("storage %.100q is not in the zip archive: the file is damaged", key)
		}
		if _, err := f.stored(e); err != nil {
			return nil, err
		}
		if read += int64(e.UncompressedSize64); read > f.size {
			return nil, errors.New("the entries of the zip archive lie over each other")
		}
		s := &storage{dtype: d, elements: elements, bytes: int64(e.UncompressedSize64), order: f.order()}
		s.read = func() ([]byte, error) { return f.entry(e) }
		return s, s.check(key)
	})
	pickled := f.section(at, int64(pkl.UncompressedSize64))
	if f.value, _, err = pickle.Decode(pickled.r, 0, pickled.size, options); err != nil {
		return fmt.Errorf("data.pkl: %w", err)
	}
	return nil
}

// stored is where the bytes of an entry are, which must lie in the file as they are.
func (f *file) stored(e *zip.File) (at int64, err error) {
	if e.Method != zip.Store || e.CompressedSize64 != e.UncompressedSize64 {
		return 0, fmt.Errorf("entry %.200q is compressed, which torch.save does not do: unpack the archive and pack it again with zip -0", e.Name)
	}
	if at, err = e.DataOffset(); err != nil {
		return 0, fmt.Errorf("entry %.200q: %w", e.Name, err)
	}
	if e.UncompressedSize64 > uint64(max(f.size-at, 0)) {
		return 0, fmt.Errorf("entry %.200q has %d bytes at byte %d of a file of %d: the file is truncated", e.Name, e.UncompressedSize64, at, f.size)
	}
	return at, nil
}

// entry reads an entry and compares it with its checksum.
func (f *file) entry(e *zip.File) ([]byte, error) {
	if _, err := f.stored(e); err != nil {
		return nil, err
	}
	r, err := e.Open()
	if err != nil {
		return nil, fmt.Errorf("entry %.200q: %w", e.Name, err)
	}
	defer r.Close()
	b := make([]byte, e.UncompressedSize64)
	if _, err = io.ReadFull(r, b); err == nil {
		_, err = r.Read(make([]byte, 1)) // the checksum is compared at the end
	}
	switch {
	case errors.Is(err, zip.ErrChecksum):
		return nil, fmt.Errorf("entry %.200q: its checksum does not match: the file is damaged, or was saved without checksums (torch.serialization.set_crc32_options)", e.Name)
	case err != io.EOF:
		return nil, fmt.Errorf("entry %.200q: %w", e.Name, err)
	}
	return b, nil
}
