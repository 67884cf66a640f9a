package solver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"strconv"
	"strings"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/modelfile"
)

// ReplayFile is the name, in a run's folder, of what is left of a run whose
// loss was not finite: the batch, and all that an update is made from. Replay
// repeats it.
const ReplayFile = "diverged.safetensors"

// Keys of a replay file's metadata, besides those of a checkpoint.
const (
	namesKey = "names" // of the samples, in JSON
	lossKey  = "loss"
)

// Diverged is the error of a training whose loss is NaN or infinite. It says
// where that began: the first value, in the order of computing, that was not
// finite, found by repeating the update with all values kept.
type Diverged struct {
	Iteration int     // counted from 1
	Loss      float64 // of that iteration
	Test      bool    // it was found in a test after the iteration, not in training

	Layer, Type string  // of layer, as in JSON
	Tensor      string  // "conv1", "conv1.weight"; "conv1/d" is its gradient
	Kind        Kind    // what the tensor is
	Value       float32 // NaN or an infinity
	Bad, Of     int     // elements of the tensor that are, and all

	// Sample is the place in the batch of the first bad sample, Index that in
	// the data set, and Name its name, where the data set has names. Sample is
	// -1 of weights and their gradients.
	Sample, Index int
	Name          string

	Input  float64      // largest finite magnitude that the layer read
	Layers []LayerStats // of the passes up to the bad one
	File   string       // ReplayFile with its folder; empty without one, or where it could not be written
}

// Error says it in one line.
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

// notFinite is the error of weights that must not go into a checkpoint.
type notFinite struct{ tensor string }

func (e notFinite) Error() string { return fmt.Sprintf("tensor %s is not finite", e.tensor) }

// checkFinite looks for tensors with values that are not.
func checkFinite(tensors []safetensors.Tensor) error {
	for _, t := range tensors {
		if t.Value.Dtype() != tensor.Float32 {
			continue
		}
		for _, v := range t.Value.Float32s() {
			if !isFinite(float64(v)) {
				return notFinite{t.Name}
			}
		}
	}
	return nil
}

// diagnose finds where values ceased to be finite: it repeats the run from the
// last checkpoint on, which makes the same numbers, looks at every loss and
// gradient, and takes the first bad update apart.
func (t *trainer) diagnose(ctx context.Context, cause error) error {
	found := t.iteration + 1 // the updates that are to be repeated
	if err := t.rewind(); err != nil {
		return fmt.Errorf("%w; the search for where it began failed: %w", cause, err)
	}
	if t.c.Notice != nil && found-t.iteration > 1 {
		t.c.Notice(fmt.Sprintf("%v; repeating from iteration %d on to find where it began", cause, t.iteration+1))
	}
	from := t.iteration
	for t.iteration < found {
		if ctx.Err() != nil {
			return fmt.Errorf("%w; the search for where it began was cut short", cause)
		}
		s := &kept{}
		_, r, err := t.gradients(true, s)
		bad := false
		if err == nil {
			bad, err = t.suspicious(r)
		}
		if bad {
			var d *Diverged
			if d, err = t.takeApart(s, r.Loss); d != nil {
				return errors.Join(d, err)
			}
		}
		if err != nil {
			return fmt.Errorf("%w; the search for where it began failed: %w", cause, err)
		}
		t.sgd.update(t.iteration)
		t.iteration++
	}
	return fmt.Errorf("%w; repeated from iteration %d on, every value is finite: the memory or the processor made a mistake; resume the run", cause, from+1)
}

