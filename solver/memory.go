package solver

import (
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
