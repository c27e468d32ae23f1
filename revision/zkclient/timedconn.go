package zkclient

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/zkclient/measured"
)

// timedConn knows for how long its oldest call has been waiting, how many were
// answered, and for how long the server has owed an answer; see pulse.go. It
// embeds no Conn, so that a method that is not timed cannot slip in.
type timedConn struct {
	conn Conn

	mu    sync.Mutex
	calls map[int64]time.Time // when each call under way began
	last  int64
	heard int64 // calls that were answered
	debt  debt

	measured *measured.Session
}

var errNotSent = errors.New("it was not sent")

func newTimedConn(c Conn, m *measured.Session) *timedConn {
	return &timedConn{conn: c, calls: map[int64]time.Time{}, measured: m}
}

// silence is for how long the oldest call has been waiting; 0 if none is.
func (c *timedConn) silence() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var longest time.Duration
	for _, began := range c.calls {
		longest = max(longest, time.Since(began))
	}
	return longest
}

// replies is how many calls were answered so far.
func (c *timedConn) replies() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard
}

// begin notes a call; end is told how it ended.
func (c *timedConn) begin(op measured.Op) (end func(*error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	id, now := c.last, time.Now()
	c.calls[id] = now
	first := c.debt.since.IsZero()
	c.debt.asked(now)
	return func(err *error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.calls, id)
		if *err == nil || Definite(*err) {
			c.heard++
			heard := time.Now()
			c.debt.replied(heard, len(c.calls))
			c.measured.Answered(op, heard.Sub(now))
		} else if errors.Is(*err, errNotSent) && first && c.debt.since.Equal(now) {
			c.debt.replied(time.Now(), len(c.calls)) // nothing is owed for this one
		}
	}
}

func (c *timedConn) Multi(ctx context.Context, ops ...any) (results []zk.MultiResponse, err error) {
	defer c.begin(measured.Multi)(&err)
	return c.conn.Multi(ctx, ops...)
}

// beginner is a connection that can send a request without waiting for anything: false
// says that it cannot at this moment, and has sent nothing then. After the limit done gets
// an error.
type beginner interface {
	Begin(ops []any, limit time.Duration, done func([]zk.MultiResponse, error)) bool
	BeginStats(paths []string, limit time.Duration, done func([]zk.Stat, error)) bool
}

// Begin sends a multi on a session's connection and does not wait: false says that
// this would take waiting, and that nothing was sent. Done gets what Multi would
// return, once, the error for a silent server after a session timeout. It runs on the
// goroutine that reads the connection, or on one that ends it: it must not wait for
// ZooKeeper. A connection that knows no such thing is waited for in a goroutine.
func (s *Session) Begin(conn Conn, done func([]zk.MultiResponse, error), ops ...any) bool {
	return begin(s, conn, measured.Multi, done, func(direct beginner, limit time.Duration, answer func([]zk.MultiResponse, error)) bool {
		return direct.Begin(ops, limit, answer)
	}, func(ctx context.Context, conn Conn) ([]zk.MultiResponse, error) { return conn.Multi(ctx, ops...) })
}

// BeginStats is Begin for reads: done gets the stats of these znodes, as they were read
// one after the other, or the error of one that could not be read. The server has to be of
// 3.6 or newer: an older one ends the connection.
func (s *Session) BeginStats(conn Conn, done func([]zk.Stat, error), paths ...string) bool {
	return begin(s, conn, measured.Exists, done, func(direct beginner, limit time.Duration, answer func([]zk.Stat, error)) bool {
		return direct.BeginStats(paths, limit, answer)
	}, func(ctx context.Context, conn Conn) (stats []zk.Stat, err error) {
		for _, path := range paths {
			stat, err := conn.Exists(ctx, path)
			if err != nil {
				return nil, err
			}
			stats = append(stats, *stat)
		}
		return stats, nil
	})
}

func begin[T any](s *Session, conn Conn, op measured.Op, done func(T, error),
	direct func(b beginner, limit time.Duration, answer func(T, error)) bool, call func(context.Context, Conn) (T, error)) bool {
	c, timed := conn.(*timedConn)
	if !timed {
		return false
	}
	limit := max(s.Timeout(), time.Second)
	end := c.begin(op)
	answer := func(results T, err error) {
		end(&err)
		done(results, err)
	}
	if b, ok := c.conn.(beginner); ok {
		began := direct(b, limit, answer)
		if !began {
			err := errNotSent
			end(&err)
		}
		return began
	}
	s.closing.Go(func() {
		ctx, cancel := context.WithTimeoutCause(context.Background(), limit, errSilentTooLong)
		defer cancel()
		answer(call(ctx, c.conn))
	})
	return true
}

func (c *timedConn) Get(ctx context.Context, path string) (data []byte, stat *zk.Stat, err error) {
	defer c.begin(measured.Get)(&err)
	return c.conn.Get(ctx, path)
}

func (c *timedConn) GetW(ctx context.Context, path string) (watched Watched, err error) {
	defer c.begin(measured.Get)(&err)
	return c.conn.GetW(ctx, path)
}

func (c *timedConn) Children(ctx context.Context, path string) (names []string, err error) {
	defer c.begin(measured.Children)(&err)
	return c.conn.Children(ctx, path)
}

func (c *timedConn) Exists(ctx context.Context, path string) (stat *zk.Stat, err error) {
	defer c.begin(measured.Exists)(&err)
	return c.conn.Exists(ctx, path)
}

func (c *timedConn) Done() <-chan struct{}         { return c.conn.Done() }
func (c *timedConn) SessionTimeout() time.Duration { return c.conn.SessionTimeout() }
func (c *timedConn) Close()                        { c.conn.Close() }
