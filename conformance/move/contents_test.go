package move

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/protobuf/proto"
)

// pageSize is how many keys one read of a dump asks for.
const pageSize = 1000

// keys reads all keys that begin with one of the prefixes, as they were at a revision; 0 is now. Without a prefix it is
// every key there is.
func (s *store) keys(t testing.TB, at int64, prefixes ...string) (all []*mvccpb.KeyValue, revision int64) {
	t.Helper()
	ranges := [][2]string{{"\x00", "\x00"}}
	if len(prefixes) > 0 {
		ranges = nil
	}
	for _, p := range prefixes {
		ranges = append(ranges, [2]string{p, clientv3.GetPrefixRangeEnd(p)})
	}
	for _, r := range ranges {
		for from, more := r[0], true; more; {
			resp, err := s.Get(within(t), from, clientv3.WithRange(r[1]), clientv3.WithRev(at), clientv3.WithLimit(pageSize))
			require.NoError(t, err)
			if at == 0 {
				at = resp.Header.Revision
			}
			all = append(all, resp.Kvs...)
			if more = resp.More; more {
				from = string(resp.Kvs[len(resp.Kvs)-1].Key) + "\x00"
			}
		}
	}
	return all, at
}

// mostShown is how many differences a failure lists.
const mostShown = 5

