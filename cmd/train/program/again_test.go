package program

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestResumeFlags(t *testing.T) {
	require.Equal(t, []string{"-checkpoint=10m0s", "-data=mnist:a b", "-epochs=2", "-monitor=true", "-threads=1"},
		ResumeFlags([]string{"-model", "lenet", "-data", "mnist:a b", "-epochs", "2", "-seed", "3", "-out", "x", "-decay", "0", "-monitor", "-threads=1", "-checkpoint", "10m"}))
	require.Equal(t, []string{"-monitor=20"}, ResumeFlags([]string{"-monitor=20", "-augment", "flip"}))
	require.Empty(t, ResumeFlags([]string{"-nonsense"}))

	// What comes out is read as what went in.
	for _, text := range []string{"true", "20"} {
		var a, b monitorEvery
		require.NoError(t, a.Set(text))
		require.NoError(t, b.Set(a.String()))
		require.Equal(t, a, b)
	}
}
