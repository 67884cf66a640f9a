package solver

import (
	"github.com/hubel-go/hubel/graph"
)

// history is what the tests of a run amount to so far: all that the choice of the
// best weights, the plateau policy and early stopping have to remember. A checkpoint
// keeps it.
type history struct {
	Last   *reading `json:"last,omitempty"` // of a training batch
	Due    bool     `json:"due,omitempty"`  // a test after the last iteration was cut short
	Best   *score   `json:"best,omitempty"`
	Since  int      `json:"since"`  // tests after the best one
	Waited int      `json:"waited"` // of these, tests after the last drop of the rate
	Drops  int      `json:"drops"`  // of the rate, of the plateau policy
}

// add takes a test of a network with these metrics into account and reports whether
// it is the best so far. Plateau is the number of tests in a row that may be no better
// before the rate drops; 0 is no such number.
func (h *history) add(t *Test, metrics []graph.Metric, plateau int) (best bool) {
	h.Due = false
	if h.Best.better(t, metrics) {
		h.Best = &score{Iteration: t.Iteration, Loss: t.Loss, Metrics: t.Metrics}
		h.Since, h.Waited = 0, 0
		return true
	}
	h.Since++
	h.Waited++
	if plateau > 0 && h.Waited == plateau {
		h.Drops++
		h.Waited = 0
	}
	return false
}

// exhausts reports whether so much patience with the run has come to an end.
func (h *history) exhausts(patience int) bool { return patience > 0 && h.Since >= patience }
