package snapshot

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// writer tells one or more stores the same.
type writer struct {
	t       *testing.T
	random  *rand.Rand
	stores  []*store
	leases  []clientv3.LeaseID
	granted int
}

func newWriter(t *testing.T, stores ...*store) *writer {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return &writer{t: t, random: rand.New(rand.NewPCG(seed, 0)), stores: stores}
}

// each does the same on every store.
func (w *writer) each(do func(ctx context.Context, s *store) error) {
	w.t.Helper()
	for _, s := range w.stores {
		require.NoError(w.t, do(within(w.t), s))
	}
}

// write makes some changes, whatever comes to mind.
func (w *writer) write(n int) {
	w.t.Helper()
	for range n {
		switch w.random.IntN(12) {
		case 0, 1:
			key, end := w.key(), ""
			if w.random.IntN(3) == 0 {
				end = key + "\xff"
			}
			w.each(func(ctx context.Context, s *store) error {
				_, err := s.Delete(ctx, key, clientv3.WithRange(end))
				return err
			})
		case 2, 3:
			w.txn()
		case 4:
			w.grant()
		case 5:
			if len(w.leases) > 3 {
				w.revoke()
			}
		default:
			key, value, option := w.key(), w.value(), w.lease()
			w.each(func(ctx context.Context, s *store) error {
				_, err := s.Put(ctx, key, value, option)
				return err
			})
		}
	}
}

func (w *writer) txn() {
	var ops []clientv3.Op
	for i := range 2 + w.random.IntN(5) {
		key := fmt.Sprint(i, w.key()) // none twice
		if w.random.IntN(4) == 0 {
			ops = append(ops, clientv3.OpDelete(key))
		} else {
			ops = append(ops, clientv3.OpPut(key, w.value(), w.lease()))
		}
	}
	w.each(func(ctx context.Context, s *store) error {
		_, err := s.Txn(ctx).Then(ops...).Commit()
		return err
	})
}

// grant grants a lease that outlives the test; its id is negative sometimes.
func (w *writer) grant() {
	w.granted++
	id := clientv3.LeaseID(w.granted)
	if w.granted%3 == 0 {
		id = -id
	}
	w.leases = append(w.leases, id)
	ttl := 3600 + w.random.Int64N(100000)
	w.each(func(ctx context.Context, s *store) error {
		_, err := clientv3.RetryLeaseClient(s.Client).LeaseGrant(ctx, &pb.LeaseGrantRequest{ID: int64(id), TTL: ttl})
		return err
	})
}

func (w *writer) revoke() {
	i := w.random.IntN(len(w.leases))
	id := w.leases[i]
	w.leases = append(w.leases[:i], w.leases[i+1:]...)
	w.each(func(ctx context.Context, s *store) error {
		_, err := s.Revoke(ctx, id)
		return err
	})
}

// users adds a role that may read below granted/, and a user without a password that has it and another one.
func (w *writer) users() {
	w.each(func(ctx context.Context, s *store) error {
		_, err := s.RoleAdd(ctx, "reader")
		if err == nil {
			_, err = s.RoleGrantPermission(ctx, "reader", "granted/", "granted0", clientv3.PermissionType(clientv3.PermRead))
		}
		if err == nil {
			_, err = s.RoleAdd(ctx, "another")
		}
		if err == nil {
			_, err = s.UserAddWithOptions(ctx, "bob", "", &clientv3.UserAddOptions{NoPassword: true})
		}
		for _, role := range []string{"reader", "another"} {
			if err == nil {
				_, err = s.UserGrantRole(ctx, "bob", role)
			}
		}
		return err
	})
}

// compact compacts at a revision and waits until etcd has removed what that made unreadable.
func (w *writer) compact(rev int64) {
	w.t.Helper()
	w.each(func(ctx context.Context, s *store) error {
		_, err := s.Compact(ctx, rev, clientv3.WithCompactPhysical())
		return err
	})
}

func (w *writer) key() string { return fmt.Sprintf("key\x00/%d", w.random.IntN(30)) }

func (w *writer) value() string {
	switch w.random.IntN(8) {
	case 0:
		return ""
	case 1:
		return string(bytes.Repeat([]byte{0, byte(w.random.IntN(256)), 0xff}, w.random.IntN(10_000)))
	}
	return fmt.Sprint("value ", w.random.Uint64())
}

// lease attaches to a lease sometimes.
func (w *writer) lease() clientv3.OpOption {
	if len(w.leases) == 0 || w.random.IntN(3) > 0 {
		return clientv3.WithLease(clientv3.NoLease)
	}
	return clientv3.WithLease(w.leases[w.random.IntN(len(w.leases))])
}

// current is the revision of a store.
func (s *store) current(t *testing.T) int64 {
	t.Helper()
	resp, err := s.Get(within(t), "nothing")
	require.NoError(t, err)
	return resp.Header.Revision
}

// everything is all keys at a revision, 0 for now.
func (s *store) everything(t *testing.T, rev int64) *clientv3.GetResponse {
	t.Helper()
	resp, err := s.Get(within(t), "\x00", clientv3.WithFromKey(), clientv3.WithRev(rev))
	require.NoError(t, err)
	return resp
}

// requireSame compares two stores whose history was compacted at floor (0 for never): at every revision that can be
// read, what is there and its hash; all events; the leases; and the errors beyond both ends.
func requireSame(t *testing.T, want, got *store, floor int64) {
	t.Helper()
	rev := want.current(t)
	require.Equal(t, rev, got.current(t))
	for at := max(floor, 1); at <= rev; at++ {
		requireSameAt(t, want, got, at)
	}
	for _, at := range []int64{floor - 1, rev + 1} {
		if at <= 0 {
			continue
		}
		_, wantErr := want.Get(within(t), "a", clientv3.WithRev(at))
		_, gotErr := got.Get(within(t), "a", clientv3.WithRev(at))
		require.ErrorContains(t, gotErr, wantErr.Error())
		_, wantErr = want.HashKV(within(t), want.endpoint, at)
		_, gotErr = got.HashKV(within(t), got.endpoint, at)
		require.ErrorContains(t, gotErr, wantErr.Error())
	}
	require.Equal(t, want.events(t, floor, rev), got.events(t, floor, rev))
	require.Equal(t, want.leases(t), got.leases(t))
}

func requireSameAt(t *testing.T, want, got *store, rev int64) {
	t.Helper()
	a, b := want.everything(t, rev), got.everything(t, rev)
	require.Equal(t, a.Count, b.Count)
	for i, kv := range a.Kvs {
		require.Equal(t, kv.String(), b.Kvs[i].String(), "revision %d", rev)
	}
	hash, err := want.HashKV(within(t), want.endpoint, rev)
	require.NoError(t, err)
	other, err := got.HashKV(within(t), got.endpoint, rev)
	require.NoError(t, err)
	require.Equal(t, []int64{int64(hash.Hash), hash.HashRevision, hash.CompactRevision},
		[]int64{int64(other.Hash), other.HashRevision, other.CompactRevision}, "hash at revision %d", rev)
}

// events is all events from a revision on.
func (s *store) events(t *testing.T, from, to int64) (all []string) {
	t.Helper()
	if to <= 1 {
		return nil
	}
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	for resp := range s.Watch(ctx, "\x00", clientv3.WithFromKey(), clientv3.WithRev(max(from, 1)), clientv3.WithPrevKV()) {
		require.NoError(t, resp.Err())
		for _, e := range resp.Events {
			all = append(all, fmt.Sprintf("%v %v after %v", e.Type, e.Kv, e.PrevKv))
		}
		if n := len(resp.Events); n > 0 && resp.Events[n-1].Kv.ModRevision >= to {
			return all
		}
	}
	t.Fatal("the watch ended")
	return nil
}

// leases is the leases, each with what it was granted and its keys.
func (s *store) leases(t *testing.T) map[string]string {
	t.Helper()
	list, err := s.Leases(within(t))
	require.NoError(t, err)
	all := map[string]string{}
	for _, l := range list.Leases {
		info, err := s.TimeToLive(within(t), l.ID, clientv3.WithAttachedKeys())
		require.NoError(t, err)
		require.Positive(t, info.TTL)
		keys := map[string]bool{} // etcd lists them in no order
		for _, key := range info.Keys {
			keys[string(key)] = true
		}
		all[fmt.Sprint(l.ID)] = fmt.Sprint(info.GrantedTTL, keys)
	}
	return all
}

// requireCompacted checks that nothing below a revision can be had.
func requireCompacted(t *testing.T, s *store, floor int64) {
	t.Helper()
	_, err := s.HashKV(within(t), s.endpoint, floor-1)
	require.ErrorIs(t, err, rpctypes.ErrCompacted)
}
