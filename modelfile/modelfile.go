// Package modelfile reads and writes weights files. A weights file is a
// safetensors file with a network, the preprocessing of its images, the names
// of its classes and the values of its parameters.
package modelfile

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/printable"
)

// Keys of the metadata of a weights file.
const (
	NetworkKey    = "network"    // graph.Network in JSON
	PreprocessKey = "preprocess" // data.Preprocess in JSON
	ClassesKey    = "classes"    // names in JSON
	ClassBytesKey = "classes64"  // the same in base64, if one is not UTF-8
)

// IterationKey is a key that only a checkpoint has: Read refuses a file with
// it.
const IterationKey = "iteration"

// Model is the contents of a weights file: all that prediction needs.
type Model struct {
	Network    *graph.Network
	Preprocess data.Preprocess          // of the network's images
	Classes    []string                 // names of its outputs
	Weights    map[string]*tensor.Dense // by name, such as "conv1.weight"

	path string
}

// Read reads a weights file that training has written, and checks it for damage.
func Read(path string) (*Model, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return decode(path, f)
}

// ReadFrom is Read of a file of size bytes behind r.
func ReadFrom(r io.ReaderAt, size int64) (*Model, error) {
	f, err := safetensors.Read(r, size)
	if err != nil {
		return nil, err
	}
	return decode("weights", f)
}

