package transfer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/zkine/zkine/backend/etcddb"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/transfer"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/recordpb"
)

// database is the etcd database of a view, as zkine's own snapshots have it;
// conformance/snapshot reads those of etcd.
func database(t *testing.T, v *state.View) []byte {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := etcddb.NewSnapshots(ctx, etcddb.Config{Dir: t.TempDir(), Log: quiet(), Source: etcddb.Source{
		View: func() *state.View { return v }, Failure: func() error { return nil }}})
	made, err := s.Make(t.Context())
	require.NoError(t, err)
	defer made.Close()
	var b bytes.Buffer
	_, err = made.WriteTo(&b)
	require.NoError(t, err)
	return b.Bytes()
}

// hashed is a database with its hash behind, as etcdctl writes it.
func hashed(data []byte) []byte {
	sum := sha256.Sum256(data)
	return append(bytes.Clone(data), sum[:]...)
}

func file(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "snapshot.db")
	require.NoError(t, os.WriteFile(path, data, 0o400))
	return path
}

// seedFrom seeds what a snapshot file holds, and returns the state that it is then.
func seedFrom(t *testing.T, path string, o transfer.SnapshotOptions, change func(*transfer.Contents)) *state.View {
	t.Helper()
	s, err := transfer.OpenSnapshot(t.Context(), path, o)
	require.NoError(t, err)
	defer s.Close()
	change(s.Contents())
	st, err := s.Contents().State()
	require.NoError(t, err)
	tried, err := transfer.Rehearse(t.Context(), st, nil)
	require.NoError(t, err)
	e := memzk.New()
	made, err := transfer.Seed(t.Context(), config(e), s.Sum, st, nil)
	require.NoError(t, err)
	require.Equal(t, made.Hash, tried.Hash)
	require.Equal(t, made.Keys, tried.Keys)
	return served(t, e).View()
}

func nothing(*transfer.Contents) {}

func TestASnapshotBecomesARoot(t *testing.T) {
	m := history(t)
	for range 2 {
		data := database(t, m.View())
		path := file(t, hashed(data))
		requireSame(t, m.View(), seedFrom(t, path, transfer.SnapshotOptions{}, func(c *transfer.Contents) { require.NotNil(t, c.Hash) }))
		requireSame(t, m.View(), seedFrom(t, file(t, data), transfer.SnapshotOptions{SkipHash: true}, nothing))
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.Equal(hashed(data), after), "the file is only read")
		// Once more, of a state that was raised.
		apply(m, &recordpb.Request{Kind: &recordpb.Request_RevisionRaise{RevisionRaise: &recordpb.RevisionRaise{To: int64(m.View().Rev()) + 1000}}})
		apply(m, putRequest("after", "the raise"))
	}
}

// TestAnEmptySnapshot is of a store that was never written to.
func TestAnEmptySnapshot(t *testing.T) {
	v := state.New().View()
	got := seedFrom(t, file(t, hashed(database(t, v))), transfer.SnapshotOptions{}, nothing)
	require.EqualValues(t, 1, got.Rev())
	require.EqualValues(t, -1, got.CompactRev())
}

// TestOnlyAPrefix leaves the others, and the history; what there is stays as it was.
func TestOnlyAPrefix(t *testing.T) {
	m := history(t)
	apply(m, putRequest("key 10", "there is one"))
	v := m.View()
	got := seedFrom(t, file(t, hashed(database(t, v))), transfer.SnapshotOptions{Raised: true}, func(c *transfer.Contents) {
		require.NoError(t, c.Only(t.Context(), "key 1"))
	})
	require.Equal(t, v.Rev(), got.Rev())
	require.Equal(t, v.Rev(), got.CompactRev())
	want, err := v.Range(rangeOf("key 1", "key 2"))
	require.NoError(t, err)
	have, err := got.Range(rangeOf("\x00", "\x00"))
	require.NoError(t, err)
	require.NotEmpty(t, want.Kvs)
	require.Equal(t, len(want.Kvs), len(have.Kvs))
	for i := range want.Kvs {
		require.Equal(t, want.Kvs[i].String(), have.Kvs[i].String())
	}
}

// TestFreshRevisions: one for each key, in the order of the last changes, above all of
// the source's.
func TestFreshRevisions(t *testing.T) {
	m := history(t)
	v := m.View()
	got := seedFrom(t, file(t, hashed(database(t, v))), transfer.SnapshotOptions{Raised: true}, func(c *transfer.Contents) {
		require.NoError(t, c.Fresh(t.Context(), c.Revision))
	})
	require.Equal(t, v.NumKeys(), got.NumKeys())
	require.Equal(t, v.Rev()+revision.Rev(v.NumKeys()), got.Rev())
	require.Equal(t, got.Rev(), got.CompactRev())
	want, err := v.Range(rangeOf("\x00", "\x00"))
	require.NoError(t, err)
	have, err := got.Range(rangeOf("\x00", "\x00"))
	require.NoError(t, err)
	for i, kv := range have.Kvs {
		require.Equal(t, want.Kvs[i].Value, kv.Value)
		require.Equal(t, want.Kvs[i].Lease, kv.Lease)
		require.EqualValues(t, 1, kv.Version)
		require.Equal(t, kv.CreateRevision, kv.ModRevision)
		require.Greater(t, kv.ModRevision, int64(v.Rev()))
		for j := range i {
			require.Equal(t, want.Kvs[j].ModRevision < want.Kvs[i].ModRevision || want.Kvs[j].ModRevision == want.Kvs[i].ModRevision && have.Kvs[j].ModRevision < kv.ModRevision,
				have.Kvs[j].ModRevision < kv.ModRevision)
		}
	}
}

