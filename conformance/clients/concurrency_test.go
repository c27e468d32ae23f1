package clients

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

func session(t *testing.T, c *clientv3.Client, options ...concurrency.SessionOption) *concurrency.Session {
	t.Helper()
	s, err := concurrency.NewSession(c, append([]concurrency.SessionOption{concurrency.WithTTL(60)}, options...)...)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// A session's keys live as long as somebody keeps it alive.
func TestSession(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		closed, revoked, orphaned := session(t, c), session(t, c), session(t, c, concurrency.WithTTL(2))
		resumed := session(t, c, concurrency.WithLease(closed.Lease()))
		for name, s := range map[string]*concurrency.Session{"closed": closed, "revoked": revoked, "orphaned": orphaned} {
			put(t, c, "s/"+name, "", clientv3.WithLease(s.Lease()))
		}
		orphaned.Orphan()
		<-orphaned.Done()

		_, err := c.Revoke(within(t), revoked.Lease())
		require.NoError(t, err)
		select {
		case <-revoked.Done(): // when its next renewal finds no lease, a third of its TTL later
		case <-time.After(patience):
			t.Fatal("the session does not notice that its lease is gone")
		}
		require.NoError(t, closed.Close())
		info, err := c.TimeToLive(within(t), resumed.Lease())
		require.NoError(t, err)
		require.Equal(t, int64(-1), info.TTL)
		eventually(t, "a lease that nobody renews does not end", func() bool { return count(t, c, "s/") == 0 })
	})
}

// Many count under one lock, each by reading and writing: nothing is lost.
func TestMutex(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		put(t, c, "counter", "0")
		const workers, rounds = 6, 4
		var wg sync.WaitGroup
		failures := make(chan error, workers)
		for range workers {
			s := session(t, c)
			wg.Go(func() {
				m := concurrency.NewMutex(s, "mutex")
				for range rounds {
					if err := countUnder(within(t), c, m); err != nil {
						failures <- err
						return
					}
				}
			})
		}
		wg.Wait()
		close(failures)
		require.NoError(t, <-failures)
		require.Equal(t, fmt.Sprint("counter=", workers*rounds), get(t, c, "counter"))
		require.Zero(t, count(t, c, "mutex/"))
	})
}

// countUnder adds one to the counter, provided that the mutex is still held.
func countUnder(ctx context.Context, c *clientv3.Client, m *concurrency.Mutex) error {
	if err := m.Lock(ctx); err != nil {
		return err
	}
	resp, err := c.Get(ctx, "counter")
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(resp.Kvs[0].Value))
	if err != nil {
		return err
	}
	txn, err := c.Txn(ctx).If(m.IsOwner()).Then(clientv3.OpPut("counter", strconv.Itoa(n+1))).Commit()
	if err != nil {
		return err
	}
	if !txn.Succeeded {
		return fmt.Errorf("%s is not held", m.Key())
	}
	return m.Unlock(ctx)
}

func TestMutexErrors(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		s := session(t, c)
		mine, theirs := concurrency.NewMutex(s, "m"), concurrency.NewMutex(session(t, c), "m")
		require.ErrorIs(t, theirs.Unlock(within(t)), concurrency.ErrLockReleased)
		require.NoError(t, mine.Lock(within(t)))
		require.NoError(t, mine.TryLock(within(t)), "again")
		require.ErrorIs(t, theirs.TryLock(within(t)), concurrency.ErrLocked)
		short, cancel := context.WithTimeout(within(t), 50*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, theirs.Lock(short), context.DeadlineExceeded)
		require.Equal(t, int64(1), count(t, c, "m/"), "who gives up leaves no key")

		waits := make(chan error, 1)
		ctx := within(t)
		go func() { waits <- theirs.Lock(ctx) }()
		eventually(t, "nobody waits", func() bool { return count(t, c, "m/") == 2 })
		require.NoError(t, s.Close())
		require.NoError(t, <-waits, "the holder's session has ended")
		require.ErrorIs(t, mine.Lock(within(t)), rpctypes.ErrLeaseNotFound)
		require.NoError(t, theirs.Unlock(within(t)))

		locker := concurrency.NewLocker(session(t, c), "m")
		locker.Lock()
		require.ErrorIs(t, theirs.TryLock(within(t)), concurrency.ErrLocked)
		locker.Unlock()
		require.NoError(t, theirs.TryLock(within(t)))
	})
}

// Leaders follow each other; an observer sees each of them, and what they proclaim.
func TestElection(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		first, second, third := session(t, c), session(t, c), session(t, c)
		one := concurrency.NewElection(first, "e")
		_, err := one.Leader(within(t))
		require.ErrorIs(t, err, concurrency.ErrElectionNoLeader)
		require.ErrorIs(t, one.Proclaim(within(t), "nobody"), concurrency.ErrElectionNotLeader)
		require.NoError(t, one.Campaign(within(t), "one"))

		seen := concurrency.NewElection(session(t, c), "e").Observe(within(t))
		leads := func(want string) {
			t.Helper()
			leader, more := <-seen
			require.True(t, more)
			require.Equal(t, want, string(leader.Kvs[0].Value))
		}
		leads("one")
		require.NoError(t, one.Proclaim(within(t), "uno"))
		leads("uno")

		two, three := concurrency.NewElection(second, "e"), concurrency.NewElection(third, "e")
		ctx, won := within(t), make(chan error, 2)
		go func() { won <- two.Campaign(ctx, "two") }()
		eventually(t, "two does not stand", func() bool { return count(t, c, "e/") == 2 })
		go func() { won <- three.Campaign(ctx, "three") }()
		eventually(t, "three does not stand", func() bool { return count(t, c, "e/") == 3 })

		// Whoever knows the leader's key may act for it.
		resumed := concurrency.ResumeElection(first, "e", one.Key(), one.Rev())
		require.NoError(t, resumed.Proclaim(within(t), "eins"))
		leads("eins")
		require.NoError(t, resumed.Resign(within(t)))
		require.NoError(t, <-won)
		leads("two")
		require.ErrorIs(t, one.Proclaim(within(t), "again"), concurrency.ErrElectionNotLeader)

		require.NoError(t, second.Close(), "a leader that goes away")
		require.NoError(t, <-won)
		leads("three")
		leader, err := one.Leader(within(t))
		require.NoError(t, err)
		require.Equal(t, three.Key(), string(leader.Kvs[0].Key))
		require.NoError(t, three.Resign(within(t)))
		_, err = one.Leader(within(t))
		require.ErrorIs(t, err, concurrency.ErrElectionNoLeader)
	})
}
