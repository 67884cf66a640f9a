package command

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestListen(t *testing.T) {
	for text, want := range map[string]string{
		"8080": "127.0.0.1:8080", "0": "127.0.0.1:0", "127.0.0.1:0": "127.0.0.1:0", "[::1]:80": "[::1]:80",
		"0.0.0.0:65535": "0.0.0.0:65535", ":8080": ":8080", "host.example:1": "host.example:1",
	} {
		var l Listen
		require.NoError(t, l.Set(text), text)
		require.Equal(t, want, l.String())
	}
	for _, text := range []string{"", "x", "127.0.0.1", "65536", "-1", ":0", "127.0.0.1:http", "1:2:3", "::1", " 80"} {
		var l Listen
		require.EqualError(t, l.Set(text), "it is a port, such as 8080, or an address, such as 127.0.0.1:8080", "%q", text)
	}
}
