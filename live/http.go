package live

import (
	"bufio"
	"image/png"
	"net/http"
	"strconv"
	"time"

	"github.com/hubel-go/hubel/internal/webguard"
)

// How a stream of events is kept alive, and how long a page may take to read.
const (
	heartbeat = 15 * time.Second
	patience  = 15 * time.Second
	gather    = 100 * time.Millisecond // messages that are sent together
)

// routes are the addresses of the server.
func (s *Server) routes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("/", servePage)
	m.HandleFunc("GET /api/events", s.events)
	m.HandleFunc("GET /api/runs/{run}/pictures/{sample}", s.picture)
	m.HandleFunc("POST /api/runs/{run}/save", s.command(Control.Save))
	m.HandleFunc("POST /api/runs/{run}/stop", s.command(Control.Stop))
	m.HandleFunc("POST /api/token", s.checkToken)
	m.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		webguard.Refuse(w, http.StatusNotFound, "there is nothing of that name, or not by that method")
	})
	return m
}

// events streams what happens, as server-sent events.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	p, err := s.hub.connect(r.Header.Get("Last-Event-ID"))
	if err != nil {
		w.Header().Set("Retry-After", "10")
		webguard.Refuse(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	defer s.hub.disconnect(p)
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(http.StatusOK)
	control := http.NewResponseController(w)
	if control.SetReadDeadline(time.Time{}) != nil { // that of requests would end the stream
		return
	}
	out := bufio.NewWriter(w)
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-alive.C:
			out.WriteString(": still here\n\n")
		case <-p.wake:
			list, id, over := s.hub.take(p)
			for i := range list {
				last := ""
				if i == len(list)-1 { // a page that has not got all begins anew
					last = id
				}
				if err := control.SetWriteDeadline(time.Now().Add(patience)); err != nil {
					return
				}
				list[i].writeTo(out, last)
			}
			if over {
				_ = out.Flush()
				return
			}
		}
		if err := control.SetWriteDeadline(time.Now().Add(patience)); err != nil {
			return
		}
		if out.Flush() != nil || control.Flush() != nil {
			return
		}
		select { // what comes soon goes together
		case <-r.Context().Done():
			return
		case <-time.After(gather):
		}
	}
}

// command does what a button asks for, for who has the token.
func (s *Server) command(do func(Control) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !s.allowed(r) {
			webguard.Refuse(w, http.StatusUnauthorized, "the token is missing or wrong: open the address that the terminal shows")
			return
		}
		run := s.hub.run(r.PathValue("run"))
		switch {
		case run == nil:
			webguard.Refuse(w, http.StatusNotFound, "there is no such run")
			return
		case run.control == nil:
			webguard.Refuse(w, http.StatusConflict, "the run is not one of this process")
			return
		}
		if err := do(run.control); err != nil {
			webguard.Refuse(w, http.StatusConflict, err.Error())
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

// checkToken says whether a token is right.
func (s *Server) checkToken(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(r) {
		webguard.Refuse(w, http.StatusUnauthorized, "the token is missing or wrong: open the address that the terminal shows")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// picture sends a picture of a run's test set.
func (s *Server) picture(w http.ResponseWriter, r *http.Request) {
	run := s.hub.run(r.PathValue("run"))
	sample, err := strconv.Atoi(r.PathValue("sample"))
	if run == nil || err != nil || sample < 0 {
		webguard.Refuse(w, http.StatusNotFound, "there is no such picture")
		return
	}
	m, err := run.picture(r.Context(), sample)
	if err != nil {
		webguard.Refuse(w, http.StatusNotFound, err.Error())
		return
	}
	w.Header().Set("Content-Type", "image/png")
	_ = png.Encode(w, m) // the page may be gone
}
