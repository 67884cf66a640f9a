package main

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
)

// stub is a server that knows one picture.
type stub struct {
	picture    []byte
	spoilAfter int64 // good requests that are answered well
	lenient    bool  // malformed ones are too
	goroutines func() int64

	served atomic.Int64
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/metrics" {
		fmt.Fprintf(w, "process_resident_memory_bytes 1e6\ngo_memstats_heap_inuse_bytes 5\nother 1\ngo_goroutines %d\n", s.goroutines())
		return
	}
	body, _ := io.ReadAll(r.Body)
	good := bytes.Equal(body, s.picture) && r.Header.Get("Content-Type") == "application/octet-stream"
	switch {
	case good && s.served.Add(1) > s.spoilAfter:
		http.Error(w, "out of paper", http.StatusInternalServerError)
	case good && s.served.Load()%10 == 0:
		http.Error(w, "full", http.StatusTooManyRequests)
	case !good && !s.lenient:
		http.Error(w, "no", http.StatusBadRequest)
	}
}

// What clients see is counted as what it is, and what must not be is an error.
func TestSoak(t *testing.T) {
	few := func() int64 { return 10 }
	var asked atomic.Int64
	for why, s := range map[string]*stub{
		"": {spoilAfter: 1 << 60, goroutines: few},
		" good requests failed, the first: 500 out of paper\n": {spoilAfter: 20, goroutines: few},
		" malformed requests were not refused":                 {spoilAfter: 1 << 60, lenient: true, goroutines: few},
	} {
		s.picture = []byte("a picture of thirty or more bytes")
		server := httptest.NewServer(s)
		var out bytes.Buffer
		err := soak(t.Context(), &options{name: "n", url: server.URL + "/predict", pictures: 1, clients: command.Numbers{1, 4}, lasting: 300 * time.Millisecond}, s.picture, &out)
		server.Close()
		require.Contains(t, out.String(), "n                      before            0 MiB resident,     0 MiB heap,  10 goroutines\n")
		require.Contains(t, out.String(), "at rest")
		if why == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, why)
		require.ErrorAs(t, err, new(failedError))
	}
	s := &stub{picture: []byte("picture"), spoilAfter: 1 << 60, goroutines: func() int64 { return asked.Add(1) }}
	server := httptest.NewServer(s)
	defer server.Close()
	_, err := rested(t.Context(), server.URL, 50)
	require.NoError(t, err)
	_, err = watched(t.Context(), server.URL+"\x7f")
	require.Error(t, err)
}

func TestLoad(t *testing.T) {
	s := &stub{picture: []byte("picture"), spoilAfter: 1 << 60}
	server := httptest.NewServer(s)
	defer server.Close()
	var out bytes.Buffer
	o := &options{name: "n", url: server.URL, pictures: 1, clients: command.Numbers{1, 3}, lasting: 50 * time.Millisecond}
	require.NoError(t, load(t.Context(), o, s.picture, &out))
	require.Regexp(t, `^n +clients   1 +\d+\.\d requests/s, +\d+\.\d pictures/s, p50 +\d+\.\d\d ms, p99 +\d+\.\d\d ms, \d+ refused, 0 failed\nn +clients   3 `, out.String())
	require.ErrorContains(t, load(t.Context(), o, []byte("another"), &out), "requests failed, the first: 400 no")
}

func TestQuantile(t *testing.T) {
	r := &result{}
	require.Zero(t, r.quantile(0.5))
	for i := range 100 {
		r.took = append(r.took, time.Duration(100-i))
	}
	require.EqualValues(t, 51, r.quantile(0.5))
	require.EqualValues(t, 100, r.quantile(0.99))
	require.EqualValues(t, 100, r.quantile(1))
}

func TestGood(t *testing.T) {
	require.Equal(t, request{"application/octet-stream", []byte("x")}, good([]byte("x"), 1))
	require.Equal(t, request{"application/json", []byte(`{"pictures":["eA==","eA=="]}`)}, good([]byte("x"), 2))
	for _, r := range malformed([]byte("short")) {
		require.NotEmpty(t, r.kind)
	}
}

func TestPhotograph(t *testing.T) {
	path := filepath.Join(t.TempDir(), "p.jpg")
	require.NoError(t, run(t.Context(), []string{"picture", path}, io.Discard))
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	m, err := jpeg.Decode(f)
	require.NoError(t, err)
	require.Equal(t, image.Rect(0, 0, 256, 256), m.Bounds())
}

func TestWrong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	for why, args := range map[string][]string{
		"there are load, soak, bare and picture":  nil,
		"there is no x; there are load":           {"x", "-picture", file},
		"no such file":                            {"load", "-picture", file + "x"},
		"x is no flag":                            {"load", "-picture", file, "x"},
		"flag provided but not defined: -unknown": {"load", "-unknown"},
	} {
		require.ErrorContains(t, run(t.Context(), args, io.Discard), why)
	}
}
