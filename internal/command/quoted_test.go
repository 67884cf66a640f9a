package command

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuoted(t *testing.T) {
	for word, want := range map[string]string{
		"runs/a":         `runs/a`,
		"runs/a b":       `'runs/a b'`,
		"it's":           `'it'\''s'`,
		"猫":              `猫`,
		"a\n'\x1b\xff\\": `$'a\012\047\033\377\134'`,
		"\u202e":         `$'\342\200\256'`,
	} {
		require.Equal(t, want, Quoted(word))
	}
}
