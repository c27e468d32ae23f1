package server_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"go.etcd.io/etcd/server/v3/etcdserver/api/v3lock/v3lockpb"
	"go.uber.org/zap"

	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/server"
	"github.com/zkine/zkine/server/listener"
)

func newClient(t *testing.T) *clientv3.Client {
	t.Helper()
	l := listenReal(t, memzk.New(), server.Config{}, "http://127.0.0.1:0")[0]
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{listener.BoundURL(l)}, Logger: zap.NewNop()})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func newSession(t *testing.T, c *clientv3.Client) *concurrency.Session {
	t.Helper()
	s, err := concurrency.NewSession(c, concurrency.WithTTL(60), concurrency.WithContext(within(t)))
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// The lock is one and the same for clientv3's mutex and for the lock service.
func TestLockService(t *testing.T) {
	c := newClient(t)
	service := v3lockpb.NewLockClient(c.ActiveConnection())
	mine, theirs := newSession(t, c), newSession(t, c)
	mutex := concurrency.NewMutex(mine, "lock")
	require.NoError(t, mutex.Lock(within(t)))
	require.ErrorIs(t, concurrency.NewMutex(theirs, "lock").TryLock(within(t)), concurrency.ErrLocked)

	short, cancel := context.WithTimeout(within(t), 50*time.Millisecond)
	defer cancel()
	_, err := service.Lock(short, &v3lockpb.LockRequest{Name: []byte("lock"), Lease: int64(theirs.Lease())})
	require.Error(t, err)

	locked := make(chan *v3lockpb.LockResponse, 1)
	go func() {
		resp, err := service.Lock(within(t), &v3lockpb.LockRequest{Name: []byte("lock"), Lease: int64(theirs.Lease())})
		if err == nil {
			locked <- resp
		}
		close(locked)
	}()
	require.NoError(t, mutex.Unlock(within(t)))
	resp := <-locked
	require.NotNil(t, resp)
	require.Equal(t, "lock/"+strconv.FormatInt(int64(theirs.Lease()), 16), string(resp.Key))
	require.Equal(t, uint64(0xa1), resp.Header.MemberId)
	_, err = service.Unlock(within(t), &v3lockpb.UnlockRequest{Key: resp.Key})
	require.NoError(t, err)
	require.NoError(t, mutex.TryLock(within(t)))
}

// Holders of a lock never overlap, and a holder that goes away lets go of it.
func TestLockServiceExcludes(t *testing.T) {
	c := newClient(t)
	service := v3lockpb.NewLockClient(c.ActiveConnection())
	var wg sync.WaitGroup
	var held sync.Mutex
	for range 8 {
		wg.Go(func() {
			lease, err := c.Grant(within(t), 60)
			if err != nil {
				t.Error(err)
				return
			}
			resp, err := service.Lock(within(t), &v3lockpb.LockRequest{Name: []byte("one"), Lease: int64(lease.ID)})
			if err != nil {
				t.Error(err)
				return
			}
			if !held.TryLock() {
				t.Error("two hold the lock")
				return
			}
			_, present := c.Get(within(t), string(resp.Key))
			held.Unlock()
			if _, err := c.Revoke(within(t), lease.ID); err != nil || present != nil {
				t.Error(err, present)
			}
		})
	}
	wg.Wait()
}

func TestElectionService(t *testing.T) {
	c := newClient(t)
	service := v3electionpb.NewElectionClient(c.ActiveConnection())
	first, second := newSession(t, c), newSession(t, c)
	won, err := service.Campaign(within(t), &v3electionpb.CampaignRequest{Name: []byte("e"), Lease: int64(first.Lease()), Value: []byte("one")})
	require.NoError(t, err)
	seen, err := service.Observe(within(t), &v3electionpb.LeaderRequest{Name: []byte("e")})
	require.NoError(t, err)
	leads := func(want string) {
		t.Helper()
		l, err := seen.Recv()
		require.NoError(t, err)
		require.Equal(t, want, string(l.Kv.Value))
	}
	leads("one")
	_, err = service.Proclaim(within(t), &v3electionpb.ProclaimRequest{Leader: won.Leader, Value: []byte("uno")})
	require.NoError(t, err)
	leads("uno")

	// The next in line, by clientv3's own means.
	next := concurrency.NewElection(second, "e")
	campaign := make(chan error, 1)
	go func() { campaign <- next.Campaign(within(t), "two") }()
	_, err = service.Resign(within(t), &v3electionpb.ResignRequest{Leader: won.Leader})
	require.NoError(t, err)
	require.NoError(t, <-campaign)
	leads("two")
	now, err := service.Leader(within(t), &v3electionpb.LeaderRequest{Name: []byte("e")})
	require.NoError(t, err)
	require.Equal(t, next.Key(), string(now.Kv.Key))
	require.NoError(t, second.Close())
	require.Eventually(t, func() bool {
		_, err := service.Leader(within(t), &v3electionpb.LeaderRequest{Name: []byte("e")})
		return textOf(err) == "election: no leader"
	}, patience, time.Millisecond)
}

// Software transactional memory: transfers between accounts lose nothing.
func TestSTM(t *testing.T) {
	c := newClient(t)
	const accounts, transfers = 4, 25
	for i := range accounts {
		_, err := c.Put(within(t), strconv.Itoa(i), "100")
		require.NoError(t, err)
	}
	var wg sync.WaitGroup
	for worker := range accounts {
		wg.Go(func() {
			for n := range transfers {
				from, to := strconv.Itoa(worker), strconv.Itoa((worker+1+n)%accounts)
				_, err := concurrency.NewSTM(c, func(s concurrency.STM) error {
					a, errA := strconv.Atoi(s.Get(from))
					b, errB := strconv.Atoi(s.Get(to))
					if from == to {
						return errors.Join(errA, errB)
					}
					s.Put(from, strconv.Itoa(a-1))
					s.Put(to, strconv.Itoa(b+1))
					return errors.Join(errA, errB)
				}, concurrency.WithIsolation(concurrency.SerializableSnapshot))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	all, err := c.Get(within(t), "", clientv3.WithPrefix())
	require.NoError(t, err)
	sum := 0
	for _, kv := range all.Kvs {
		n, err := strconv.Atoi(string(kv.Value))
		require.NoError(t, err)
		sum += n
	}
	require.Equal(t, accounts*100, sum)
}
