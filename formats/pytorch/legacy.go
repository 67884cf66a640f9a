package pytorch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"

	"github.com/hubel-go/hubel/formats/pickle"
)

// legacyProtocol is the version of the legacy form, 0.1.10 and later.
const legacyProtocol = 1001

// readLegacy reads the form before torch 1.6: pickles of a magic number, a version, the
// sizes of C types, the value, and the keys of storages, and then the storages: their number
// of elements in 8 bytes each, and the elements, little-endian on every machine.
func (f *file) readLegacy() error {
	v, at, err := f.decode(0)
	magic, ok := v.(*big.Int)
	if err != nil || !ok || magic.Cmp(legacyMagic) != 0 {
		return errors.New("it is not a file of torch.save: neither a zip nor a tar archive, and it does not begin with the number of the legacy form")
	}
	version, at, err := f.number(at, 1<<20, "the version")
	if err != nil {
		return err
	}
	if version != legacyProtocol {
		return fmt.Errorf("version %d of the legacy form is not read; %d is", version, legacyProtocol)
	}
	if _, at, err = f.decode(at); err != nil { // the sizes of C types, which nothing depends on
		return err
	}
	options := f.options(func(key string, d dtype, elements int64) (*storage, error) {
		if elements > f.size/d.size {
			return nil, fmt.Errorf("storage %.100q has %d elements of %v, more than the file of %d bytes", key, elements, d, f.size)
		}
		return &storage{dtype: d, elements: elements, bytes: elements * d.size, order: binary.LittleEndian}, nil
	})
	if f.value, at, err = pickle.Decode(f.r, at, f.size, options); err != nil {
		return err
	}
	v, at, err = f.decode(at)
	if err != nil {
		return fmt.Errorf("the keys of storages: %w", err)
	}
	keys, ok := v.(*pickle.List)
	if !ok {
		return fmt.Errorf("offset %d: there is no list of the keys of storages: the file is damaged", at)
	}
	for _, k := range keys.Items {
		key, ok := k.(string)
		s := f.storages[key]
		if !ok || s == nil {
			return fmt.Errorf("offset %d: the list of storages has one that no tensor has: the file is damaged", at)
		}
		if at, err = f.place(s, key, at); err != nil {
			return err
		}
	}
	for key, s := range f.storages {
		if s.read == nil && s.bytes > 0 {
			return fmt.Errorf("storage %.100q is not in the file: the file is damaged", key)
		}
	}
	return nil
}

// place finds the bytes of a storage at at, behind their number, and returns where they end.
func (f *file) place(s *storage, key string, at int64) (int64, error) {
	var head [8]byte
	if err := f.readAt(head[:], at); err != nil {
		return 0, fmt.Errorf("storage %.100q: %w", key, err)
	}
	at += 8
	n := binary.LittleEndian.Uint64(head[:])
	if n != uint64(s.elements) {
		return 0, fmt.Errorf("storage %.100q has %d elements at byte %d, and %d in the pickle: the file is damaged", key, n, at-8, s.elements)
	}
	if s.bytes > f.size-at {
		return 0, fmt.Errorf("storage %.100q takes %d bytes at byte %d of a file of %d: the file is truncated", key, s.bytes, at, f.size)
	}
	begin, bytes := at, s.bytes
	s.read = func() ([]byte, error) {
		b := make([]byte, bytes)
		return b, f.readAt(b, begin)
	}
	return at + s.bytes, nil
}
