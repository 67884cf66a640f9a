package live

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"

	"github.com/hubel-go/hubel/internal/webguard"
)

//go:embed page
var pageFiles embed.FS

// asset is a file of the page.
type asset struct {
	content []byte
	kind    string // media type
	tag     string // of the content
}

// assets are the files of the page by the path of their address. There is nothing else, so
// that no path of a request reaches a file system.
var assets = readAssets()

func readAssets() map[string]asset {
	all := map[string]asset{}
	err := fs.WalkDir(pageFiles, "page", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := pageFiles.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		all[name[len("page"):]] = asset{content, mediaType(name), `"` + hex.EncodeToString(sum[:8]) + `"`}
		return nil
	})
	if err != nil {
		panic(err) // the files are part of the program
	}
	all["/"] = all["/index.html"]
	return all
}

// mediaType is that of a file by its name. The machine's own table is not asked, which may call
// scripts something else.
func mediaType(name string) string {
	switch ext := path.Ext(name); ext {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(ext)
	}
}

// servePage sends a file of the page.
func servePage(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		webguard.Refuse(w, http.StatusMethodNotAllowed, "the page is only read")
		return
	}
	a, ok := assets[r.URL.Path]
	if !ok {
		webguard.Refuse(w, http.StatusNotFound, "there is nothing of that name")
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", "no-cache") // asks whether it is still the same
	h.Set("ETag", a.tag)
	if r.Header.Get("If-None-Match") == a.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(a.content) // the page may be gone
}
