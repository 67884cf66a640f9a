package live

import (
	"bufio"
	"context"
	"errors"
	"image"
	"image/png"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// opened is a server of the test.
func opened(t *testing.T) *Server {
	t.Helper()
	s, err := Open(Loopback)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// client has no connections left over.
func client(t *testing.T) *http.Client {
	c := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// stream is an open page.
type stream struct {
	body  io.ReadCloser
	lines *bufio.Scanner
}

func listen(t *testing.T, s *Server, last string) *stream {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.Address()+"api/events", nil)
	require.NoError(t, err)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	answer, err := client(t).Do(r)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	require.Equal(t, "text/event-stream", answer.Header.Get("Content-Type"))
	t.Cleanup(func() { answer.Body.Close() })
	lines := bufio.NewScanner(answer.Body)
	lines.Buffer(nil, 1<<24)
	return &stream{answer.Body, lines}
}

// until reads events up to one of a kind.
func (s *stream) until(t *testing.T, kind string) (all []told) {
	t.Helper()
	text := ""
	for s.lines.Scan() {
		text += s.lines.Text() + "\n"
		if s.lines.Text() != "" {
			continue
		}
		all = append(all, parseEvents(t, text)...)
		text = ""
		if len(all) > 0 && all[len(all)-1].Kind == kind {
			return all
		}
	}
	t.Fatalf("the stream ended before %s: %v", kind, s.lines.Err())
	return nil
}

// Two pages see the same; one that connects again goes on; both end with the server.
func TestStreams(t *testing.T) {
	s := opened(t)
	r := s.AddRun("a", RunOptions{})
	r.Log(line(1))
	first, second := listen(t, s, ""), listen(t, s, "")
	for _, page := range []*stream{first, second} {
		require.Equal(t, []string{"reset", "log", "ready"}, kindsOf(page.until(t, "ready")))
	}
	r.Log(line(2))
	list := first.until(t, "log")
	second.until(t, "log")
	require.NoError(t, first.body.Close())
	r.Log(line(3))
	r.Status(Done, "")
	again := listen(t, s, list[len(list)-1].ID)
	require.Equal(t, []string{"log", "status"}, kindsOf(again.until(t, "status")))
	second.until(t, "status")

	r.Saved(3, "last words")
	require.NoError(t, s.Close())
	for _, page := range []*stream{again, second} { // what was said before the end arrives
		page.until(t, "saved")
		require.False(t, page.lines.Scan())
		require.NoError(t, page.lines.Err())
	}
	require.NoError(t, s.Close(), "twice is once")
	_, open := <-s.Failed()
	require.False(t, open)
}

// A page that does not read keeps nobody from telling, or from ending.
func TestAPageThatDoesNotRead(t *testing.T) {
	s := opened(t)
	r := s.AddRun("a", RunOptions{})
	address := strings.TrimSuffix(strings.TrimPrefix(s.Address(), "http://"), "/")
	c, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "GET /api/events HTTP/1.1\r\nHost: "+address+"\r\n\r\n")
	require.NoError(t, err)
	text := strings.Repeat("x", 1<<16)
	for i := range 2000 {
		r.Status(Training, text+strconv.Itoa(i))
	}
	other := listen(t, s, "")
	other.until(t, "ready")
	require.NoError(t, other.body.Close())
}

// buttons counts what is pressed.
type buttons struct{ saves, stops atomic.Int32 }

func (b *buttons) Save() error { b.saves.Add(1); return nil }
func (b *buttons) Stop() error {
	if b.stops.Add(1) > 1 {
		return errors.New("the run has ended")
	}
	return nil
}

func send(t *testing.T, s *Server, method, path string, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.Address()+path, nil)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	answer, err := client(t).Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(body)
}

