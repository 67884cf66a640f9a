package solver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/data"
)

func TestSpeedometer(t *testing.T) {
	now := data.Throughput{Samples: 100, Work: time.Second, Workers: 2, Wait: time.Hour}
	s := speedometer{input: func() data.Throughput { return now }}
	s.start()
	s.add(10)
	now.Samples += 50
	now.Work += time.Second
	first := s.now()
	require.Positive(t, first.imagesPerSecond())
	require.Equal(t, 100., first.input.PerSecond(), "two workers, fifty images in a second of work")
	s.stop()
	s.start()
	require.Equal(t, s.last, s.now(), "the first span, until the next has ended")
	require.Empty(t, s.inputBound(), "too short to tell")
	require.Equal(t, 10, s.last.images)
	require.Equal(t, s.last, s.recent)
	s.add(7)
	now.Samples += 20
	s.stop()
	require.Equal(t, 7, s.last.images)
	require.Equal(t, 17, s.recent.images)
	require.Equal(t, 70, s.recent.input.Samples)
	require.Greater(t, s.recent.seconds, s.last.seconds)

	input := func(perSecond int, wait time.Duration) data.Throughput {
		return data.Throughput{Samples: perSecond, Work: time.Second, Workers: 1, Wait: wait}
	}
	s.recent = span{seconds: 10, images: 1000, input: input(110, 8*time.Second)}
	require.Contains(t, s.inputBound(), "input-bound: 80 % of the time was spent waiting for images, which come at 110 a second")
	require.Zero(t, s.recent, "and from here on anew")
	for _, other := range []span{
		{seconds: 1, images: 100, input: input(110, time.Second)},
		{seconds: 10, images: 1000, input: input(110, time.Second)},
		{seconds: 10, images: 1000, input: input(200, 4*time.Second)},
	} {
		s.recent = other
		require.Empty(t, s.inputBound())
	}
}
