package serve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorgonia.org/tensor"

	"github.com/hubel-go/hubel/data"
	"github.com/hubel-go/hubel/device"
	"github.com/hubel-go/hubel/device/reference"
	"github.com/hubel-go/hubel/expr"
	"github.com/hubel-go/hubel/formats/safetensors"
	"github.com/hubel-go/hubel/graph"
	"github.com/hubel-go/hubel/layers"
	"github.com/hubel-go/hubel/modelfile"
	"github.com/hubel-go/hubel/predict"
)

func init() { layers.Register(func() layers.Layer { return &gate{} }) }

// gate is a layer that changes nothing, and tells a test how many samples pass.
type gate struct{ layers.Elementwise }

// atGate is called with the samples of each pass.
var atGate atomic.Pointer[func(samples int)]

func (*gate) Type() string { return "test-gate" }

func (*gate) Plan(_ device.Traits, in []layers.Input, _ layers.Options) (layers.Spec, error) {
	return layers.PlanElementwise(expr.MustNew(expr.Abs(expr.Input(0, expr.Whole))), 1, in) // of probabilities
}

func (g *gate) Forward(q device.Queue, c *layers.Call) {
	if f := atGate.Load(); f != nil {
		(*f)(c.In[0].Shape[0])
	}
	g.Elementwise.Forward(q, c)
}

// watch calls f at every pass, until the test ends.
func watch(t *testing.T, f func(samples int)) {
	atGate.Store(&f)
	t.Cleanup(func() { atGate.Store(nil) })
}

// held stops every pass until open is called.
type held struct {
	passes chan int // the samples of each that has come
	open   func()
}

func hold(t *testing.T) *held {
	gateway := make(chan struct{})
	h := &held{passes: make(chan int, 1000), open: sync.OnceFunc(func() { close(gateway) })}
	watch(t, func(samples int) {
		h.passes <- samples
		<-gateway
	})
	t.Cleanup(h.open)
	return h
}

var classNames = []string{"cat", `<img src=x onerror=alert(1)>`, "dog \x1b[2J", "caf\xe9"}

// classifier is a network with random weights that tells pictures of 6x5 apart.
func classifier(seed uint64) *modelfile.Model {
	n := &graph.Network{Name: "small"}
	x := n.Add("fc1", &layers.Dense{Out: 7}, n.Image("data", 1, 6, 5))
	x = n.Add("fc2", &layers.Dense{Out: len(classNames)}, x)
	x = n.Add("softmax", &layers.Softmax{}, x)
	n.Outputs = []string{n.Add("prob", &gate{}, x)}
	r := rand.New(rand.NewPCG(seed, 1))
	random := func(shape ...int) *tensor.Dense {
		x := make([]float32, tensor.Shape(shape).TotalSize())
		for i := range x {
			x[i] = float32(r.NormFloat64()) / 2
		}
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(x))
	}
	return &modelfile.Model{
		Network: n, Classes: classNames, Preprocess: data.Preprocess{Mean: data.Floats{100}, Scale: 1. / 64},
		Weights: map[string]*tensor.Dense{
			"fc1.weight": random(7, 30), "fc1.bias": random(7), "fc2.weight": random(len(classNames), 7), "fc2.bias": random(len(classNames)),
		},
	}
}

// points is a network that predicts two points: of the pixels at the corners.
func points() *modelfile.Model {
	n := &graph.Network{Name: "two points"}
	x := n.Add("corners", &layers.Dense{Out: 4}, n.Image("picture", 3, 4, 4))
	n.Outputs = []string{x}
	n.Add("loss", &layers.L2Loss{}, x, n.Target("target", 4))
	w := make([]float32, 4*48)
	w[0], w[48+3], w[96+12], w[144+15] = 1, 1, 1, 1
	return &modelfile.Model{Network: n, Preprocess: data.Preprocess{Scale: 1. / 256}, Weights: map[string]*tensor.Dense{
		"corners.weight": tensor.New(tensor.WithShape(4, 48), tensor.WithBacking(w)),
		"corners.bias":   tensor.New(tensor.WithShape(4), tensor.WithBacking(make([]float32, 4))),
	}}
}

