package backend_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision/memzk"
)

// What looks after a zkine sees alarms without ZooKeeper, and a backup can be
// made of what is in memory.
func TestMaintenanceWithoutZooKeeper(t *testing.T) {
	z := memzk.New()
	b := openOn(t, z, "a")
	put(t, b, "k", "v")
	alarm(t, b, raise, full, 1)
	z.Stop()
	require.Len(t, b.Alarms(), 1)
	_, err := b.Hash(within(t), &pb.HashRequest{})
	require.NoError(t, err)
	require.Len(t, snapshot(t, b)["key"], 1)
	z.Start()
}

// contents is a database, read back by its buckets.
type contents map[string][]pair

type pair struct{ key, value []byte }

// snapshot makes a snapshot, checks the file as etcdutl does, and reads it.
func snapshot(t *testing.T, b *backend.Backend) contents {
	t.Helper()
	s, err := b.Snapshot(within(t))
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "db")
	file, err := os.Create(path)
	require.NoError(t, err)
	n, err := s.WriteTo(file)
	require.NoError(t, err)
	require.Equal(t, s.Size(), n)
	require.Zero(t, n%512, "etcd's tools know by this that a checksum follows")
	require.NoError(t, file.Close())
	require.NoError(t, s.Close())

	db, err := bbolt.Open(path, 0o400, &bbolt.Options{ReadOnly: true})
	require.NoError(t, err)
	defer db.Close()
	all := contents{}
	require.NoError(t, db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Error(err)
		}
		return tx.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
			all[string(name)] = nil
			return bucket.ForEach(func(k, v []byte) error {
				all[string(name)] = append(all[string(name)], pair{bytes.Clone(k), bytes.Clone(v)})
				return nil
			})
		})
	}))
	return all
}

func TestSnapshot(t *testing.T) {
	b := openOn(t, memzk.New(), "a")
	for _, id := range []int64{7, -9} {
		_, err := b.LeaseGrant(within(t), &pb.LeaseGrantRequest{ID: id, TTL: 60})
		require.NoError(t, err)
	}
	empty := snapshot(t, b)
	require.Len(t, empty, 10, "buckets")
	require.Empty(t, empty["key"])
	require.Len(t, empty["lease"], 2)
	require.Len(t, empty["meta"], 4, "no compaction so far")

	put(t, b, "a", "1")     // 2
	put(t, b, "a", "2", 7)  // 3
	put(t, b, "b", "x", -9) // 4
	del := func(key string) {
		_, err := b.DeleteRange(within(t), &pb.DeleteRangeRequest{Key: []byte(key)})
		require.NoError(t, err)
	}
	del("b")            // 5
	put(t, b, "c", "y") // 6
	del("c")            // 7
	_, err := b.Compact(within(t), &pb.CompactionRequest{Revision: 5})
	require.NoError(t, err)
	alarm(t, b, raise, full, 3)

	got := snapshot(t, b)
	var entries []string
	for _, e := range got["key"] {
		kv := new(mvccpb.KeyValue)
		require.NoError(t, proto.Unmarshal(e.value, kv))
		entries = append(entries, fmt.Sprintf("%d %d %s=%s v%d lease %d", binary.BigEndian.Uint64(e.key), len(e.key), kv.Key, kv.Value, kv.Version, kv.Lease))
	}
	require.Equal(t, []string{
		"3 17 a=2 v2 lease 7", "5 18 b= v0 lease 0", "6 17 c=y v1 lease 0", "7 18 c= v0 lease 0",
	}, entries)
	require.Equal(t, []pair{
		{[]byte{0, 0, 0, 0, 0, 0, 0, 7}, []byte{8, 7, 16, 60}},
		{[]byte{255, 255, 255, 255, 255, 255, 255, 247}, append(append([]byte{8, 247}, bytes.Repeat([]byte{255}, 8)...), 1, 16, 60)},
	}, got["lease"])
	require.Equal(t, []pair{{[]byte{8, 3, 16, 1}, []byte{}}}, got["alarm"])
	require.Equal(t, []pair{{[]byte("clusterVersion"), []byte("3.7.0")}}, got["cluster"])
	meta := map[string][]byte{}
	for _, e := range got["meta"] {
		meta[string(e.key)] = e.value
	}
	require.Equal(t, []byte("\x00\x00\x00\x00\x00\x00\x00\x05_\x00\x00\x00\x00\x00\x00\x00\x00"), meta["finishedCompactRev"])
	require.Equal(t, meta["finishedCompactRev"], meta["scheduledCompactRev"])
	require.Equal(t, b.View().Seq().Index(), binary.BigEndian.Uint64(meta["consistent_index"]))
	require.Equal(t, b.View().Term(), binary.BigEndian.Uint64(meta["term"]))
	require.Equal(t, []byte("3.7.0"), meta["storageVersion"])
}

