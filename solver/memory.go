package solver

import (
	"errors"
	"fmt"
	"sort"

	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/graph"
)

// checkMemory says whether a batch fits into what a device has free, and if
// it does not, which would. What is to be done stands in the error.
func checkMemory(d device.Device, what string, batch int, need func(batch int) (int64, error)) error {
	bytes, err := need(batch)
	if err != nil {
		return err
	}
	free, _, ok := device.Room(d, bytes)
	if ok {
		return nil
	}
	largest := sort.Search(batch-1, func(i int) bool {
		bytes, err := need(i + 1)
		return err != nil || bytes > free
	})
	advice := fmt.Sprintf("the largest batch that fits is %d", largest)
	if largest == 0 {
		advice = "not even a batch of 1 fits"
	}
	return fmt.Errorf("%s with a batch of %d needs %s, but %s has %s free; %s", what, batch, graph.MiB(bytes), d.Name(), graph.MiB(free), advice)
}

// limited is the plan of training within Config.Memory, of which the plan for testing and the
// batches that wait take their parts first.
func (t *trainer) limited(p plans, batch int) (*graph.Plan, error) {
	c := &t.c
	all := t.bytes(p)
	if c.Memory == 0 || all <= c.Memory {
		return p.train, nil
	}
	others := all - p.train.Memory().Total()
	const smallest = 1 // byte: nothing fits, and the error says what would
	train, err := c.planWithin(c.Device.Traits(), max(smallest, c.Memory-others))
	if e, ok := errors.AsType[*graph.MemoryError](err); ok {
		return nil, fmt.Errorf("training %s with a batch of %d needs at least %s (%v, testing and waiting batches %s), even if activations are recomputed, and the limit is %s: %s",
			c.Network.Name, batch, graph.MiB(e.Least.Total()+others), e.Least, graph.MiB(others), graph.MiB(c.Memory), t.remedy(batch))
	}
	return train, err
}

// remedy says which smaller batch fits into Config.Memory.
func (t *trainer) remedy(batch int) string {
	for batch /= 2; batch > 0; batch /= 2 {
		p, err := t.planBatch(batch)
		if err != nil {
			break
		}
		others := t.bytes(p) - p.train.Memory().Total()
		small := t.c
		small.Batch = batch
		if small.Memory <= others {
			continue
		}
		if _, err := small.planWithin(small.Device.Traits(), small.Memory-others); err == nil {
			return fmt.Sprintf("a batch of %d fits", batch)
		}
	}
	return "not even a batch of 1 fits"
}
