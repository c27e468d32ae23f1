package backend_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

// A keeper that is about to stop is not named any more by the others while it
// sends its clients away, which it goes on serving until then.
func TestAKeeperThatLeavesIsNotNamed(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	at := func(c *zklog.Config) { c.Root = root }
	first := openOn(t, dialer(server.Addr()), "a", at)
	second := openOn(t, dialer(server.Addr()), "b", at)
	leader := func() uint64 { return second.Status().Leader }
	was := leader()
	eventually(t, "both name one keeper", func() bool { return leader() != 0 && leader() == first.Status().Leader })
	require.Equal(t, was, leader())
	began := time.Now()
	require.NoError(t, first.Leave(within(t)))
	eventually(t, "the other one is the keeper", func() bool { return leader() != was && leader() != 0 })
	t.Logf("named a live one after %v", time.Since(began).Round(time.Millisecond))
	eventually(t, "as for the one that has left", func() bool { return first.Status().Leader == leader() })
	members, err := second.Members(within(t))
	require.NoError(t, err)
	require.Len(t, members, 1)
	put(t, first, "k", "v")
	require.Equal(t, "v", string(get(t, second, "k").Kvs[0].Value))
	require.NoError(t, first.Leave(within(t)), "twice is no more than once")
}
