package solver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/results"
)

// Evaluate measures the loss and the metrics of weights on a data set, with
// batches of the given size. After it has begun, its error is a FailedError.
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
	if err := checkViews(set, n); err != nil {
		return Test{}, err
	}
	batch = testBatch(set, batch)
	plan, err := planTest(n, d, batch)
	if err != nil {
		return Test{}, err
	}
	if err := cmp.Or(checkMetrics(plan), checkClasses(plan, set, "test set")); err != nil {
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

// FailedError is an error that happened after a network began to run on
// samples, or after a file was written. Other errors are about the arguments.
type FailedError struct{ Err error }

// Error is the message of Err.
func (e FailedError) Error() string { return e.Err.Error() }

// Unwrap is for errors.Is.
func (e FailedError) Unwrap() error { return e.Err }

// planTest plans the forward pass of a network's losses and metrics.
func planTest(n *graph.Network, d device.Device, batch int) (*graph.Plan, error) {
	keep := metricValues(n)
	if scores := scoresNode(n); scores != "" {
		keep = append(keep, scores)
	}
	return n.Plan(d.Traits(), graph.PlanOptions{Mode: graph.Infer, Batch: batch, Losses: true, Keep: keep})
}

// evaluator tests weights on one data set, any number of times.
type evaluator struct {
	set        data.Dataset
	preprocess data.Preprocess
	exec       *graph.Executor
	feed       *feed
	scores     string // value; empty without a softmax loss

	keepAnswers bool // with their samples
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
	loss      float64
	metrics   results.Metrics
	confusion *results.Confusion
	answers   *results.AnswerTally // nil if they are not kept
}

// run goes through the data set once. The iteration and the epoch are the
// caller's to fill in.
func (e *evaluator) run(ctx context.Context) (t Test, err error) {
	err = e.feed.start(ctx, e.set, data.LoaderOptions{Batch: e.exec.Plan().Options.Batch, Epochs: 1, Preprocess: e.preprocess, OneHot: oneHot(e.exec.Plan().Network, e.set)})
	if err != nil {
		return Test{}, err
	}
	defer func() { err = cmp.Or(err, e.feed.stop()) }()
	s := sums{metrics: newMetrics(e.exec.Plan().Network)}
	if e.keepAnswers && e.scores != "" {
		s.answers = &results.AnswerTally{}
	}
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
		s.loss += loss * float64(b.N)
		if err := addMetrics(s.metrics, e.exec, float64(b.N)); err != nil {
			return err
		}
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
		s.addViews(e.exec.Plan().Network, scores.Float32s(), classes, b.Labels.Int32s(), b.Samples, views)
		return nil
	}
	s.confusion.Add(scores.Float32s(), b.Labels.Int32s())
	s.addAnswers(scores.Float32s(), classes, b.Labels.Int32s(), b.Samples)
	return nil
}

// addAnswers keeps the answers to a batch with the samples, if they are kept.
func (s *sums) addAnswers(scores []float32, classes int, labels []int32, samples []int) {
	if s.answers == nil {
		return
	}
	p := make([]float64, classes)
	for i, label := range labels {
		of := scores[i*classes:][:classes]
		clear(p)
		addProbabilities(p, of)
		if answer := results.Highest(of); answer >= 0 {
			s.answers.Add(samples[i], int(label), answer, p[answer], p[label])
		}
	}
}

// test makes means of the sums.
func (e *evaluator) test(s sums) Test {
	pictures := e.set.Len() / views(e.set)
	n := float64(pictures)
	for i := range s.metrics {
		s.metrics[i].Value /= n
	}
	t := Test{Samples: pictures, Loss: s.loss / n, Metrics: s.metrics, Confusion: s.confusion}
	if s.answers != nil && s.confusion != nil {
		var name func(sample int) string
		if named, ok := e.set.(data.Named); ok {
			name = named.Name
		}
		t.Answers = s.answers.Answers(s.confusion.Classes, name)
	}
	return t
}

// Close frees the evaluator's memory; the weights stay.
func (e *evaluator) Close() error { return cmp.Or(e.feed.Close(), e.exec.Close()) }
