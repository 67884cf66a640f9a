package serve

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hubel-go/hubel/internal/printable"
	"github.com/hubel-go/hubel/internal/webguard"
)

// Handler answers requests as a server does that listens at an address.
func (s *Server) Handler(at net.Addr) http.Handler {
	mux := http.NewServeMux()
	route := func(method, path string, answer func(w http.ResponseWriter, r *http.Request) error) {
		mux.Handle(path, s.route(method, path, answer))
	}
	of := func(answer func(w http.ResponseWriter, r *http.Request, m *model) error) func(http.ResponseWriter, *http.Request) error {
		return func(w http.ResponseWriter, r *http.Request) error {
			name := r.PathValue("model")
			m := s.find(name)
			if m == nil {
				return refuse(http.StatusNotFound, "there is no model %s; there is %s", printable.Name(name), strings.Join(s.Names(), ", "))
			}
			return answer(w, r, m)
		}
	}
	first := func(w http.ResponseWriter, r *http.Request) error { return s.predict(w, r, s.models[0]) }

	for path, file := range pages {
		route(http.MethodGet, path, file.answer)
	}
	route(http.MethodGet, "/models", s.list)
	route(http.MethodPost, "/predict", first)
	route(http.MethodPost, "/models/{model}/predict", of(s.predict))

	route(http.MethodGet, "/healthz", s.healthy)
	route(http.MethodGet, "/readyz", s.ready)
	route(http.MethodGet, "/metrics", s.metrics)

	route(http.MethodGet, "/v2", s.v2)
	route(http.MethodGet, "/v2/health/live", s.v2Live)
	route(http.MethodGet, "/v2/health/ready", s.v2Ready)
	route(http.MethodGet, "/v2/models/{model}", of(s.v2Model))
	route(http.MethodGet, "/v2/models/{model}/ready", of(s.v2ModelReady))
	route(http.MethodPost, "/v2/models/{model}/infer", of(s.v2Infer))

	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.answerError(w, r, refuse(http.StatusNotFound, "there is nothing at %s; docs/serving.md lists what there is", printable.Name(r.URL.Path)))
	})
	guarded := webguard.New(at, "-host says which others are", s.o.Hosts...).Wrap(mux)
	return http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		w := &answered{ResponseWriter: to, route: "none", status: http.StatusOK}
		defer func(since time.Time) { s.meter.answered(w.route, w.status, since) }(time.Now())
		guarded.ServeHTTP(w, r)
	})
}

// route allows one method for a path, and says what was asked for.
func (s *Server) route(method, path string, answer func(http.ResponseWriter, *http.Request) error) http.Handler {
	allowed := []string{method}
	if method == http.MethodGet {
		allowed = append(allowed, http.MethodHead)
	}
	name := strings.TrimSuffix(path, "{$}")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.(*answered).route = name
		if !slices.Contains(allowed, r.Method) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			s.answerError(w, r, refuse(http.StatusMethodNotAllowed, "%s takes %s", name, method))
			return
		}
		if err := answer(w, r); err != nil {
			s.answerError(w, r, err)
		}
	})
}

// answered remembers what was answered.
type answered struct {
	http.ResponseWriter
	route  string // what was asked for, "none" of nothing that there is
	status int
}

func (a *answered) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (s *Server) healthy(w http.ResponseWriter, _ *http.Request) error {
	answerText(w, "ok\n")
	return nil
}

// ready is no more when the server is ending.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) error {
	if s.ending.Load() {
		return errClosed
	}
	answerText(w, "ok\n")
	return nil
}

func (s *Server) metrics(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	s.meter.write(w)
	return nil
}

func answerText(w http.ResponseWriter, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(text)) // to a client that may be gone
}
