package zklog_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// memberReads counts reads of members' znodes but the reader's own, which it holds.
type memberReads struct {
	zkclient.Dialer
	own   string
	count atomic.Int64
}

func (d *memberReads) Dial(ctx context.Context) (zkclient.Conn, error) {
	return dialReading(ctx, d.Dialer, d.get)
}

func (d *memberReads) get(ctx context.Context, conn zkclient.Conn, path string) ([]byte, *zk.Stat, error) {
	if strings.Contains(path, "/members/") && !strings.HasSuffix(path, "/"+d.own) {
		d.count.Add(1)
	}
	return conn.Get(ctx, path)
}

// The housekeeper asks twice a second who the members are. Their records are read once
// one has come or gone, and not before.
func TestMembersAreReadWhenOneComesOrGoes(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	reads := &memberReads{Dialer: dialer(server.Addr()), own: "b"}
	a := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root})
	b := openLog(t, zklog.Config{Dialer: reads, Root: root})
	require.NoError(t, a.log.Join(t.Context(), revision.Member{Name: "a", ID: 1}))
	require.NoError(t, b.log.Join(t.Context(), revision.Member{Name: "b", ID: 2}))
	names := func() (names []string) {
		members, err := b.log.Members(t.Context())
		require.NoError(t, err)
		for _, m := range members {
			names = append(names, m.Name)
		}
		return names
	}
	for range 20 {
		require.Equal(t, []string{"a", "b"}, names())
	}
	require.EqualValues(t, 1, reads.count.Load())

	c := openLog(t, zklog.Config{Dialer: dialer(server.Addr()), Root: root})
	require.NoError(t, c.log.Join(t.Context(), revision.Member{Name: "c", ID: 3}))
	for range 20 {
		require.Equal(t, []string{"a", "b", "c"}, names(), "one that has joined is listed at once")
	}
	require.EqualValues(t, 3, reads.count.Load())

	a.close()
	require.Eventually(t, func() bool { return len(names()) == 2 }, 30*time.Second, 10*time.Millisecond)
	require.Equal(t, []string{"b", "c"}, names())
	require.EqualValues(t, 4, reads.count.Load())
}
