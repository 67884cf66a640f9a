package solver

import (
	"fmt"
	"time"

	"github.com/hubel-go/hubel/data"
)

// speedometer measures images per second over spans of iterations, without
// what is done between spans, and the loader's speed over the same spans.
type speedometer struct {
	input  func() data.Throughput
	from   time.Time
	images int
	before data.Throughput // at the start
	last   span            // the last whole one, zero before
	recent span            // whole ones, until there is enough to judge by
}

// span is what was measured over some iterations.
type span struct {
	seconds float64
	images  int
	input   data.Throughput
}

func (s *speedometer) start()         { s.from, s.images, s.before = time.Now(), 0, s.input() }
func (s *speedometer) add(images int) { s.images += images }

func (s *speedometer) stop() {
	s.last = s.sinceStart()
	s.recent.seconds += s.last.seconds
	s.recent.images += s.last.images
	s.recent.input = s.recent.input.Plus(s.last.input)
}

// sinceStart is the span up to now. Some clocks are coarse.
func (s *speedometer) sinceStart() span {
	return span{max(time.Since(s.from), time.Microsecond).Seconds(), s.images, s.input().Since(s.before)}
}

// now is the last whole span, or what there is of the first.
func (s *speedometer) now() span {
	if s.last.images == 0 {
		return s.sinceStart()
	}
	return s.last
}

func (s span) imagesPerSecond() float64 { return float64(s.images) / s.seconds }

// When training is called bound by its input: it waited for so much of a time
// that is long enough to tell, and the loader was hardly faster.
const (
	boundWaiting = 0.2
	boundSpeed   = 1.25
	boundSeconds = 5
)

// inputBound says that training waits for its images, or nothing.
func (s *speedometer) inputBound() string {
	r := s.recent
	if r.seconds < boundSeconds {
		return ""
	}
	s.recent = span{}
	waiting := r.input.Wait.Seconds() / r.seconds
	if waiting < boundWaiting || r.input.PerSecond() > boundSpeed*r.imagesPerSecond() {
		return ""
	}
	return fmt.Sprintf("input-bound: %.0f %% of the time was spent waiting for images, which come at %.0f a second; "+
		"smaller pictures, fewer steps of augmentation or more processors make that faster", 100*waiting, r.input.PerSecond())
}
