package program

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/formats/caffe"
	"github.com/hubel-go/hubel/formats/onnx"
	"github.com/hubel-go/hubel/formats/pytorch"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/modelfile"
)

// writers are the formats that are written. Of several suffixes that a name ends in, the
// longest counts.
var writers = []formats.Writer{
	{Name: "hubel", Suffix: ".safetensors", Write: writeWeightsFile},
	{Name: "the network alone, for -net", Suffix: ".json", NetworkAlone: true, Write: writeJSON},
	caffe.Writer,
	onnx.Writer,
	pytorch.Writer,
}

// suffixes lists the suffixes, as messages have them.
func suffixes() string {
	var list []string
	for _, w := range writers {
		list = append(list, w.Suffix+" ("+w.Name+")")
	}
	return strings.Join(list, ", ")
}

// writerOf chooses the writer by the end of a file's name.
func writerOf(path string) (best formats.Writer, err error) {
	lower := strings.ToLower(path)
	for _, w := range writers {
		if strings.HasSuffix(lower, w.Suffix) && len(w.Suffix) > len(best.Suffix) {
			best = w
		}
	}
	if best.Write == nil {
		return best, fmt.Errorf("-o %q: the end of the name says what is written, and must be one of %s", path, suffixes())
	}
	return best, nil
}

// writeWeightsFile writes hubel's own weights files.
func writeWeightsFile(w io.Writer, m *formats.Model, _ formats.WriteOptions) error {
	metadata, err := modelfile.Encode(m.Network, m.Preprocess, m.Classes)
	if err != nil {
		return err
	}
	var tensors []safetensors.Tensor
	for _, name := range slices.Sorted(maps.Keys(m.Weights)) {
		tensors = append(tensors, safetensors.Tensor{Name: name, Value: m.Weights[name]})
	}
	return safetensors.WriteTo(w, tensors, metadata)
}
