// Package live shows training runs in a browser while they go on.
//
// A Server has runs, which are told what happens (Run). It sends that to its pages as
// server-sent events. The page, its scripts and its style are files of this package; nothing
// comes from elsewhere. Training never waits for a page. Package live/watch tells a Run of the
// events of package solver, or of the files in a run's folder.
package live

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hubel-go/hubel/internal/webguard"
)

// Server shows runs in browsers.
type Server struct {
	hub      *hub
	token    string // that allows to stop a run
	listener net.Listener
	http     *http.Server
	served   chan error // of Serve
	close    sync.Once
	closed   error
}

// Loopback is the address of a server that only this machine can reach, at a port that is
// free.
const Loopback = "127.0.0.1:0"

// closing is how long Close waits for pages to get what they lack.
const closing = 2 * time.Second

// Open listens at an address, such as Loopback, and serves until Close. Only who knows the
// token of URL can use the buttons; everybody who can reach the address can look.
func Open(address string) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &Server{hub: newHub(), token: rand.Text(), listener: l, served: make(chan error, 1)}
	var names []string
	if at, ok := l.Addr().(*net.TCPAddr); ok && !at.IP.IsLoopback() { // by its name it is reached from other machines
		if name, err := os.Hostname(); err == nil {
			names = append(names, name)
		}
	}
	s.http = &http.Server{
		Handler:           webguard.New(l.Addr(), "open the address that the terminal shows", names...).Wrap(s.routes()),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second, // which a stream of events moves on
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0), // what clients do is no affair of the terminal's
	}
	go func() {
		s.served <- s.http.Serve(l)
		close(s.served)
	}()
	return s, nil
}

// AddRun adds a run under a name, such as its folder.
func (s *Server) AddRun(name string, o RunOptions) *Run {
	r := &Run{hub: s.hub, name: name, control: o.Control, pictures: oneAtATime{o.Pictures, make(chan struct{}, 1)}}
	s.hub.addRun(r)
	return r
}

// Address is where the server can be found, such as "http://127.0.0.1:8080/".
func (s *Server) Address() string {
	host, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return s.listener.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	return "http://" + net.JoinHostPort(host, port) + "/"
}

// URL is Address with the token, which a browser does not send: the page takes it from there.
func (s *Server) URL() string { return s.Address() + "#token=" + s.token }

// Failed is a channel with the error of a server that ended before Close.
func (s *Server) Failed() <-chan error { return s.served }

// Close tells the pages what they do not know yet, and ends the server. It takes at most a few
// seconds. Twice is once.
func (s *Server) Close() error {
	s.close.Do(func() {
		s.hub.close()
		ctx, cancel := context.WithTimeout(context.Background(), closing)
		defer cancel()
		if err := s.http.Shutdown(ctx); err != nil { // a page that does not read
			s.closed = s.http.Close()
		}
		if err := <-s.served; err != nil && !errors.Is(err, http.ErrServerClosed) && s.closed == nil {
			s.closed = err
		}
	})
	return s.closed
}

// allowed reports whether a request brings the token.
func (s *Server) allowed(r *http.Request) bool {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return ok && subtle.ConstantTimeCompare([]byte(token), []byte(s.token)) == 1
}