// diagnoseTest finds the first value of a test that is not finite.
func (t *trainer) diagnoseTest(ctx context.Context, loss float64) error {
	cause := fmt.Errorf("after iteration %d: the loss on the test set is %g", t.iteration, loss)
	e := t.eval
	o := e.exec.Plan().Options
	loader, err := data.NewLoader(ctx, e.set, data.LoaderOptions{Batch: o.Batch, Epochs: 1, Preprocess: e.preprocess})
	if err != nil {
		return errors.Join(cause, err)
	}
	defer loader.Close()
	for {
		b, err := loader.Next()
		if errors.Is(err, io.EOF) {
			return cause
		}
		if err != nil {
			return fmt.Errorf("%w; the search for where it began failed: %w", cause, err)
		}
		s := &kept{}
		s.add(b, e.set)
		b.Release()
		d, err := firstBad(t.c.Device, t.weights, o, s, graph.Pass{Iteration: uint32(t.iteration - 1)})
		if err != nil {
			return fmt.Errorf("%w; the search for where it began failed: %w", cause, err)
		}
		if d != nil {
			d.Loss, d.Test = loss, true
			return d
		}
	}
}

// rewind goes back to the last checkpoint or, without a folder, to the start.
func (t *trainer) rewind() error {
	if err := t.exec.Sync(); err != nil {
		return err
	}
	var s start
	var err error
	if t.c.Dir != "" {
		var c *Checkpoint
		var tensors map[string]*tensor.Dense
		if c, tensors, err = readState(t.c.Dir); err != nil {
			return err
		}
		s.path, s.iteration, s.standing = c.Path, c.Iteration, c.standing
		s.weights, s.velocities = split(tensors)
	} else if t.c.Weights != "" {
		if s, err = t.readStart(); err != nil {
			return err
		}
	}
	if err := t.feed.stop(); err != nil {
		return err
	}
	if err := t.sgd.clear(); err != nil {
		return err
	}
	if err := t.begin(s); err != nil {
		return err
	}
	return t.startFeed()
}

// suspicious reports whether the loss or a gradient of the last update is not
// finite, or too large for its square.
func (t *trainer) suspicious(r reading) (bool, error) {
	if !isFinite(r.Loss) {
		return true, nil
	}
	squares, err := t.sgd.squares()
	return !isFinite(squares), err
}

// takeApart finds the first value of an update that is not finite, if there is
// one, and saves what it takes to repeat it. The update itself is not made.
func (t *trainer) takeApart(s *kept, loss float64) (*Diverged, error) {
	d, err := firstBad(t.c.Device, t.weights, t.exec.Plan().Options, s, graph.Pass{Seed: t.c.Seed, Iteration: uint32(t.iteration)})
	if d == nil || err != nil {
		return nil, err
	}
	d.Loss = loss
	if t.c.Dir == "" {
		return d, nil
	}
	path := filepath.Join(t.c.Dir, ReplayFile)
	if err := t.saveReplay(path, s, loss); err != nil {
		return d, err
	}
	d.File = path
	return d, nil
}

// firstBad repeats the passes of an update or a test with all values kept. It
// returns nil where all are finite.
func firstBad(d device.Device, w *graph.Weights, o graph.PlanOptions, s *kept, pass graph.Pass) (bad *Diverged, err error) {
	p, err := newProbe(d, w, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = cmp.Or(err, p.Close()) }()
	stats := newStatistics(w.Network())
	err = p.run(s, pass, func(first int) (bool, error) {
		largest := map[string]float64{} // of each layer's outputs and of the inputs
		err := p.each(func(v seen) bool {
			stats.add(v)
			if bad == nil {
				bad = look(v, s, first)
				if bad != nil {
					bad.Iteration = int(pass.Iteration) + 1
					bad.Input = inputOf(w.Network(), bad, largest)
				}
			}
			for _, x := range v.values {
				if y := float64(x); isFinite(y) {
					largest[v.name] = max(largest[v.name], y, -y)
				}
			}
			return true
		})
		return bad == nil, err
	})
	if bad != nil {
		bad.Layers = stats.of()
	}
	return bad, err
}