// The buttons work for who has the token, from a page of the server.
func TestButtons(t *testing.T) {
	s := opened(t)
	b := &buttons{}
	s.AddRun("mine", RunOptions{Control: b})
	s.AddRun("another's", RunOptions{})
	_, token, ok := strings.Cut(s.URL(), "#token=")
	require.True(t, ok)
	require.GreaterOrEqual(t, len(token), 26)
	right := []string{"Authorization", "Bearer " + token}

	for name, headers := range map[string][]string{
		"none":        nil,
		"empty":       {"Authorization", "Bearer "},
		"a wrong one": {"Authorization", "Bearer " + strings.Repeat("A", len(token))},
		"a part":      {"Authorization", "Bearer " + token[:len(token)-1]},
		"bare":        {"Authorization", token},
		"a cookie":    {"Cookie", "token=" + token},
	} {
		code, said := send(t, s, "POST", "api/runs/0/stop", headers...)
		require.Equal(t, http.StatusUnauthorized, code, name)
		require.Contains(t, said, `{"error":"the token is missing or wrong`, name)
		code, _ = send(t, s, "POST", "api/token", headers...)
		require.Equal(t, http.StatusUnauthorized, code, name)
	}
	code, _ := send(t, s, "POST", "api/runs/0/stop?token="+token)
	require.Equal(t, http.StatusUnauthorized, code, "an address is no place for a token")
	code, _ = send(t, s, "GET", "api/runs/0/stop", right...)
	require.Equal(t, http.StatusNotFound, code)
	code, _ = send(t, s, "POST", "api/runs/0/stop", append(right, "Origin", "http://evil.example")...)
	require.Equal(t, http.StatusForbidden, code)
	code, _ = send(t, s, "POST", "api/runs/0/stop", append(right, "Host", "evil.example")...)
	require.Equal(t, http.StatusMisdirectedRequest, code)
	require.Zero(t, b.saves.Load()+b.stops.Load())

	code, _ = send(t, s, "POST", "api/token", right...)
	require.Equal(t, http.StatusNoContent, code)
	code, _ = send(t, s, "POST", "api/runs/0/save", append(right, "Origin", strings.TrimSuffix(s.Address(), "/"))...)
	require.Equal(t, http.StatusNoContent, code)
	code, _ = send(t, s, "POST", "api/runs/0/stop", right...)
	require.Equal(t, http.StatusNoContent, code)
	require.Equal(t, []int32{1, 1}, []int32{b.saves.Load(), b.stops.Load()})
	code, said := send(t, s, "POST", "api/runs/0/stop", right...)
	require.Equal(t, http.StatusConflict, code)
	require.JSONEq(t, `{"error":"the run has ended"}`, said)
	for path, want := range map[string]int{"1/stop": http.StatusConflict, "2/stop": http.StatusNotFound, "-1/save": http.StatusNotFound, "x/save": http.StatusNotFound, "99999999999999999999/save": http.StatusNotFound} {
		code, said := send(t, s, "POST", "api/runs/"+path, right...)
		require.Equal(t, want, code, path)
		require.Contains(t, said, `{"error":`, path)
	}
}

// square is a picture for every sample but the last.
type square struct{ busy atomic.Int32 }

func (q *square) Picture(ctx context.Context, sample int) (image.Image, error) {
	if q.busy.Add(1) > 1 {
		return nil, errors.New("two at a time")
	}
	defer q.busy.Add(-1)
	time.Sleep(time.Millisecond)
	if sample >= 3 {
		return nil, errors.New("the test set has 3 samples")
	}
	return image.NewGray(image.Rect(0, 0, sample+1, 1)), nil
}

func TestPictures(t *testing.T) {
	s := opened(t)
	s.AddRun("a", RunOptions{Pictures: &square{}})
	s.AddRun("b", RunOptions{})
	done := make(chan struct{})
	for range 8 {
		go func() {
			defer func() { done <- struct{}{} }()
			code, body := send(t, s, "GET", "api/runs/0/pictures/2")
			if code != http.StatusOK {
				t.Errorf("%d: %s", code, body)
				return
			}
			m, err := png.Decode(strings.NewReader(body))
			if err != nil || m.Bounds().Dx() != 3 {
				t.Errorf("%v: %v", m, err)
			}
		}()
	}
	for range 8 {
		<-done
	}
	for path, want := range map[string]string{
		"0/pictures/3":                "the test set has 3 samples",
		"0/pictures/-1":               "there is no such picture",
		"0/pictures/x":                "there is no such picture",
		"0/pictures/..%2f..%2fgo.mod": "there is no such picture",
		"7/pictures/1":                "there is no such picture",
		"1/pictures/1":                "the pictures of the test set are not known here",
	} {
		code, said := send(t, s, "GET", "api/runs/"+path)
		require.Equal(t, http.StatusNotFound, code, path)
		require.JSONEq(t, `{"error":"`+want+`"}`, said, path)
	}
}

func TestAPortInUse(t *testing.T) {
	s := opened(t)
	_, err := Open(s.listener.Addr().String())
	require.ErrorContains(t, err, "address already in use")
	require.NotContains(t, err.Error(), "\n")
}
