package live

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// What a hub keeps of the past, for pages that fall behind or connect again. A page that needs
// more gets everything anew.
const (
	pastMessages = 2048
	pastBytes    = 8 << 20
)

// maxPages is how many pages may be connected.
const maxPages = 64

// hub passes messages on to any number of pages. Whoever publishes never waits for a page:
// messages go into a ring of bounded size, and each page reads it at its own speed. A page that
// is so slow that the ring has overtaken it gets the whole state instead of what it missed.
type hub struct {
	name string // of this server: numbers of another mean nothing

	mu     sync.Mutex
	runs   []*Run
	states []state
	past   []message // the newest, the first of them has the number first
	first  uint64
	bytes  int // of past
	pages  map[*page]struct{}
	closed bool
}

// page is a browser that is connected.
type page struct {
	next  uint64 // number of the message that it wants
	fresh bool   // it has nothing yet
	wake  chan struct{}
}

func newHub() *hub {
	return &hub{name: rand.Text()[:12], first: 1, pages: map[*page]struct{}{}}
}

// addRun adds a run.
func (h *hub) addRun(r *Run) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r.id = len(h.runs)
	h.runs = append(h.runs, r)
	h.states = append(h.states, newState())
	h.startAnew()
}

// run is the run with a number, or nil.
func (h *hub) run(text string) *Run {
	i, err := strconv.Atoi(text)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil || i < 0 || i >= len(h.runs) {
		return nil
	}
	return h.runs[i]
}

// replace sets a value of a run.
func (h *hub) replace(run int, kind string, value any) {
	data := encode(value)
	h.mu.Lock()
	defer h.mu.Unlock()
	if data != nil && h.states[run].set(kind, data) {
		h.publish(message{run: run, kind: kind, value: data})
	}
}

// append adds to a list of a run, which has at most so many points.
func (h *hub) append(run int, kind string, value any, kept bool, most int) {
	p := point{encode(value), kept}
	h.mu.Lock()
	defer h.mu.Unlock()
	if p.data != nil {
		h.states[run].add(kind, p, most)
		h.publish(message{run: run, kind: kind, points: []point{p}})
	}
}

// forget drops what there is of some kinds of a run.
func (h *hub) forget(run int, kinds ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states[run].forget(kinds...)
	h.startAnew()
}

// encode is a value in JSON, nil for what cannot be written, such as NaN in a damaged log.
func encode(value any) json.RawMessage {
	data, err := json.Marshal(value)
	if err != nil {
		return nil
	}
	return data
}

// publish puts a message into the ring and wakes the pages.
func (h *hub) publish(m message) {
	h.past = append(h.past, m)
	h.bytes += m.size()
	drop := 0
	for len(h.past)-drop > pastMessages || h.bytes > pastBytes && len(h.past)-drop > 1 {
		h.bytes -= h.past[drop].size()
		h.past[drop] = message{}
		drop++
	}
	h.past = h.past[drop:]
	h.first += uint64(drop)
	h.wakeAll()
}

// startAnew makes every page begin again.
func (h *hub) startAnew() {
	h.first += uint64(len(h.past)) + 1 // no page can want that one
	h.past, h.bytes = nil, 0
	h.wakeAll()
}

func (h *hub) wakeAll() {
	for p := range h.pages {
		select {
		case p.wake <- struct{}{}:
		default: // it will look anyway
		}
	}
}

// connect adds a page, which goes on after the message that a Last-Event-ID names, where it
// can. It fails when there are too many.
func (h *hub) connect(last string) (*page, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.pages) >= maxPages {
		return nil, fmt.Errorf("%d pages are open already: close one", maxPages)
	}
	p := &page{fresh: true, wake: make(chan struct{}, 1)}
	if name, number, ok := strings.Cut(last, "-"); ok && name == h.name {
		if n, err := strconv.ParseUint(number, 10, 63); err == nil {
			p.next, p.fresh = n+1, false
		}
	}
	p.wake <- struct{}{}
	h.pages[p] = struct{}{}
	return p, nil
}

// close says that nothing more will come.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	h.wakeAll()
}

func (h *hub) disconnect(p *page) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.pages, p)
}

// take is what a page is to be told, in order, and the id of the last of it. Where the page
// begins anew that is everything. over says that nothing more will come.
func (h *hub) take(p *page) (list []message, id string, over bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	end := h.first + uint64(len(h.past))
	if p.fresh || p.next < h.first || p.next > end {
		list = h.everything()
	} else {
		list = append(list, h.past[p.next-h.first:]...)
	}
	p.next, p.fresh = end, false
	return list, fmt.Sprintf("%s-%d", h.name, end-1), h.closed
}

// everything tells all there is.
func (h *hub) everything() []message {
	type run struct {
		Name    string `json:"name"`
		Control bool   `json:"control"` // it can be stopped
	}
	runs := make([]run, len(h.runs))
	for i, r := range h.runs {
		runs[i] = run{r.name, r.control != nil}
	}
	all := []message{{kind: resetKind, value: encode(runs)}}
	for i := range h.states {
		all = append(all, h.states[i].messages(i)...)
	}
	return append(all, message{kind: readyKind, value: json.RawMessage("true")})
}
