package memzk

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// Fault is what becomes of one request.
type Fault int

const (
	// None: the request runs and is answered.
	None Fault = iota
	// LoseRequest: the connection ends and the request never runs.
	LoseRequest
	// LoseReply: the request runs, and the connection ends before the answer.
	LoseReply
	// Late: the connection ends, and the request runs at a later moment (see
	// Ensemble.ReleaseLate), as one that was on its way.
	Late
)

// Ensemble is a ZooKeeper ensemble in memory.
type Ensemble struct {
	mu sync.Mutex
	// tree is what was decided; servers may be behind it.
	tree    *tree
	servers []*server
	changes []change // the latest; a server may have yet to apply them
	conns   map[*conn]bool
	session int64
	down    bool
	fault   func(ops []any) Fault
	late    []func()
}

// New returns an empty ensemble of one server that is up and has no faults.
func New() *Ensemble { return NewServers(1) }

// SetFault installs the hook that decides what becomes of each multi. It runs
// under the ensemble's lock and must not call back. nil takes it away.
func (e *Ensemble) SetFault(f func(ops []any) Fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fault = f
}

// Stop takes the ensemble down: all connections end, and Dial waits.
func (e *Ensemble) Stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = true
	e.cutLocked()
}

// Start brings it up again with all that it held.
func (e *Ensemble) Start() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = false
}

// Cut ends all connections; their sessions' ephemerals go.
func (e *Ensemble) Cut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cutLocked()
}

func (e *Ensemble) cutLocked() {
	for c := range e.conns {
		e.dropLocked(c)
	}
}

// ReleaseLate runs the requests that Late held back.
func (e *Ensemble) ReleaseLate() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, run := range e.late {
		run()
	}
	e.late = nil
}

// Save returns a function that puts the ensemble back to this moment, as a
// restore from a backup would; connections end. See EndAbandoned.
func (e *Ensemble) Save() (restore func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	saved := e.tree.clone()
	return func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.cutLocked()
		e.tree, e.changes = saved.clone(), nil
		for _, s := range e.servers {
			s.tree, s.applied = saved.clone(), 0
		}
	}
}

// EndAbandoned ends the sessions that no client is connected to any more. Only Save
// leaves such: a backup holds the ephemerals of sessions that lived then, and an
// ensemble ends those of clients that do not come back within their timeout.
func (e *Ensemble) EndAbandoned() {
	e.mu.Lock()
	defer e.mu.Unlock()
	abandoned := e.tree.sessions()
	for c := range e.conns {
		delete(abandoned, c.session)
	}
	for _, session := range slices.Sorted(maps.Keys(abandoned)) {
		e.commitLocked(func(t *tree) []event { return t.endSession(session) })
	}
}

// Remove deletes a znode and all below it.
func (e *Ensemble) Remove(path string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.commitLocked(func(t *tree) []event { return t.remove(path) })
}

// Overwrite puts other bytes into a znode without a trace, as a broken disk
// would.
func (e *Ensemble) Overwrite(path string, change func([]byte) []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range e.treesLocked() {
		if n := t.nodes[path]; n != nil {
			n.data = change(append([]byte(nil), n.data...))
		}
	}
}

func (e *Ensemble) treesLocked() []*tree {
	trees := []*tree{e.tree}
	for _, s := range e.servers {
		trees = append(trees, s.tree)
	}
	return trees
}

func (e *Ensemble) connectLocked(s *server) *conn {
	e.session++
	c := &conn{e: e, server: s, session: e.session, done: make(chan struct{}), watches: map[string][]chan zk.Event{}}
	e.conns[c] = true
	return c
}

// pause waits a little while the ensemble is down.
func (e *Ensemble) pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return errors.Join(errors.New("memzk: the ensemble is down"), context.Cause(ctx))
	case <-time.After(time.Millisecond):
		return nil
	}
}

func (e *Ensemble) dropLocked(c *conn) {
	if !e.conns[c] {
		return
	}
	delete(e.conns, c)
	for path, chans := range c.watches {
		for _, ch := range chans {
			ch <- zk.Event{Type: zk.EventNotWatching, State: zk.StateDisconnected, Path: path, Err: zk.ErrConnectionClosed}
		}
	}
	c.watches = nil
	close(c.done)
	e.commitLocked(func(t *tree) []event { return t.endSession(c.session) })
}

// notifyLocked tells a server's clients what they watch for.
func (e *Ensemble) notifyLocked(s *server, events []event) {
	for _, ev := range events {
		for c := range e.conns {
			if c.server != s {
				continue
			}
			for _, ch := range c.watches[ev.path] {
				ch <- zk.Event{Type: ev.kind, Path: ev.path}
			}
			delete(c.watches, ev.path)
		}
	}
}

// Bytes returns how many bytes of data there are at and below path.
func (e *Ensemble) Bytes(path string) (n int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, node := range e.tree.nodes {
		if name == path || strings.HasPrefix(name, path+"/") {
			n += int64(len(node.data))
		}
	}
	return n
}

// Count returns how many znodes there are at and below path.
func (e *Ensemble) Count(path string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := 0
	for name := range e.tree.nodes {
		if name == path || strings.HasPrefix(name, path+"/") {
			n++
		}
	}
	return n
}
