package simulation

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/zkclient"
)

// dialer is a zkine's way to the ensemble, for one life.
type dialer struct{ life *life }

// oneServer says whether a zkine takes reads for barriers: in worlds of one server all of
// them, or some.
func (l *life) oneServer() bool {
	w := l.z.w
	return w.profile.servers == 1 && (w.seed%3 == 0 || (w.seed+uint64(l.z.id))%2 == 0)
}

func (d dialer) Dial(ctx context.Context) (zkclient.Conn, error) {
	r := d.life.z.w.send(ctx, &call{life: d.life, what: "dial"})
	if r.err != nil {
		return nil, r.err
	}
	return r.conn, nil
}

func (n *conn) Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error) {
	r := n.w.send(ctx, &call{life: n.life, conn: n, what: describe(ops), run: func(inner zkclient.Conn) (r reply) {
		r.results, r.err = inner.Multi(context.Background(), ops...)
		return r
	}})
	return r.results, r.err
}

func (n *conn) Get(ctx context.Context, path string) ([]byte, *zk.Stat, error) {
	r := n.w.send(ctx, &call{life: n.life, conn: n, what: "get " + path, run: func(inner zkclient.Conn) (r reply) {
		r.data, r.stat, r.err = inner.Get(context.Background(), path)
		return r
	}})
	return r.data, r.stat, r.err
}

func (n *conn) GetW(ctx context.Context, path string) (zkclient.Watched, error) {
	r := n.w.send(ctx, &call{life: n.life, conn: n, what: "getw " + path, run: func(inner zkclient.Conn) (r reply) {
		if r.watched, r.err = inner.GetW(context.Background(), path); r.err == nil && !n.isClosed() {
			t := &watch{inner: r.watched.Event, outer: make(chan zk.Event, 1)}
			n.watches = append(n.watches, t)
			r.watched.Event = t.outer
		}
		return r
	}})
	return r.watched, r.err
}

func (n *conn) Children(ctx context.Context, path string) ([]string, error) {
	r := n.w.send(ctx, &call{life: n.life, conn: n, what: "children " + path, run: func(inner zkclient.Conn) (r reply) {
		r.names, r.err = inner.Children(context.Background(), path)
		return r
	}})
	return r.names, r.err
}

func (n *conn) Exists(ctx context.Context, path string) (*zk.Stat, error) {
	r := n.w.send(ctx, &call{life: n.life, conn: n, what: "exists " + path, run: func(inner zkclient.Conn) (r reply) {
		r.stat, r.err = inner.Exists(context.Background(), path)
		return r
	}})
	return r.stat, r.err
}

func (n *conn) Done() <-chan struct{}         { return n.done }
func (n *conn) SessionTimeout() time.Duration { return sessionTimeout }

// Close does not wait: the session ends in a while.
func (n *conn) Close() {
	if n.shut() {
		n.w.mu.Lock()
		n.w.arrivals = append(n.w.arrivals, &call{life: n.life, conn: n, what: "close"})
		n.w.mu.Unlock()
		n.w.poke()
	}
}

// describe names a multi by its operations.
func describe(ops []any) string {
	var b strings.Builder
	b.WriteString("multi")
	for _, op := range ops {
		switch op := op.(type) {
		case *zk.CheckVersionRequest:
			fmt.Fprintf(&b, " check(%s, %d)", op.Path, op.Version)
		case *zk.SetDataRequest:
			fmt.Fprintf(&b, " set(%s, %d, %s)", op.Path, op.Version, digest(op.Data))
		case *zk.CreateRequest:
			fmt.Fprintf(&b, " create(%s, %d, %s)", op.Path, op.Flags, digest(op.Data))
		case *zk.DeleteRequest:
			fmt.Fprintf(&b, " delete(%s, %d)", op.Path, op.Version)
		}
	}
	return b.String()
}

func digest(data []byte) string {
	h := fnv.New32a()
	h.Write(data)
	return fmt.Sprintf("%d bytes, %08x", len(data), h.Sum32())
}
