package serve

import (
	"embed"
	"net/http"
)

//go:embed page
var pageFiles embed.FS

// page is a file of the page on which a picture is dropped.
type page struct{ file, kind string }

// pages are the files by their paths: no path of a request is looked for anywhere else.
var pages = map[string]page{
	"/{$}":      {"page/index.html", "text/html; charset=utf-8"},
	"/page.js":  {"page/page.js", "text/javascript; charset=utf-8"},
	"/page.css": {"page/page.css", "text/css; charset=utf-8"},
}

func (p page) answer(w http.ResponseWriter, _ *http.Request) error {
	text, err := pageFiles.ReadFile(p.file)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", p.kind)
	_, _ = w.Write(text) // to a client that may be gone
	return nil
}
