package pytorch

import (
	"archive/tar"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/hubel-go/hubel/formats/pickle"
)

// readTar reads the form before torch 0.1.10: a tar archive of "storages" (their number, and
// for each a pickle of key, location and type, its length in 8 bytes, and its elements; then
// a list of those that are parts of others), "tensors" (their number, and for each a pickle of
// key, storage and type, and then dimensions, sizes, strides and offset), and "pickle", where
// tensors and storages stand as their keys.
func (f *file) readTar() error {
	members, err := f.members()
	if err != nil {
		return err
	}
	for _, name := range []string{"storages", "tensors", "pickle"} {
		if members[name] == nil {
			return fmt.Errorf("the tar archive has no %q: it is not a file of torch.save, or truncated", name)
		}
	}
	if err := members["storages"].tarStorages(f); err != nil {
		return fmt.Errorf("storages: %w", err)
	}
	tensors, err := members["tensors"].tarTensors(f)
	if err != nil {
		return fmt.Errorf("tensors: %w", err)
	}
	options := f.options(nil)
	options.Persistent = func(id any) (any, error) {
		if t, ok := id.(pickle.Tuple); ok && len(t) > 0 { // a class with its source
			if class, ok := t[0].(pickle.Global); ok {
				return class, nil
			}
		}
		key, _ := id.(string)
		if t := tensors[key]; t != nil {
			return t, nil
		}
		if s := f.storages[key]; s != nil {
			return s, nil
		}
		return nil, fmt.Errorf("%.100q is neither a tensor nor a storage of the file: it is damaged", key)
	}
	p := members["pickle"]
	if f.value, _, err = pickle.Decode(p.r, 0, p.size, options); err != nil {
		return fmt.Errorf("pickle: %w", err)
	}
	return nil
}

// members finds the files in a tar archive.
func (f *file) members() (map[string]*file, error) {
	at := io.NewSectionReader(f.r, 0, f.size)
	members := map[string]*file{}
	for archive := tar.NewReader(at); ; {
		h, err := archive.Next()
		if err == io.EOF {
			return members, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the tar archive: %w: the file is truncated or damaged", err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		begin, err := at.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if h.Size > f.size-begin {
			return nil, fmt.Errorf("%.100q takes %d bytes at byte %d of a file of %d: the file is truncated", h.Name, h.Size, begin, f.size)
		}
		members[h.Name] = f.section(begin, h.Size)
	}
}

// tarStorages reads the storages into those of the whole file.
func (m *file) tarStorages(whole *file) error {
	n, at, err := m.number(0, m.size, "the number of storages")
	if err != nil {
		return err
	}
	for range n {
		v, next, err := m.decode(at)
		if err != nil {
			return err
		}
		args, _ := v.(pickle.Tuple)
		key, d, err := storageOf(args, 3, 2)
		if err != nil {
			return fmt.Errorf("offset %d: %w", at, err)
		}
		var head [8]byte
		if err := m.readAt(head[:], next); err != nil {
			return err
		}
		elements := binary.LittleEndian.Uint64(head[:])
		if elements > uint64(m.size-next-8)/uint64(d.size) {
			return fmt.Errorf("offset %d: storage %.100q has %d elements of %v: the file is truncated", next, key, elements, d)
		}
		s := &storage{dtype: d, elements: int64(elements), bytes: int64(elements) * d.size, order: binary.LittleEndian}
		if whole.storages[key] != nil {
			return fmt.Errorf("offset %d: storage %.100q is there twice", at, key)
		}
		whole.storages[key] = s
		if at, err = m.place(s, key, next); err != nil {
			return err
		}
	}
	v, _, err := m.decode(at)
	if err != nil {
		return err
	}
	views, ok := v.(*pickle.List)
	if !ok {
		return fmt.Errorf("offset %d: there is no list of parts of storages", at)
	}
	for _, v := range views.Items {
		args, _ := v.(pickle.Tuple)
		if len(args) != 4 {
			return fmt.Errorf("offset %d: a part of a storage is not four numbers", at)
		}
		root := whole.storages[keyOf(args[1])]
		if root == nil {
			return fmt.Errorf("offset %d: a part is of a storage that is not there", at)
		}
		part, err := root.part(args[2], args[3])
		if err != nil {
			return fmt.Errorf("offset %d: %w", at, err)
		}
		whole.storages[keyOf(args[0])] = part
	}
	return nil
}

// tarTensors reads the descriptions of tensors, by key.
func (m *file) tarTensors(whole *file) (map[string]*tensor, error) {
	n, at, err := m.number(0, m.size, "the number of tensors")
	if err != nil {
		return nil, err
	}
	tensors := map[string]*tensor{}
	for range n {
		v, next, err := m.decode(at)
		if err != nil {
			return nil, err
		}
		args, _ := v.(pickle.Tuple)
		if len(args) != 3 {
			return nil, fmt.Errorf("offset %d: a tensor is not key, storage and type", at)
		}
		var head [8]byte
		if err := m.readAt(head[:], next); err != nil {
			return nil, err
		}
		dims := binary.LittleEndian.Uint32(head[:]) // the other 4 bytes mean nothing
		if dims > maxDims {
			return nil, fmt.Errorf("offset %d: a tensor has %d dimensions; at most %d are read", next, dims, maxDims)
		}
		b := make([]byte, 8*(2*dims+1))
		if err := m.readAt(b, next+8); err != nil {
			return nil, err
		}
		numbers := make([]int64, 2*dims+1)
		for i := range numbers {
			numbers[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
		}
		s := whole.storages[keyOf(args[1])]
		if s == nil {
			return nil, fmt.Errorf("offset %d: the storage of a tensor is not there: the file is damaged", at)
		}
		t := &tensor{storage: s, dtype: s.dtype, offset: numbers[2*dims], shape: numbers[:dims], stride: numbers[dims : 2*dims]}
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("offset %d: %w", next, err)
		}
		tensors[keyOf(args[0])] = t
		at = next + 8 + int64(len(b))
	}
	return tensors, nil
}

// storageOf are the key and the type of a storage's description of so many values.
func storageOf(args pickle.Tuple, count, typeAt int) (string, dtype, error) {
	if len(args) != count {
		return "", dtype{}, errors.New("a storage is not key, location and type")
	}
	class, _ := args[typeAt].(pickle.Global)
	d, ok := storageTypes[class.Name]
	if !ok || !isStorage(class) {
		return "", dtype{}, fmt.Errorf("the type of a storage, %v, is not known", class)
	}
	return keyOf(args[0]), d, nil
}

// keyOf is a key as text, whether it is a text or a number in the file.
func keyOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	if n, ok := pickle.Int(v); ok {
		return strconv.FormatInt(n, 10)
	}
	return ""
}
