package secrets

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/conformance/rig"
)

// place is something that was written, and a part of it that shows that it was looked at.
type place struct {
	name, has string
	text      []byte
}

// profiles are what /debug/pprof/ has, and what each holds once it is unpacked.
var profiles = map[string]string{
	"": "profile", "cmdline": "server", "symbol": "num_symbols", "trace?seconds=0.3": "go 1.", "profile?seconds=1": "samples",
	"goroutine?debug=2": "goroutine ", "goroutine?debug=1": "goroutine profile", "goroutine": "goroutine", "heap": "inuse_space", "heap?debug=1": "heap profile",
	"allocs": "alloc_space", "block?debug=1": "--- contention", "mutex?debug=1": "--- mutex", "threadcreate?debug=1": "threadcreate profile",
}

// front is what stands at the root of each URL: the console at one of them.
var front = map[string]string{"client URL": "404", "metrics URL": "<!doctype html>"}

// askAll asks a running zkine for all that it tells everyone, on each URL.
func (s *site) askAll() (all []place) {
	s.Helper()
	for name, base := range map[string]string{"client URL": "http://" + s.z.Endpoint, "metrics URL": "http://" + s.z.Metrics} {
		for path, has := range map[string]string{
			"/metrics": "etcd_server_id", "/health": "health", "/health?serializable=true": "health", "/livez?verbose": "ok", "/readyz?verbose": "ok",
			"/version": "etcdserver", "/debug/vars": "404", "/debug/requests": "404", "/config/local/log": "404", "/": front[name],
		} {
			all = append(all, s.ask(name, base, path, has))
		}
		for path, has := range profiles {
			all = append(all, s.ask(name, base, "/debug/pprof/"+path, has))
		}
	}
	return all
}

func (s *site) ask(name, base, path, has string) place {
	s.Helper()
	code, text, err := rig.Probe(within(s.T), base+path)
	require.NoError(s, err, path)
	if code == http.StatusNotFound {
		text = "404 " + text
	}
	return place{path + " on the " + name, has, unpack([]byte(text))}
}

// unpack is what is in a gzip, or else the text itself.
func unpack(text []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return text
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		return text
	}
	return plain
}

// files are what zkine and its ZooKeeper have written, but for ZooKeeper's data, which is all that there is.
func (s *site) files() (all []place) {
	s.Helper()
	for _, folder := range []string{s.data, s.temp} {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist): // not made yet
				return nil
			case err != nil:
				return err
			case d.IsDir() && path == filepath.Join(s.data, "data"):
				return fs.SkipDir
			case !d.Type().IsRegular():
				return nil
			}
			text, err := os.ReadFile(path)
			all = append(all, place{"file " + strings.TrimPrefix(path, folder), "", text})
			return err
		})
		require.NoError(s, err)
	}
	return all
}

// zooKeeperLog is that of the local ZooKeeper.
func (s *site) zooKeeperLog() place {
	s.Helper()
	log, err := os.ReadFile(filepath.Join(s.data, "zookeeper.log"))
	require.NoError(s, err)
	return place{"ZooKeeper's log", "INFO", log}
}

// processes are the command lines and environments of some.
func (s *site) processes(pids map[string]int) (all []place) {
	s.Helper()
	for name, pid := range pids {
		for file, has := range map[string]string{"cmdline": "-", "environ": "PATH="} {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
			require.NoError(s, err)
			all = append(all, place{file + " of " + name, has, text})
		}
	}
	return all
}

// search requires that no marker is in any place.
func (s *site) search(places ...place) {
	s.Helper()
	for _, p := range places {
		require.Contains(s, string(p.text), p.has, p.name)
		text := index(p.text)
		for _, m := range s.secrets {
			if found := m.in(text); found != "" {
				s.Errorf("%s is in %s: %s", m.class, p.name, found)
			}
		}
	}
}

// children are the processes that a process has started.
func children(pid int) (pids []int, err error) {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil, err
	}
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue // a thread that has ended
		}
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			pids = append(pids, child)
		}
	}
	return pids, nil
}
