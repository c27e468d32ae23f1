package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// layer collects files. They are root's, unless they are said to be the user's, and have no time.
type layer struct {
	entries []entry
	// known are the paths that are there already.
	known map[string]bool
}

type entry struct {
	tar.Header
	content []byte
}

func newLayer() *layer { return &layer{known: make(map[string]bool)} }

func (l *layer) add(name string, mode int64, kind byte, content []byte, link string, owner int) {
	name = path.Clean(name)
	if name == "/" || l.known[name] {
		return
	}
	l.dir(path.Dir(name), 0o755, 0)
	l.known[name] = true
	header := tar.Header{
		Typeflag: kind, Name: name[1:], Linkname: link, Mode: mode, Uid: owner, Gid: owner, Size: int64(len(content)),
		ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
	}
	if kind == tar.TypeDir {
		header.Name += "/"
	}
	l.entries = append(l.entries, entry{header, content})
}

// dir makes a folder, and those above it.
func (l *layer) dir(name string, mode int64, owner int) {
	if name != "/" {
		l.add(name, mode, tar.TypeDir, nil, "", owner)
	}
}

func (l *layer) file(name string, mode int64, content []byte) {
	l.add(name, mode, tar.TypeReg, content, "", 0)
}

func (l *layer) link(name, to string) { l.add(name, 0o777, tar.TypeSymlink, nil, to, 0) }

// copy takes a file of this machine; links are followed.
func (l *layer) copy(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	mode := int64(0o644)
	if info.Mode()&0o111 != 0 {
		mode = 0o755
	}
	l.file(to, mode, content)
	return nil
}

// copyTree takes a folder of this machine, but for what skip says, by its path in the folder. Links are followed; one
// that leads nowhere is left out.
func (l *layer) copyTree(from, to string, skip func(name string) bool) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		source, target := filepath.Join(from, e.Name()), path.Join(to, e.Name())
		if skip(e.Name()) {
			continue
		}
		info, err := os.Stat(source)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			return err
		case info.IsDir():
			if err := l.copyTree(source, target, skip); err != nil {
				return err
			}
		default:
			if err := l.copy(source, target); err != nil {
				return err
			}
		}
	}
	return nil
}

// build makes a layer of it.
func (l *layer) build() (v1.Layer, error) {
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	slices.SortStableFunc(l.entries, func(a, b entry) int { return cmp.Compare(a.Name, b.Name) })
	for _, e := range l.entries {
		if err := w.WriteHeader(&e.Header); err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name, err)
		}
		if _, err := w.Write(e.content); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text.Bytes())), nil })
}
