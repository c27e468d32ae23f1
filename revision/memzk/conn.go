package memzk

import (
	"context"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/zkclient"
)

// conn is a session on the ensemble. Its fields are guarded by the ensemble's
// lock.
type conn struct {
	e       *Ensemble
	server  *server
	session int64
	done    chan struct{}
	// watches by path; each channel gets one event.
	watches map[string][]chan zk.Event
}

func (c *conn) Done() <-chan struct{}         { return c.done }
func (c *conn) SessionTimeout() time.Duration { return 4 * time.Second }

func (c *conn) Close() {
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	c.e.dropLocked(c)
}

func (c *conn) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	e := c.e
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.conns[c] {
		return nil, zk.ErrConnectionClosed
	}
	if requestSize(ops) > juteMaxBuffer {
		e.dropLocked(c)
		return nil, zk.ErrConnectionClosed
	}
	fault := None
	if e.fault != nil {
		fault = e.fault(ops)
	}
	switch fault {
	case LoseRequest:
		e.dropLocked(c)
		return nil, zk.ErrConnectionClosed
	case Late:
		e.late = append(e.late, func() { e.runLocked(c.server, c.session, ops) }) //nolint:errcheck // no caller waits for it
		e.dropLocked(c)
		return nil, zk.ErrConnectionClosed
	}
	results, err := e.runLocked(c.server, c.session, ops)
	if fault == LoseReply {
		e.dropLocked(c)
		return nil, zk.ErrConnectionClosed
	}
	return results, err
}

// juteMaxBuffer is ZooKeeper's default bound for a request, in bytes. A server
// closes the connection on a larger one without an answer.
const juteMaxBuffer = 0xfffff

// requestSize is a multi's length on the wire but for the frame's own.
func requestSize(ops []any) int {
	const header, opHeader, worldACL = 4 + 4, 4 + 1 + 4, 4 + 4 + (4 + len("world")) + (4 + len("anyone"))
	size := header + opHeader
	for _, op := range ops {
		size += opHeader
		switch op := op.(type) {
		case *zk.CreateRequest:
			size += 4 + len(op.Path) + 4 + len(op.Data) + worldACL + 4
		case *zk.SetDataRequest:
			size += 4 + len(op.Path) + 4 + len(op.Data) + 4
		case *zk.DeleteRequest:
			size += 4 + len(op.Path) + 4
		case *zk.CheckVersionRequest:
			size += 4 + len(op.Path) + 4
		}
	}
	return size
}

// runLocked decides a multi that came in through a server.
func (e *Ensemble) runLocked(s *server, session int64, ops []any) (results []zk.MultiResponse, err error) {
	e.commitLocked(func(t *tree) (events []event) {
		if t == e.tree {
			results, events, err = t.multi(session, ops)
		} else {
			_, events, _ = t.multi(session, ops) // the same everywhere
		}
		return events
	})
	e.catchUpLocked(s, len(e.changes))
	return results, err
}

func (c *conn) Get(ctx context.Context, path string) ([]byte, *zk.Stat, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, context.Cause(ctx)
	}
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	return c.getLocked(path)
}

func (c *conn) GetW(ctx context.Context, path string) (zkclient.Watched, error) {
	if err := ctx.Err(); err != nil {
		return zkclient.Watched{}, context.Cause(ctx)
	}
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	data, stat, err := c.getLocked(path)
	if err != nil {
		return zkclient.Watched{}, err
	}
	event := make(chan zk.Event, 1)
	c.watches[path] = append(c.watches[path], event)
	return zkclient.Watched{Data: data, Stat: stat, Event: event}, nil
}

func (c *conn) getLocked(path string) ([]byte, *zk.Stat, error) {
	if !c.e.conns[c] {
		return nil, nil, zk.ErrConnectionClosed
	}
	return c.server.tree.get(path)
}

func (c *conn) Children(ctx context.Context, path string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	c.e.mu.Lock()
	defer c.e.mu.Unlock()
	if !c.e.conns[c] {
		return nil, zk.ErrConnectionClosed
	}
	return c.server.tree.childNames(path)
}

func (c *conn) Exists(ctx context.Context, path string) (*zk.Stat, error) {
	_, stat, err := c.Get(ctx, path)
	return stat, err
}
