package webguard

import (
	"crypto/tls"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// ask sends a request with headers to a guarded handler, and returns its answer.
func ask(t *testing.T, g *Guard, method, host string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	r.Host = host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })).ServeHTTP(w, r)
	for _, header := range []string{"Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options", "Cross-Origin-Resource-Policy"} {
		require.NotEmpty(t, w.Header().Get(header), header)
	}
	if w.Code != http.StatusNoContent {
		require.Equal(t, http.StatusForbidden, w.Code)
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		var said struct{ Error string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &said))
		require.NotEmpty(t, said.Error)
	}
	return w
}

func at(t *testing.T, address string) net.Addr {
	a, err := net.ResolveTCPAddr("tcp", address)
	require.NoError(t, err)
	return a
}

func TestHostsOfALoopbackListener(t *testing.T) {
	for _, listener := range []string{"127.0.0.1:8123", "[::1]:8123", "127.0.0.2:8123"} {
		g := New(at(t, listener), "workstation")
		for _, host := range []string{"localhost:8123", "LOCALHOST:8123", "127.0.0.1:8123", "[::1]:8123"} {
			require.Equal(t, http.StatusNoContent, ask(t, g, "GET", host).Code, host)
		}
		for _, host := range []string{
			"", "localhost", "127.0.0.1", "localhost:8124", "localhost:", ":8123", "evil.example:8123", "localhost.evil.example:8123", "evil.example",
			"192.168.1.5:8123", "0.0.0.0:8123", "[::]:8123", "workstation:8123", "127.0.0.1.evil.example:8123", "127.0.0.1:8123:8123", "localhost:8123/x",
		} {
			require.Equal(t, http.StatusForbidden, ask(t, g, "GET", host).Code, host)
		}
	}
}

// A rebound name is a name: addresses and the server's own names are none.
func TestHostsOfAPublicListener(t *testing.T) {
	for _, listener := range []string{"0.0.0.0:8123", "[::]:8123", "192.168.1.5:8123"} {
		g := New(at(t, listener), "workstation")
		for _, host := range []string{"192.168.1.5:8123", "[fe80::1]:8123", "localhost:8123", "Workstation:8123"} {
			require.Equal(t, http.StatusNoContent, ask(t, g, "GET", host).Code, host)
		}
		for _, host := range []string{"evil.example:8123", "192.168.1.5:80", "192.168.1.5", "workstation"} {
			require.Equal(t, http.StatusForbidden, ask(t, g, "GET", host).Code, host)
		}
	}
	standard := New(at(t, "0.0.0.0:443"))
	require.Equal(t, http.StatusNoContent, ask(t, standard, "GET", "[::1]").Code)
	require.Equal(t, http.StatusForbidden, ask(t, standard, "GET", "evil.example").Code)
}

func TestOrigins(t *testing.T) {
	g := New(at(t, "127.0.0.1:8123"))
	for _, c := range []struct {
		method  string
		headers []string
		code    int
	}{
		{"GET", nil, 204}, // a program
		{"POST", nil, 204},
		{"POST", []string{"Origin", "http://127.0.0.1:8123", "Sec-Fetch-Site", "same-origin"}, 204},
		{"GET", []string{"Sec-Fetch-Site", "none", "Sec-Fetch-Mode", "navigate"}, 204},       // typed
		{"GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 204}, // a link
		{"GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},  // <img>
		{"GET", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors"}, 403},      // another port
		{"POST", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 403},
		{"GET", []string{"Origin", "http://evil.example"}, 403},
		{"POST", []string{"Origin", "http://localhost:8123"}, 403}, // not the one that was asked
		{"POST", []string{"Origin", "https://127.0.0.1:8123"}, 403},
		{"POST", []string{"Origin", "null"}, 403},
		{"POST", []string{"Origin", ""}, 403},
		{"POST", []string{"Origin", "http://127.0.0.1:8123", "Origin", "http://evil.example"}, 403},
	} {
		require.Equal(t, c.code, ask(t, g, c.method, "127.0.0.1:8123", c.headers...).Code, c.headers)
	}
}

func TestOriginOverTLS(t *testing.T) {
	g := New(at(t, "127.0.0.1:8123"))
	r := httptest.NewRequest("POST", "/", nil)
	r.Host, r.TLS = "localhost:8123", &tls.ConnectionState{}
	r.Header.Set("Origin", "https://localhost:8123")
	require.True(t, g.sameOrigin(r))
	r.Header.Set("Origin", "http://localhost:8123")
	require.False(t, g.sameOrigin(r))
}

func TestPolicyLetsNothingInline(t *testing.T) {
	require.NotContains(t, Policy, "unsafe")
	require.NotContains(t, Policy, "http")
	require.NotContains(t, Policy, "*")
	require.True(t, strings.HasPrefix(Policy, "default-src 'none';"))
}
