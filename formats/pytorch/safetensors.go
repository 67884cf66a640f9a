package pytorch

import (
	"errors"
	"fmt"
	"io"

	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/modelfile"
)

// readWeights reads all tensors of a file, and says what it is.
func readWeights(r io.ReaderAt, size int64) (*weights, string, error) {
	head := make([]byte, min(size, 16))
	if _, err := r.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, "", err
	}
	if isSafetensors(head) {
		w, err := readSafetensors(r, size)
		return w, "safetensors with PyTorch's names", err
	}
	f, err := open(r, size)
	if err != nil {
		return nil, "", err
	}
	d, err := findStateDict(f.value)
	if err != nil {
		return nil, "", err
	}
	w, err := f.load(d)
	return w, f.format, err
}

// readSafetensors reads a safetensors file of another program.
func readSafetensors(r io.ReaderAt, size int64) (*weights, error) {
	f, err := safetensors.Read(r, size)
	if err != nil {
		return nil, err
	}
	if f.Metadata()[modelfile.NetworkKey] != "" {
		return nil, errors.New("it is hubel's own weights file, with its network")
	}
	if err := f.Verify(); err != nil && !errors.Is(err, safetensors.ErrNoChecksum) {
		return nil, err
	}
	w := &weights{values: map[string]*dense{}, unordered: true}
	for _, t := range f.Tensors() {
		switch t.DType {
		case safetensors.F32, safetensors.F64, safetensors.F16, safetensors.BF16, safetensors.I32, safetensors.I64, safetensors.U8:
		default:
			w.lost = append(w.lost, fmt.Sprintf("%s: hubel has no elements of the type %s", printable.Name(t.Name), printable.Name(string(t.DType))))
			continue
		}
		x, err := f.ReadDense(t.Name)
		if err != nil {
			return nil, err
		}
		w.names = append(w.names, t.Name)
		w.values[t.Name] = x
	}
	return w, nil
}
