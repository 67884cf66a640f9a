package solver

import (
	"fmt"

	"github.com/hubel-go/hubel/internal/printable"
)

// Diverged is the error of a run whose loss is NaN or infinite. It names the
// first value, in the order of computing, that was not finite. Train finds it
// by repeating the update with all values kept.
type Diverged struct {
	Iteration int     // counted from 1
	Loss      float64 // of that iteration
	Test      bool    // found in a test after the iteration, not in training

	Layer, Type string  // of layer, as in JSON
	Tensor      string  // "conv1", "conv1.weight"; "conv1/d" is its gradient
	Kind        Kind    // what the tensor is
	Value       float32 // NaN or an infinity
	Bad, Of     int     // elements of the tensor that are, and all

	// Sample is the index in the batch of the first bad sample, Index its index in
	// the data set, and Name its name if the data set has names. Sample is -1 for
	// weights and their gradients.
	Sample, Index int
	Name          string

	Input  float64      // largest finite magnitude that the layer read
	Layers []LayerStats // of the passes up to the bad one
	File   string       // ReplayFile with its folder; empty without a folder, or if it could not be written
}

// Error is a message of one line.
func (d *Diverged) Error() string {
	when := fmt.Sprintf("iteration %d: the loss is %g", d.Iteration, d.Loss)
	if d.Test {
		when = fmt.Sprintf("after iteration %d: the loss on the test set is %g", d.Iteration, d.Loss)
	}
	return fmt.Sprintf("%s; the first value to go bad is in %s; %s", when, d.Where(), d.Advice())
}

// Where names the first value that was not finite.
func (d *Diverged) Where() string {
	what := map[Kind]string{
		KindWeight:         "the weights %[1]s",
		KindInput:          "the input %[1]s",
		KindOutput:         "the output of layer %[2]s",
		KindSaved:          "%[1]s, which layer %[2]s keeps for its gradient",
		KindGradient:       "the gradient %[1]s, which layer %[2]s computes",
		KindWeightGradient: "the gradient of the weights %[1]s",
	}[d.Kind]
	layer := d.Layer
	if d.Type != d.Layer {
		layer += " (" + d.Type + ")"
	}
	text := fmt.Sprintf(what+"%.0[1]s%.0[2]s", d.Tensor, layer)
	if d.Sample >= 0 {
		text += fmt.Sprintf(", sample %d of the batch, which is image %d", d.Sample, d.Index)
		if d.Name != "" {
			text += " (" + printable.Name(d.Name) + ")"
		}
	}
	return fmt.Sprintf("%s: %g, %d of %d values", text, d.Value, d.Bad, d.Of)
}

// hugeInput is a magnitude that no healthy activation has, and from which on
// products soon leave the range of float32.
const hugeInput = 1e9

// Advice says what to do next.
func (d *Diverged) Advice() string {
	switch {
	case d.Kind == KindInput:
		return "look at that sample and at the preprocessing: the value came with the data"
	case d.Kind == KindWeight && d.Iteration == 1:
		return "the weights to start from are damaged, or their filler is"
	case d.Kind == KindWeight:
		return "the update before it broke them: a smaller learning rate, or a bound on the norm of the gradients, may help"
	case d.Input >= hugeInput:
		return fmt.Sprintf("values had grown to %.2g before: a smaller learning rate, or a bound on the norm of the gradients, may help", d.Input)
	}
	return fmt.Sprintf("it was made from values of at most %.2g, so look at the layer: does gradcheck pass, and is the label a class", d.Input)
}
