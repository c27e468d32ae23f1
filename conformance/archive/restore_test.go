package archive

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// TestARestoreFromS3: the ensemble is gone for good, and what a bucket has of it is served again: as it was at its end, at
// a revision, and at a time.
func TestARestoreFromS3(t *testing.T) {
	g := startGateway(t)
	url := g.url(t, "bucket", secretKey)
	lost := zktest.Start(t)
	z := rigtest.StartOn(t, lost.Addr(), "/zkine", "--archive="+url, "--archive-interval=1s", "--log-segment-slots=20", "--checkpoint-log-bytes=1000")
	c := connect(t, z)
	put(t, c, 50)
	lease, err := c.Grant(within(t), 3600)
	require.NoError(t, err)
	good, err := c.Put(within(t), "leased", "here", clientv3.WithLease(lease.ID))
	require.NoError(t, err)
	last := time.Now()
	require.Eventually(t, func() bool { return time.Since(last) > 20*time.Millisecond }, patience, time.Millisecond)
	at := time.Now()
	require.Eventually(t, func() bool { return time.Since(at) > 20*time.Millisecond }, patience, time.Millisecond)
	gone, err := c.Delete(within(t), "key", clientv3.WithPrefix())
	require.NoError(t, err)
	require.EqualValues(t, 50, gone.Deleted)
	put(t, c, 3)
	end, err := c.Get(within(t), "", clientv3.WithPrefix())
	require.NoError(t, err)
	slots := 56 // 50 puts, a lease, a put, a deletion, 3 puts
	require.Eventually(t, func() bool { return verified(t, url) >= slots }, patience, 100*time.Millisecond)
	z.Kill()
	lost.Stop()

	server := zktest.Shared(t).Addr()
	for name, r := range map[string]struct {
		args []string
		keys int
	}{
		"all":         {nil, len(end.Kvs)},
		"to revision": {[]string{fmt.Sprint("--to-revision=", good.Header.Revision)}, 51},
		"to time":     {[]string{"--to-time=" + at.UTC().Format(time.RFC3339Nano)}, 51},
	} {
		t.Run(name, func(t *testing.T) {
			root := zktest.Root(t)
			code, out, stderr := zkine(t, append([]string{"restore", "--archive=" + url, "--zookeeper=" + server, "--zookeeper-root=" + root}, r.args...)...)
			require.Zero(t, code, stderr)
			require.Contains(t, out, "read back and compared")
			require.NotContains(t, out+stderr, secretKey)
			again := connect(t, rigtest.StartOn(t, server, root))
			got, err := again.Get(within(t), "", clientv3.WithPrefix())
			require.NoError(t, err)
			require.Len(t, got.Kvs, r.keys)
			require.Greater(t, got.Header.Revision, end.Header.Revision, "no client goes on from what is gone")
			leased, err := again.Get(within(t), "leased")
			require.NoError(t, err)
			require.Equal(t, "here", string(leased.Kvs[0].Value))
			require.EqualValues(t, lease.ID, leased.Kvs[0].Lease)
			ttl, err := again.TimeToLive(within(t), lease.ID)
			require.NoError(t, err)
			require.EqualValues(t, 3600, ttl.GrantedTTL)
		})
	}
	code, out, stderr := zkine(t, "history", "--archive="+url, "leased")
	require.Zero(t, code, stderr)
	require.Contains(t, out, fmt.Sprint(good.Header.Revision))
}
