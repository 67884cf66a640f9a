package command

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestExit(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	failed := errors.New("no device\nno driver")
	for _, c := range []struct {
		ctx    context.Context
		err    error
		broken bool
		code   int
		says   string
	}{
		{t.Context(), nil, false, Done, ""},
		{t.Context(), failed, false, Wrong, "p: no device; no driver\n"},
		{t.Context(), failed, true, Broken, "p: no device; no driver\n"},
		{t.Context(), fmt.Errorf("step: %w", BrokenError{failed}), false, Broken, "p: step: no device; no driver\n"},
		{cancelled, fmt.Errorf("stopped: %w", cancelled.Err()), true, Interrupted, ""},
		{cancelled, failed, false, Wrong, "p: no device; no driver\n"},
	} {
		var stderr bytes.Buffer
		require.Equal(t, c.code, Exit(c.ctx, &stderr, "p", c.err, c.broken))
		require.Equal(t, c.says, stderr.String())
	}
}

type closer struct{ err error }

func (c closer) Close() error { return c.err }

func TestClose(t *testing.T) {
	first, closing := errors.New("first"), errors.New("closing")
	var err error
	Close(closer{}, &err)
	require.NoError(t, err)
	Close(closer{closing}, &err)
	require.Equal(t, BrokenError{closing}, err)
	require.ErrorIs(t, err, closing)
	err = first
	Close(closer{closing}, &err)
	require.Equal(t, first, err)
}

func TestCheckFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("file", nil, 0o666))
	require.NoError(t, os.Mkdir("folder", 0o777))
	for _, good := range []string{"", ".", "folder", "new", "folder/new/newer", t.TempDir()} {
		require.NoError(t, CheckFolder(good), good)
	}
	require.EqualError(t, CheckFolder("file"), "file is not a folder")
	require.Error(t, CheckFolder("file/below/that"))
	left, err := os.ReadDir("folder")
	require.NoError(t, err)
	require.Empty(t, left)
}

// What nobody reads goes nowhere; what cannot be written for another reason is said.
func TestLasting(t *testing.T) {
	read, write, err := os.Pipe()
	require.NoError(t, err)
	l := NewLasting(write)
	n, err := l.Write([]byte("abc"))
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.NoError(t, read.Close())
	for range 3 {
		n, err = l.Write([]byte("abcd"))
		require.NoError(t, err)
		require.Equal(t, 4, n)
	}
	require.NoError(t, write.Close())

	var stderr bytes.Buffer
	for _, code := range []int{Done, Broken, Wrong, Interrupted} {
		require.Equal(t, code, l.Exit(code, &stderr, "p"))
	}
	require.Empty(t, stderr.String())

	closed := NewLasting(write)
	_, err = closed.Write([]byte("abc"))
	require.ErrorIs(t, err, os.ErrClosed)
	for code, want := range map[int]int{Done: Broken, Broken: Broken, Wrong: Broken, Interrupted: Interrupted} {
		require.Equal(t, want, closed.Exit(code, &stderr, "p"))
	}
	require.Equal(t, "p: "+err.Error()+"\n", stderr.String())
}

func TestExplain(t *testing.T) {
	f := flag.NewFlagSet("p", flag.ContinueOnError)
	f.Int("batch", 64, "images of one pass")
	f.Int("a-flag-with-a-long-name", 0, "what it is for, in more words than go into a line of eighty characters")
	var b bytes.Buffer
	f.VisitAll(func(f *flag.Flag) { Explain(&b, f) })
	require.Equal(t, `  -a-flag-with-a-long-name int what it is for, in more words than go into a line of
                        eighty characters
  -batch int            images of one pass (default 64)
`, b.String())
}

func TestWrap(t *testing.T) {
	require.Equal(t, []string{"one two", "three", "  four"}, wrap("one two three\n  four", 8))
	require.Equal(t, []string{"incomprehensible", "word"}, wrap("incomprehensible word", 8))
	require.Equal(t, []string{""}, wrap("", 8))
}

func TestLists(t *testing.T) {
	var names Names
	require.NoError(t, names.Set("fc6,fc7"))
	require.Equal(t, Names{"fc6", "fc7"}, names)
	require.Equal(t, "fc6,fc7", names.String())
	require.ErrorContains(t, names.Set("fc6,"), "names with commas between")
	var numbers Numbers
	require.NoError(t, numbers.Set("1, 20"))
	require.Equal(t, Numbers{1, 20}, numbers)
	require.Equal(t, "1,20", numbers.String())
	for _, bad := range []string{"", "0", "1,", "x"} {
		require.ErrorContains(t, numbers.Set(bad), "whole numbers above 0")
	}
	var factors Factors
	require.NoError(t, factors.Set("b.weight=0,a=b=0.5"))
	require.Equal(t, Factors{"b.weight": 0, "a=b": 0.5}, factors)
	require.Equal(t, "a=b=0.5,b.weight=0", factors.String())
	for _, bad := range []string{"", "a", "=1", "a=-1", "a=x", "a=Inf", "a=1,"} {
		require.ErrorContains(t, factors.Set(bad), "names and numbers from 0 on", bad)
	}
	require.EqualError(t, factors.Set("a=1,a=1"), "a stands there twice")
	var r Range
	require.Empty(t, r.String())
	require.NoError(t, r.Set("1e-6, 1"))
	require.Equal(t, Range{1e-6, 1}, r)
	require.Equal(t, "1e-06,1", r.String())
	for _, bad := range []string{"", "1", "1,", "0,1", "1,1", "1,Inf", "NaN,1", "1,2,3"} {
		require.ErrorContains(t, r.Set(bad), "two numbers above 0", bad)
	}
}
