package main

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/hubel-go/hubel/internal/command"
)

// Exit code 2 is for the words alone; a set that cannot be put where it belongs is 1.
func TestExitCodes(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("file", nil, 0o666))
	for code, all := range map[int][][]string{
		command.Wrong:  {{}, {"-h"}, {"nowhere"}, {"mnist", "a", "b"}},
		command.Broken: {{"mnist", "file/below"}},
	} {
		for _, args := range all {
			var stderr bytes.Buffer
			require.Equal(t, code, command.Exit(t.Context(), &stderr, "fetch", run(t.Context(), args, io.Discard), false), "%q: %s", args, &stderr)
		}
	}
	left, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Len(t, left, 1)
}
