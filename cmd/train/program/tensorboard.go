package program

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/command"
	"github.com/hubel-go/hubel/report"
	"github.com/hubel-go/hubel/results"
	"github.com/hubel-go/hubel/solver"
	"github.com/hubel-go/hubel/tensorboard"
)

// board writes a run's event file for TensorBoard. It begins the file after the first
// update, since a run that fails before it leaves no files; what comes before waits.
type board struct {
	c       solver.Config
	started solver.Started
	waiting []solver.Event
	w       *tensorboard.Writer // nil before the first update
	name    string              // of the file
}

// Observe writes an event.
func (b *board) Observe(e solver.Event) error {
	switch e := e.(type) {
	case solver.Started:
		b.started = e
	case solver.Progress:
		return b.open()
	case solver.Logged, solver.Monitored, solver.Saved:
		if b.w == nil {
			b.waiting = append(b.waiting, e)
			return nil
		}
		return b.write(e)
	case solver.Ended:
		return b.end(e)
	}
	return nil
}

// open begins the file, unless it is there, with what describes the run, and writes what
// has waited for it.
func (b *board) open() error {
	if b.w != nil {
		return nil
	}
	earlier, err := tensorboard.Files(b.c.Dir)
	if err == nil {
		b.w, err = tensorboard.Create(b.c.Dir)
	}
	if err != nil {
		return err
	}
	b.name = filepath.Base(b.w.Path())
	if len(earlier) > 0 {
		err = b.w.Resume(b.first())
	} else if err = b.w.Start(b.settings()); err == nil {
		err = b.graph()
	}
	for i := 0; i < len(b.waiting) && err == nil; i++ {
		err = b.write(b.waiting[i])
	}
	b.waiting = nil
	return err
}

// first is the first step that this session writes: the next update or, where the test
// after the last one was cut short, that one again.
func (b *board) first() int {
	for _, e := range b.waiting {
		if l, ok := e.(solver.Logged); ok {
			return l.Iteration
		}
	}
	return b.started.Iteration + 1
}

// write writes an event of one of the three kinds that have values. Steps are updates,
// counted from 1.
func (b *board) write(e solver.Event) error {
	switch e := e.(type) {
	case solver.Logged:
		return b.w.Write(e.Iteration, scalars(e.LogLine)...)
	case solver.Monitored:
		return b.w.Write(e.Iteration, histograms(e.MonitorLine)...)
	case solver.Saved:
		if !e.Best {
			return b.filters(e.Iteration)
		}
	}
	return nil
}

// scalars are the numbers of a line of the log. Those of training, of tests and of tests of
// averages that mean the same are shown together.
func scalars(l results.LogLine) []tensorboard.Value {
	values := []tensorboard.Value{
		tensorboard.Scalar("rate", float64(l.Rate)),
		tensorboard.Scalar("images_per_second", l.ImagesPerSecond),
	}
	if l.InputPerSecond > 0 {
		values = append(values, tensorboard.Scalar("input_per_second", l.InputPerSecond))
	}
	for _, of := range []struct {
		what    string
		loss    *float64
		metrics results.Metrics
	}{{"train", &l.Loss, l.Train}, {"test", l.TestLoss, l.Test}, {"averaged", l.AverageLoss, l.Average}} {
		if of.loss != nil {
			values = append(values, tensorboard.Scalar("loss/"+of.what, *of.loss))
		}
		for _, m := range of.metrics {
			values = append(values, tensorboard.Scalar(m.Name+"/"+of.what, m.Value))
		}
	}
	return values
}

// histograms are the distributions of the layers, those of one kind together.
func histograms(l results.MonitorLine) (values []tensorboard.Value) {
	for _, n := range l.Layers {
		for _, of := range []struct {
			what string
			d    *results.Distribution
		}{{"outputs", n.Outputs}, {"output_gradients", n.OutputGradients}, {"weights", n.Weights}, {"weight_gradients", n.WeightGradients}} {
			if of.d != nil {
				values = append(values, tensorboard.Histogram(of.what+"/"+n.Layer, of.d))
			}
		}
	}
	return values
}

// filters writes a picture of the first layer's filters in the run's weights file.
func (b *board) filters(iteration int) (err error) {
	layer, ok := solver.FirstFilters(b.c.Network)
	if !ok {
		return nil
	}
	name := layer + ".weight"
	f, err := safetensors.Open(filepath.Join(b.c.Dir, solver.WeightsFile))
	if err != nil {
		return err
	}
	defer command.Close(f, &err)
	w, err := f.ReadDense(name)
	if err != nil {
		return err
	}
	picture, err := report.DrawFilters(w)
	if err != nil {
		return err
	}
	v, err := tensorboard.Image("filters/"+name, picture)
	if err != nil {
		return err
	}
	return b.w.Write(iteration, v)
}

// settings are those of the run that decide its weights, as a checkpoint calls them, by
// "schedule.rate" where one is a part of another. A list is its text in JSON.
func (b *board) settings() map[string]any {
	c := &b.c
	settings := map[string]any{
		"network": c.Network.Name, "data": c.Data, "arithmetic": c.Device.Arithmetic(), "augment": c.Preprocess.Augment.String(),
		"batch": float64(c.Batch), "accumulate": float64(c.Passes()), "iterations": float64(c.Iterations),
		"seed": float64(c.Seed), "balance": c.Balance, "weights": c.Weights,
	}
	text, err := json.Marshal(c.Optimiser)
	var optimiser map[string]any
	if err == nil {
		err = json.Unmarshal(text, &optimiser)
	}
	if err != nil {
		panic(err) // a checkpoint has it in JSON too
	}
	flatten(settings, "", optimiser)
	return settings
}

// flatten adds values of JSON to settings.
func flatten(settings map[string]any, prefix string, values map[string]any) {
	for key, v := range values {
		switch v := v.(type) {
		case map[string]any:
			flatten(settings, prefix+key+".", v)
		case float64, string, bool:
			settings[prefix+key] = v
		default:
			settings[prefix+key] = fmt.Sprint(v)
		}
	}
}

// graph writes the network, with the shapes that its values have in training.
func (b *board) graph() error {
	n := b.c.Network
	plan, err := n.Plan(b.c.Device.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: b.c.Batch})
	if err != nil {
		return err
	}
	var nodes []tensorboard.Node
	for _, in := range n.Inputs {
		shape := append([]int{b.c.Batch}, in.Shape...)
		nodes = append(nodes, tensorboard.Node{Name: in.Name, Op: "input", Shapes: [][]int{shape}})
	}
	for i, layer := range n.Nodes {
		options, err := json.Marshal(layer.Layer)
		if err != nil {
			return err
		}
		node := tensorboard.Node{Name: layer.Name, Op: layer.Layer.Type(), In: layer.In, Options: string(options)}
		for _, out := range plan.Specs[i].Out {
			node.Shapes = append(node.Shapes, out.Shape)
		}
		nodes = append(nodes, node)
	}
	return b.w.Graph(nodes)
}

// end writes how the run has ended: nothing where it can go on.
func (b *board) end(e solver.Ended) (err error) {
	if e.Err == nil && len(b.waiting) > 0 { // there was a test to make up for, and no update
		if err := b.open(); err != nil {
			return err
		}
	}
	if b.w == nil {
		return nil
	}
	if e.Reason != solver.ReasonStopped {
		err = b.w.End(e.Err == nil)
	}
	return errors.Join(err, b.w.Close())
}

func (b *board) files() []string {
	if b.name == "" {
		return nil
	}
	return []string{b.name}
}
