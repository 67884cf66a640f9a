package command

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{
		"8GiB": 8 << 30, "1.5GiB": 3 << 29, "500MB": 500e6, "64 KiB": 64 << 10, "12kB": 12000, "7B": 7, "2TiB": 2 << 40,
	} {
		var s Size
		require.NoError(t, s.Set(text), text)
		require.Equal(t, want, s, text)
	}
	for _, text := range []string{"", "8", "GiB", "-1GiB", "0GiB", "8 gigabytes", "NaNGiB", "InfMB", "1e30TiB"} {
		var s Size
		require.ErrorContains(t, s.Set(text), "8GiB", text)
	}
}

func TestSizeString(t *testing.T) {
	for text, s := range map[string]Size{"": 0, "8GiB": 8 << 30, "1.5MiB": 3 << 19, "7B": 7} {
		require.Equal(t, text, s.String())
	}
}
