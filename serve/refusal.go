package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/predict"
)

// refusal is an error with its status.
type refusal struct {
	status int
	text   string
	after  string // seconds, of Retry-After
}

func (r *refusal) Error() string { return r.text }

// refuse makes a refusal. What it quotes of a request is shown by package printable.
func refuse(status int, format string, args ...any) error {
	return &refusal{status: status, text: fmt.Sprintf(format, args...)}
}

// bad is a refusal of a request that is wrong.
func bad(format string, args ...any) error { return refuse(http.StatusBadRequest, format, args...) }

var (
	errFull   = &refusal{http.StatusTooManyRequests, "the queue is full: try again later", "1"}
	errClosed = &refusal{http.StatusServiceUnavailable, "the server is ending", "5"}
)

// statusGone is what nginx reports of a client that closed its connection: nobody reads it
// but /metrics.
const statusGone = 499

// refusalOf is the refusal that an error is answered with. Whatever is not known is not told
// to clients: unknown is set, and it belongs into the log.
func (s *Server) refusalOf(err error) (of *refusal, unknown bool) {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &of):
		return of, false
	case errors.As(err, &tooLarge):
		return &refusal{status: http.StatusRequestEntityTooLarge, text: fmt.Sprintf("the request is larger than %d bytes", tooLarge.Limit)}, false
	case errors.Is(err, context.DeadlineExceeded):
		return &refusal{http.StatusServiceUnavailable, fmt.Sprintf("there was no answer within %v", s.o.Timeout), "1"}, false
	case errors.Is(err, predict.ErrNaN), errors.Is(err, errInfinite):
		return &refusal{status: http.StatusInternalServerError, text: err.Error()}, false
	case errors.Is(err, context.Canceled):
		return &refusal{status: statusGone, text: "the client is gone"}, false
	}
	return &refusal{status: http.StatusInternalServerError, text: "the server failed; its log says why"}, true
}

// answerError answers with an error, as {"error": "..."}.
func (s *Server) answerError(w http.ResponseWriter, r *http.Request, err error) {
	of, unknown := s.refusalOf(err)
	if unknown {
		s.log("%s: %v", r.Pattern, err)
	}
	if of.after != "" {
		w.Header().Set("Retry-After", of.after)
	}
	answerJSON(w, of.status, struct {
		Error string `json:"error"`
	}{printable.Line(of.text)})
}

// answerJSON answers with a value. JSON escapes what a browser could take for HTML.
func answerJSON(w http.ResponseWriter, status int, v any) {
	text, err := json.Marshal(v)
	if err != nil { // outputs are checked before, features are not
		status, text = http.StatusInternalServerError, []byte(`{"error":"not all values of the answer are finite, as JSON needs them"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // to a client that may be gone
}
