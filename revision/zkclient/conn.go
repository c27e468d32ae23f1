package zkclient

import (
	"context"
	"errors"
	"time"

	"github.com/go-zookeeper/zk"
)

// Conn is one ZooKeeper session over one connection. It is never resumed: a
// lost connection is a lost session, and the owner dials again. That costs a
// session per reconnect and buys certainty: no request outlives its
// connection inside the client, no watch is silently dropped by a resume, and
// "new session" is the one case to handle. See docs/design.md, "Sessions".
//
// Calls may run at the same time. Each ends with ctx at the latest; one that
// ended so, or with an error that Definite does not accept, may still take
// effect at any later time.
type Conn interface {
	// Multi runs ZooKeeper's multi: *zk.CheckVersionRequest, *zk.CreateRequest,
	// *zk.SetDataRequest and *zk.DeleteRequest, all or none. On failure the
	// error is that of the first failed operation; see FailedOp.
	Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error)
	// Get returns data that belongs to the caller.
	Get(ctx context.Context, path string) ([]byte, *zk.Stat, error)
	// GetW is Get, and arms a watch.
	GetW(ctx context.Context, path string) (Watched, error)
	Children(ctx context.Context, path string) ([]string, error)
	// Exists returns a znode's stat without its data; zk.ErrNoNode if there is
	// none.
	Exists(ctx context.Context, path string) (*zk.Stat, error)
	// Done is closed once the session is lost or closed.
	Done() <-chan struct{}
	// SessionTimeout is what the server granted.
	SessionTimeout() time.Duration
	// Close ends the session; with it go its ephemeral znodes. It releases all
	// calls at once, and returns within seconds, whatever the server does. When
	// it returns, nothing that belongs to the connection is running any more.
	Close()
}

// Watched is a znode that is watched.
type Watched struct {
	// Data belongs to the caller.
	Data []byte
	Stat *zk.Stat
	// Event gets one event, also when the session ends; then its type is
	// zk.EventNotWatching.
	Event <-chan zk.Event
}

// Dialer opens sessions.
type Dialer interface {
	// Dial tries the servers in turn until one grants a session or ctx ends.
	Dial(ctx context.Context) (Conn, error)
}

// Definite says whether err means that the request had no effect and never
// will: by the answer of the server (keepercode.go), or since the client never
// sent it. Everything else is ambiguous, raw network errors above all.
func Definite(err error) bool {
	if code := CodeOf(err); code != nil {
		return code.Definite
	}
	return errors.Is(err, zk.ErrNoServer) || errors.Is(err, zk.ErrShortBuffer) || errors.Is(err, zk.ErrInvalidPath)
}

// FailedOp returns the index of the operation that made a multi fail and its
// error; -1 if the results do not say. Those after the culprit carry an error
// without meaning.
func FailedOp(results []zk.MultiResponse) (int, error) {
	for i, r := range results {
		if r.Error != nil {
			return i, r.Error
		}
	}
	return -1, nil
}

// Sleep waits for d; false if the session or ctx ended before.
func Sleep(ctx context.Context, conn Conn, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-conn.Done():
		return false
	case <-ctx.Done():
		return false
	}
}

// Pause waits for d, or for ctx's end.
func Pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
