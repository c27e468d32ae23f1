package zkclient

import (
	"context"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
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
}

func newTimedConn(c Conn) *timedConn { return &timedConn{conn: c, calls: map[int64]time.Time{}} }

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
func (c *timedConn) begin() (end func(*error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	id, now := c.last, time.Now()
	c.calls[id] = now
	c.debt.asked(now)
	return func(err *error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.calls, id)
		if *err == nil || Definite(*err) {
			c.heard++
			c.debt.replied(time.Now(), len(c.calls))
		}
	}
}

func (c *timedConn) Multi(ctx context.Context, ops ...any) (results []zk.MultiResponse, err error) {
	defer c.begin()(&err)
	return c.conn.Multi(ctx, ops...)
}

func (c *timedConn) Get(ctx context.Context, path string) (data []byte, stat *zk.Stat, err error) {
	defer c.begin()(&err)
	return c.conn.Get(ctx, path)
}

func (c *timedConn) GetW(ctx context.Context, path string) (watched Watched, err error) {
	defer c.begin()(&err)
	return c.conn.GetW(ctx, path)
}

func (c *timedConn) Children(ctx context.Context, path string) (names []string, err error) {
	defer c.begin()(&err)
	return c.conn.Children(ctx, path)
}

func (c *timedConn) Exists(ctx context.Context, path string) (stat *zk.Stat, err error) {
	defer c.begin()(&err)
	return c.conn.Exists(ctx, path)
}

func (c *timedConn) Done() <-chan struct{}         { return c.conn.Done() }
func (c *timedConn) SessionTimeout() time.Duration { return c.conn.SessionTimeout() }
func (c *timedConn) Close()                        { c.conn.Close() }
