package watch

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/live"
	"github.com/hubel-go/hubel/models"
	"github.com/hubel-go/hubel/solver"
)

// BenchmarkWatching trains LeNet on generated images, alone and while a page reads everything.
// An operation is an update of 64 images.
func BenchmarkWatching(b *testing.B) {
	for _, watched := range []bool{false, true} {
		name := "alone"
		if watched {
			name = "watched"
		}
		b.Run(name, func(b *testing.B) {
			cpu, err := device.Open("cpu", device.Options{})
			require.NoError(b, err)
			defer cpu.Close()
			train, test, err := data.NewSynthetic(data.SyntheticOptions{Train: 6400, Test: 640, Shape: tensor.Shape{1, 28, 28}, Classes: 10})
			require.NoError(b, err)
			n, err := models.Build("lenet", models.Options{Classes: 10, Shape: tensor.Shape{1, 28, 28}})
			require.NoError(b, err)
			c := solver.Config{
				Network: n, Device: cpu, Train: train, Test: test,
				Optimiser:  solver.Optimiser{Schedule: solver.Schedule{Policy: "fixed", Rate: 0.01}, Momentum: 0.9},
				Preprocess: data.Preprocess{Scale: 1. / 256}, Batch: 64, Accumulate: 1, Iterations: b.N, Seed: 1,
			}
			if watched {
				s, err := live.Open(live.Loopback)
				require.NoError(b, err)
				defer s.Close()
				c.Watch = solver.Watch{FiltersEvery: max(1, b.N/100), Answers: true}
				c.Observers = []solver.Observer{NewObserver(s.AddRun("a", live.RunOptions{}), &c)}
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				r, err := http.NewRequestWithContext(ctx, "GET", s.Address()+"api/events", nil)
				require.NoError(b, err)
				answer, err := http.DefaultClient.Do(r)
				require.NoError(b, err)
				defer answer.Body.Close()
				go func() { _, _ = io.Copy(io.Discard, answer.Body) }()
			}
			b.ResetTimer()
			_, err = solver.Train(b.Context(), c)
			require.NoError(b, err)
		})
	}
}
