package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/kernels/cpu"
)

// record is what a handler answers.
func record(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Every page, and what a machine asks, is there; it is not before or after its time.
func TestEndpoints(t *testing.T) {
	o := defaults(t)
	o.Features = []string{"fc1"}
	s := newServer(t, o)
	c := clientOf(t, s)
	for path, kind := range map[string]string{
		"/": "text/html; charset=utf-8", "/page.js": "text/javascript; charset=utf-8", "/page.css": "text/css; charset=utf-8",
		"/healthz": "text/plain; charset=utf-8", "/readyz": "text/plain; charset=utf-8", "/metrics": "text/plain; version=0.0.4; charset=utf-8",
		"/models": "application/json", "/v2": "application/json", "/v2/health/live": "application/json", "/v2/health/ready": "application/json",
		"/v2/models/small": "application/json", "/v2/models/small/ready": "application/json",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			w := c.ask(method, path, nil)
			require.Equal(t, http.StatusOK, w.Code, path)
			require.Equal(t, kind, w.Header().Get("Content-Type"))
			require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
			require.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'; script-src 'self'")
		}
		require.Equal(t, "GET, HEAD", c.ask("POST", path, nil).Header().Get("Allow"))
	}
	w := c.says(http.StatusOK, nil, "GET", "/models", nil)
	require.JSONEq(t, `{"models":[{"name":"small","network":"small","shape":[1,6,5],"classes":["cat","<img src=x onerror=alert(1)>","dog \u001b[2J","caf\ufffd"],"outputs":4}],
		"features":["fc1"],"pictures":16}`, w.Body.String())

	s.ending.Store(true)
	for _, path := range []string{"/readyz", "/v2/health/ready", "/v2/models/small/ready"} {
		require.Equal(t, "the server is ending", c.fails(503, "GET", path, nil))
	}
	require.Equal(t, http.StatusOK, c.ask("GET", "/healthz", nil).Code)
	require.Equal(t, http.StatusOK, c.ask("GET", "/v2/health/live", nil).Code)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.Equal(t, "5", c.ask("POST", "/predict", painted(t, 1), binaryType).Header().Get("Retry-After"))
	require.Equal(t, "the server is ending", c.fails(503, "POST", "/predict", painted(t, 1), binaryType))
	require.Equal(t, http.StatusOK, c.ask("GET", "/metrics", nil).Code)
	require.ErrorIs(t, s.Reload(t.Context()), errClosed)
}

// The page loads nothing from elsewhere, and sets nothing as HTML.
func TestPage(t *testing.T) {
	c := clientOf(t, newServer(t, defaults(t)))
	for path := range pages {
		text := c.ask("GET", strings.TrimSuffix(path, "{$}"), nil).Body.String()
		for _, never := range []string{"http:", "https:", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "onclick=", "style=\""} {
			require.NotContains(t, text, never, path)
		}
	}
}

// /metrics counts what was asked.
func TestMetrics(t *testing.T) {
	c := clientOf(t, newServer(t, defaults(t)))
	for range 3 {
		c.says(http.StatusOK, nil, "POST", "/predict", inJSON(painted(t, 1), painted(t, 2)), jsonType)
	}
	c.fails(400, "POST", "/models/small/predict", []byte("x"))
	c.fails(404, "POST", `/models/"}evil{/predict`, nil)
	c.fails(421, "GET", "/healthz", nil, "Host: evil")
	c.fails(404, "GET", "/evil", nil)
	text := c.ask("GET", "/metrics", nil).Body.String()
	for _, line := range []string{
		`hubel_requests_total{path="/predict",code="200"} 3`,
		`hubel_requests_total{path="/models/{model}/predict",code="400"} 1`,
		`hubel_requests_total{path="/models/{model}/predict",code="404"} 1`,
		`hubel_requests_total{path="none",code="421"} 1`,
		`hubel_requests_total{path="none",code="404"} 1`,
		`hubel_pictures_total{model="small"} 6`,
		`hubel_batch_pictures_sum{model="small"} 6`,
		`hubel_queue_length{model="small"} 0`,
		`hubel_model_loads_total{model="small",result="loaded"} 1`,
		`hubel_request_seconds_count{path="/predict"} 3`,
		"go_goroutines ",
	} {
		require.Contains(t, text, line)
	}
	require.NotContains(t, text, "evil")
}

func TestOptions(t *testing.T) {
	good := defaults(t)
	file := good.Models[0].File
	for why, change := range map[string]func(o *Options){
		"there is no device to predict on":                      func(o *Options) { o.Device = nil },
		"there are no weights to serve":                         func(o *Options) { o.Models = nil },
		"must be above 0":                                       func(o *Options) { o.Queue = 0 },
		"a request of 65 pictures does not fit a queue of 64":   func(o *Options) { o.Pictures = 65 },
		`"a\nb" is no name of a model`:                          func(o *Options) { o.Models = []Model{{"a\nb", file}} },
		"would both be served as small: name one, as NAME=FILE": func(o *Options) { o.Models = []Model{{File: file}, {"small", file}} },
		"nothing.safetensors":                                   func(o *Options) { o.Models = []Model{{File: file}, {"x", "nothing.safetensors"}} },
		`keep: network small has no value "fc9"`:                func(o *Options) { o.Features = []string{"fc9"} },
		"ten crops need a network that was trained with a crop": func(o *Options) { o.TenCrops = true },
		"serve_test.go: a header of ":                           func(o *Options) { o.Models = []Model{{File: "serve_test.go"}} },
	} {
		o := good
		change(&o)
		_, err := New(t.Context(), o)
		require.ErrorContains(t, err, why)
	}
	bad := points() // whose name is no name of a model
	s := newServer(t, defaults(t, Model{File: write(t, filepath.Join(t.TempDir(), "p"), bad)}))
	require.Equal(t, []string{"model"}, s.Names())
}

