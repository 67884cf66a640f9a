// Package pytorch reads the tensors of PyTorch: what torch.save writes, in each of its forms
// since 2016, and safetensors files with PyTorch's names. It writes the latter.
//
// A file of torch.save is a pickle and the storages of tensors. The pickle is read by package
// formats/pickle with a short list of what it may name: nothing of a file is ever run. Neither
// is a network in these files, only names and tensors. So the weights are read into a network
// that the caller has, or into the one of torchvision whose names and shapes they have.
package pytorch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hubel-go/hubel/formats"
)

// Reader reads the files of torch.save (.pt, .pth, .ckpt and others), and safetensors files
// of other programs than hubel.
var Reader = formats.Reader{Name: "pytorch", Is: is, Read: read}

// is reports whether a file begins like one of PyTorch's.
func is(head []byte, name string) bool {
	switch {
	case bytes.HasPrefix(head, []byte(zipMagic)): // the first entry is the pickle, or the storage of a TorchScript
		return len(head) > 30 && (bytes.Contains(head[:min(len(head), 512)], []byte("/data.pkl")) || bytes.Contains(head[:min(len(head), 512)], []byte("/data/0")))
	case isTar(head):
		return bytes.HasPrefix(head, []byte("sys_info\x00")) || bytes.HasPrefix(head, []byte("storages\x00"))
	case len(head) > 14 && head[0] == 0x80 && head[2] == 0x8a && head[3] == 10:
		return bytes.Equal(head[4:14], legacyBytes())
	}
	return isSafetensors(head) && !bytes.Contains(head, []byte(`"classes":"`)) && !bytes.Contains(head, []byte(`"network":"`))
}

// legacyBytes is the number that a legacy file begins with, as pickles have it.
func legacyBytes() []byte {
	b := legacyMagic.Bytes()
	for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
		b[i], b[j] = b[j], b[i]
	}
	return b
}

// isSafetensors reports whether a file begins with the length of a header, and the header.
func isSafetensors(head []byte) bool {
	return len(head) > 9 && bytes.Equal(head[4:8], make([]byte, 4)) && head[8] == '{'
}

// read reads one file.
func read(_ context.Context, paths []string, o formats.Options) (*formats.Model, error) {
	if len(paths) != 1 {
		return nil, fmt.Errorf("%s: PyTorch's weights are in one file, and %d are given", strings.Join(paths, ", "), len(paths))
	}
	path := paths[0]
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	var m *formats.Model
	if err == nil {
		m, err = model(f, info.Size(), o)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// model reads a file of size bytes behind r.
func model(r io.ReaderAt, size int64, o formats.Options) (*formats.Model, error) {
	w, format, err := readWeights(r, size)
	if err != nil {
		return nil, err
	}
	m := &formats.Model{Format: format}
	return m, fit(m, w, io.NewSectionReader(r, 0, size), o)
}

// errNoTensors is that of a file without tensors that hubel can hold.
var errNoTensors = errors.New("it holds no tensors that can be read")
