package graph

import (
	"fmt"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/layers"
)

// statisticsGrain is what Statistics rounds up to, in elements.
const statisticsGrain = 64

// Statistics is the number of float32 elements, a multiple of 64, of what one micro-batch moves
// the State of all layers by; 0 if no state is updated. It is an error if a layer with State
// that is updated is no layers.Averager.
func (p *Plan) Statistics() (int, error) {
	bytes := int64(0)
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Backward || !s.UpdateState {
			continue
		}
		node := &p.Network.Nodes[s.Node]
		if _, ok := node.Layer.(layers.Averager); !ok {
			return 0, fmt.Errorf("layer %s: each pass of a layer of the type %s depends on the state that the pass before has left, so that passes cannot be made side by side", node.Name, node.Layer.Type())
		}
		for _, slot := range p.Specs[s.Node].State {
			bytes += stateBytes(slot, p.Traits)
		}
	}
	n := int(bytes / device.Float32.Size())
	return (n + statisticsGrain - 1) / statisticsGrain * statisticsGrain, nil
}

// KeepStatistics makes the training passes that follow leave the State of layers alone: each
// writes its statistics into a part of memory, which has Plan.Statistics elements for each of n
// micro-batches. The first part is used until StatisticsOf chooses another.
func (e *Executor) KeepStatistics(memory device.Tensor, n int) error {
	each, err := e.plan.Statistics()
	if err != nil {
		return err
	}
	if memory.Len() != n*each {
		return fmt.Errorf("statistics of %d micro-batches are %d elements each, and the memory for them is %d", n, each, memory.Len())
	}
	for i := range e.steps {
		e.steps[i].statistics = nil
	}
	for k := range n {
		at := int64(k*each) * device.Float32.Size()
		for i := range e.steps {
			s := &e.steps[i]
			if s.Backward || !s.UpdateState {
				continue
			}
			var list []device.Tensor
			for _, slot := range e.plan.Specs[s.Node].State {
				list = append(list, carve(memory.Buffer, at, slot.DType, slot.Shape))
				at += stateBytes(slot, e.plan.Traits)
			}
			s.statistics = append(s.statistics, list)
		}
	}
	e.StatisticsOf(0)
	return nil
}

// StatisticsOf makes the following passes write the statistics of micro-batch k.
func (e *Executor) StatisticsOf(k int) {
	for i := range e.steps {
		if s := &e.steps[i]; s.statistics != nil {
			s.call.Statistics = s.statistics[k]
		}
	}
}

// Average enqueues the move of the State of all layers by micro-batch k, in the order of the
// forward steps. Micro-batches must be taken in order.
func (e *Executor) Average(k int) {
	for i := range e.steps {
		s := &e.steps[i]
		if s.statistics == nil {
			continue
		}
		e.queue.Scope(s.name)
		now := s.call.Statistics
		s.call.Statistics = s.statistics[k]
		s.layer.(layers.Averager).Average(e.queue, &s.call)
		s.call.Statistics = now
	}
}
