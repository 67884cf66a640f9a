package solver

import (
	"path/filepath"

	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/modelfile"
)

// BestFile is the name, in a run's folder, of the weights that did best in a
// test: those that the network's first metric calls the best, and among these, or of
// a network that has none, those with the lowest loss. It is a weights file.
const BestFile = "best.safetensors"

// bestKey is the key, in the metadata of BestFile, of its score in JSON.
const bestKey = "best"

// standing is what the tests of a run amount to so far: all that the choice of
// the best weights, the plateau policy and early stopping have to remember. A
// checkpoint keeps it.
type standing struct {
	Last   *reading `json:"last,omitempty"` // of a training batch
	Due    bool     `json:"due,omitempty"`  // a test after the last iteration was cut short
	Best   *score   `json:"best,omitempty"`
	Since  int      `json:"since"`  // tests after the best one
	Waited int      `json:"waited"` // of these, tests after the last drop of the rate
	Drops  int      `json:"drops"`  // of the rate, of the plateau policy
}

// judge takes a test into account and reports whether it is the best so far.
// Plateau is the number of tests in a row that may be no better before the
// rate drops; 0 is no such number.
func (s *standing) judge(t *Test, metrics []graph.Metric, plateau int) (best bool) {
	s.Due = false
	if s.Best.better(t, metrics) {
		s.Best = &score{Iteration: t.Iteration, Loss: t.Loss, Metrics: t.Metrics}
		s.Since, s.Waited = 0, 0
		return true
	}
	s.Since++
	s.Waited++
	if plateau > 0 && s.Waited == plateau {
		s.Drops++
		s.Waited = 0
	}
	return false
}

// over reports whether patience with the run has come to an end.
func (s *standing) over(patience int) bool { return patience > 0 && s.Since >= patience }

// judge takes a test into account: it keeps the weights if they are the best,
// and sets the rate.
func (t *trainer) judge(test *Test) error {
	plateau := 0
	if t.c.SGD.Schedule.Policy == Plateau {
		plateau = t.c.SGD.Schedule.Step
	}
	best := t.standing.judge(test, t.c.Network.Metrics, plateau)
	t.sgd.drops = t.standing.Drops
	if !best || t.c.Dir == "" {
		return nil
	}
	tensors, metadata, err := t.model()
	if err != nil {
		return err
	}
	if err := modelfile.PutJSON(metadata, map[string]any{bestKey: t.standing.Best}); err != nil {
		return err
	}
	return safetensors.Write(filepath.Join(t.c.Dir, BestFile), tensors, metadata)
}