// listening is a server on a loopback port. Its stop ends it, as Ctrl-C does.
func listening(t *testing.T, s *Server, certificate *tls.Certificate) (url string, stop func() error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, certificate) }()
	once := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { require.NoError(t, once()) })
	return "http://" + l.Addr().String(), once
}

// post is a request over the network. It closes its connection.
func post(t *testing.T, ctx context.Context, url string, body []byte) (status int, said string, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "POST", url+"/predict", bytes.NewReader(body))
	require.NoError(t, err)
	r.Close = true
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	return a.StatusCode, string(text), err
}

// The end of a server waits for what it has taken, and takes nothing more.
func TestShutdown(t *testing.T) {
	quiet(t)
	o := defaults(t)
	o.Queue = 64
	s := newServer(t, o)
	url, stop := listening(t, s, nil)
	h := hold(t)
	var clients sync.WaitGroup
	for i := range 20 {
		clients.Go(func() {
			status, said, err := post(t, context.Background(), url, painted(t, i))
			if err != nil || status != http.StatusOK {
				t.Errorf("%d %s %v", status, said, err)
			}
		})
	}
	running := <-h.passes
	require.Eventually(t, func() bool { return s.models[0].now.batches.length() == 20-running }, 10*time.Second, time.Millisecond)
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	require.Eventually(t, func() bool { return s.ending.Load() }, 10*time.Second, time.Millisecond)
	require.Eventually(t, func() bool {
		_, _, err := post(t, context.Background(), url, nil)
		return err != nil // nobody listens
	}, 10*time.Second, time.Millisecond)
	require.Empty(t, ended, "requests are under way")
	h.open()
	require.NoError(t, <-ended)
	clients.Wait()
	require.NoError(t, s.Close())
}

// A listener that fails ends the server with its error.
func TestListenerFails(t *testing.T) {
	s := newServer(t, defaults(t))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.ErrorIs(t, s.Serve(t.Context(), l, nil), net.ErrClosed)
}

// A client that goes away before its turn leaves nothing to do.
func TestClientsGone(t *testing.T) {
	quiet(t)
	o := defaults(t)
	o.Batch = 1
	s := newServer(t, o)
	url, stop := listening(t, s, nil)
	h := hold(t)
	ctx, cancel := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	clients.Go(func() {
		if status, said, err := post(t, context.Background(), url, painted(t, 0)); status != http.StatusOK {
			t.Errorf("%d %s %v", status, said, err)
		}
	})
	<-h.passes
	for i := range 10 {
		clients.Go(func() {
			if _, _, err := post(t, ctx, url, painted(t, i)); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	b := s.models[0].now.batches
	require.Eventually(t, func() bool { return b.length() == 10 }, 10*time.Second, time.Millisecond)
	cancel()
	require.Eventually(t, func() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.places == 1 }, 10*time.Second, time.Millisecond)
	h.open()
	clients.Wait()
	require.NoError(t, stop())
	require.Empty(t, h.passes, "no pass for those who are gone")
	require.EqualValues(t, 10, s.models[0].meter.dropped.Get())
	require.EqualValues(t, 1, s.models[0].meter.pictures.Get())
}

// A request that is not answered in time is told so, and one whose body never comes is cut off.
func TestTimeouts(t *testing.T) {
	quiet(t)
	o := defaults(t)
	o.Timeout = time.Second
	s := newServer(t, o)
	url, _ := listening(t, s, nil)
	h := hold(t)
	status, said, err := post(t, context.Background(), url, painted(t, 1))
	require.NoError(t, err)
	require.Equal(t, 503, status)
	require.JSONEq(t, `{"error":"there was no answer within 1s"}`, said)
	h.open()

	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /predict HTTP/1.1\r\nHost: "+strings.TrimPrefix(url, "http://")+"\r\nContent-Length: 10\r\n\r\nabc")
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Contains(t, string(answer), "HTTP/1.1 408 Request Timeout")
	require.Contains(t, string(answer), "the body of the request did not come in time")
}

// On the CPU, what shares a batch has the bits of some batch of the Predictor.
func TestOnTheCPU(t *testing.T) {
	d, err := cpu.New(2)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	o := defaults(t)
	o.Device = d
	c, p := clientOf(t, newServer(t, o)), alone(t, o, o.Models[0].File)
	const clients, each = 6, 20
	allowed := make([][]float32, clients)
	for i := range clients {
		x, err := p.Prepare(t.Context(), painted(t, i))
		require.NoError(t, err)
		for n := 1; n <= o.Batch; n++ {
			batch := make([][]float32, n)
			for k := range batch {
				batch[k] = x[0]
			}
			all, err := p.Run(t.Context(), batch)
			require.NoError(t, err)
			for _, y := range all {
				allowed[i] = append(allowed[i], p.Top(y, 1)[0].Probability)
			}
		}
	}
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for range each {
				got, err := c.top(painted(t, i))
				if err != nil || !slices.Contains(allowed[i], got) {
					t.Errorf("picture %d: %g, %v", i, got, err)
				}
			}
		})
	}
	all.Wait()
}
