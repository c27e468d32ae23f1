package memzk

import (
	"context"
	"time"

	"github.com/zkine/zkine/revision/zkclient"
)

// A server shows its clients the tree as it has applied it. Writes are decided
// by the ensemble: a client's own write, also one that failed, brings its
// server up to that write before it is answered, as ZooKeeper does. Reads are
// answered from what the server has, which may be long past.
//
// ZooKeeper brings a server up to the creation of a session, too. This one does
// not: a client that resumes a session can find itself on a server that lags,
// and no caller may rely on a new session being current.
type server struct {
	tree    *tree
	applied int // how many of the ensemble's changes
	lags    bool
}

// change is what servers replay: a transaction, or what an operator or the end
// of a session removed.
type change func(*tree) []event

// NewServers returns an ensemble of n servers that have no faults. Dial spreads
// sessions over them in turn.
func NewServers(n int) *Ensemble {
	e := &Ensemble{tree: newTree(), conns: map[*conn]bool{}}
	for range n {
		e.servers = append(e.servers, &server{tree: newTree()})
	}
	return e
}

// Lag makes a server stay behind from now on, or not any more.
func (e *Ensemble) Lag(server int, lags bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.servers[server]
	if s.lags = lags; !lags {
		e.catchUpLocked(s, len(e.changes))
	}
}

// Advance lets a server that lags apply one change more; false if there is none.
func (e *Ensemble) Advance(server int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.servers[server]
	if s.applied == len(e.changes) {
		return false
	}
	e.catchUpLocked(s, s.applied+1)
	return true
}

// commitLocked applies a change to the ensemble, and to the servers that do not
// lag. All of them give it the time of now.
func (e *Ensemble) commitLocked(c change) {
	now := time.Now().UnixMilli()
	timed := func(t *tree) []event {
		t.now = now
		return c(t)
	}
	timed(e.tree)
	e.changes = append(e.changes, timed)
	for _, s := range e.servers {
		if !s.lags {
			e.catchUpLocked(s, len(e.changes))
		}
	}
	e.forgetLocked()
}

// forgetLocked drops changes once all servers have applied them.
func (e *Ensemble) forgetLocked() {
	for _, s := range e.servers {
		if s.applied < len(e.changes) {
			return
		}
	}
	e.changes = nil
	for _, s := range e.servers {
		s.applied = 0
	}
}

func (e *Ensemble) catchUpLocked(s *server, to int) {
	for ; s.applied < to; s.applied++ {
		e.notifyLocked(s, e.changes[s.applied](s.tree))
	}
}

// DialServer opens a session on one server, without waiting.
func (e *Ensemble) DialServer(server int) zkclient.Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.connectLocked(e.servers[server])
}

// Dial implements zkclient.Dialer.
func (e *Ensemble) Dial(ctx context.Context) (zkclient.Conn, error) {
	for {
		if conn := e.dialNext(); conn != nil {
			return conn, nil
		}
		if err := e.pause(ctx); err != nil {
			return nil, err
		}
	}
}

// dialNext opens a session on the next server; nil while the ensemble is down.
func (e *Ensemble) dialNext() zkclient.Conn {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.down {
		return nil
	}
	return e.connectLocked(e.servers[e.session%int64(len(e.servers))])
}
