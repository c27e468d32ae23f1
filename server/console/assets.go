package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// dist is what `make console` builds of web/. It is committed, so that a build of zkine needs no Node.
//
//go:embed dist
var dist embed.FS

// assets serves the page.
type assets struct{ files map[string]asset }

type asset struct {
	name string
	kind string
	tag  string
	data []byte
}

// loadAssets has the files by their paths below Path.
func loadAssets() *assets {
	a := &assets{files: map[string]asset{}}
	err := fs.WalkDir(dist, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := dist.ReadFile(name)
		sum := sha256.Sum256(data)
		below := strings.TrimPrefix(name, "dist/")
		a.files[below] = asset{below, contentType(below), `"` + hex.EncodeToString(sum[:12]) + `"`, data}
		return err
	})
	if err != nil {
		panic(err) // it is a part of the program
	}
	delete(a.files, "sources.sha256")
	a.files[""] = a.files["index.html"]
	return a
}

// contentType does not depend on what the machine knows of types.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// ServeHTTP implements http.Handler. Browsers keep a file, and ask whether it has changed.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	file, found := a.files[strings.TrimPrefix(r.URL.Path, Path)]
	if !found {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("Content-Type", file.kind)
	w.Header().Set("ETag", file.tag)
	http.ServeContent(w, r, file.name, time.Time{}, bytes.NewReader(file.data))
}
