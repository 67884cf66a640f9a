// Package webguard protects a web server that a browser can reach.
//
// Any page in the user's browser can send requests to the user's own machine. A page whose
// name resolves to 127.0.0.1 (DNS rebinding) can even read the answers. A Guard therefore
// answers only requests that name the server itself, and that come from its own pages. Its
// headers keep what strangers wrote, such as names of classes, from becoming a program.
package webguard

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Policy is the Content-Security-Policy of every answer: scripts and styles are files of the
// server, pictures may also be made by a script, and nothing comes from elsewhere.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; " +
	"manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Guard decides which requests a server answers.
type Guard struct {
	port   string   // of the listener
	public bool     // it can be reached from other machines, by any address
	names  []string // that the server has besides
}

// New makes the guard of a server that listens at an address. One that listens on the loopback
// interface answers to localhost, 127.0.0.1 and [::1]. Another answers to every IP address too,
// because a rebound name is none, and to the names.
func New(at net.Addr, names ...string) *Guard {
	g := &Guard{}
	host, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return g // it answers nobody
	}
	g.port = port
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		g.public = true
		g.names = names
	}
	return g
}

// Wrap is a handler that refuses with 403, and an error in JSON, what does not name the server
// as Host, and what has another Origin. All other requests go to h. Every answer has the headers
// of protection.
func (g *Guard) Wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protect(w.Header())
		if !g.knows(r.Host) {
			Refuse(w, http.StatusForbidden, fmt.Sprintf("the server is not called %.100q: open the address that it printed", r.Host))
			return
		}
		if !g.sameOrigin(r) {
			Refuse(w, http.StatusForbidden, "the request comes from a page of another server")
			return
		}
		h.ServeHTTP(w, r)
	})
}

// protect sets the headers of an answer.
func protect(h http.Header) {
	h.Set("Content-Security-Policy", Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// knows reports whether a Host header names the server.
func (g *Guard) knows(host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil { // no port: that of HTTP or HTTPS
		name, port = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), g.port
		if g.port != "80" && g.port != "443" {
			return false
		}
	}
	if port != g.port || name == "" {
		return false
	}
	name = strings.ToLower(name)
	if name == "localhost" || slices.ContainsFunc(g.names, func(n string) bool { return strings.EqualFold(n, name) }) {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && (g.public || ip.IsLoopback())
}

// sameOrigin reports whether a request comes from a page of the server, or from no page.
func (g *Guard) sameOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default: // a browser says so; a link from elsewhere may still open the page
		if r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Mode") != "navigate" {
			return false
		}
	}
	origins, sent := r.Header["Origin"]
	if !sent {
		return true
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return len(origins) == 1 && strings.EqualFold(origins[0], scheme+r.Host)
}

// Refuse answers with a status and an error in JSON: {"error": "..."}.
func Refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Error string `json:"error"`
	}{text}) // nobody is there to be told
}
