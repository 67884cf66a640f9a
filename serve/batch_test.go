package serve

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Many clients at once get the answers of their own pictures, to the bit, and share batches.
func TestClientsShareBatches(t *testing.T) {
	quiet(t)
	o := defaults(t)
	o.Wait = 50 * time.Millisecond
	s := newServer(t, o)
	c, p := clientOf(t, s), alone(t, o, o.Models[0].File)
	const clients, each = 12, 30
	var want [clients]float32
	for i := range clients {
		y, err := p.Picture(t.Context(), painted(t, i))
		require.NoError(t, err)
		want[i] = p.Top(y, 1)[0].Probability
	}
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for k := range each {
				of := (i + k) % clients
				if got, err := c.top(painted(t, of)); err != nil || got != want[of] {
					t.Errorf("picture %d: %g instead of %g, %v", of, got, want[of], err)
					return
				}
			}
		})
	}
	all.Wait()
	require.EqualValues(t, clients*each, s.models[0].meter.pictures.Get())
	require.Contains(t, c.ask("GET", "/metrics", nil).Body.String(), `hubel_batch_pictures_bucket{model="small",le="8"}`)
	require.NoError(t, s.Close())
}

// waits reports, in turn, how many pictures wait.
func waits(t *testing.T, b *batcher, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return b.length() == n }, 10*time.Second, 100*time.Microsecond)
}

// One batch runs at a time. The next has what came meanwhile, but no more than fits; and
// after it, as many are waited for as were there before.
func TestBatches(t *testing.T) {
	o := defaults(t)
	o.Wait = time.Hour // a batch starts for other reasons
	o.Timeout = time.Hour
	s := newServer(t, o)
	b := s.models[0].now.batches
	c := clientOf(t, s)
	step := make(chan struct{})
	passes := make(chan int, 100)
	watch(t, func(samples int) {
		passes <- samples
		<-step
	})
	var clients sync.WaitGroup
	ask := func(n int) {
		for i := range n {
			clients.Go(func() {
				if _, err := c.top(painted(t, i)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	ask(1)
	require.Equal(t, 1, <-passes, "a client alone is not kept waiting")
	ask(10)
	waits(t, b, 10)
	step <- struct{}{}
	require.Equal(t, 8, <-passes, "a batch is full")
	waits(t, b, 2)
	step <- struct{}{} // 10 were there: 8 are waited for, which a batch has
	ask(5)
	waits(t, b, 7)
	require.Empty(t, passes)
	ask(1)
	require.Equal(t, 8, <-passes)
	step <- struct{}{}
	clients.Wait()
	require.Empty(t, passes)
}

// What waits long enough goes without others.
func TestDeadline(t *testing.T) {
	o := defaults(t)
	s := newServer(t, o)
	b := s.models[0].now.batches
	b.mu.Lock()
	b.expected = 1000
	b.mu.Unlock()
	_, err := clientOf(t, s).top(painted(t, 1))
	require.NoError(t, err)
}

// A queue that is full refuses at once, whole requests, and has room again afterwards.
func TestQueueIsFull(t *testing.T) {
	quiet(t)
	o := defaults(t)
	o.Queue, o.Pictures = 5, 5
	s := newServer(t, o)
	c := clientOf(t, s)
	h := hold(t)
	var clients sync.WaitGroup
	for i := range 3 {
		clients.Go(func() {
			if _, err := c.top(painted(t, i)); err != nil {
				t.Error(err)
			}
		})
	}
	running := <-h.passes
	waits(t, s.models[0].now.batches, 3-running)
	three := inJSON(painted(t, 1), painted(t, 2), painted(t, 3))
	w := c.says(http.StatusTooManyRequests, nil, "POST", "/predict", three, jsonType)
	require.JSONEq(t, `{"error":"the queue is full: try again later"}`, w.Body.String())
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	clients.Go(func() { // two fit
		if w := c.ask("POST", "/predict", inJSON(painted(t, 1), painted(t, 2)), jsonType); w.Code != http.StatusOK {
			t.Error(w.Code, w.Body)
		}
	})
	waits(t, s.models[0].now.batches, 5-running)
	c.fails(http.StatusTooManyRequests, "POST", "/predict", painted(t, 1), binaryType)
	h.open()
	clients.Wait()
	c.says(http.StatusOK, nil, "POST", "/predict", three, jsonType)
	require.NoError(t, s.Close())
}

// A network that panics is an error of its batch, and nothing of the next.
func TestNetworkPanics(t *testing.T) {
	o := defaults(t)
	said := make(chan string, 10)
	o.Log = logTo(said)
	s := newServer(t, o)
	c := clientOf(t, s)
	watch(t, func(int) { panic("out of paper") })
	require.Equal(t, "the server failed; its log says why", c.fails(500, "POST", "/predict", painted(t, 1), binaryType))
	require.Equal(t, "/predict: the network panics: out of paper\n", <-said)
	watch(t, func(int) {})
	c.says(http.StatusOK, nil, "POST", "/predict", painted(t, 1), binaryType)
}

// logTo is a log whose lines a test reads.
type logTo chan string

func (l logTo) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// Requests that are called off while they wait give their places back.
func TestCalledOff(t *testing.T) {
	quiet(t)
	o := defaults(t)
	s := newServer(t, o)
	g, err := s.models[0].acquire()
	require.NoError(t, err)
	h := hold(t)
	ctx, cancel := context.WithCancel(t.Context())
	x, err := g.net.Prepare(ctx, painted(t, 1))
	require.NoError(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		if _, err := g.batches.predict(context.Background(), [][][]float32{x}); err != nil {
			t.Error(err)
		}
	})
	<-h.passes
	running.Go(func() {
		if _, err := g.batches.predict(ctx, [][][]float32{x, x}); err != context.Canceled {
			t.Error(err)
		}
	})
	waits(t, g.batches, 2)
	cancel()
	h.open()
	running.Wait()
	waits(t, g.batches, 0)
	g.release()
	require.NoError(t, s.Close())
}
