package move

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"
)

// mirror follows a collection as every controller and kubelet does: a list, then a watch from there; where the watch
// is refused, another list.
type mirror struct {
	path string

	server *api

	mu      sync.Mutex
	version string            // up to where it has followed; "" asks for a list
	have    map[string]string // resourceVersions by namespace and name
	lists   int

	stop func() // ends the watch, and keeps how far it got
}

// newMirror describes a mirror that follows nothing yet.
func newMirror(path string) *mirror {
	return &mirror{path: path, have: map[string]string{}, stop: func() {}}
}

// follow has a mirror go on, at a server that may be another one, from where it stopped, until the test ends or it is
// told to stop.
func (m *mirror) follow(t testing.TB, server *api) {
	ctx, cancel := context.WithCancel(context.Background())
	m.server = server
	var wait sync.WaitGroup
	wait.Go(func() {
		for ctx.Err() == nil {
			if err := m.once(ctx); err != nil {
				time.Sleep(50 * time.Millisecond) // as a reflector, it goes on trying
			}
		}
	})
	m.stop = func() { cancel(); wait.Wait() }
	t.Cleanup(m.stop)
}

// once lists if it must, and watches until the watch ends.
func (m *mirror) once(ctx context.Context) error {
	m.mu.Lock()
	version := m.version
	m.mu.Unlock()
	if version == "" {
		l, err := m.server.list(ctx, m.path)
		if err != nil {
			return err
		}
		have := map[string]string{}
		for name, item := range l.objects {
			if _, have[name], err = identify(json.RawMessage(item)); err != nil {
				return err
			}
		}
		m.mu.Lock()
		m.have, m.version = have, l.version
		m.lists++
		m.mu.Unlock()
		version = l.version
	}
	resp, err := m.server.send(ctx, "GET", m.path+"?watch=1&allowWatchBookmarks=true&timeoutSeconds=240&resourceVersion="+version, nil)
	if err != nil {
		return m.lost(err)
	}
	defer resp.Body.Close()
	for events := json.NewDecoder(resp.Body); ; {
		var event struct {
			Type   string
			Object json.RawMessage
		}
		if err := events.Decode(&event); err != nil {
			return err
		}
		if err := m.take(event.Type, event.Object); err != nil {
			return err
		}
	}
}

// take applies one event.
func (m *mirror) take(kind string, item json.RawMessage) error {
	if kind == "ERROR" {
		var status struct {
			Code    int
			Message string
		}
		if err := json.Unmarshal(item, &status); err != nil {
			return err
		}
		return m.lost(&refusal{status.Code, status.Message})
	}
	name, version, err := identify(item)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.version = version
	switch kind {
	case "ADDED", "MODIFIED":
		m.have[name] = version
	case "DELETED":
		delete(m.have, name)
	}
	return nil
}

// lost forgets how far the mirror has got if that is what a server says.
func (m *mirror) lost(err error) error {
	if answered(err, 410) {
		m.mu.Lock()
		m.version = ""
		m.mu.Unlock()
	}
	return err
}

// shows is an error unless the mirror holds exactly these objects.
func (m *mirror) shows(want map[string]string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if maps.Equal(m.have, want) {
		return nil
	}
	for name, version := range want {
		if m.have[name] != version {
			return fmt.Errorf("the mirror of %s has %s at %q, not %s (%d lists)", m.path, name, m.have[name], version, m.lists)
		}
	}
	return errors.New("the mirror of " + m.path + " holds what is gone")
}

// versions are the resourceVersions of a list.
func (l listed) versions() (map[string]string, error) {
	all := map[string]string{}
	for name, item := range l.objects {
		_, version, err := identify(json.RawMessage(item))
		if err != nil {
			return nil, err
		}
		all[name] = version
	}
	return all, nil
}
