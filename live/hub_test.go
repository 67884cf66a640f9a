package live

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/results"
)

// told is what a page got, as it stands in the stream.
type told struct {
	ID   string
	Run  int
	Kind string
	Data json.RawMessage
}

// parseEvents reads a stream of events.
func parseEvents(t *testing.T, text string) (list []told) {
	t.Helper()
	id := ""
	for _, line := range strings.Split(text, "\n") {
		if after, ok := strings.CutPrefix(line, "id: "); ok {
			id = after
		}
		if after, ok := strings.CutPrefix(line, "data: "); ok {
			e := told{ID: id}
			require.NoError(t, json.Unmarshal([]byte(after), &e), after)
			list = append(list, e)
			id = ""
		}
	}
	return list
}

// takes is all that a page has not got yet.
func takes(t *testing.T, h *hub, p *page) []told {
	t.Helper()
	list, id, _ := h.take(p)
	var b bytes.Buffer
	w := bufio.NewWriter(&b)
	for i := range list {
		last := ""
		if i == len(list)-1 {
			last = id
		}
		list[i].writeTo(w, last)
	}
	require.NoError(t, w.Flush())
	return parseEvents(t, b.String())
}

func kindsOf(list []told) (kinds []string) {
	for _, e := range list {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// oneRun is a hub with a run.
func oneRun() (*hub, *Run) {
	h := newHub()
	r := &Run{hub: h, name: "runs/a"}
	h.addRun(r)
	return h, r
}

func connected(t *testing.T, h *hub, last string) *page {
	t.Helper()
	p, err := h.connect(last)
	require.NoError(t, err)
	return p
}

func line(iteration int) results.LogLine { return results.LogLine{Iteration: iteration, Loss: 1} }

// A page that connects late gets all that there is, and then what is new. Values replace
// each other, lists grow.
func TestPagesGetWhatThereIs(t *testing.T) {
	h, r := oneRun()
	r.Log(line(1))
	r.Progress(Progress{Iteration: 1})
	r.Progress(Progress{Iteration: 2})
	r.Log(line(2))
	p := connected(t, h, "")
	list := takes(t, h, p)
	require.Equal(t, []string{"reset", "log", "progress", "ready"}, kindsOf(list))
	require.JSONEq(t, `[{"name":"runs/a","control":false}]`, string(list[0].Data))
	var lines []results.LogLine
	require.NoError(t, json.Unmarshal(list[1].Data, &lines))
	require.Equal(t, []results.LogLine{line(1), line(2)}, lines)
	require.Contains(t, string(list[2].Data), `"iteration":2`)
	require.Empty(t, list[0].ID, "who has not got all must not go on from there")
	require.NotEmpty(t, list[3].ID)

	require.Empty(t, takes(t, h, p))
	r.Progress(Progress{Iteration: 2})
	require.Empty(t, takes(t, h, p), "the same value is no news")
	r.Log(line(3))
	list = takes(t, h, p)
	require.Equal(t, []string{"log"}, kindsOf(list))
	require.NoError(t, json.Unmarshal(list[0].Data, &lines))
	require.Equal(t, []results.LogLine{line(3)}, lines)
}

// A page that was away goes on after the last event that it has, if that is known still.
func TestPagesGoOn(t *testing.T) {
	h, r := oneRun()
	p := connected(t, h, "")
	r.Log(line(1))
	last := takes(t, h, p)
	id := last[len(last)-1].ID
	h.disconnect(p)
	r.Log(line(2))
	r.Log(line(3))
	again := takes(t, h, connected(t, h, id))
	require.Equal(t, []string{"log", "log"}, kindsOf(again))

	for _, id := range []string{"", "x", id + "9", "other-3", h.name + "-99999", h.name + "--1", h.name + "-18446744073709551615", "\x00"} {
		require.Equal(t, "reset", takes(t, h, connected(t, h, id))[0].Kind, "%q", id)
	}
	r.hub.forget(r.id, "log") // the file begins anew
	require.Equal(t, []string{"reset", "ready"}, kindsOf(takes(t, h, connected(t, h, id))))
}

// A slow page holds nobody up, and takes no memory: what it missed is dropped, and it begins
// anew with all there is.
func TestSlowPages(t *testing.T) {
	h, r := oneRun()
	slow, fast := connected(t, h, ""), connected(t, h, "")
	takes(t, h, slow)
	takes(t, h, fast)
	for i := range pastMessages + 100 {
		r.Log(line(i))
		require.Len(t, takes(t, h, fast), 1)
	}
	require.LessOrEqual(t, len(h.past), pastMessages)
	list := takes(t, h, slow)
	require.Equal(t, []string{"reset", "log", "ready"}, kindsOf(list))

	large := results.MonitorLine{Layers: []results.LayerNumbers{{Layer: strings.Repeat("x", 1<<20)}}}
	for range 12 {
		r.Monitor(large)
	}
	require.LessOrEqual(t, h.bytes, pastBytes)
	sum := 0
	for _, m := range h.past {
		sum += m.size()
	}
	require.Equal(t, sum, h.bytes)
	require.Equal(t, "reset", takes(t, h, slow)[0].Kind)
}

// A long list stays short, spans the whole run, and keeps its tests.
func TestLongLists(t *testing.T) {
	h, r := oneRun()
	const n = 4 * maxLog
	loss := 0.5
	for i := range n {
		l := line(i)
		if i%1000 == 0 {
			l.TestLoss = &loss
		}
		r.Log(l)
	}
	list := takes(t, h, connected(t, h, ""))
	var lines []results.LogLine
	require.NoError(t, json.Unmarshal(list[1].Data, &lines))
	require.LessOrEqual(t, len(lines), maxLog)
	require.Greater(t, len(lines), maxLog/3)
	require.Equal(t, 0, lines[0].Iteration)
	require.Equal(t, n-1, lines[len(lines)-1].Iteration)
	tests := 0
	for i, l := range lines {
		if l.TestLoss != nil {
			tests++
		}
		if i > 0 {
			require.Greater(t, l.Iteration, lines[i-1].Iteration)
		}
	}
	require.Equal(t, n/1000, tests)
	for i := range 2 * maxLog { // where all are tests, the newest stay
		r.Log(results.LogLine{Iteration: n + i, TestLoss: &loss})
	}
	list = takes(t, h, connected(t, h, ""))
	require.NoError(t, json.Unmarshal(list[1].Data, &lines))
	require.LessOrEqual(t, len(lines), maxLog)
	require.Equal(t, n+2*maxLog-1, lines[len(lines)-1].Iteration)
}

// Names are JSON in the stream, whatever is in them: none can end an event.
func TestHostileNamesStayInTheirEvent(t *testing.T) {
	h, r := oneRun()
	const name = "a\n\ndata: {\"run\":0,\"kind\":\"reset\"}\r\n\x00<script>\u2028\xff"
	r.About(About{Network: name})
	r.Notice(name)
	list := takes(t, h, connected(t, h, ""))
	require.Equal(t, []string{"reset", "about", "notices", "ready"}, kindsOf(list))
	var about About
	require.NoError(t, json.Unmarshal(list[1].Data, &about))
	require.Equal(t, strings.ToValidUTF8(name, "\ufffd"), about.Network)
	require.NotContains(t, string(list[1].Data), "<script>")
}

// What is no JSON is left out, and breaks no page.
func TestNumbersThatJSONHasNot(t *testing.T) {
	h, r := oneRun()
	r.Log(results.LogLine{Loss: math.NaN()})
	r.Progress(Progress{ImagesPerSecond: math.Inf(1)})
	require.Equal(t, []string{"reset", "ready"}, kindsOf(takes(t, h, connected(t, h, ""))))
}

func TestTooManyPages(t *testing.T) {
	h, _ := oneRun()
	var first *page
	for i := range maxPages {
		p := connected(t, h, "")
		if i == 0 {
			first = p
		}
	}
	_, err := h.connect("")
	require.EqualError(t, err, fmt.Sprintf("%d pages are open already: close one", maxPages))
	h.disconnect(first)
	connected(t, h, "")
}
