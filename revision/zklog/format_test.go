package zklog_test

import (
	"context"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
)

// TestRootIsNotForeignForALostConnection has another zkine make the root between
// the first look for its format and the second, which loses the connection.
func TestRootIsNotForeignForALostConnection(t *testing.T) {
	e := memzk.New()
	d := &overtakenDialer{Dialer: e, between: func() { openLog(t, zklog.Config{Dialer: e}) }}
	a := openLog(t, zklog.Config{Dialer: d})
	a.reach(a.append(batchOf(put("k", "v"))).Seq)
	require.Greater(t, d.looks, 2)
}

// overtakenDialer is a dialer whose first look at the format finds nothing, and whose
// second fails; between runs before it.
type overtakenDialer struct {
	zkclient.Dialer
	between func()
	looks   int // Open makes them one after the other
}

func (d *overtakenDialer) Dial(ctx context.Context) (zkclient.Conn, error) {
	return dialReading(ctx, d.Dialer, d.get)
}

func (d *overtakenDialer) get(ctx context.Context, conn zkclient.Conn, path string) ([]byte, *zk.Stat, error) {
	if path == "/zkine/format" {
		switch d.looks++; d.looks {
		case 1:
			d.between()
			return nil, nil, zk.ErrNoNode
		case 2:
			conn.Close()
			return nil, nil, zk.ErrConnectionClosed
		}
	}
	return conn.Get(ctx, path)
}