// differences lists keys that are not the same, field by field.
func differences(want, got []*mvccpb.KeyValue) (all []string) {
	note := func(format string, args ...any) {
		if len(all) < mostShown {
			all = append(all, fmt.Sprintf(format, args...))
		}
	}
	have := make(map[string]*mvccpb.KeyValue, len(got))
	for _, kv := range got {
		have[string(kv.Key)] = kv
	}
	for _, kv := range want {
		other, there := have[string(kv.Key)]
		delete(have, string(kv.Key))
		switch {
		case !there:
			note("%q is missing", kv.Key)
		case !proto.Equal(kv, other):
			note("%q: want %s, got %s", kv.Key, metadata(kv), metadata(other))
			if !bytes.Equal(kv.Value, other.Value) {
				note("%q has another value", kv.Key)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(have)) {
		note("%q is there besides", key)
	}
	return all
}

func metadata(kv *mvccpb.KeyValue) string {
	return fmt.Sprintf("{create %d mod %d version %d lease %x, %d bytes}", kv.CreateRevision, kv.ModRevision, kv.Version, kv.Lease, len(kv.Value))
}

// requireSameKeys checks that two dumps are the same in order and every byte.
func requireSameKeys(t testing.TB, want, got []*mvccpb.KeyValue) {
	t.Helper()
	require.Empty(t, differences(want, got), "of %d keys, and %d", len(want), len(got))
	for i := range want { // and in the same order
		require.Equal(t, string(want[i].Key), string(got[i].Key))
	}
}

// lease is one as it was granted, with its keys.
type lease struct {
	granted int64
	keys    string
}

// leases are all leases, by id.
func (s *store) leases(t testing.TB) map[int64]lease {
	t.Helper()
	list, err := s.Leases(within(t))
	require.NoError(t, err)
	all := map[int64]lease{}
	for _, l := range list.Leases {
		info, err := s.TimeToLive(within(t), l.ID, clientv3.WithAttachedKeys())
		require.NoError(t, err)
		if info.GrantedTTL == 0 {
			continue // it expired meanwhile
		}
		require.LessOrEqual(t, info.TTL, info.GrantedTTL)
		slices.SortFunc(info.Keys, bytes.Compare) // etcd lists them in no order
		all[int64(l.ID)] = lease{info.GrantedTTL, fmt.Sprintf("%q", info.Keys)}
	}
	return all
}

// requireSameLeases checks that two stores have the same leases on the same keys.
func requireSameLeases(t testing.TB, want, got map[int64]lease) {
	t.Helper()
	var differ []string
	for id, l := range want {
		if got[id] != l {
			differ = append(differ, fmt.Sprintf("%x: want %.200v, got %.200v", id, l, got[id]))
		}
	}
	for id := range got {
		if _, there := want[id]; !there {
			differ = append(differ, fmt.Sprintf("%x is there besides", id))
		}
	}
	require.Empty(t, differ, "leases")
}

// awaitShortLeases waits until those of a minute or less have expired, which nobody renews any more: an API server's
// entry of itself. What is compared after that changes no more.
func (s *store) awaitShortLeases(t testing.TB) {
	t.Helper()
	eventually(t, func() error {
		keys, _ := s.keys(t, 0, "/registry/masterleases/", "/registry/leases/kube-system/")
		for _, kv := range keys {
			if kv.Lease != 0 {
				return fmt.Errorf("%s is still there", kv.Key)
			}
		}
		if s.process.Name == "kine" {
			return nil // it tells of no leases
		}
		for id, l := range s.leases(t) {
			if l.granted <= 60 {
				return fmt.Errorf("lease %x of %d s is still there", id, l.granted)
			}
		}
		return nil
	})
}

// events is all that a watch of everything delivers from one revision to another.
func (s *store) events(t testing.TB, from, to int64) (all []string) {
	t.Helper()
	if from > to {
		return nil
	}
	ctx, cancel := context.WithCancel(within(t))
	defer cancel()
	for resp := range s.Watch(ctx, "\x00", clientv3.WithFromKey(), clientv3.WithRev(from), clientv3.WithPrevKV()) {
		require.NoError(t, resp.Err())
		for _, e := range resp.Events {
			if e.Kv.ModRevision > to {
				return all
			}
			all = append(all, fmt.Sprintf("%v %v after %v", e.Type, e.Kv, e.PrevKv))
		}
		if n := len(resp.Events); n > 0 && resp.Events[n-1].Kv.ModRevision >= to {
			return all
		}
	}
	t.Fatal("the watch ended")
	return nil
}

// firstFrom watches everything from a revision on, and tells the first revision that it hears of; 0 is an error.
func (s *store) firstFrom(t testing.TB, rev int64) <-chan int64 {
	t.Helper()
	first := make(chan int64, 1)
	ctx, cancel := context.WithCancel(within(t))
	events := s.Watch(ctx, "\x00", clientv3.WithFromKey(), clientv3.WithRev(rev), clientv3.WithCreatedNotify())
	go func() {
		defer cancel()
		defer close(first)
		for resp := range events {
			if resp.Err() == nil && len(resp.Events) > 0 {
				first <- resp.Events[0].Kv.ModRevision
				return
			}
		}
	}()
	return first
}

// hash is a store's hash of all keys at a revision.
func (s *store) hash(t testing.TB, rev int64) string {
	t.Helper()
	h, err := s.HashKV(within(t), s.endpoint, rev)
	require.NoError(t, err)
	return fmt.Sprintf("%08x of revision %d above %d", h.Hash, h.HashRevision, h.CompactRevision)
}

// requireSameNow checks what two stores hold now: keys with all that belongs to them, leases, and the revision.
func requireSameNow(t testing.TB, want, got *store) {
	t.Helper()
	wantKeys, wantRev := want.keys(t, 0)
	gotKeys, gotRev := got.keys(t, 0)
	require.Equal(t, wantRev, gotRev, "the revision")
	requireSameKeys(t, wantKeys, gotKeys)
	requireSameLeases(t, want.leases(t), got.leases(t))
}

// requireSame checks all that a client can tell two stores apart by, from the floor on: keys and hashes of revisions all
// over the history, every event, and the answers beyond both ends.
func requireSame(t testing.TB, want, got *store, floor int64) {
	t.Helper()
	requireSameNow(t, want, got)
	last := want.revision(t)
	for _, rev := range samples(max(floor, 1), last) {
		// At the floor itself an etcd that compacted answers from a cache, with the hash of before the compaction.
		if rev > floor {
			require.Equal(t, want.hash(t, rev), got.hash(t, rev))
		}
	}
	for _, rev := range []int64{max(floor, 1), (floor + last) / 2, last - 1} {
		wantKeys, _ := want.keys(t, rev)
		gotKeys, _ := got.keys(t, rev)
		requireSameKeys(t, wantKeys, gotKeys)
	}
	for _, rev := range []int64{floor - 1, last + 1} {
		if rev <= 0 {
			continue
		}
		_, wantErr := want.Get(within(t), "a", clientv3.WithRev(rev))
		_, gotErr := got.Get(within(t), "a", clientv3.WithRev(rev))
		require.Error(t, wantErr)
		require.EqualError(t, gotErr, wantErr.Error())
	}
	require.Equal(t, want.events(t, max(floor, 2), last), got.events(t, max(floor, 2), last))
}

// mostHashes is how many revisions two stores are compared at: a hash reads the whole history below it.
const mostHashes = 60

// samples are revisions from one to another, of which the last few are all there.
func samples(from, to int64) (all []int64) {
	step := max(1, (to-from)/mostHashes)
	for rev := from; rev < to-5; rev += step {
		all = append(all, rev)
	}
	for rev := max(from, to-5); rev <= to; rev++ {
		all = append(all, rev)
	}
	return all
}
