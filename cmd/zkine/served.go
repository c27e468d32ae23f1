package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/zkroot"
)

const (
	// keepEvery is how far apart two writes of a memory are at least.
	keepEvery = 3 * time.Second
	// maxMemory bounds the file, in bytes; it takes some 300.
	maxMemory = 64 << 10
)

// memory is the file in the data folder that says which cluster this zkine has
// served and how far, so that its next start does not take another one, or an
// older state of it, for what it was. Its goroutine, once it follows a log, ends
// with stop.
type memory struct {
	path    string
	log     *logrus.Entry
	served  *zkroot.Served // as it was read; nil for nothing
	written zkroot.Served
	warned  bool

	once sync.Once
	done chan struct{}
	wg   sync.WaitGroup
}

// recall reads the memory of a root. A file that is there and cannot be read is
// an error: what it would forbid is not known.
func recall(dataDir, root string, log *logrus.Entry) (*memory, error) {
	m := &memory{path: memoryPath(dataDir, root), log: log, done: make(chan struct{})}
	data, err := readSome(m.path)
	if errors.Is(err, fs.ErrNotExist) || err != nil && !errors.Is(err, fs.ErrPermission) && !isFile(m.path) {
		return m, nil // whether the folder can be written, the first write shows
	}
	served := new(zkroot.Served)
	if err == nil {
		if err = json.Unmarshal(data, served); err == nil {
			err = served.Check()
		}
		if err == nil && served.Root != root {
			err = fmt.Errorf("it is about %s", served.Root)
		}
	}
	if err != nil {
		return nil, &problem{
			thing: m.path, what: "what this zkine has served cannot be read from it: " + oneLine(err.Error()), decide: true,
			remedy: "restore the file, or remove it and name the cluster to serve with --cluster-id",
		}
	}
	m.served, m.written = served, *served
	return m, nil
}

// memoryPath has a name for each root, so that zkines of several roots may share
// a folder.
func memoryPath(dataDir, root string) string {
	name := url.QueryEscape(root[1:])
	if len(name) > 200 {
		sum := sha256.Sum256([]byte(root))
		name = hex.EncodeToString(sum[:])
	}
	return filepath.Join(dataDir, "served-"+name+".json")
}

func readSome(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxMemory+1))
	if err == nil && len(data) > maxMemory {
		err = fmt.Errorf("it has more than %d bytes", maxMemory)
	}
	return data, err
}

func isFile(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// follow keeps the memory up to date with a log that is served.
func (m *memory) follow(served func() zkroot.Served) {
	m.keep(served())
	m.wg.Go(func() {
		ticker := time.NewTicker(keepEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				m.keep(served())
			case <-m.done:
				m.keep(served())
				return
			}
		}
	})
}

// stop writes what came last. It may be called without follow, and again.
func (m *memory) stop() {
	m.once.Do(func() { close(m.done) })
	m.wg.Wait()
}

// keep writes a memory if it says something new.
func (m *memory) keep(s zkroot.Served) {
	same := s
	same.At = m.written.At
	if same == m.written {
		return
	}
	err := writeWhole(m.path, append(mustMarshal(s), '\n'))
	switch {
	case err == nil:
		m.written, m.warned = s, false
	case !m.warned:
		m.warned = true
		m.log.Warnf("what this zkine serves cannot be remembered in --data-dir: %v; after a restart it cannot tell an older state of the cluster, or another cluster, from this one; name a folder that can be written, or at least the cluster with --cluster-id=%v", err, s.ClusterID)
	}
}

func mustMarshal(v any) []byte {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // it always marshals
	}
	return data
}

// writeWhole replaces a file so that it is there as it was or as it is to be,
// whatever happens.
func writeWhole(path string, data []byte) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	// Others may share the folder, and have the same PID in containers of their own.
	f, err := os.CreateTemp(folder, filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name()) //nolint:errcheck // it may not be there
		return err
	}
	return syncFolder(folder)
}

func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
