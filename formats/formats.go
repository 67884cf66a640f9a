// Package formats is what the readers of other frameworks' model files have in common. Each
// folder below it reads, or also writes, one format. Files are data: nothing in them is run,
// and no size in them is believed before it is compared with the size of the file.
package formats

import (
	"context"
	"io"

	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/modelfile"
)

// Model is what a reader makes of a file of another framework.
type Model struct {
	// Model is as a weights file has it. Its Network is nil if the file holds weights
	// alone, and no network was given to read them into: then Weights have the file's
	// names. Its Weights are nil if the file describes a network alone.
	modelfile.Model

	// Format says what the file is, such as "Caffe, binary, layers of version 1".
	Format string

	// Facts are lines about the file that the network does not tell, such as
	// "producer: pytorch 2.15" or "opset: 17".
	Facts []string

	// Lost names what is in the file and not in the model, a line for each thing.
	Lost []string

	// ChannelsLast says that the file has images as [H,W,C], and flattens them in this
	// order, where the network has [C,H,W]. What other programs recorded of it is so too.
	ChannelsLast bool

	// Values maps the names that the file has for inputs, outputs and what layers
	// compute to the names of values of the network. Names that are the same in both
	// may be left out.
	Values map[string]string
}

// Options are what a user says about a file.
type Options struct {
	// Input is the shape of one sample, [C,H,W], for files that leave it open, or for
	// networks that take several. It is nil if the file decides.
	Input []int

	// Network is what weights that come without one are read into, by name and shape.
	Network *graph.Network

	// Order is "rgb" or "bgr", the order of the channels that the network takes pictures
	// in, for formats that do not say. Empty is the order that is usual for the format.
	Order string
}

// Reader reads files of one format.
type Reader struct {
	Name string // such as "caffe"

	// Is reports whether a file is of the format, from its first bytes (4,096, or fewer
	// if the file is shorter) and, where these cannot tell, the end of its name.
	Is func(head []byte, name string) bool

	// Read reads a model from the files, which the format may need more than one of,
	// such as a network and its weights. Errors name the file.
	Read func(ctx context.Context, paths []string, o Options) (*Model, error)

	// IsState reports, as Is does, whether a file is the state of a training: then the
	// files are those of a run, and ReadRun reads it. Both are nil in a format whose runs
	// are not read.
	IsState func(head []byte, name string) bool
	ReadRun func(ctx context.Context, paths []string, o Options) (*Run, error)
}

// Run is a training of another framework, with which `train -resume` can go on.
type Run struct {
	*Model         // the network that is trained, with its weights at that time
	Iteration  int // updates done
	Iterations int // updates in all, as the files have it; 0 if they do not

	// Checkpoint makes the file checkpoint.safetensors in the folder of a run, of what the
	// Model is now. batch is how many samples a pass has; 0 is as many as the files say.
	// The run has no data set yet: solver.Checkpoint says how it gets one.
	Checkpoint func(batch int) ([]safetensors.Tensor, map[string]string, error)
}

// WriteOptions are what a user says about a file to be written.
type WriteOptions struct {
	// Preprocessing puts the preprocessing into the network, for formats that can: it then
	// takes pixels as pictures have them.
	Preprocessing bool
}

// Writer writes files of one format.
type Writer struct {
	Name   string // such as "ONNX"
	Suffix string // that names of such files end in: ".onnx"

	// Preprocessing says that Write knows WriteOptions.Preprocessing.
	Preprocessing bool

	// NetworkAlone says that no weights are written; a model may have none.
	NetworkAlone bool

	// Write writes a model, whose network and weights fit. What the format cannot say is an
	// error, which names the layer.
	Write func(w io.Writer, m *Model, o WriteOptions) error
}
