package serve

import (
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every address is guarded, and names that the options have are right.
func TestGuardedHosts(t *testing.T) {
	o := defaults(t)
	o.Hosts = []string{"example.org", "tunnel:9000"}
	s := newServer(t, o)
	for ip, hosts := range map[string]map[string]bool{
		"127.0.0.1": {"localhost:8000": true, "example.org": true, "tunnel:9000": true, "192.168.1.2:8000": false, "evil.example:8000": false},
		"0.0.0.0":   {"localhost:8000": true, "example.org": true, "tunnel:9000": true, "192.168.1.2:8000": true, "evil.example:8000": false},
	} {
		c := client{t, s.Handler(&net.TCPAddr{IP: net.ParseIP(ip), Port: 8000})}
		for host, right := range hosts {
			if right {
				require.Equal(t, http.StatusOK, c.ask("GET", "/healthz", nil, "Host: "+host).Code, "%s at %s", host, ip)
				continue
			}
			for _, path := range []string{"/healthz", "/", "/nowhere", "//x", "/v2"} {
				require.Contains(t, c.fails(http.StatusMisdirectedRequest, "GET", path, nil, "Host: "+host), "-host says which others are", "%s at %s", host, ip)
			}
		}
	}
	require.Contains(t, clientOf(t, s).ask("GET", "/metrics", nil).Body.String(), `hubel_requests_total{path="none",code="421"} 15`)
}

// Pages of other origins can send nothing, and read nothing.
func TestGuardedOrigins(t *testing.T) {
	c := clientOf(t, newServer(t, defaults(t)))
	picture := painted(t, 1)
	for _, path := range []string{"/predict", "/models/small/predict", "/v2/models/small/infer"} {
		for _, header := range []string{"Origin: http://127.0.0.1:8001", "Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site"} {
			require.Equal(t, "the request comes from a page of another origin", c.fails(http.StatusForbidden, "POST", path, picture, binaryType, header))
		}
	}
	c.says(http.StatusOK, nil, "POST", "/predict", picture, binaryType, "Origin: http://127.0.0.1:8000", "Sec-Fetch-Site: same-origin")
	for _, path := range []string{"/", "/models", "/metrics", "/v2"} {
		c.fails(http.StatusForbidden, "GET", path, nil, "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors")
	}
}
