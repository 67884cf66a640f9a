package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// soakParts is how often soak looks at the server.
const soakParts = 10

// soak lets the largest number of clients ask for the whole time, with malformed requests
// between the good ones, and looks at the server's memory and goroutines meanwhile. A good
// request that fails, a malformed one that is not refused and goroutines that stay are
// errors.
func soak(ctx context.Context, o *options, picture []byte, stdout io.Writer) error {
	n := 0
	for _, c := range o.clients {
		n = max(n, c)
	}
	before, err := watched(ctx, o.url)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%-22s before        %s\n", o.name, before)
	of, strange := good(picture, o.pictures), malformed(picture)
	var all result
	for part := range soakParts {
		all.add(clients(ctx, n, o.url, of, strange, o.lasting/soakParts))
		if err := ctx.Err(); err != nil {
			return err
		}
		now, err := watched(ctx, o.url)
		if err != nil {
			return failedError{err}
		}
		fmt.Fprintf(stdout, "%-22s after %7s %s; good %d, malformed %d, refused %d, failed %d, odd %d\n", o.name,
			(time.Duration(part+1) * o.lasting / soakParts).Round(time.Second), now, len(all.took), all.strange, all.refused, len(all.failures), all.odd)
	}
	after, err := rested(ctx, o.url, before.goroutines)
	if err != nil {
		return failedError{err}
	}
	fmt.Fprintf(stdout, "%-22s at rest       %s\n", o.name, after)
	switch {
	case len(all.failures) > 0:
		return failedError{fmt.Errorf("%d good requests failed, the first: %s", len(all.failures), all.failures[0])}
	case all.odd > 0:
		return failedError{fmt.Errorf("%d malformed requests were not refused", all.odd)}
	case after.goroutines > before.goroutines:
		return failedError{fmt.Errorf("%d goroutines more than before are left", after.goroutines-before.goroutines)}
	}
	return nil
}

// state is what a server takes.
type state struct{ memory, heap, goroutines int64 }

func (s state) String() string {
	return fmt.Sprintf("%5d MiB resident, %5d MiB heap, %3d goroutines", s.memory>>20, s.heap>>20, s.goroutines)
}

// rested looks at a server until it has as few goroutines as before, or ten seconds are over.
func rested(ctx context.Context, at string, goroutines int64) (s state, err error) {
	for range 100 {
		if s, err = watched(ctx, at); err != nil || s.goroutines <= goroutines {
			return s, err
		}
		select {
		case <-ctx.Done():
			return s, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return s, nil
}

// watched reads /metrics of the server that has an address, on a connection of its own.
func watched(ctx context.Context, at string) (s state, err error) {
	u, err := url.Parse(at)
	if err != nil {
		return s, err
	}
	u.Path, u.RawQuery = "/metrics", ""
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return s, err
	}
	r.Close = true
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		return s, err
	}
	defer a.Body.Close()
	found := map[string]*int64{
		"process_resident_memory_bytes": &s.memory, "go_memstats_heap_inuse_bytes": &s.heap, "go_goroutines": &s.goroutines,
	}
	lines := bufio.NewScanner(a.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if to, ok := found[name]; ok {
			v, err := strconv.ParseFloat(value, 64)
			if err != nil {
				return s, fmt.Errorf("%s: %w", name, err)
			}
			*to = int64(v)
			delete(found, name)
		}
	}
	if err := lines.Err(); err != nil {
		return s, err
	}
	if len(found) > 0 {
		return s, fmt.Errorf("%s does not say what the server takes", u)
	}
	return s, nil
}