// TestWhatIsNoSnapshot is refused in one line, by what it is.
func TestWhatIsNoSnapshot(t *testing.T) {
	m := history(t)
	good := hashed(database(t, m.View()))
	with := func(at int, b byte) []byte { c := bytes.Clone(good); c[at] ^= b; return c }
	skip := transfer.SnapshotOptions{SkipHash: true}
	foreign := filepath.Join(t.TempDir(), "foreign.db")
	db, err := bbolt.Open(foreign, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("settings")); return err }))
	require.NoError(t, db.Close())
	foreignData, err := os.ReadFile(foreign)
	require.NoError(t, err)
	cases := []struct {
		name string
		data []byte
		o    transfer.SnapshotOptions
		want error
		says string
	}{
		{"cut short", good[:len(good)/2], transfer.SnapshotOptions{}, transfer.ErrNoHash, "cut short"},
		{"cut short by pages", good[:8192], skip, transfer.ErrDamaged, "it holds"},
		{"a flipped bit", with(len(good)/2, 1), transfer.SnapshotOptions{}, transfer.ErrDamaged, "sha256"},
		{"a wrong hash", with(len(good)-1, 1), transfer.SnapshotOptions{}, transfer.ErrDamaged, "sha256"},
		{"no hash", good[:len(good)-32], transfer.SnapshotOptions{}, transfer.ErrNoHash, "--skip-hash-check"},
		{"nothing", nil, transfer.SnapshotOptions{}, transfer.ErrDamaged, "empty"},
		{"a short text", []byte("hello"), transfer.SnapshotOptions{}, transfer.ErrNotSnapshot, "bbolt"},
		{"SQLite", append([]byte("SQLite format 3\x00"), good...), transfer.SnapshotOptions{}, transfer.ErrNotSnapshot, "kine"},
		{"a dump of kine's", []byte("-- MySQL dump\nCREATE TABLE kine"), transfer.SnapshotOptions{}, transfer.ErrNotSnapshot, "SQL dump"},
		{"zip", append([]byte("PK\x03\x04"), good...), transfer.SnapshotOptions{}, transfer.ErrNotSnapshot, "zip"},
		{"gzip", append([]byte("\x1f\x8b\x08"), good...), transfer.SnapshotOptions{}, transfer.ErrNotSnapshot, "gzip"},
		{"another bbolt", hashed(foreignData), transfer.SnapshotOptions{}, transfer.ErrNotSnapshot, `"settings"`},
	}
	for _, c := range cases {
		_, err := transfer.OpenSnapshot(t.Context(), file(t, c.data), c.o)
		require.ErrorIs(t, err, c.want, c.name)
		require.ErrorContains(t, err, c.says, c.name)
		require.NotContains(t, err.Error(), "\n", c.name)
	}
	_, err = transfer.OpenSnapshot(t.Context(), t.TempDir(), skip)
	require.ErrorIs(t, err, transfer.ErrNotSnapshot)
	_, err = transfer.OpenSnapshot(t.Context(), filepath.Join(t.TempDir(), "no"), skip)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestPagesOfNonsense: whatever is in a file whose hash is not looked at, it is an
// error or a state, and no crash.
func TestPagesOfNonsense(t *testing.T) {
	data := database(t, history(t).View())
	for at := 0; at < len(data); at += len(data)/150 + 1 {
		damaged := bytes.Clone(data)
		for i := at; i < min(at+8, len(data)); i++ {
			damaged[i] ^= 0xa5
		}
		s, err := transfer.OpenSnapshot(t.Context(), file(t, damaged), transfer.SnapshotOptions{SkipHash: true})
		if err != nil {
			continue
		}
		st, err := s.Contents().State()
		if err == nil {
			_, err = transfer.Rehearse(t.Context(), st, nil)
		}
		if err == nil {
			require.Equal(t, len(data), int(s.Size))
		}
		require.NoError(t, s.Close())
	}
}

// TestHolesAreRefused: a history without the changes of a revision is left out, or not
// taken.
func TestHolesAreRefused(t *testing.T) {
	m := history(t)
	path := filepath.Join(t.TempDir(), "snapshot.db")
	require.NoError(t, os.WriteFile(path, database(t, m.View()), 0o600))
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	gone := m.View().Rev() - 3
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket([]byte("key")).Cursor()
		for k, _ := cursor.Seek(binary.BigEndian.AppendUint64(nil, uint64(gone))); k != nil && binary.BigEndian.Uint64(k) == uint64(gone); k, _ = cursor.Next() {
			if err := cursor.Delete(); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, db.Close())
	_, err = transfer.OpenSnapshot(t.Context(), path, transfer.SnapshotOptions{SkipHash: true})
	require.ErrorIs(t, err, transfer.ErrHoles)
	require.ErrorContains(t, err, "--mark-compacted")
	got := seedFrom(t, path, transfer.SnapshotOptions{SkipHash: true, Raised: true}, func(c *transfer.Contents) { require.NoError(t, c.Raise(1000)) })
	require.Equal(t, m.View().Rev()+1000, got.Rev())
}
