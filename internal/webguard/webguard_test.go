package webguard

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// request is one with headers, each followed by its value.
func request(method, host string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	r.Host = host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

// ask sends a request to a guarded handler, and returns the status of its answer.
func ask(t *testing.T, g *Guard, r *http.Request) int {
	t.Helper()
	w := httptest.NewRecorder()
	g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })).ServeHTTP(w, r)
	for header, value := range map[string]string{
		"Content-Security-Policy": Policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		"Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Cache-Control": "no-store",
	} {
		require.Equal(t, value, w.Header().Get(header), header)
	}
	if w.Code != http.StatusNoContent {
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		var said map[string]string
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &said))
		want := "the request comes from a page of another origin"
		if w.Code == http.StatusMisdirectedRequest {
			want = fmt.Sprintf("the host %.100q is not this server's: the remedy", r.Host)
		}
		require.Equal(t, map[string]string{"error": want}, said)
	}
	return w.Code
}

func at(t *testing.T, address string) net.Addr {
	a, err := net.ResolveTCPAddr("tcp", address)
	require.NoError(t, err)
	return a
}

// A server on a loopback address is asked by that address only, and by names that it was
// told; on others by any address, but by no name of strangers.
func TestHosts(t *testing.T) {
	for _, x := range []struct {
		host          string
		inside, other bool // on a loopback address, on others
	}{
		{"127.0.0.1:8000", true, true},
		{"localhost:8000", true, true},
		{"LOCALHOST.:8000", true, true},
		{"[::1]:8000", true, true},
		{"127.8.9.1:8000", true, true},
		{"localhost:8001", false, true},
		{"localhost:", false, true},
		{"localhost", false, true},
		{"127.0.0.1", false, true},
		{"192.168.1.2:8000", false, true},
		{"192.168.1.2:443", false, true},
		{"[2001:db8::1]:8000", false, true},
		{"[fe80::1]:8000", false, true},
		{"2001:db8::1", false, true},
		{"0.0.0.0:8000", false, true},
		{"[::]:8000", false, true},
		{"example.org", true, true},
		{"example.org:8000", true, true},
		{"EXAMPLE.org.:1", true, true},
		{"tunnel:9000", true, true},
		{"tunnel:8000", false, false},
		{"tunnel", false, false},
		{"evil.example", false, false},
		{"evil.example:8000", false, false},
		{"localhost.evil.example:8000", false, false},
		{"127.0.0.1.evil.example:8000", false, false},
		{"127.0.0.1:8000:8000", false, false},
		{"localhost:8000/x", false, true}, // which no browser sends, and still no name of a stranger
		{"127.1:8000", false, false},
		{"2130706433:8000", false, false},
		{"<script>" + strings.Repeat("x", 200), false, false},
		{":8000", false, false},
		{"", false, false},
	} {
		for ip, right := range map[string]bool{"127.0.0.1": x.inside, "127.0.0.2": x.inside, "[::1]": x.inside, "0.0.0.0": x.other, "[::]": x.other, "192.168.1.2": x.other} {
			code := http.StatusMisdirectedRequest
			if right {
				code = http.StatusNoContent
			}
			g := New(at(t, ip+":8000"), "the remedy", "Example.org", "tunnel:9000")
			for _, method := range []string{"GET", "POST"} {
				require.Equal(t, code, ask(t, g, request(method, x.host)), "%q at %s", x.host, ip)
			}
		}
	}
}

// Without a port in the Host it is that of the scheme.
func TestStandardPorts(t *testing.T) {
	for port, secure := range map[string]bool{"80": false, "443": true} {
		g := New(at(t, "127.0.0.1:"+port), "the remedy")
		r := request("GET", "[::1]")
		if secure {
			require.Equal(t, http.StatusMisdirectedRequest, ask(t, g, r))
			r.TLS = &tls.ConnectionState{}
		}
		require.Equal(t, http.StatusNoContent, ask(t, g, r))
	}
}

// A listener without a port, such as a socket in the file system, has names only.
func TestNoPort(t *testing.T) {
	g := New(&net.UnixAddr{Name: "/run/socket", Net: "unix"}, "the remedy", "name")
	require.Equal(t, http.StatusNoContent, ask(t, g, request("GET", "name")))
	for _, host := range []string{"localhost", "localhost:", "127.0.0.1", "evil.example", ""} {
		require.Equal(t, http.StatusMisdirectedRequest, ask(t, g, request("GET", host)), host)
	}
}

func TestOrigins(t *testing.T) {
	g := New(at(t, "127.0.0.1:8123"), "the remedy")
	for _, c := range []struct {
		method  string
		headers []string
		code    int
	}{
		{"GET", nil, 204}, // a program
		{"POST", nil, 204},
		{"POST", []string{"Origin", "http://127.0.0.1:8123"}, 204},
		{"POST", []string{"Origin", "http://127.0.0.1:8123", "Sec-Fetch-Site", "same-origin"}, 204},
		{"POST", []string{"Origin", "https://127.0.0.1:8123", "Sec-Fetch-Site", "same-origin"}, 204}, // TLS ends before this server
		{"POST", []string{"Sec-Fetch-Site", "none"}, 204},
		{"GET", []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, 204},                                   // typed
		{"GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 204},                             // a link
		{"GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403}, // <iframe>
		{"GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 204},
		{"GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403}, // <img>
		{"GET", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 403},     // another port
		{"GET", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"POST", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 403},
		{"POST", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:8123"}, 403},
		{"POST", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://evil.example"}, 403},
		{"POST", []string{"Sec-Fetch-Site", "same-origin", "Origin", "ftp://127.0.0.1:8123"}, 403},
		{"GET", []string{"Origin", "http://evil.example"}, 403},
		{"POST", []string{"Origin", "http://evil.example"}, 403},
		{"POST", []string{"Origin", "http://127.0.0.1:8124"}, 403},
		{"POST", []string{"Origin", "http://localhost:8123"}, 403}, // not the one that was asked
		{"POST", []string{"Origin", "https://127.0.0.1:8123"}, 403},
		{"POST", []string{"Origin", "127.0.0.1:8123"}, 403},
		{"POST", []string{"Origin", "null"}, 403},
		{"POST", []string{"Origin", ""}, 403},
		{"POST", []string{"Origin", "http://127.0.0.1:8123", "Origin", "http://evil.example"}, 403},
	} {
		require.Equal(t, c.code, ask(t, g, request(c.method, "127.0.0.1:8123", c.headers...)), c.headers)
	}
}

func TestOriginOverTLS(t *testing.T) {
	g := New(at(t, "127.0.0.1:8123"), "the remedy")
	for origin, code := range map[string]int{"https://localhost:8123": 204, "http://localhost:8123": 403} {
		r := request("POST", "localhost:8123", "Origin", origin)
		r.TLS = &tls.ConnectionState{}
		require.Equal(t, code, ask(t, g, r), origin)
	}
}

func TestPolicyLetsNothingInline(t *testing.T) {
	require.NotContains(t, Policy, "unsafe")
	require.NotContains(t, Policy, "http")
	require.NotContains(t, Policy, "*")
	require.True(t, strings.HasPrefix(Policy, "default-src 'none';"))
}
