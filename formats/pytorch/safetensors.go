package pytorch

import (
	"errors"
	"fmt"
	"os"

	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/modelfile"
)

// readWeights reads all tensors of a file, and says what it is.
func readWeights(path string) (*weights, string, error) {
	head, err := headOf(path)
	if err != nil {
		return nil, "", err
	}
	if isSafetensors(head) {
		w, err := readSafetensors(path)
		return w, "safetensors with PyTorch's names", err
	}
	f, closer, err := open(path)
	if err != nil {
		return nil, "", err
	}
	defer closer.Close()
	d, err := findStateDict(f.value)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	w, err := f.load(d)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	}
	return w, f.format, nil
}

// headOf is the first bytes of a file.
func headOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 16)
	n, _ := f.Read(head)
	return head[:n], nil
}

// readSafetensors reads a safetensors file of another program.
func readSafetensors(path string) (*weights, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if f.Metadata()[modelfile.NetworkKey] != "" {
		return nil, fmt.Errorf("%s: it is hubel's own weights file, with its network", path)
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
