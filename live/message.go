package live

import (
	"bufio"
	"encoding/json"
	"fmt"
	"slices"
)

// The kinds of messages, apart from those of a run: a page that gets a reset forgets all it
// has, and then gets what there is, until ready.
const (
	resetKind = "reset"
	readyKind = "ready"
)

// message is what pages are told about a run: a value, or points that are added to a list.
type message struct {
	run    int
	kind   string
	value  json.RawMessage // nil for a list
	points []point
}

// size is about how many bytes a message takes.
func (m *message) size() int {
	n := len(m.value) + 64
	for _, p := range m.points {
		n += len(p.data) + 1
	}
	return n
}

// writeTo writes the message as an event of a stream. The data of JSON has no line ends. The
// errors are those of w, which keeps the first.
func (m *message) writeTo(w *bufio.Writer, id string) {
	if id != "" {
		w.WriteString("id: " + id + "\n")
	}
	fmt.Fprintf(w, `data: {"run":%d,"kind":%q,"data":`, m.run, m.kind)
	if m.value != nil {
		w.Write(m.value)
	} else {
		w.WriteByte('[')
		for i, p := range m.points {
			if i > 0 {
				w.WriteByte(',')
			}
			w.Write(p.data)
		}
		w.WriteByte(']')
	}
	w.WriteString("}\n\n")
}

// point is one of a list that grows as training goes on.
type point struct {
	data json.RawMessage
	kept bool // whatever is thinned out
}

// state is what is known of a run: values that replace each other, and lists.
type state struct {
	kinds  []string // in the order of their first message
	values map[string]json.RawMessage
	lists  map[string][]point
	bytes  map[string]int // of each list
}

// mostBytes is what a list may take, whatever its lines are.
const mostBytes = 64 << 20

func newState() state {
	return state{values: map[string]json.RawMessage{}, lists: map[string][]point{}, bytes: map[string]int{}}
}

// set replaces a value, and reports whether that changes anything.
func (s *state) set(kind string, data json.RawMessage) bool {
	if slices.Equal(s.values[kind], data) {
		return false
	}
	s.note(kind)
	s.values[kind] = data
	return true
}

// add appends to a list. One that is longer than most loses every second of its points, except
// those that are kept and the last, so that it still spans the whole run.
func (s *state) add(kind string, p point, most int) {
	s.note(kind)
	list := append(s.lists[kind], p)
	s.bytes[kind] += len(p.data)
	if len(list) > most || s.bytes[kind] > mostBytes {
		thin := list[:0:0]
		for i, p := range list {
			if i%2 == 0 || p.kept || i == len(list)-1 {
				thin = append(thin, p)
			}
		}
		if len(thin) > most { // nearly all are kept: the newest are what one looks at
			thin = thin[len(thin)-most/2:]
		}
		for s.bytes[kind] = size(thin); s.bytes[kind] > mostBytes && len(thin) > 1; s.bytes[kind] = size(thin) {
			thin = slices.Clone(thin[len(thin)-len(thin)/2:]) // so that the memory of the others is free
		}
		list = thin
	}
	s.lists[kind] = list
}

// size is how many bytes points take.
func size(list []point) (n int) {
	for _, p := range list {
		n += len(p.data)
	}
	return n
}

// note remembers the order of kinds.
func (s *state) note(kind string) {
	if !slices.Contains(s.kinds, kind) {
		s.kinds = append(s.kinds, kind)
	}
}

// messages tell all of a run.
func (s *state) messages(run int) []message {
	var all []message
	for _, kind := range s.kinds {
		all = append(all, message{run, kind, s.values[kind], s.lists[kind]})
	}
	return all
}

// forget drops what there is of some kinds.
func (s *state) forget(kinds ...string) {
	for _, kind := range kinds {
		delete(s.lists, kind)
		delete(s.bytes, kind)
		delete(s.values, kind)
	}
	s.kinds = slices.DeleteFunc(s.kinds, func(kind string) bool { return slices.Contains(kinds, kind) })
}
