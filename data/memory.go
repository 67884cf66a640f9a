package data

import (
	"context"
	"runtime"

	"golang.org/x/sync/semaphore"
)

// What the decoding of pictures may take of the machine's memory, files and
// samples not counted.
const (
	largestDecoded = 1 << 30   // bytes for one picture
	decodedEach    = 256 << 20 // for each processor, if that is more in all
	keptDecoded    = 64 << 20  // that a scratch keeps for the next picture
)

// decodedInAll is what all pictures that are decoded at one time may take. It is
// the whole process's, as memory is. Those that do not fit wait for their turn.
var decodedInAll = max(largestDecoded, decodedEach*int64(runtime.GOMAXPROCS(0)))

var decodedTurns = semaphore.NewWeighted(decodedInAll)

// take waits until there is memory for a picture.
func (s *scratch) take(ctx context.Context, bytes int64) error {
	if err := decodedTurns.Acquire(ctx, bytes); err != nil {
		return err
	}
	s.taken = bytes
	return nil
}

// giveBack gives back what was taken, and reports whether the scratch is fit to
// be kept.
func (s *scratch) giveBack() (keep bool) {
	taken := s.taken
	if keep = taken <= keptDecoded && cap(s.file) <= keptDecoded; !keep {
		*s = scratch{}
	}
	if taken > decodedEach {
		runtime.GC() // before another one takes as much
	}
	decodedTurns.Release(taken)
	s.taken = 0
	return keep
}
