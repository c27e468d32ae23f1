package backend_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision/memzk"
)

// TestSnapshotsShareACopy has eight read one state at once: one file serves all,
// and goes with the last. What changes the state but not the revision counts.
func TestSnapshotsShareACopy(t *testing.T) {
	b := openOn(t, memzk.New(), "a")
	put(t, b, "k", "v")
	var all sync.WaitGroup
	snapshots := make([]backend.Snapshot, 8)
	for i := range snapshots {
		all.Go(func() {
			var err error
			snapshots[i], err = b.Snapshot(within(t))
			assert.NoError(t, err)
		})
	}
	all.Wait()
	require.False(t, t.Failed())
	require.Equal(t, 1, b.Copies())
	lease, err := b.LeaseGrant(within(t), &pb.LeaseGrantRequest{ID: 7, TTL: 600})
	require.NoError(t, err)
	require.Len(t, snapshot(t, b)["lease"], 1, "the old copy does not have it")
	other, err := b.Snapshot(within(t))
	require.NoError(t, err)
	_, err = b.LeaseKeepAlive(within(t), &pb.LeaseKeepAliveRequest{ID: lease.ID})
	require.NoError(t, err)
	renewed, err := b.Snapshot(within(t))
	require.NoError(t, err)
	require.Equal(t, 2, b.Copies(), "a renewal is not in a snapshot")
	require.NoError(t, other.Close())

	var first []byte
	for i, s := range snapshots {
		var got bytes.Buffer
		n, err := s.WriteTo(&got)
		require.NoError(t, err)
		require.Equal(t, s.Size(), n)
		if i == 0 {
			first = got.Bytes()
		}
		require.Equal(t, first, got.Bytes())
		require.Equal(t, 2, b.Copies())
		require.NoError(t, s.Close())
		require.NoError(t, s.Close(), "once more is harmless")
	}
	require.Equal(t, 1, b.Copies())
	require.NoError(t, renewed.Close())
	require.Zero(t, b.Copies())
}

// TestSnapshotsWhileOneIsMade all get the next, which shows all that they have
// seen; and who does not wait any longer is in nobody's way.
func TestSnapshotsWhileOneIsMade(t *testing.T) {
	b := openOn(t, memzk.New(), "a")
	release := b.HoldCopies()
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(within(t))
	for i := range 8 {
		put(t, b, fmt.Sprint(i), "v")
		all.Go(func() {
			assert.GreaterOrEqual(t, len(snapshot(t, b)["key"]), i+1)
		})
		all.Go(func() {
			_, err := b.Snapshot(ctx)
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
	eventually(t, "one copy is waited for", func() bool { return b.Copies() == 1 })
	cancel()
	release()
	all.Wait()
	eventually(t, "all are gone", func() bool { return b.Copies() == 0 })

	release = b.HoldCopies()
	ctx, cancel = context.WithCancel(within(t))
	all.Go(func() {
		_, err := b.Snapshot(ctx)
		assert.ErrorIs(t, err, context.Canceled)
	})
	eventually(t, "one copy is waited for", func() bool { return b.Copies() == 1 })
	cancel()
	all.Wait()
	eventually(t, "nobody waits", func() bool { return b.Copies() == 0 })
	release()
}

// TestSnapshotsAreBounded refuses more states at once than there may be files.
func TestSnapshotsAreBounded(t *testing.T) {
	b := openOn(t, memzk.New(), "a")
	var open []backend.Snapshot
	for i := range backend.MaxCopies {
		put(t, b, "k", fmt.Sprint(i))
		s, err := b.Snapshot(within(t))
		require.NoError(t, err)
		open = append(open, s)
	}
	put(t, b, "k", "another")
	_, err := b.Snapshot(within(t))
	require.ErrorIs(t, err, backend.ErrTooManySnapshots)
	require.NoError(t, open[0].Close())
	require.Len(t, snapshot(t, b)["key"], backend.MaxCopies+1)
	for _, s := range open {
		require.NoError(t, s.Close())
	}
}

// TestTempDir is about folders that cannot be used: the error says what to do,
// and nothing is left in any.
func TestTempDir(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	good := t.TempDir()
	for dir, want := range map[string]error{missing: backend.ErrTempDir, file: backend.ErrTempDir, good: nil} {
		b := openWith(t, memzk.New(), "a", func(c *backend.Config) { c.TempDir = dir })
		err := backend.CheckTempDir(dir)
		require.ErrorIs(t, err, want)
		if want != nil {
			_, err = b.Snapshot(within(t))
			require.ErrorIs(t, err, want)
			require.ErrorContains(t, err, dir)
			require.ErrorContains(t, err, "; name another one with --temp-dir")
			require.Zero(t, b.Copies())
			continue
		}
		s, err := b.Snapshot(within(t))
		require.NoError(t, err)
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left)
		require.NoError(t, s.Close())
	}
}

// TestTempDirIsSwept of what a process that was killed has left, and of nothing
// else.
func TestTempDirIsSwept(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for name, at := range map[string]time.Time{
		"zkine-snapshot-1": old, "zkine-snapshot-2": time.Now(), "another": old,
	} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
		require.NoError(t, os.Chtimes(path, at, at))
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "zkine-snapshot-dir"), 0o700))
	require.NoError(t, os.Chtimes(filepath.Join(dir, "zkine-snapshot-dir"), old, old))
	require.NoError(t, backend.CheckTempDir(dir))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var left []string
	for _, e := range entries {
		left = append(left, e.Name())
	}
	require.Equal(t, []string{"another", "zkine-snapshot-2", "zkine-snapshot-dir"}, left)
}

// TestSnapshotOutlivesClose: what was made can be read to its end, and no more
// are made.
func TestSnapshotOutlivesClose(t *testing.T) {
	b := openOn(t, memzk.New(), "a")
	s, err := b.Snapshot(within(t))
	require.NoError(t, err)
	release := b.HoldCopies()
	put(t, b, "k", "v")
	waited := make(chan error, 1)
	go func() {
		_, err := b.Snapshot(within(t))
		waited <- err
	}()
	eventually(t, "another is waited for", func() bool { return b.Copies() == 2 })
	require.NoError(t, b.Close())
	require.ErrorIs(t, <-waited, backend.ErrClosed)
	release()
	var got bytes.Buffer
	n, err := s.WriteTo(&got)
	require.NoError(t, err)
	require.Equal(t, s.Size(), n)
	require.NoError(t, s.Close())
}
