package graph

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// Synchronise makes the following passes parts of larger ones, which are spread over several
// devices: layers that keep statistics of batches take those of all samples. sum enqueues the
// replacement of each x by the sum of all devices' x. All devices make the same passes; one that
// has no sample in a pass calls ForwardNone and BackwardNone. It is an error if a layer with
// State that is updated is no layers.Synchroniser.
func (e *Executor) Synchronise(sum func(q device.Queue, x ...device.Tensor)) error {
	across := &layers.Across{Sum: func(x ...device.Tensor) { sum(e.queue, x...) }}
	for i := range e.steps {
		s := &e.steps[i]
		if len(e.plan.Specs[s.Node].State) == 0 || !s.UpdateState {
			continue
		}
		l, ok := s.layer.(layers.Synchroniser)
		if !ok {
			return fmt.Errorf("layer %s: the statistics of a layer of the type %s cannot be those of samples on several devices", s.name, s.layer.Type())
		}
		s.synchronised, s.call.Across = l, across
	}
	return nil
}

// ForwardNone takes part in a forward pass of other devices, of which this one has no sample.
func (e *Executor) ForwardNone(p Pass) { e.none(p, false, layers.Synchroniser.ForwardNone) }

// BackwardNone takes part in a backward pass of other devices. It leaves the gradients alone, and
// tells OnGradient of them as Backward does.
func (e *Executor) BackwardNone(p Pass) { e.none(p, true, layers.Synchroniser.BackwardNone) }

func (e *Executor) none(p Pass, backward bool, part func(l layers.Synchroniser, q device.Queue, c *layers.Call)) {
	for i := range e.steps {
		s := &e.steps[i]
		if s.Backward != backward {
			continue
		}
		if s.synchronised != nil {
			e.queue.Scope(s.name)
			s.call.Across.Samples = p.Across
			part(s.synchronised, e.queue, &s.call)
		}
		if backward {
			e.done(s)
		}
	}
}
