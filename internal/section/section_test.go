package section

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const two = "head\n<!-- make a writes from here -->\nold\n<!-- to here -->\nbetween\n<!-- make b writes from here -->\n<!-- to here -->\ntail\n"

func TestInsert(t *testing.T) {
	text, err := Insert(two, "make b", "new")
	require.NoError(t, err)
	require.Equal(t, "head\n<!-- make a writes from here -->\nold\n<!-- to here -->\nbetween\n<!-- make b writes from here -->\n\nnew\n<!-- to here -->\ntail\n", text)
	again, err := Insert(text, "make b", "new")
	require.NoError(t, err)
	require.Equal(t, text, again)

	_, err = Insert(two, "make c", "")
	require.EqualError(t, err, `has no line "<!-- make c writes from here -->"`)
	_, err = Insert("<!-- make a writes from here -->\n", "make a", "")
	require.EqualError(t, err, `has no line "<!-- to here -->"`)
}

func TestFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "doc.md")
	_, err := InsertFile(path, "make a", "")
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, Update(path, two, "make a", true), "doc.md is not up to date: run make a")
	require.NoError(t, Update(path, two, "make a", false))
	require.NoError(t, Update(path, two, "make a", true))
	text, err := InsertFile(path, "make a", "new")
	require.NoError(t, err)
	require.Contains(t, text, "\nnew\n")
	_, err = InsertFile(path, "make c", "new")
	require.ErrorContains(t, err, "doc.md: has no line")
}
