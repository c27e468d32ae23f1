package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	upstream   = "k8s.io/apiserver"
	zkine      = "github.com/zkine/zkine"
	self       = zkine + "/conformance/kubernetes"
	testserver = "testserver"
)

// modules are the folders of the modules that matter.
type modules struct {
	upstream string // in the module cache, read-only
	zkine    string // the checkout
	self     string
}

// findModules downloads upstream's module, if that was not done yet, and finds all three.
func findModules(ctx context.Context) (modules, error) {
	dirs := map[string]string{}
	for _, args := range [][]string{
		{"mod", "download", "-json", upstream},
		{"list", "-m", "-json", zkine, self},
	} {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Env = append(os.Environ(), "GOWORK=off")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return modules{}, fmt.Errorf("go %s: %w; run this inside the module %s", strings.Join(args, " "), err, self)
		}
		for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
			var m struct{ Path, Dir string }
			if err := d.Decode(&m); err != nil {
				return modules{}, fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
			}
			dirs[m.Path] = m.Dir
		}
	}
	return modules{upstream: dirs[upstream], zkine: dirs[zkine], self: dirs[self]}, nil
}

// scratch is a folder with a copy of upstream's module, and a go.mod that puts the copy in the module's place: Go
// refuses overlays for files in the module cache.
//
//	lock         held while a run uses the folder
//	apiserver/   the copy, made anew by each run
//	go.mod       ours, and a replace
//	go.sum       ours
//	events.json  what go test said in the last run
type scratch struct {
	dir    string
	self   string // where go.mod's own folder is
	locked *os.File
}

func layOut(m modules, store string) (*scratch, error) {
	s := &scratch{dir: filepath.Join(m.zkine, ".cache", "kube-storage", store), self: m.self}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return nil, err
	}
	if err := s.lock(); err != nil {
		return nil, err
	}
	if err := errors.Join(s.copyUpstream(m, store), s.writeModule(m)); err != nil {
		s.unlock()
		return nil, err
	}
	return s, nil
}

func (s *scratch) path(name string) string { return filepath.Join(s.dir, name) }
func (s *scratch) events() string          { return s.path("events.json") }

func (s *scratch) lock() error {
	f, err := os.OpenFile(s.path("lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return fmt.Errorf("another run uses %s: %w", s.dir, err)
	}
	s.locked = f
	return nil
}

// unlock lets another run in. The folder stays, for those who want to look at it.
func (s *scratch) unlock() { s.locked.Close() }

// copyUpstream copies upstream's module; for zkine with our test server in the place of upstream's.
func (s *scratch) copyUpstream(m modules, store string) error {
	to := s.path("apiserver")
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if err := copyFolder(m.upstream, to); err != nil {
		return err
	}
	if store == storeEtcd {
		return nil
	}
	replaced := filepath.Join(to, "pkg", "storage", "etcd3", testserver)
	if err := os.RemoveAll(replaced); err != nil {
		return err
	}
	return copyFolder(filepath.Join(m.self, testserver), replaced)
}

// writeModule writes go.mod and go.sum. With -modfile Go still takes the folder of the real go.mod for the main
// module's, so relative paths in it stay right.
func (s *scratch) writeModule(m modules) error {
	mod, err := os.ReadFile(filepath.Join(m.self, "go.mod"))
	if err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(m.self, "go.sum"))
	if err != nil {
		return err
	}
	mod = fmt.Appendf(mod, "\nreplace %s => %q\n", upstream, s.path("apiserver"))
	return errors.Join(
		os.WriteFile(s.path("go.mod"), mod, 0o644),
		os.WriteFile(s.path("go.sum"), sum, 0o644))
}

// copyFolder copies files and folders, and makes them writable, which the module cache's are not.
func copyFolder(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, from))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o644)
	})
}