// decode reads the model in a file that errors call by its path.
func decode(path string, f *safetensors.File) (*Model, error) {
	m := &Model{path: path}
	var metadata map[string]string
	var err error
	if m.Weights, metadata, err = verified(f, verifyIfSummed); err != nil {
		return nil, err
	}
	if _, ok := metadata[IterationKey]; ok {
		return nil, fmt.Errorf("%s: a checkpoint is for resuming its run; the weights are in weights.safetensors beside it", path)
	}
	if m.Network, err = Decode(metadata, &m.Preprocess, &m.Classes); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

// Set uploads the values in the file to the weights of a network. Names, shapes and types
// must be the same, otherwise the error is a MismatchError. If values are NaN, it is a
// NaNError.
func (m *Model) Set(w *graph.Weights) error { return SetWeights(w, m.Weights, m.path, nil) }

// NaNError is the error of weights that have the right names and shapes, but
// contain NaN.
type NaNError struct {
	path, tensor string // the first
	bad, of      int    // its values
	more         int    // other tensors
}

// Error names the file and the first tensor.
func (e NaNError) Error() string {
	more := ""
	if e.more > 0 {
		more = fmt.Sprintf(", and in %d more tensors", e.more)
	}
	return fmt.Sprintf("%s: the weights are spoilt: %d of the %d values of %s are NaN%s", e.path, e.bad, e.of, e.tensor, more)
}

// MismatchError is the error of weights that are not those of the network: their names,
// shapes or types differ.
type MismatchError struct{ path, what string }

// Error names the file, and the tensors that differ.
func (e MismatchError) Error() string {
	return e.path + ": " + e.what + "; the file is of another network, or damaged"
}

// nans counts the values that are NaN.
func nans(x *tensor.Dense) (n int) {
	if x.Dtype() != tensor.Float32 {
		return 0
	}
	for _, v := range x.Float32s() {
		if v != v {
			n++
		}
	}
	return n
}

// ReadTensors reads a whole file. A checksum that does not match is an error;
// files of other programs have none.
func ReadTensors(path string) (tensors map[string]*tensor.Dense, metadata map[string]string, err error) {
	return readVerified(path, verifyIfSummed)
}

// verifyIfSummed compares the checksum, if there is one.
func verifyIfSummed(f *safetensors.File) error {
	if err := f.Verify(); !errors.Is(err, safetensors.ErrNoChecksum) {
		return err
	}
	return nil
}

// ReadVerified is ReadTensors for files that only hubel writes: without a
// checksum such a file is damaged.
func ReadVerified(path string) (tensors map[string]*tensor.Dense, metadata map[string]string, err error) {
	return readVerified(path, (*safetensors.File).Verify)
}

func readVerified(path string, verify func(*safetensors.File) error) (tensors map[string]*tensor.Dense, metadata map[string]string, err error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	return verified(f, verify)
}

// verified reads all tensors of a file that passes a check. The check, which reads the whole
// file too, runs at the same time; its error comes first.
func verified(f *safetensors.File, verify func(*safetensors.File) error) (tensors map[string]*tensor.Dense, metadata map[string]string, err error) {
	checked := make(chan error, 1)
	go func() { checked <- verify(f) }()
	tensors = map[string]*tensor.Dense{}
	for _, t := range f.Tensors() {
		if tensors[t.Name], err = f.ReadDense(t.Name); err != nil {
			break
		}
	}
	if err := cmp.Or(<-checked, err); err != nil {
		return nil, nil, err
	}
	return tensors, f.Metadata(), nil
}

// IsFresh reports whether a parameter or state, such as "fc8.weight", or its layer is among
// those that fresh names.
func IsFresh(name string, fresh []string) bool {
	return slices.Contains(fresh, name) || slices.Contains(fresh, graph.LayerOf(name))
}

// SetWeights uploads the tensors read from path to the weights of the same
// names, except those of fresh layers or parameters. A tensor that the network
// does not have is an error, unless fresh names it too. Weights that do not fit are a
// MismatchError. If the error is a NaNError, all weights have been uploaded. Only errors of
// the device do not name the file.
func SetWeights(w *graph.Weights, tensors map[string]*tensor.Dense, path string, fresh []string) error {
	isFresh := func(name string) bool { return IsFresh(name, fresh) }
	names, stored := w.Names(), slices.Sorted(maps.Keys(tensors))
	for _, f := range fresh {
		if err := w.Network().SharedError(f); err != nil && tensors[f] == nil {
			return fmt.Errorf("fresh: %w", err)
		}
		named := func(name string) bool { return IsFresh(name, []string{f}) }
		if !slices.ContainsFunc(names, named) && !slices.ContainsFunc(stored, named) {
			return fmt.Errorf("fresh: neither %v nor %s has a layer or parameter %q with weights", w.Network(), path, f)
		}
	}
	var missing, extra []string
	known := map[string]bool{}
	for _, name := range names {
		known[name] = true
		if tensors[name] == nil && !isFresh(name) {
			missing = append(missing, name)
		}
	}
	for _, name := range stored {
		if !known[name] && !isFresh(name) {
			extra = append(extra, name)
		}
	}
	mismatch := func(format string, args ...any) error { return MismatchError{path, fmt.Sprintf(format, args...)} }
	if missing != nil {
		return mismatch("weights of %v are missing: %s", w.Network(), printable.Names(missing))
	}
	if extra != nil { // such as the last layer that one of another name replaces
		return mismatch("%v has no weights named %s", w.Network(), printable.Names(extra))
	}
	spoilt := NaNError{path: path}
	for _, name := range names {
		if isFresh(name) {
			continue
		}
		if got, want := tensors[name].Shape(), w.Shape(name); !slices.Equal([]int(got), []int(want)) {
			return mismatch("%s has the shape %v in the network and %v in the file", name, []int(want), []int(got))
		}
		if got, want := tensors[name].Dtype(), w.DType(name).Host(); got != want {
			return mismatch("%s is %v in the network and %v in the file", name, want, got)
		}
		counted := make(chan int, 1)
		go func() { counted <- nans(tensors[name]) }() // while it is uploaded
		err := w.Set(name, tensors[name])
		bad := <-counted
		if err != nil {
			return err
		}
		switch {
		case bad > 0 && spoilt.bad > 0:
			spoilt.more++
		case bad > 0:
			spoilt.tensor, spoilt.bad, spoilt.of = name, bad, w.Shape(name).TotalSize()
		}
	}
	if spoilt.bad > 0 {
		return spoilt
	}
	return nil
}

// Encode returns the metadata of a weights file. It also keeps names of classes
// that are not UTF-8.
func Encode(n *graph.Network, p data.Preprocess, classes []string) (map[string]string, error) {
	metadata := map[string]string{}
	values := map[string]any{NetworkKey: n, PreprocessKey: p, ClassesKey: classes}
	if slices.ContainsFunc(classes, func(c string) bool { return !utf8.ValidString(c) }) {
		var inBytes [][]byte
		for _, c := range classes {
			inBytes = append(inBytes, []byte(c))
		}
		values[ClassBytesKey] = inBytes
	}
	return metadata, PutJSON(metadata, values)
}

// PutJSON adds values to metadata, each as JSON under its key.
func PutJSON(metadata map[string]string, values map[string]any) error {
	for key, value := range values {
		text, err := json.Marshal(value)
		if err != nil {
			return fmt.Errorf("%s in JSON: %w", key, err)
		}
		metadata[key] = string(text)
	}
	return nil
}

// Decode reads the metadata of a weights file: it sets the preprocessing and
// the classes, and returns the network.
func Decode(metadata map[string]string, p *data.Preprocess, classes *[]string) (*graph.Network, error) {
	if metadata[NetworkKey] == "" {
		return nil, errors.New("the file holds weights without their network: it was not written by training")
	}
	n, err := graph.ReadJSON(strings.NewReader(metadata[NetworkKey]))
	if err != nil {
		return nil, err
	}
	for key, value := range map[string]any{PreprocessKey: p, ClassesKey: classes} {
		if err := json.Unmarshal([]byte(metadata[key]), value); err != nil {
			return nil, fmt.Errorf("metadata %s: %w", key, err)
		}
	}
	if text, ok := metadata[ClassBytesKey]; ok {
		var inBytes [][]byte
		if err := json.Unmarshal([]byte(text), &inBytes); err != nil || len(inBytes) != len(*classes) {
			return nil, fmt.Errorf("metadata %s: it is not the %d classes in base64", ClassBytesKey, len(*classes))
		}
		for i, c := range inBytes {
			(*classes)[i] = string(c)
		}
	}
	return n, nil
}

// Download downloads all parameters and state.
func Download(w *graph.Weights) ([]safetensors.Tensor, error) {
	var tensors []safetensors.Tensor
	for _, name := range w.Names() {
		x, err := w.Get(name)
		if err != nil {
			return nil, err
		}
		tensors = append(tensors, safetensors.Tensor{Name: name, Value: x})
	}
	return tensors, nil
}
