package pytorch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/big"

	"github.com/hubel-go/hubel/formats/pickle"
)

// file is a file of torch.save that is open.
type file struct {
	r    io.ReaderAt
	size int64

	value    any // of the pickle; tensors in it are *tensor
	storages map[string]*storage
	big      bool   // storages are big-endian
	format   string // what Model.Format says
}

// open reads the pickle of a file, but none of its storages.
func open(r io.ReaderAt, size int64) (*file, error) {
	f := &file{r: r, size: size, storages: map[string]*storage{}}
	err := f.read()
	if refused := (*pickle.RefusedError)(nil); errors.As(err, &refused) {
		err = fmt.Errorf("%w; %s", err, remedy(refused.Global))
	}
	return f, err
}

// remedy is how a file is written without a global.
func remedy(g pickle.Global) string {
	if g.Module == utils {
		switch g.Name {
		case "_rebuild_sparse_tensor", "_rebuild_sparse_csr_tensor":
			return "tensor.to_dense() makes one that is read"
		case "_rebuild_qtensor":
			return "tensor.dequantize() makes one that is read"
		case "_rebuild_meta_tensor_no_storage":
			return "a tensor on the device meta has no values to save"
		}
	}
	return "torch.save(model.state_dict(), …) writes a file without it"
}

// The beginnings of files.
const (
	zipMagic = "PK\x03\x04"
	tarMagic = "ustar" // at tarMagicAt
)

const tarMagicAt = 257

// legacyMagic is the number that a legacy file begins with, pickled by itself.
var legacyMagic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

// read reads whichever container it is.
func (f *file) read() error {
	head := make([]byte, min(f.size, 512))
	if err := f.readAt(head, 0); err != nil {
		return err
	}
	switch {
	case bytes.HasPrefix(head, []byte(zipMagic)):
		f.format = "PyTorch, zip"
		return f.readZip()
	case isTar(head):
		f.format = "PyTorch, tar of 2016"
		return f.readTar()
	}
	f.format = "PyTorch, legacy pickle"
	return f.readLegacy()
}

func isTar(head []byte) bool {
	return len(head) > tarMagicAt && bytes.HasPrefix(head[tarMagicAt:], []byte(tarMagic)) ||
		len(head) == 512 && bytes.HasPrefix(head, []byte("sys_info\x00"))
}

// readAt fills b.
func (f *file) readAt(b []byte, at int64) error {
	if n, err := f.r.ReadAt(b, at); n < len(b) {
		if err == io.EOF {
			err = errTruncated
		}
		return fmt.Errorf("at byte %d: %w", at+int64(n), err)
	}
	return nil
}

var errTruncated = errors.New("the file is truncated")

// section is a part of the file: r.ReadAt counts from its beginning.
func (f *file) section(at, size int64) *file {
	return &file{r: io.NewSectionReader(f.r, at, size), size: size}
}

// decode reads a pickle that holds no tensors.
func (f *file) decode(at int64) (any, int64, error) {
	return pickle.Decode(f.r, at, f.size, pickle.Options{Class: isStorageOrTensor})
}

// number decodes a pickle of one number in [0, limit].
func (f *file) number(at, limit int64, what string) (int64, int64, error) {
	v, next, err := f.decode(at)
	if err != nil {
		return 0, next, err
	}
	n, ok := pickle.Int(v)
	if !ok || n < 0 || n > limit {
		return 0, next, fmt.Errorf("offset %d: %s is not a number from 0 to %d", at, what, limit)
	}
	return n, next, nil
}
