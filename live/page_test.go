package live

import (
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	inHTML    = regexp.MustCompile(`(?:href|src)="([^"#]+)"`)
	inScript  = regexp.MustCompile(`(?m)^(?:import|export) .*?from "([^"]+)";`)
	elsewhere = regexp.MustCompile(`(?i)(?:https?:)?//[a-z0-9]`)
	inline    = regexp.MustCompile(`(?i)<script(?:\s[^>]*)?>[^<]|<style|\sstyle="|\son[a-z]+="|javascript:`)
)

// Every file of the page can be reached from its first one, and none refers to anything
// outside.
func TestPageRefersToItselfAlone(t *testing.T) {
	reached := map[string]bool{}
	var walk func(name string)
	walk = func(name string) {
		if reached[name] {
			return
		}
		a, ok := assets[name]
		require.True(t, ok, "%s is not there", name)
		require.NotEmpty(t, a.content, name)
		require.NotEmpty(t, a.kind, name)
		reached[name] = true
		text := string(a.content)
		text = strings.ReplaceAll(text, "http://www.w3.org/2000/svg", "") // a name, which is not opened
		for _, l := range strings.Split(text, "\n") {
			if code, _, _ := strings.Cut(l, "// "); path.Ext(name) == ".js" {
				l = code
			}
			require.False(t, elsewhere.MatchString(l), "%s: %s", name, l)
		}
		switch path.Ext(name) {
		case ".html":
			require.False(t, inline.MatchString(text), "%s has something inline, which the policy forbids", name)
			for _, m := range inHTML.FindAllStringSubmatch(text, -1) {
				walk(path.Join("/", m[1]))
			}
		case ".js":
			require.NotContains(t, text, "innerHTML")
			require.NotContains(t, text, "insertAdjacentHTML")
			require.NotContains(t, text, "eval(")
			for _, m := range inScript.FindAllStringSubmatch(text, -1) {
				require.True(t, strings.HasPrefix(m[1], "./"), "%s imports %s", name, m[1])
				walk(path.Join(path.Dir(name), m[1]))
			}
		}
	}
	walk("/index.html")
	for name := range assets {
		require.True(t, reached[name] || name == "/", "nothing refers to %s", name)
	}
}

func TestPageIsServed(t *testing.T) {
	s := opened(t)
	for name, a := range assets {
		r, err := http.Get(s.Address() + strings.TrimPrefix(name, "/"))
		require.NoError(t, err)
		require.NoError(t, r.Body.Close())
		require.Equal(t, http.StatusOK, r.StatusCode, name)
		require.Equal(t, a.kind, r.Header.Get("Content-Type"))
		require.NotContains(t, r.Header.Get("Content-Security-Policy"), "unsafe")
		require.Equal(t, "nosniff", r.Header.Get("X-Content-Type-Options"))
		code, _ := send(t, s, "GET", strings.TrimPrefix(name, "/"), "If-None-Match", a.tag)
		require.Equal(t, http.StatusNotModified, code)
	}
	for _, path := range []string{"../live.go", "..%2flive.go", "page/index.html", "page", "%00", "index.html/", "//etc/passwd", "api", "api/", "api/nothing"} {
		code, said := send(t, s, "GET", path)
		require.Equal(t, http.StatusNotFound, code, path)
		require.Contains(t, said, `{"error":`, path)
	}
	code, _ := send(t, s, "POST", "")
	require.Equal(t, http.StatusMethodNotAllowed, code)
}
