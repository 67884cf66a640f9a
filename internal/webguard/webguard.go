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
	"strconv"
	"strings"
)

// Policy is the Content-Security-Policy of every answer: scripts and styles are files of the
// server, pictures may also be made by a script, and nothing comes from elsewhere.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Guard decides which requests a server answers.
type Guard struct {
	port     string // of the listener; empty if it has none
	loopback bool   // only this machine reaches it
	names    []string
	remedy   string
}

// New makes the guard of a server that listens at an address. One that listens on the loopback
// interface answers to localhost and the loopback addresses, with its port. Another answers to
// localhost and every IP address, because a rebound name is none; the port may be any there, as
// it is another one behind a container's or a router's.
//
// Names are hosts that are right besides, each with a port or, for all ports, without. The
// remedy is what a client is told that asks for another host.
func New(at net.Addr, remedy string, names ...string) *Guard {
	g := &Guard{loopback: true, remedy: remedy}
	for _, name := range names {
		g.names = append(g.names, strings.ToLower(name))
	}
	if tcp, ok := at.(*net.TCPAddr); ok {
		g.loopback = tcp.IP.IsLoopback()
		g.port = strconv.Itoa(tcp.Port)
	}
	return g
}

// Wrap is a handler that refuses, with an error in JSON, what does not name the server as Host
// (421) and what comes from a page of another origin (403). All other requests go to h. Every
// answer has the headers of protection, of which h may change Cache-Control.
func (g *Guard) Wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protect(w.Header())
		if !g.knows(r) {
			Refuse(w, http.StatusMisdirectedRequest, fmt.Sprintf("the host %.100q is not this server's: %s", r.Host, g.remedy))
			return
		}
		if !sameOrigin(r) {
			Refuse(w, http.StatusForbidden, "the request comes from a page of another origin")
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
	h.Set("Cache-Control", "no-store") // the next server of this port answers something else
}

// knows reports whether the Host of a request names the server.
func (g *Guard) knows(r *http.Request) bool {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil { // no port: that of HTTP or HTTPS
		host, port = strings.TrimSuffix(strings.TrimPrefix(r.Host, "["), "]"), "80"
		if r.TLS != nil {
			port = "443"
		}
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if slices.Contains(g.names, host) || slices.Contains(g.names, net.JoinHostPort(host, port)) {
		return true
	}
	ip, err := netip.ParseAddr(host)
	if g.loopback {
		return g.port != "" && port == g.port && (host == "localhost" || err == nil && ip.IsLoopback())
	}
	return host == "localhost" || err == nil
}

// sameOrigin reports whether a request comes from a page of the server, or from no page.
func sameOrigin(r *http.Request) bool {
	site := r.Header.Get("Sec-Fetch-Site")
	switch site {
	case "", "same-origin", "none":
	default: // a browser says so; a link from elsewhere may still open the page, but not in a frame
		kind := r.Header.Get("Sec-Fetch-Dest")
		if r.Method != http.MethodGet || r.Header.Get("Sec-Fetch-Mode") != "navigate" || kind != "" && kind != "document" {
			return false
		}
	}
	origins, sent := r.Header["Origin"]
	if !sent {
		return true
	}
	if len(origins) != 1 {
		return false
	}
	scheme, host, _ := strings.Cut(origins[0], "://")
	own := "http"
	if r.TLS != nil {
		own = "https"
	}
	// Behind a server that speaks TLS, the browser alone knows the scheme; it has compared it.
	return strings.EqualFold(host, r.Host) && (scheme == own || scheme == "https" && site == "same-origin")
}

// Refuse answers with a status and an error in JSON: {"error": "..."}.
func Refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Error string `json:"error"`
	}{text}) // nobody is there to be told
}
