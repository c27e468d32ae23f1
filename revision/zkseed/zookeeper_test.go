package zkseed_test

import (
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkseed"
	"github.com/zkine/zkine/revision/zktest"
)

// TestSmallerParts: a server takes less than it was thought.
func TestSmallerParts(t *testing.T) {
	e, all := memzk.New(), chunks(5, 1)
	e.SetFault(func(ops []any) memzk.Fault {
		for _, op := range ops {
			if create, ok := op.(*zk.CreateRequest); ok && len(create.Data) > 60<<10 {
				return memzk.LoseRequest
			}
		}
		return memzk.None
	})
	cfg := config(e)
	cfg.MaxRequest = 120 << 10
	_, err := zkseed.Seed(t.Context(), cfg, seeding("a", all))
	require.NoError(t, err)
	e.SetFault(nil)
	requireSeeded(t, e, "a", all)
}

// TestOnZooKeeper has a real one.
func TestOnZooKeeper(t *testing.T) {
	root, all := zktest.Root(t), chunks(5, 1)
	dialer := &zkclient.Ensemble{Servers: []string{zktest.Shared(t).Addr()}, Timeout: 4 * time.Second, MaxRequest: zklog.DefaultMaxRequest, Log: quiet()}
	s := seeding("a", all)
	_, err := zkseed.Seed(t.Context(), zkseed.Config{Dialer: dialer, Root: root, By: "a test", Log: quiet()}, s)
	require.NoError(t, err)
	v, err := zklog.Verify(t.Context(), zklog.Config{Dialer: dialer, Root: root, Log: quiet()})
	require.NoError(t, err)
	require.Empty(t, v.Findings)
	require.EqualValues(t, 1, v.CheckpointSegment)
}
