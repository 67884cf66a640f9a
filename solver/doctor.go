package solver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
)

// doctor looks into a run: at the numbers of every layer, and where a loss is not
// finite at where that began. It repeats what the run has done, which makes the same
// numbers, through a probe that keeps all values.
type doctor struct {
	*trainer
	probe *probe // nil before the first statistics
}

// logStatistics repeats the passes of the next update, with all values kept, and
// tells of the numbers of every layer.
func (d *doctor) logStatistics(s *batchCopy) error {
	if err := d.statistics(s); err != nil {
		return fmt.Errorf("debugging: %w", err)
	}
	return nil
}

func (d *doctor) statistics(s *batchCopy) error {
	stats := newStatistics(d.c.Network)
	if err := d.repeat(s, stats.add, func() {}); err != nil {
		return err
	}
	return d.tell(DebugLine{Iteration: d.iteration + 1, Layers: stats.of()})
}

// repeat repeats the passes of the next update, with all values kept: it hands each value
// to add, and calls passed after each pass.
func (d *doctor) repeat(s *batchCopy, add func(v seen), passed func()) (err error) {
	// The probe reads, on a queue of its own, weights that the last update may
	// still be writing.
	if err := d.exec.Sync(); err != nil {
		return err
	}
	if d.probe == nil {
		if d.probe, err = newProbe(d.c.Device, d.weights, d.exec.Plan().Options); err != nil {
			return err
		}
		d.opened = append(d.opened, d.probe.Close)
	}
	return d.probe.run(s, graph.Pass{Seed: d.c.Seed, Iteration: uint32(d.iteration)}, func(int) (bool, error) {
		err := d.probe.each(func(v seen) bool { add(v); return true })
		passed()
		return true, err
	})
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
func (d *doctor) diagnose(ctx context.Context, cause error) error {
	last := d.iteration + 1 // of the updates that are to be repeated
	if err := d.rewind(); err != nil {
		return fmt.Errorf("%w; the search for where it began failed: %w", cause, err)
	}
	if last-d.iteration > 1 {
		if err := d.tell(Notice{fmt.Sprintf("%v; repeating from iteration %d on to find where it began", cause, d.iteration+1)}); err != nil {
			return err
		}
	}
	from := d.iteration
	for d.iteration < last {
		if ctx.Err() != nil {
			return fmt.Errorf("%w; the search for where it began was cut short", cause)
		}
		s := &batchCopy{}
		_, r, err := d.gradients(true, s)
		bad := false
		if err == nil {
			bad, err = d.suspicious(r)
		}
		if bad {
			var found *Diverged
			if found, err = d.takeApart(s, r.Loss); found != nil {
				return errors.Join(found, err)
			}
		}
		if err != nil {
			return fmt.Errorf("%w; the search for where it began failed: %w", cause, err)
		}
		d.updater.Update(d.iteration)
		d.iteration++
	}
	return fmt.Errorf("%w; repeated from iteration %d on, every value is finite: the memory or the processor made a mistake; resume the run", cause, from+1)
}

// diagnoseTest finds the first value of a test that is not finite.
func (d *doctor) diagnoseTest(ctx context.Context, loss float64) error {
	cause := fmt.Errorf("after iteration %d: the loss on the test set is %g", d.iteration, loss)
	e := d.eval
	o := e.exec.Plan().Options
	loader, err := data.NewLoader(ctx, e.set, data.LoaderOptions{Batch: o.Batch, Epochs: 1, Preprocess: e.preprocess, OneHot: oneHot(e.exec.Plan().Network, e.set)})
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
		s := &batchCopy{}
		s.add(b, e.set)
		b.Release()
		bad, err := firstBad(d.c.Device, d.weights, o, s, graph.Pass{Iteration: uint32(d.iteration - 1)})
		if err != nil {
			return fmt.Errorf("%w; the search for where it began failed: %w", cause, err)
		}
		if bad != nil {
			bad.Loss, bad.Test = loss, true
			return bad
		}
	}
}

// rewind goes back to the last checkpoint or, without a folder, to the start.
func (d *doctor) rewind() error {
	if err := d.exec.Sync(); err != nil {
		return err
	}
	var s start
	var err error
	if d.c.Dir != "" {
		var c *Checkpoint
		var tensors map[string]*tensor.Dense
		if c, tensors, err = readState(d.c.Dir); err != nil {
			return err
		}
		s.path, s.iteration, s.history = c.Path, c.Iteration, c.history
		s.weights, s.optimiser = c.Config.Optimiser.split(tensors)
	} else if d.c.Weights != "" {
		if s, err = d.readStart(); err != nil {
			return err
		}
	}
	if err := d.feed.stop(); err != nil {
		return err
	}
	if err := d.updater.clear(); err != nil {
		return err
	}
	if err := d.load(s); err != nil {
		return err
	}
	return d.startFeed()
}

// suspicious reports whether the loss or a gradient of the last update is not
// finite, or too large for its square.
func (d *doctor) suspicious(r reading) (bool, error) {
	if !isFinite(r.Loss) {
		return true, nil
	}
	squares, err := d.updater.squares()
	return !isFinite(squares), err
}

// takeApart finds the first value of an update that is not finite, if there is
// one, and saves what it takes to repeat it. The update itself is not made.
func (d *doctor) takeApart(s *batchCopy, loss float64) (*Diverged, error) {
	bad, err := firstBad(d.c.Device, d.weights, d.exec.Plan().Options, s, graph.Pass{Seed: d.c.Seed, Iteration: uint32(d.iteration)})
	if bad == nil || err != nil {
		return nil, err
	}
	bad.Loss = loss
	if d.record == nil {
		return bad, nil
	}
	path, err := d.saveReplay(s, loss)
	if err != nil {
		return bad, err
	}
	bad.File = path
	return bad, nil
}

// firstBad repeats the passes of an update or a test with all values kept. It
// returns nil where all are finite.
func firstBad(dev device.Device, w *graph.Weights, o graph.PlanOptions, s *batchCopy, pass graph.Pass) (bad *Diverged, err error) {
	p, err := newProbe(dev, w, o)
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
func look(v seen, s *batchCopy, first int) *Diverged {
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
			if graph.LayerOf(name) == node.Name || slices.Contains(slices.Collect(maps.Values(node.Share)), name) {
				input = max(input, v)
			}
		}
	}
	return input
}
