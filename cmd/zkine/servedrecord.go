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

	"github.com/zkine/zkine/revision/durable"
	"github.com/zkine/zkine/revision/zkroot"
)

const (
	// servedInterval is the least time between two writes of the record.
	servedInterval = 3 * time.Second
	// maxServedRecord bounds the file, in bytes; it takes some 300.
	maxServedRecord = 64 << 10
)

// servedRecord is the file in the data folder that says which cluster this zkine
// has served and how far, so that its next start does not take another cluster,
// or an older state of this one, for what it served. Its goroutine, once it
// follows a log, ends with stop.
type servedRecord struct {
	path    string
	log     *logrus.Entry
	served  *zkroot.Served // as it was read; nil for nothing
	written zkroot.Served
	warned  bool

	once sync.Once
	done chan struct{}
	wg   sync.WaitGroup
}

// readServedRecord reads the record of a root. A file that is there and cannot be
// read is an error: what it would forbid is not known.
func readServedRecord(dataDir, root string, log *logrus.Entry) (*servedRecord, error) {
	r := &servedRecord{path: servedRecordPath(dataDir, root), log: log, done: make(chan struct{})}
	data, err := readBounded(r.path, maxServedRecord)
	if errors.Is(err, fs.ErrNotExist) || err != nil && !errors.Is(err, fs.ErrPermission) && !exists(r.path) {
		return r, nil // whether the folder can be written, the first write shows
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
			thing: r.path, what: "what this zkine has served cannot be read from it: " + oneLine(err.Error()), decide: true,
			remedy: "restore the file, or remove it and name the cluster to serve with --cluster-id",
		}
	}
	r.served, r.written = served, *served
	return r, nil
}

// servedRecordPath has a name for each root, so that zkines of several roots may share
// a folder.
func servedRecordPath(dataDir, root string) string {
	name := url.QueryEscape(root[1:])
	if len(name) > 200 {
		sum := sha256.Sum256([]byte(root))
		name = hex.EncodeToString(sum[:])
	}
	return filepath.Join(dataDir, "served-"+name+".json")
}

// readBounded reads a file of at most so many bytes.
func readBounded(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("it has more than %d bytes", most)
	}
	return data, err
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// follow keeps the record up to date with a log that is served.
func (r *servedRecord) follow(served func() zkroot.Served) {
	r.keep(served())
	r.wg.Go(func() {
		ticker := time.NewTicker(servedInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				r.keep(served())
			case <-r.done:
				r.keep(served())
				return
			}
		}
	})
}

// stop writes what came last. It may be called without follow, and again.
func (r *servedRecord) stop() {
	r.once.Do(func() { close(r.done) })
	r.wg.Wait()
}

// keep writes the record if it says something new.
func (r *servedRecord) keep(s zkroot.Served) {
	same := s
	same.At = r.written.At
	if same == r.written {
		return
	}
	err := writeAtomically(r.path, append(mustMarshal(s), '\n'))
	switch {
	case err == nil:
		r.written, r.warned = s, false
	case !r.warned:
		r.warned = true
		r.log.Warnf("what this zkine serves cannot be remembered in --data-dir: %v; after a restart it cannot tell an older state of the cluster, or another cluster, from this one; name a folder that can be written, or at least the cluster with --cluster-id=%v", err, s.ClusterID)
	}
}

func mustMarshal(v any) []byte {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		panic(err) // it always marshals
	}
	return data
}

// writeAtomically replaces a file: after a crash it has the old data or the new,
// all of it.
func writeAtomically(path string, data []byte) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	// Zkines in containers may share the folder and have the same PID.
	f, err := os.CreateTemp(folder, filepath.Base(path)+".*.new")
	if err != nil {
		return err
	}
	return durable.Replace(f, path, data)
}
