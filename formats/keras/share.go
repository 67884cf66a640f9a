package keras

import (
	"fmt"
	"slices"

	"github.com/hubel-go/hubel/formats"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/internal/printable"
)

// span is the layers of the network that a call has made, from first to before end, and the
// shape of what it takes.
type span struct {
	first, end int
	sample     []int
}

// again is a call of a layer that was called before.
type again struct {
	layer string
	made  span
}

// called notes a call of a layer with arrays.
func (im *importer) called(layer string, made span) {
	if _, ok := im.firsts[layer]; ok {
		im.shared = append(im.shared, again{layer, made})
	} else {
		im.firsts[layer] = made
	}
}

// share lets the calls of a layer share its weights, with the first one. Calls that turn the
// arrays in other ways, because they take other shapes, have weights of their own.
func (im *importer) share() error {
	if im.shared == nil {
		return nil
	}
	plan, err := im.Net.Plan(formats.NoDevice{}, graph.PlanOptions{Batch: 1})
	if err != nil {
		return err
	}
	weighted := func(s span) (list []int) {
		for i := s.first; i < s.end; i++ {
			if len(plan.Specs[i].Params)+len(plan.Specs[i].State) > 0 {
				list = append(list, i)
			}
		}
		return list
	}
	for _, call := range im.shared {
		first := im.firsts[call.layer]
		mine, before := weighted(call.made), weighted(first)
		done := len(mine) == len(before) && (im.weights != nil || slices.Equal(call.made.sample, first.sample))
		for k := range mine {
			done = done && formats.ShareAll(plan, mine[k], before[k], im.out.Weights)
		}
		if !done {
			im.out.Lost = append(im.out.Lost, fmt.Sprintf("layer %s is called %d times, with samples of the shapes %v and %v, and its weights are shared: here these calls have weights of their own, which training makes different",
				printable.Name(call.layer), im.readers[call.layer], first.sample, call.made.sample))
		}
	}
	return nil
}