// write writes a weights file, as training does.
func write(t testing.TB, path string, m *modelfile.Model) string {
	t.Helper()
	metadata, err := modelfile.Encode(m.Network, m.Preprocess, m.Classes)
	require.NoError(t, err)
	var list []safetensors.Tensor
	for name, x := range m.Weights {
		list = append(list, safetensors.Tensor{Name: name, Value: x})
	}
	require.NoError(t, safetensors.Write(path, list, metadata))
	return path
}

// painted is a PNG of 6 rows and 5 columns.
func painted(t testing.TB, seed int) []byte {
	t.Helper()
	m := image.NewGray(image.Rect(0, 0, 5, 6))
	for i := range m.Pix {
		m.Pix[i] = uint8(seed*31 + i*i*7 + i*seed)
	}
	return encoded(t, m)
}

func encoded(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, m))
	return b.Bytes()
}

// corner is a picture of one colour with a white pixel at the top left.
func corner(t testing.TB) []byte {
	m := image.NewRGBA(image.Rect(0, 0, 4, 4))
	for i := range 16 {
		m.SetRGBA(i%4, i/4, color.RGBA{128, 64, 32, 255})
	}
	m.SetRGBA(0, 0, color.RGBA{255, 255, 255, 255})
	return encoded(t, m)
}

// defaults are options for tests of one classifier, on the reference device, where the bits
// of a prediction do not depend on its batch.
func defaults(t testing.TB, models ...Model) Options {
	if models == nil {
		models = []Model{{File: write(t, filepath.Join(t.TempDir(), "small.safetensors"), classifier(1))}}
	}
	return Options{
		Models: models, Device: reference.New(), Batch: 8, Queue: 64, Body: 1 << 20, Pictures: 16, Pixels: 10_000,
		Timeout: 30 * time.Second, Wait: time.Millisecond, Log: io.Discard,
	}
}

func newServer(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := New(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// alone is a Predictor of the same weights, to compare with.
func alone(t testing.TB, o Options, file string) *predict.Predictor {
	t.Helper()
	p, err := predict.Open(o.Device, file, predict.Options{Batch: o.Batch, Features: o.Features, TenCrops: o.TenCrops})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

// loopback is where tests say that they listen.
var loopback = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8000}

// client asks a handler.
type client struct {
	t testing.TB
	h http.Handler
}

func clientOf(t testing.TB, s *Server) client { return client{t, s.Handler(loopback)} }

// ask asks with headers, each "Name: value".
func (c client) ask(method, path string, body []byte, headers ...string) *httptest.ResponseRecorder {
	c.t.Helper()
	r := httptest.NewRequestWithContext(c.t.Context(), method, path, bytes.NewReader(body))
	r.Host = "127.0.0.1:8000"
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	c.h.ServeHTTP(w, r)
	return w
}

// says asks, expects a status, and reads the JSON of the answer.
func (c client) says(status int, into any, method, path string, body []byte, headers ...string) *httptest.ResponseRecorder {
	c.t.Helper()
	w := c.ask(method, path, body, headers...)
	require.Equal(c.t, status, w.Code, w.Body)
	require.Equal(c.t, "application/json", w.Header().Get("Content-Type"))
	if into != nil {
		require.NoError(c.t, json.Unmarshal(w.Body.Bytes(), into), w.Body)
	}
	return w
}

// fails asks, and expects an error.
func (c client) fails(status int, method, path string, body []byte, headers ...string) string {
	c.t.Helper()
	var said map[string]string
	c.says(status, &said, method, path, body, headers...)
	require.Len(c.t, said, 1)
	require.NotEmpty(c.t, said["error"])
	return said["error"]
}

// top is the highest probability of a picture. It may be called from any goroutine.
func (c client) top(picture []byte) (float32, error) {
	w := c.ask("POST", "/predict?top=1", picture, binaryType)
	var got answer
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
		return 0, fmt.Errorf("%d %s", w.Code, w.Body)
	}
	return got.Predictions[0].Top[0].Probability, nil
}

// quiet says that no goroutines are left that were not there before the test.
func quiet(t testing.TB) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				stacks := make([]byte, 1<<16)
				t.Fatalf("goroutines are left:\n%s", stacks[:runtime.Stack(stacks, true)])
			}
		}
	})
}
