package clients

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// Who waits for a lock gets it from who lets go of it, and from who died with it. lock.txt has the rest of the command.
func TestEtcdctlLock(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		waiting := func(n int64) {
			t.Helper()
			eventually(t, "nobody waits for the lock", func() bool { return count(t, c, "job/") == n })
		}
		first := startEtcdctl(t, endpoint, "lock", "--ttl=60", "job")
		first.prints("job/<lease>", "")
		second := startEtcdctl(t, endpoint, "lock", "--ttl=2", "job")
		waiting(2)
		third := startEtcdctl(t, endpoint, "lock", "job", "echo", "third")
		waiting(3)
		require.Zero(t, first.stop())
		second.prints("job/<lease>", "")
		second.crash()
		third.prints("third")
		require.Zero(t, third.ends())
		waiting(0)
	})
}

// Leaders follow each other in the order of their campaigns, and an observer sees each of them.
func TestEtcdctlElect(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		observer := startEtcdctl(t, endpoint, "elect", "-l", "e")
		one := startEtcdctl(t, endpoint, "elect", "e", "one")
		one.prints("e/<lease>", "one")
		observer.prints("e/<one>", "one")
		require.Equal(t, one.words["lease"], observer.words["one"])
		two := startEtcdctl(t, endpoint, "elect", "e", "two")
		eventually(t, "two does not stand", func() bool { return count(t, c, "e/") == 2 })
		three := startEtcdctl(t, endpoint, "elect", "e", "three")
		eventually(t, "three does not stand", func() bool { return count(t, c, "e/") == 3 })
		require.Zero(t, one.stop())
		two.prints("e/<lease>", "two")
		observer.prints("e/<two>", "two")
		require.Zero(t, two.stop())
		three.prints("e/<lease>", "three")
		observer.prints("e/<three>", "three")
		require.Zero(t, three.stop())
		require.Zero(t, observer.stop())
		require.Zero(t, count(t, c, "e/"))
	})
}

// A lease is kept alive until somebody revokes it.
func TestEtcdctlKeepAlive(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		lease, err := c.Grant(within(t), 9) // longer than etcdctl takes to start, on a machine that is busy
		require.NoError(t, err)
		id := fmt.Sprintf("%016x", int64(lease.ID))
		k := startEtcdctl(t, endpoint, "lease", "keep-alive", id)
		for range 4 { // longer than it would live by itself
			k.prints("lease " + id + " keepalived with TTL(9)")
		}
		_, err = c.Revoke(within(t), lease.ID)
		require.NoError(t, err)
		for line, more := k.next(); ; line, more = k.next() {
			require.True(t, more)
			if line == "lease "+id+" expired or revoked." {
				break
			}
			require.Equal(t, "lease "+id+" keepalived with TTL(9)", line, "one may have been on its way")
		}
		require.Zero(t, k.ends())
	})
}
