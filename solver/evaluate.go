package solver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
)

// Nodes that a test reads, where a network has them: one number a sample.
const (
	accuracyNode = "accuracy"
	top5Node     = "top5"
)

// Evaluate measures the loss and the accuracy of weights on a data set, with
// batches of the given size.
func Evaluate(ctx context.Context, d device.Device, w *graph.Weights, set data.Dataset, p data.Preprocess, batch int) (Test, error) {
	n := w.Network()
	if err := checkInputs(n, set, "test set"); err != nil {
		return Test{}, err
	}
	batch = min(batch, set.Len())
	plan, err := planTest(n, d, batch)
	if err != nil {
		return Test{}, err
	}
	if err := checkClasses(plan, set, "test set"); err != nil {
		return Test{}, err
	}
	err = checkMemory(d, "testing "+n.Name, batch, func(batch int) (int64, error) {
		p, err := planTest(n, d, batch)
		if err != nil {
			return 0, err
		}
		return p.Arena + p.PackedBytes, nil // the weights are there
	})
	if err != nil {
		return Test{}, err
	}
	e, err := newEvaluator(d, plan, w, set, p)
	if err != nil {
		return Test{}, err
	}
	test, err := e.run(ctx)
	if closing := e.Close(); err == nil {
		err = closing
	}
	return test, err
}

// planTest plans the forward pass of a network's losses and accuracies.
func planTest(n *graph.Network, d device.Device, batch int) (*graph.Plan, error) {
	// A plan for training names the losses.
	train, err := n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Train, Batch: batch})
	if err != nil {
		return nil, err
	}
	var keep []string
	for _, l := range train.Losses {
		keep = append(keep, train.Values[l.Value].Name)
	}
	for _, name := range []string{accuracyNode, top5Node} {
		if hasNode(n, name) {
			keep = append(keep, name)
		}
	}
	return n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Infer, Batch: batch, Keep: keep})
}

func hasNode(n *graph.Network, name string) bool {
	return slices.ContainsFunc(n.Nodes, func(node graph.Node) bool { return node.Name == name })
}

// evaluator tests weights on one data set, any number of times.
type evaluator struct {
	set        data.Dataset
	preprocess data.Preprocess
	exec       *graph.Executor
	uploaded   device.Event
}

func newEvaluator(d device.Device, p *graph.Plan, w *graph.Weights, set data.Dataset, pre data.Preprocess) (*evaluator, error) {
	exec, err := graph.NewExecutor(p, w)
	if err != nil {
		return nil, err
	}
	e := &evaluator{set: set, preprocess: pre, exec: exec}
	if e.uploaded, err = d.NewEvent(); err != nil {
		return nil, errors.Join(err, exec.Close())
	}
	return e, nil
}

// sums are totals over samples.
type sums struct{ loss, accuracy, top5 float64 }

// run goes through the data set once. The iteration and the epoch are the
// caller's to fill in.
func (e *evaluator) run(ctx context.Context) (Test, error) {
	loader, err := data.NewLoader(ctx, e.set, data.LoaderOptions{Batch: e.exec.Plan().Options.Batch, Epochs: 1, Preprocess: e.preprocess})
	if err != nil {
		return Test{}, err
	}
	defer loader.Close()
	var s sums
	for {
		b, err := loader.Next()
		if errors.Is(err, io.EOF) {
			return e.test(s), nil
		}
		if err == nil {
			err = e.add(&s, b)
		}
		if err != nil {
			return Test{}, fmt.Errorf("test: %w", err)
		}
	}
}

// add tests one batch.
func (e *evaluator) add(s *sums, b *data.Batch) error {
	if err := upload(e.exec, b, e.uploaded); err != nil {
		return err
	}
	e.exec.Forward(graph.Pass{})
	if err := e.uploaded.Sync(); err != nil {
		return err
	}
	n := float64(b.N)
	b.Release()
	loss, err := e.exec.Loss()
	if err != nil {
		return err
	}
	s.loss += loss * n
	for _, node := range []struct {
		name string
		sum  *float64
	}{{accuracyNode, &s.accuracy}, {top5Node, &s.top5}} {
		if !hasNode(e.exec.Plan().Network, node.name) {
			continue
		}
		mean, err := e.exec.Mean(node.name)
		if err != nil {
			return err
		}
		*node.sum += mean * n
	}
	return nil
}

// test makes means of the sums.
func (e *evaluator) test(s sums) Test {
	n := float64(e.set.Len())
	t := Test{Samples: e.set.Len(), Loss: s.loss / n}
	if hasNode(e.exec.Plan().Network, accuracyNode) {
		t.Accuracy = new(s.accuracy / n)
	}
	if hasNode(e.exec.Plan().Network, top5Node) {
		t.Top5 = new(s.top5 / n)
	}
	return t
}

// Close frees the evaluator's memory; the weights stay.
func (e *evaluator) Close() error { return errors.Join(e.uploaded.Free(), e.exec.Close()) }
