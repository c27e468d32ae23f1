package etcddb

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

	"github.com/zkine/zkine/revision/recordpb"
)

// TestSnapshotsShareACopy has eight read one state at once: one file serves all,
// and goes with the last. What changes the state but not the revision counts.
func TestSnapshotsShareACopy(t *testing.T) {
	b := newStore(t, "")
	b.put(t, "k", "v")
	var all sync.WaitGroup
	snapshots := make([]Snapshot, 8)
	for i := range snapshots {
		all.Go(func() {
			var err error
			snapshots[i], err = b.Make(within(t))
			assert.NoError(t, err)
		})
	}
	all.Wait()
	require.False(t, t.Failed())
	require.Equal(t, 1, b.files())
	b.apply(t, &recordpb.Request{Kind: &recordpb.Request_LeaseGrant{LeaseGrant: &pb.LeaseGrantRequest{ID: 7, TTL: 600}}})
	require.Equal(t, 1, b.entriesIn(t, "lease"), "the old copy does not have it")
	other, err := b.Make(within(t))
	require.NoError(t, err)
	b.apply(t, &recordpb.Request{Kind: &recordpb.Request_LeaseRenew{LeaseRenew: &recordpb.LeaseRenew{Id: 7}}})
	renewed, err := b.Make(within(t))
	require.NoError(t, err)
	require.Equal(t, 2, b.files(), "a renewal is not in a snapshot")
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
		require.Equal(t, 2, b.files())
		require.NoError(t, s.Close())
		require.NoError(t, s.Close(), "once more is harmless")
	}
	require.Equal(t, 1, b.files())
	require.NoError(t, renewed.Close())
	require.Zero(t, b.files())
}

// TestSnapshotsWhileOneIsMade all get the next, which shows all that they have
// seen; and who does not wait any longer is in nobody's way.
func TestSnapshotsWhileOneIsMade(t *testing.T) {
	b := newStore(t, "")
	release := b.hold()
	var all sync.WaitGroup
	ctx, cancel := context.WithCancel(within(t))
	for i := range 8 {
		b.put(t, fmt.Sprint(i), "v")
		all.Go(func() {
			assert.GreaterOrEqual(t, b.entriesIn(t, "key"), i+1)
		})
		all.Go(func() {
			_, err := b.Make(ctx)
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
	eventually(t, "one copy is waited for", func() bool { return b.files() == 1 })
	cancel()
	release()
	all.Wait()
	eventually(t, "all are gone", func() bool { return b.files() == 0 })

	release = b.hold()
	ctx, cancel = context.WithCancel(within(t))
	all.Go(func() {
		_, err := b.Make(ctx)
		assert.ErrorIs(t, err, context.Canceled)
	})
	eventually(t, "one copy is waited for", func() bool { return b.files() == 1 })
	cancel()
	all.Wait()
	eventually(t, "nobody waits", func() bool { return b.files() == 0 })
	release()
}

// TestSnapshotsAreBounded refuses more states at once than there may be files.
func TestSnapshotsAreBounded(t *testing.T) {
	b := newStore(t, "")
	var open []Snapshot
	for i := range maxFiles {
		b.put(t, "k", fmt.Sprint(i))
		s, err := b.Make(within(t))
		require.NoError(t, err)
		open = append(open, s)
	}
	b.put(t, "k", "another")
	_, err := b.Make(within(t))
	require.ErrorIs(t, err, ErrTooManySnapshots)
	require.NoError(t, open[0].Close())
	require.Equal(t, maxFiles+1, b.entriesIn(t, "key"))
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
	for dir, want := range map[string]error{missing: ErrTempDir, file: ErrTempDir, good: nil} {
		b := newStore(t, dir)
		err := CheckTempDir(dir)
		require.ErrorIs(t, err, want)
		if want != nil {
			_, err = b.Make(within(t))
			require.ErrorIs(t, err, want)
			require.ErrorContains(t, err, dir)
			require.ErrorContains(t, err, "; name another one with --temp-dir")
			require.Zero(t, b.files())
			continue
		}
		s, err := b.Make(within(t))
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
	require.NoError(t, CheckTempDir(dir))
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
	b := newStore(t, "")
	s, err := b.Make(within(t))
	require.NoError(t, err)
	release := b.hold()
	b.put(t, "k", "v")
	waited := make(chan error, 1)
	go func() {
		_, err := b.Make(within(t))
		waited <- err
	}()
	eventually(t, "another is waited for", func() bool { return b.files() == 2 })
	b.close()
	require.ErrorIs(t, <-waited, errTestClosed)
	release()
	var got bytes.Buffer
	n, err := s.WriteTo(&got)
	require.NoError(t, err)
	require.Equal(t, s.Size(), n)
	require.NoError(t, s.Close())
}
