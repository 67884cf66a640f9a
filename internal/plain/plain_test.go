package plain

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text")
	for written, want := range map[string]string{
		"":                      "",
		"a\r\nb":                "a\r\nb",
		"\xef\xbb\xbfa\xe9":     "a\xe9", // said to be UTF-8, and is not
		"\xef\xbb\xbfcaf\u00e9": "caf\u00e9",
		"caf\xe9":               "caf\xe9",
		"\xff\xfea\x00\xe9\x00": "a\u00e9",
		"\xfe\xff\x00a\x00\xe9": "a\u00e9",
		"a\xef\xbb\xbfb":        "a\ufeffb",
	} {
		require.NoError(t, os.WriteFile(path, []byte(written), 0o666))
		got, err := ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	_, err := ReadFile(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