// look finds the first bad element of a value, if there is one.
func look(v seen, s *kept, first int) *Diverged {
	var d *Diverged
	for i, x := range v.values {
		if isFinite(float64(x)) {
			continue
		}
		if d == nil {
			d = &Diverged{Layer: v.layer, Tensor: v.name, Kind: v.kind, Value: x, Of: len(v.values), Sample: -1}
			if v.sample > 0 {
				d.Sample = first + i/v.sample
				d.Index = s.index[d.Sample]
				if s.names != nil {
					d.Name = s.names[d.Sample]
				}
			}
		}
		d.Bad++
	}
	return d
}

// inputOf is the largest of what the layer of a bad value read, and names its
// type.
func inputOf(n *graph.Network, d *Diverged, largest map[string]float64) float64 {
	input := 0.0
	for _, node := range n.Nodes {
		if node.Name != d.Layer {
			continue
		}
		d.Type = node.Layer.Type()
		for _, name := range append(node.In, node.Name+"/d") {
			input = max(input, largest[name])
		}
		for name, v := range largest {
			if strings.HasPrefix(name, node.Name+".") {
				input = max(input, v)
			}
		}
	}
	return input
}

// saveReplay writes the state before the update that samples are of.
func (t *trainer) saveReplay(path string, s *kept, loss float64) error {
	tensors, metadata, err := t.model()
	if err != nil {
		return err
	}
	for i, x := range tensors {
		if state, ok := s.state[x.Name]; ok {
			tensors[i].Value = state
		}
	}
	velocities, err := t.sgd.download()
	if err != nil {
		return err
	}
	metadata[iterationKey] = strconv.Itoa(t.iteration)
	metadata[lossKey] = strconv.FormatFloat(loss, 'g', -1, 64)
	if err := modelfile.PutJSON(metadata, map[string]any{solverKey: t.c.settings(t.c.Train.Len()), standingKey: t.standing, namesKey: s.names}); err != nil {
		return err
	}
	return safetensors.Write(path, append(append(tensors, velocities...), s.tensors()...), metadata)
}

// Replay repeats the update of a ReplayFile on a device, with all values kept,
// and says where it goes bad, or nil where it does not.
func Replay(d device.Device, path string) (bad *Diverged, err error) {
	if d == nil {
		return nil, errors.New("there is no device to repeat an update on")
	}
	tensors, metadata, err := modelfile.ReadVerified(path)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (*Diverged, error) { return nil, fmt.Errorf("%s: %w", path, err) }
	s, err := takeSamples(tensors)
	if err != nil {
		return fail(err)
	}
	c, err := decodeCheckpoint(filepath.Dir(path), path, metadata)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(metadata[namesKey]), &s.names); err != nil || s.names != nil && len(s.names) != s.len() {
		return fail(fmt.Errorf("metadata %s: %q are not the names of %d samples", namesKey, metadata[namesKey], s.len()))
	}
	w, err := graph.NewWeights(c.Config.Network, d)
	if err != nil {
		return fail(err)
	}
	defer func() { err = cmp.Or(err, w.Close()) }()
	maps.DeleteFunc(tensors, func(name string, _ *tensor.Dense) bool { return strings.HasPrefix(name, momentumPrefix) })
	if err := modelfile.SetWeights(w, tensors, path, nil); err != nil && !errors.As(err, new(modelfile.NaNError)) { // the update before may have spoilt them
		return nil, err
	}
	options := graph.PlanOptions{Mode: graph.Train, Batch: min(c.Config.Batch, s.len()), Frozen: c.Config.Frozen, Keep: metricValues(c.Config.Network)}
	if bad, err = firstBad(d, w, options, s, graph.Pass{Seed: c.Config.Seed, Iteration: uint32(c.Iteration)}); err != nil {
		return fail(err)
	}
	if bad != nil {
		bad.File = path
		if bad.Loss, err = strconv.ParseFloat(metadata[lossKey], 64); err != nil {
			return fail(fmt.Errorf("metadata %s: %w", lossKey, err))
		}
	}
	return bad, nil
}
