package solver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/results"
)

// Nodes that a test reads, where a network has them: one number a sample.
const (
	accuracyNode = "accuracy"
	top5Node     = "top5"
)

// Evaluate measures the loss and the accuracy of weights on a data set, with
// batches of the given size. Its error is a FailedError once it has begun.
func Evaluate(ctx context.Context, d device.Device, w *graph.Weights, set data.Dataset, p data.Preprocess, batch int) (Test, error) {
	switch {
	case d == nil:
		return Test{}, errors.New("there is no device to test on")
	case w == nil:
		return Test{}, errors.New("there are no weights to test")
	case set == nil:
		return Test{}, errors.New("there is no data set to test on")
	}
	n := w.Network()
	if err := checkInputs(n, set, "test set"); err != nil {
		return Test{}, err
	}
	if err := checkViews(set, scoresNode(n)); err != nil {
		return Test{}, err
	}
	batch = testBatch(set, batch)
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
		return p.Arena + p.PackedBytes + feedBytes(d, p), nil // the weights are there
	})
	if err != nil {
		return Test{}, err
	}
	e, err := newEvaluator(d, plan, w, set, p)
	if err != nil {
		return Test{}, err
	}
	test, err := e.run(ctx)
	if err = cmp.Or(err, e.Close()); err != nil {
		return Test{}, FailedError{err}
	}
	return test, nil
}

// FailedError is one that came once a network had begun to run on samples, of the
// device or of the samples, or once a file was written; others are about what was
// asked for.
type FailedError struct{ Err error }

// Error is what went wrong.
func (e FailedError) Error() string { return e.Err.Error() }

// Unwrap is for errors.Is.
func (e FailedError) Unwrap() error { return e.Err }

// planTest plans the forward pass of a network's losses and accuracies.
func planTest(n *graph.Network, d device.Device, batch int) (*graph.Plan, error) {
	keep := accuracies(n)
	if scores := scoresNode(n); scores != "" {
		keep = append(keep, scores)
	}
	return n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Infer, Batch: batch, Losses: true, Keep: keep})
}

// accuracies are the nodes of a network that a test reads besides its losses.
func accuracies(n *graph.Network) []string {
	var names []string
	for _, name := range []string{accuracyNode, top5Node} {
		if hasNode(n, name) {
			names = append(names, name)
		}
	}
	return names
}

func hasNode(n *graph.Network, name string) bool {
	return slices.ContainsFunc(n.Nodes, func(node graph.Node) bool { return node.Name == name })
}

// evaluator tests weights on one data set, any number of times.
type evaluator struct {
	set        data.Dataset
	preprocess data.Preprocess
	exec       *graph.Executor
	feed       *feed
	scores     string // value; empty without a softmax loss
}

func newEvaluator(d device.Device, p *graph.Plan, w *graph.Weights, set data.Dataset, pre data.Preprocess) (*evaluator, error) {
	exec, err := graph.NewExecutor(p, w)
	if err != nil {
		return nil, err
	}
	e := &evaluator{set: set, preprocess: pre, exec: exec, scores: scoresNode(p.Network)}
	if e.feed, err = newFeed(d, exec); err != nil {
		return nil, cmp.Or(err, exec.Close())
	}
	return e, nil
}

// sums are totals over samples.
type sums struct {
	loss, accuracy, top5 float64
	confusion            *results.Confusion
}

// run goes through the data set once. The iteration and the epoch are the
// caller's to fill in.
func (e *evaluator) run(ctx context.Context) (t Test, err error) {
	err = e.feed.start(ctx, e.set, data.LoaderOptions{Batch: e.exec.Plan().Options.Batch, Epochs: 1, Preprocess: e.preprocess})
	if err != nil {
		return Test{}, err
	}
	defer func() { err = cmp.Or(err, e.feed.stop()) }()
	var s sums
	for {
		b, err := e.feed.next()
		if errors.Is(err, io.EOF) {
			return e.test(s), nil
		}
		if err == nil {
			err = e.add(&s, b)
		}
		if err == nil {
			err = e.feed.done()
		}
		if err != nil {
			return Test{}, fmt.Errorf("test: %w", err)
		}
	}
}

// add tests one batch.
func (e *evaluator) add(s *sums, b *data.Batch) error {
	e.exec.Forward(graph.Pass{})
	e.feed.ahead()
	views := views(e.set)
	if views == 1 {
		loss, err := e.exec.Loss()
		if err != nil {
			return err
		}
		hits, err := readHits(e.exec)
		if err != nil {
			return err
		}
		n := float64(b.N)
		s.loss += loss * n
		s.accuracy += hits.Accuracy * n
		s.top5 += hits.Top5 * n
	}
	if e.scores == "" {
		return nil
	}
	scores, err := e.exec.Read(e.scores)
	if err != nil {
		return err
	}
	classes := scores.Shape()[1]
	if s.confusion == nil {
		s.confusion = results.NewConfusion(e.set.Classes(), classes)
	}
	if views > 1 {
		s.addViews(scores.Float32s(), classes, b.Labels.Int32s(), views)
	} else {
		s.confusion.Add(scores.Float32s(), b.Labels.Int32s())
	}
	return nil
}

// hits are the shares of a batch that its accuracy nodes count. What the
// network does not have is 0.
type hits struct {
	Accuracy float64 `json:"accuracy"`
	Top5     float64 `json:"top5"`
}

// readHits reads them from the last pass.
func readHits(e *graph.Executor) (h hits, err error) {
	n := e.Plan().Network
	if hasNode(n, accuracyNode) {
		h.Accuracy, err = e.Mean(accuracyNode)
	}
	if err == nil && hasNode(n, top5Node) {
		h.Top5, err = e.Mean(top5Node)
	}
	return h, err
}

// of are the shares of the nodes that a network has; the others are nil.
func (h hits) of(n *graph.Network) (accuracy, top5 *float64) {
	if hasNode(n, accuracyNode) {
		accuracy = new(h.Accuracy)
	}
	if hasNode(n, top5Node) {
		top5 = new(h.Top5)
	}
	return accuracy, top5
}

// test makes means of the sums.
func (e *evaluator) test(s sums) Test {
	pictures := e.set.Len() / views(e.set)
	n := float64(pictures)
	t := Test{Samples: pictures, Loss: s.loss / n, Confusion: s.confusion}
	t.Accuracy, t.Top5 = hits{s.accuracy / n, s.top5 / n}.of(e.exec.Plan().Network)
	return t
}

// Close frees the evaluator's memory; the weights stay.
func (e *evaluator) Close() error { return cmp.Or(e.feed.Close(), e.exec.Close()) }
