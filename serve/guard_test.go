package serve

import (
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// A server on a loopback address is asked by that address only, and by names that it was
// told; on others by any address, but by no name of strangers.
func TestHosts(t *testing.T) {
	at := func(ip string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(ip), Port: 8000} }
	o := defaults(t)
	o.Hosts = []string{"Example.org", "tunnel:9000"}
	s := newServer(t, o)
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
		{"localhost", false, true},
		{"127.0.0.1", false, true},
		{"192.168.1.2:8000", false, true},
		{"192.168.1.2:443", false, true},
		{"[2001:db8::1]:8000", false, true},
		{"2001:db8::1", false, true},
		{"example.org", true, true},
		{"example.org:8000", true, true},
		{"EXAMPLE.org.:1", true, true},
		{"tunnel:9000", true, true},
		{"tunnel:8000", false, false},
		{"evil.example", false, false},
		{"evil.example:8000", false, false},
		{"localhost.evil.example:8000", false, false},
		{"127.0.0.1.evil.example:8000", false, false},
		{"127.1:8000", false, false},
		{"2130706433:8000", false, false},
		{"", false, false},
	} {
		for ip, right := range map[string]bool{"127.0.0.1": x.inside, "::1": x.inside, "0.0.0.0": x.other, "::": x.other, "192.168.1.2": x.other} {
			c := client{t, s.Handler(at(ip))}
			if right {
				require.Equal(t, http.StatusOK, c.ask("GET", "/healthz", nil, "Host: "+x.host).Code, "%s at %s", x.host, ip)
				continue
			}
			for _, path := range []string{"/healthz", "/", "/nowhere", "//x", "/v2"} {
				require.Contains(t, c.fails(http.StatusMisdirectedRequest, "GET", path, nil, "Host: "+x.host), "is not this server's", "%s at %s", x.host, ip)
			}
		}
	}
}

// Pages of other origins can send nothing.
func TestOrigins(t *testing.T) {
	c := clientOf(t, newServer(t, defaults(t)))
	picture := painted(t, 1)
	for _, x := range []struct {
		right   bool
		headers []string
	}{
		{true, nil}, // no browser
		{true, []string{"Origin: http://127.0.0.1:8000"}},
		{true, []string{"Sec-Fetch-Site: same-origin", "Origin: http://127.0.0.1:8000"}},
		{true, []string{"Sec-Fetch-Site: none"}},
		{false, []string{"Origin: http://127.0.0.1:8001"}},
		{false, []string{"Origin: http://evil.example"}},
		{false, []string{"Origin: null"}},
		{false, []string{"Sec-Fetch-Site: cross-site"}},
		{false, []string{"Sec-Fetch-Site: same-site", "Origin: http://127.0.0.1:8001"}},
	} {
		for _, path := range []string{"/predict", "/models/small/predict"} {
			headers := append([]string{binaryType}, x.headers...)
			if x.right {
				c.says(http.StatusOK, nil, "POST", path, picture, headers...)
				continue
			}
			require.Equal(t, "the request comes from a page of another origin", c.fails(http.StatusForbidden, "POST", path, picture, headers...))
		}
		if !x.right {
			c.fails(http.StatusForbidden, "POST", "/v2/models/small/infer", []byte("{}"), x.headers...)
		}
	}
}
