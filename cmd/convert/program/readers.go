package program

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/caffe"
	"github.com/hubel-go/hubel/formats/darknet"
	"github.com/hubel-go/hubel/formats/keras"
	"github.com/hubel-go/hubel/formats/matconvnet"
	"github.com/hubel-go/hubel/formats/onnx"
	"github.com/hubel-go/hubel/formats/pytorch"
	"github.com/hubel-go/hubel/formats/tflite"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/modelfile"
)

// readers are the formats that are read. The first one that a file is of reads it.
var readers = []formats.Reader{
	{Name: "hubel", Is: isWeightsFile, Read: readWeightsFile},
	pytorch.Reader,
	darknet.Reader,
	caffe.Reader,
	matconvnet.Reader,
	keras.Reader,
	tflite.Reader,
	onnx.Reader,
}

// readerNames are the formats as messages have them.
func readerNames() (names []string) {
	for _, r := range readers {
		names = append(names, r.Name)
	}
	return names
}

// headBytes is how much of a file its reader is chosen by.
const headBytes = 4096

// head is the beginning of a file.
func head(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if s, err := f.Stat(); err != nil {
		return nil, err
	} else if s.IsDir() {
		return nil, fmt.Errorf("%s is a folder: name the files in it", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, headBytes))
	if err != nil {
		return nil, err
	}
	return b, nil
}

// recognise finds the reader of files, which all must be of its format, and whether they are
// those of a run. Without files it is fresh.
func recognise(paths []string) (reader formats.Reader, isRun bool, err error) {
	if len(paths) == 0 {
		return fresh, false, nil
	}
	heads := make([][]byte, len(paths))
	for i, path := range paths {
		if heads[i], err = head(path); err != nil {
			return formats.Reader{}, false, err
		}
	}
	first := make([]string, len(paths)) // the first format that each file is of
	for _, r := range readers {
		all := true
		for i, path := range paths {
			is := r.Is(heads[i], path)
			all = all && is
			if is && first[i] == "" {
				first[i] = r.Name
			}
			isRun = isRun || is && r.IsState != nil && r.IsState(heads[i], path)
		}
		if all {
			return r, isRun, nil
		}
		isRun = false
	}
	for i, path := range paths {
		if first[i] == "" {
			return formats.Reader{}, false, fmt.Errorf("%s looks like %s; what convert reads is %s", path, looksLike(heads[i]), strings.Join(readerNames(), ", "))
		}
	}
	for i, path := range paths {
		if first[i] != first[0] {
			return formats.Reader{}, false, fmt.Errorf("%s is of the format %s, and %s of %s: convert takes the files of one network", paths[0], first[0], path, first[i])
		}
	}
	return formats.Reader{}, false, fmt.Errorf("%s: no format takes these files together", printable.Names(paths))
}

// isWeightsFile knows the beginning of what modelfile.Encode and safetensors.Write make.
func isWeightsFile(head []byte, _ string) bool {
	const begin = `{"__metadata__":{`
	if len(head) < 8+len(begin) || string(head[8:8+len(begin)]) != begin {
		return false
	}
	for _, key := range []string{modelfile.ClassesKey, modelfile.NetworkKey, modelfile.IterationKey} {
		if bytes.Contains(head, fmt.Appendf(nil, "%q:", key)) {
			return true
		}
	}
	return false
}

// readWeightsFile reads hubel's own weights files.
func readWeightsFile(_ context.Context, paths []string, o formats.Options) (*formats.Model, error) {
	if len(paths) > 1 {
		return nil, fmt.Errorf("%s and %s are two weights files, each with a network: convert takes one", paths[0], paths[1])
	}
	if o.Network != nil {
		return nil, fmt.Errorf("%s holds its network: leave out -net and -model", paths[0])
	}
	if o.Input != nil {
		return nil, fmt.Errorf("%s says what its input is: leave out -input", paths[0])
	}
	m, err := modelfile.Read(paths[0])
	if err != nil {
		return nil, err
	}
	return &formats.Model{Model: *m, Format: "hubel, weights file"}, nil
}
