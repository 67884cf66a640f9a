package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// result is what clients saw.
type result struct {
	took     []time.Duration // of each good request that was answered well
	refused  int             // because the queue was full
	odd      int             // malformed requests that were not refused with a status from 400 to 499
	strange  int             // malformed requests in all
	failures []string
}

// add adds what another client saw.
func (r *result) add(o *result) {
	r.took = append(r.took, o.took...)
	r.refused += o.refused
	r.odd += o.odd
	r.strange += o.strange
	r.failures = append(r.failures, o.failures...)
}

// quantile is that of the times, 0 without any.
func (r *result) quantile(q float64) time.Duration {
	if len(r.took) == 0 {
		return 0
	}
	slices.Sort(r.took)
	return r.took[min(int(q*float64(len(r.took))), len(r.took)-1)]
}

// request is what a client sends.
type request struct {
	kind string
	body []byte
}

// good is a request for a picture, or several of it.
func good(picture []byte, pictures int) request {
	if pictures == 1 {
		return request{"application/octet-stream", picture}
	}
	list := slices.Repeat([]string{base64.StdEncoding.EncodeToString(picture)}, pictures)
	body, _ := json.Marshal(map[string]any{"pictures": list}) // of strings
	return request{"application/json", body}
}

// malformed are requests that a server has to refuse, some made of a PNG.
func malformed(picture []byte) []request {
	claims := slices.Clone(picture)
	if len(claims) > 24 {
		copy(claims[16:24], "\x00\x01\xff\xff\x00\x01\xff\xff") // to be of 131071x131071
	}
	return []request{
		{"image/png", []byte("no picture")},
		{"image/png", nil},
		{"image/png", picture[:len(picture)/3]},
		{"image/png", claims},
		{"application/json", []byte(`{"pictures": [`)},
		{"application/json", []byte(`{"pictures": ["bm8gcGljdHVyZQ=="]}`)},
		{"application/json", bytes.Repeat([]byte("["), 20_000)},
		{"multipart/form-data; boundary=b", []byte("--b\r\nContent-Disposition: form-data; name=\"a\"; filename=\"../../a\"\r\n\r\n")},
		{"text/html", picture},
		{"image/png", bytes.Repeat([]byte{0xff, 0xd8, 0xff, 0xc4, 0, 3, 0}, 10_000)},
	}
}

// ask asks for some time, and sends a malformed request after every three good ones.
func ask(ctx context.Context, c *http.Client, url string, of request, strange []request, first int) *result {
	r := &result{}
	for n := first; ctx.Err() == nil; n++ {
		send, bad := of, false
		if strange != nil && n%4 == 3 {
			send, bad = strange[n/4%len(strange)], true
			r.strange++
		}
		start := time.Now()
		status, said, err := post(ctx, c, url, send)
		switch {
		case ctx.Err() != nil:
			if bad {
				r.strange--
			}
		case bad:
			if err != nil || status < 400 || status > 499 {
				r.odd++
			}
		case err != nil:
			r.failures = append(r.failures, err.Error())
		case status == http.StatusTooManyRequests:
			r.refused++
		case status != http.StatusOK:
			r.failures = append(r.failures, fmt.Sprintf("%d %s", status, said))
		default:
			r.took = append(r.took, time.Since(start))
		}
	}
	return r
}

// post sends a request and reads the answer.
func post(ctx context.Context, c *http.Client, url string, of request) (status int, said []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(of.body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", of.kind)
	a, err := c.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer a.Body.Close()
	said, err = io.ReadAll(a.Body)
	return a.StatusCode, said, err
}

// clients lets so many clients ask at once, each the next when it has its answer.
func clients(ctx context.Context, n int, url string, of request, strange []request, lasting time.Duration) *result {
	transport := &http.Transport{MaxIdleConnsPerHost: n}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, lasting)
	defer cancel()
	var all result
	var mu sync.Mutex
	var asking sync.WaitGroup
	for i := range n {
		asking.Go(func() {
			r := ask(ctx, &http.Client{Transport: transport}, url, of, strange, i)
			mu.Lock()
			defer mu.Unlock()
			all.add(r)
		})
	}
	asking.Wait()
	return &all
}

// load measures each number of clients, after a second that does not count.
func load(ctx context.Context, o *options, picture []byte, stdout io.Writer) error {
	of := good(picture, o.pictures)
	for _, n := range o.clients {
		clients(ctx, n, o.url, of, nil, time.Second)
		start := time.Now()
		r := clients(ctx, n, o.url, of, nil, o.lasting)
		if err := ctx.Err(); err != nil {
			return err
		}
		rate := float64(len(r.took)) / time.Since(start).Seconds()
		fmt.Fprintf(stdout, "%-22s clients %3d  %9.1f requests/s, %9.1f pictures/s, p50 %7.2f ms, p99 %7.2f ms, %d refused, %d failed\n",
			o.name, n, rate, rate*float64(o.pictures), ms(r.quantile(0.5)), ms(r.quantile(0.99)), r.refused, len(r.failures))
		if len(r.failures) > 0 {
			return failedError{fmt.Errorf("%d requests failed, the first: %s", len(r.failures), r.failures[0])}
		}
	}
	return nil
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }
