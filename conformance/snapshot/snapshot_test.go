package snapshot

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// A restored etcd is the zkine that the snapshot was taken of; and goes on as it does.
func TestRestore(t *testing.T) {
	for _, compactions := range []int{0, 1, 3} {
		t.Run(fmt.Sprint("compactions=", compactions), func(t *testing.T) {
			z := newZkine(t)
			w := newWriter(t, z)
			w.write(60)
			floor := int64(0)
			for range compactions {
				floor = z.current(t) - w.random.Int64N(20)
				w.compact(floor)
				w.write(30)
			}
			path := z.save(t)
			status := statusOf(t, path)
			require.Equal(t, z.current(t), status.Revision)
			require.Equal(t, z.everything(t, 0).Count, int64(status.TotalKey))
			require.Equal(t, "3.7.0", status.Version)

			e, late := restore(t, path), z.late(t)
			requireSame(t, late, e, floor)
			w.stores = append(w.stores, e)
			w.write(30)
			requireSame(t, late, e, floor)
			floor = z.current(t) - 3
			w.compact(floor)
			w.write(3)
			requireSameAt(t, z, e, z.current(t))
			requireCompacted(t, z, floor)
			requireCompacted(t, e, floor)
		})
	}
}

// The places where a snapshot has little to go by: a store without a key, and ones whose newest revision, or all of
// whose history, is a deletion.
func TestRestoreLittle(t *testing.T) {
	put := func(ctx context.Context, s *store) error { _, err := s.Put(ctx, "k", "v"); return err }
	del := func(ctx context.Context, s *store) error { _, err := s.Delete(ctx, "k"); return err }
	compact := func(rev int64) func(context.Context, *store) error {
		return func(ctx context.Context, s *store) error { _, err := s.Compact(ctx, rev); return err }
	}
	for name, c := range map[string]struct {
		steps []func(context.Context, *store) error
		floor int64
	}{
		"empty":                 {},
		"compacted at 0":        {steps: []func(context.Context, *store) error{compact(0), put}},
		"compacted at 1":        {steps: []func(context.Context, *store) error{compact(1), put}, floor: 1},
		"deleted":               {steps: []func(context.Context, *store) error{put, del}},
		"compacted at delete":   {steps: []func(context.Context, *store) error{put, del, compact(3)}, floor: 3},
		"compacted at last put": {steps: []func(context.Context, *store) error{put, put, compact(3)}, floor: 3},
	} {
		t.Run(name, func(t *testing.T) {
			z := newZkine(t)
			w := newWriter(t, z)
			for _, step := range c.steps {
				w.each(step)
			}
			path := z.save(t)
			statusOf(t, path)
			e, late := restore(t, path), z.late(t)
			requireSame(t, late, e, c.floor)
			w.stores = append(w.stores, e)
			w.each(put)
			requireSame(t, late, e, c.floor)
		})
	}
}

// What a zkine saves is what an etcd saves that was told the same, entry by entry, but for who they are.
func TestSameDatabaseAsEtcd(t *testing.T) {
	z, e := newZkine(t), newEtcd(t, t.TempDir())
	w := newWriter(t, z, e)
	requireSameDatabase(t, z, e)
	w.write(60)
	requireSameDatabase(t, z, e)
	requireSame(t, e, z, 0)
	w.users()
	floor := z.current(t) - 10
	w.compact(floor)
	w.write(20)
	w.each(func(ctx context.Context, s *store) error {
		_, err := s.raw.Alarm(ctx, &pb.AlarmRequest{Action: pb.AlarmRequest_ACTIVATE, Alarm: pb.AlarmType_NOSPACE, MemberID: 5})
		return err
	})
	requireSameDatabase(t, z, e)
	// At the floor itself etcd answers from a cache, with the hash of before the compaction.
	for rev := floor + 1; rev <= e.current(t); rev++ {
		requireSameAt(t, e, z, rev)
	}
	w.compact(z.current(t))
	requireSameDatabase(t, z, e)
}

func requireSameDatabase(t *testing.T, z, e *store) {
	t.Helper()
	got, want := database(t, z.save(t)), database(t, e.save(t))
	// Members, their votes and how far the logs go are each cluster's own.
	for _, path := range []string{"meta/confState", "meta/consistent_index", "meta/term"} {
		require.Contains(t, got, path)
		require.Contains(t, want, path)
		delete(got, path)
		delete(want, path)
	}
	for path, value := range want {
		if len(path) > len("members/") && path[:len("members/")] == "members/" {
			continue
		}
		require.Equal(t, value, got[path], "%q", path)
		delete(got, path)
	}
	require.Empty(t, got)
}

// database is a snapshot's entries by bucket and key, and its buckets.
func database(t *testing.T, path string) map[string]string {
	t.Helper()
	db, err := bbolt.Open(path, 0o400, &bbolt.Options{ReadOnly: true})
	require.NoError(t, err)
	defer db.Close()
	all := map[string]string{}
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error {
			all[string(name)] = "a bucket"
			return b.ForEach(func(k, v []byte) error {
				all[string(name)+"/"+string(k)] = string(v)
				return nil
			})
		})
	}))
	return all
}

// Users log in to the restored etcd with their passwords, and may do there what they might do here.
func TestRestoreUsers(t *testing.T) {
	z := newZkine(t, "--bcrypt-cost=4") // with the race detector, more takes seconds
	w := newWriter(t, z)
	w.users()
	w.each(func(ctx context.Context, s *store) error {
		_, err := s.Put(ctx, "granted/k", "v")
		return err
	})
	ctx := within(t)
	_, err := z.UserAdd(ctx, "alice", "secret")
	require.NoError(t, err)
	_, err = z.UserGrantRole(ctx, "alice", "reader")
	require.NoError(t, err)
	_, err = z.UserAdd(ctx, "root", "of all")
	require.NoError(t, err)
	_, err = z.UserGrantRole(ctx, "root", "root")
	require.NoError(t, err)
	_, err = z.AuthEnable(ctx)
	require.NoError(t, err)
	path := z.save(t, "--user=root:of all")

	e := restore(t, path)
	for _, s := range []*store{z, e} {
		_, err := s.Get(within(t), "granted/k")
		require.ErrorIs(t, err, rpctypes.ErrUserEmpty)
		_, err = login(s, "alice", "guess")
		require.ErrorIs(t, err, rpctypes.ErrAuthFailed)
		alice, err := login(s, "alice", "secret")
		require.NoError(t, err)
		t.Cleanup(func() { alice.Close() })
		got, err := alice.Get(within(t), "granted/k")
		require.NoError(t, err)
		require.Equal(t, "v", string(got.Kvs[0].Value))
		_, err = alice.Put(within(t), "granted/k", "w")
		require.ErrorIs(t, err, rpctypes.ErrPermissionDenied)
	}
	root, err := login(e, "root", "of all")
	require.NoError(t, err)
	t.Cleanup(func() { root.Close() })
	_, err = root.Put(within(t), "granted/k", "w")
	require.NoError(t, err)
}

func login(s *store, user, password string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{
		Endpoints: []string{s.endpoint}, Username: user, Password: password, Logger: zap.NewNop(), DialTimeout: patience,
	})
}

// A snapshot taken while clients write is one revision, which zkine can still be asked about.
func TestSnapshotWhileWriting(t *testing.T) {
	z := newZkine(t)
	var stop atomic.Bool
	done := make(chan error, 4)
	for i := range cap(done) {
		go func() {
			var err error
			for n := 0; err == nil && !stop.Load(); n++ {
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				_, err = z.Put(ctx, fmt.Sprintf("%d/%d", i, n%100), fmt.Sprint(n))
				cancel()
			}
			done <- err
		}()
	}
	var paths []string
	for range 3 {
		grown := z.current(t) + 200
		require.Eventually(t, func() bool { return z.current(t) >= grown }, patience, 10*time.Millisecond)
		paths = append(paths, z.save(t))
	}
	stop.Store(true)
	for range cap(done) {
		require.NoError(t, <-done)
	}
	for _, path := range paths {
		status := statusOf(t, path)
		e := restore(t, path)
		require.Equal(t, status.Revision, e.current(t))
		requireSameAt(t, z, e, status.Revision)
		requireSameAt(t, z, e, status.Revision/2)
	}
}