// Hash is etcd's, computed here over the file by etcd's rule.
func TestHashIsThatOfASnapshot(t *testing.T) {
	z := memzk.New()
	a, b := openOn(t, z, "a"), openOn(t, z, "b")
	var last uint32
	for i := range 5 {
		put(t, a, "k", fmt.Sprint(i))
		alarm(t, a, raise, full, uint64(i))
		alarm(t, b, disarm, full, uint64(i))
		hash, err := b.Hash(within(t), &pb.HashRequest{})
		require.NoError(t, err)
		require.Equal(t, int64(i+2), hash.Header.Revision)
		require.NotEqual(t, last, hash.Hash)
		last = hash.Hash

		sum := crc32.New(crc32.MakeTable(crc32.Castagnoli))
		all := snapshot(t, b)
		for _, name := range []string{"alarm", "auth", "authRoles", "authUsers", "cluster", "key", "lease", "members", "members_removed", "meta"} {
			sum.Write([]byte(name))
			for _, e := range all[name] {
				switch string(e.key) {
				case "term", "consistent_index", "storageVersion":
				default:
					sum.Write(e.key)
					sum.Write(e.value)
				}
			}
		}
		require.Equal(t, sum.Sum32(), hash.Hash)
	}
}

// HashKV, Hash and Snapshot hold while keys are written and compacted away
// under them: none fails, and what each shows is one revision.
func TestMaintenanceUnderCompaction(t *testing.T) {
	b := openOn(t, memzk.New(), "a")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var stop atomic.Bool
	done := make(chan error, 1)
	go func() {
		var err error
		for i := 0; err == nil && !stop.Load(); i++ {
			rev := put(t, b, fmt.Sprint(random.IntN(50)), fmt.Sprint(i))
			if random.IntN(10) == 0 {
				_, err = b.Compact(within(t), &pb.CompactionRequest{Revision: rev})
			}
		}
		done <- err
	}()
	for range 30 {
		kv, err := b.HashKV(within(t), &pb.HashKVRequest{})
		require.NoError(t, err)
		require.Equal(t, kv.Header.Revision, kv.HashRevision)
		_, err = b.Hash(within(t), &pb.HashRequest{})
		require.NoError(t, err)
		keys := snapshot(t, b)["key"]
		for i := 1; i < len(keys); i++ {
			require.Negative(t, bytes.Compare(keys[i-1].key, keys[i].key))
		}
	}
	stop.Store(true)
	require.NoError(t, <-done)
	_, err := b.HashKV(within(t), &pb.HashKVRequest{Revision: 1})
	require.ErrorIs(t, err, state.ErrCompacted)
	_, err = b.HashKV(within(t), &pb.HashKVRequest{Revision: 1 << 40})
	require.ErrorIs(t, err, state.ErrFutureRev)
}

// A snapshot of more than one transaction of the file, with values on pages of
// their own; and the temporary file leaves no name behind.
func TestLargeSnapshot(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	b := openOn(t, memzk.New(), "a")
	value := string(bytes.Repeat([]byte("0123456789abcdef"), 60<<10/16))
	for i := range 400 { // 24 MB
		put(t, b, fmt.Sprintf("key-%03d", i), value)
	}
	s, err := b.Snapshot(within(t))
	require.NoError(t, err)
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, s.Close())
	all := snapshot(t, b)
	require.Len(t, all["key"], 400)
	for _, e := range all["key"] {
		require.Greater(t, len(e.value), len(value))
	}

	require.NoError(t, b.Close())
	_, err = b.Snapshot(within(t))
	require.ErrorIs(t, err, backend.ErrClosed)
}
