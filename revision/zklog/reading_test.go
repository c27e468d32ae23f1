package zklog_test

import (
	"context"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision/zkclient"
)

// readingConn is a connection whose reads of a znode's data go through get, which is
// given what it stands before.
type readingConn struct {
	zkclient.Conn
	get func(ctx context.Context, conn zkclient.Conn, path string) ([]byte, *zk.Stat, error)
}

func (c readingConn) Get(ctx context.Context, path string) ([]byte, *zk.Stat, error) {
	return c.get(ctx, c.Conn, path)
}

// dialReading dials a connection whose reads go through get.
func dialReading(ctx context.Context, d zkclient.Dialer,
	get func(ctx context.Context, conn zkclient.Conn, path string) ([]byte, *zk.Stat, error)) (zkclient.Conn, error) {
	conn, err := d.Dial(ctx)
	return readingConn{conn, get}, err
}
