package revision

import (
	"context"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"
)

// timedConn knows for how long its oldest call has been waiting, and how many
// were answered.
type timedConn struct {
	Conn

	mu    sync.Mutex
	calls map[int64]time.Time // when each call under way began
	last  int64
	heard int64 // calls that ended, but not because their callers had gone
}

func newTimedConn(c Conn) *timedConn { return &timedConn{Conn: c, calls: map[int64]time.Time{}} }

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

// answers is how many calls were answered so far.
func (c *timedConn) answers() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard
}

func (c *timedConn) begin(ctx context.Context) (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	id := c.last
	c.calls[id] = time.Now()
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.calls, id)
		if ctx.Err() == nil {
			c.heard++
		}
	}
}

func (c *timedConn) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	defer c.begin(ctx)()
	return c.Conn.Multi(ctx, ops...)
}

func (c *timedConn) Get(ctx context.Context, path string) ([]byte, *zk.Stat, error) {
	defer c.begin(ctx)()
	return c.Conn.Get(ctx, path)
}

func (c *timedConn) GetW(ctx context.Context, path string) ([]byte, *zk.Stat, <-chan zk.Event, error) {
	defer c.begin(ctx)()
	return c.Conn.GetW(ctx, path)
}

func (c *timedConn) Children(ctx context.Context, path string) ([]string, error) {
	defer c.begin(ctx)()
	return c.Conn.Children(ctx, path)
}

func (c *timedConn) Exists(ctx context.Context, path string) (*zk.Stat, error) {
	defer c.begin(ctx)()
	return c.Conn.Exists(ctx, path)
}
