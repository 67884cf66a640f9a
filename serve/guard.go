package serve

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// policy is what pages of the server may do: load its own script and style, show pictures
// that the user chose, and ask the server.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// guard refuses requests that a browser was tricked into.
//
// A page of a stranger can give its own name the address of this machine (DNS rebinding);
// then the Host of its requests is the stranger's name. And it can send requests to the
// right name, but then the browser says where they come from.
type guard struct {
	loopback bool   // the server listens on a loopback address
	port     string // where it listens
	names    []string
	cross    http.CrossOriginProtection
}

// newGuard is for a listener's address. Names are hosts that are right besides, each with a
// port or, for all ports, without.
func newGuard(at net.Addr, names []string) *guard {
	g := &guard{loopback: true}
	for _, name := range names {
		g.names = append(g.names, strings.ToLower(name))
	}
	if tcp, ok := at.(*net.TCPAddr); ok {
		g.loopback = tcp.IP.IsLoopback()
		_, g.port, _ = net.SplitHostPort(tcp.String())
	}
	return g
}

// check refuses a request, or sets what its answer has to say.
func (g *guard) check(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if !g.knows(r) {
		return refuse(http.StatusMisdirectedRequest, "the host %q is not this server's; -host says which others are", r.Host)
	}
	if err := g.cross.Check(r); err != nil {
		return refuse(http.StatusForbidden, "the request comes from a page of another origin")
	}
	return nil
}

// knows says whether the Host of a request is the server: its loopback address or, if it
// listens on others, any address, which is no name that a stranger could own.
func (g *guard) knows(r *http.Request) bool {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
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
		return port == g.port && (host == "localhost" || err == nil && ip.IsLoopback())
	}
	return host == "localhost" || err == nil
}
