package watch

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

func TestWatchFromPastPresentAndFuture(t *testing.T) {
	b := newStore(t)
	put(t, b, "a", "1") // 2
	put(t, b, "b", "1") // 3
	put(t, b, "a", "2") // 4
	past := watch(t, b, &pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 2, PrevKv: true})
	present := watch(t, b, &pb.WatchCreateRequest{Key: []byte("a"), PrevKv: true})
	future := watch(t, b, &pb.WatchCreateRequest{Key: []byte("a"), StartRevision: 6})
	put(t, b, "a", "3")       // 5
	b.deleteRange(t, "a", "") // 6
	require.Equal(t, []string{
		"2 PUT a=1 prev=", "4 PUT a=2 prev=1", "5 PUT a=3 prev=2", "6 DELETE a= prev=3",
	}, show(collect(t, past, 6)))
	require.Equal(t, []string{"5 PUT a=3 prev=2", "6 DELETE a= prev=3"}, show(collect(t, present, 6)))
	require.Equal(t, []string{"6 DELETE a= prev="}, show(collect(t, future, 6)))
}

func TestWatchRangesAndFilters(t *testing.T) {
	b := newStore(t)
	s := b.Open()
	t.Cleanup(s.Close)
	create := []*pb.WatchCreateRequest{
		{Key: []byte("b"), RangeEnd: []byte("d")},
		{Key: []byte("c"), RangeEnd: []byte{0}},
		{Key: nil, RangeEnd: []byte{0}, Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NOPUT}},
		{Key: []byte("b"), Filters: []pb.WatchCreateRequest_FilterType{pb.WatchCreateRequest_NODELETE}},
	}
	for i, r := range create {
		s.Create(r)
		require.EqualValues(t, i, next(t, s).WatchId, "ids count from 0")
	}
	for _, key := range []string{"a", "b", "c", "d"} {
		put(t, b, key, "v")
	}
	b.deleteRange(t, "a", "\x00")
	last := put(t, b, "zz", "v")
	got := map[int64][]string{}
	for done := map[int64]bool{}; len(done) < 1; {
		response := next(t, s)
		for _, e := range response.Events {
			got[response.WatchId] = append(got[response.WatchId], fmt.Sprintf("%v %s", e.Type, e.Kv.Key))
			if e.Kv.ModRevision == last {
				done[response.WatchId] = true
			}
		}
	}
	s.RequestProgress()
	for {
		response := next(t, s)
		if response.WatchId == -1 {
			require.Equal(t, last, response.Header.Revision)
			break
		}
		for _, e := range response.Events {
			got[response.WatchId] = append(got[response.WatchId], fmt.Sprintf("%v %s", e.Type, e.Kv.Key))
		}
	}
	require.Equal(t, map[int64][]string{
		0: {"PUT b", "PUT c", "DELETE b", "DELETE c"},
		1: {"PUT c", "PUT d", "DELETE c", "DELETE d", "PUT zz"},
		2: {"DELETE a", "DELETE b", "DELETE c", "DELETE d"},
		3: {"PUT b"},
	}, got)
}

func TestWatchCreationAsEtcdWordsIt(t *testing.T) {
	b := newStore(t)
	put(t, b, "k", "v")
	s := b.Open()
	t.Cleanup(s.Close)
	cases := []struct {
		name   string
		create *pb.WatchCreateRequest
		id     int64
		reason string
	}{
		{"chosen id", &pb.WatchCreateRequest{Key: []byte("k"), WatchId: 1}, 1, ""},
		{"automatic id", &pb.WatchCreateRequest{Key: []byte("k")}, 0, ""},
		{"automatic id skips the taken", &pb.WatchCreateRequest{Key: []byte("k")}, 2, ""},
		{"duplicate", &pb.WatchCreateRequest{Key: []byte("k"), WatchId: 1}, -1, "mvcc: duplicate watch ID provided on the WatchStream"},
		{"empty range", &pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte("a")}, -1, "mvcc: watcher range is empty"},
		{"negative start", &pb.WatchCreateRequest{Key: []byte("k"), StartRevision: -1}, -1, "etcdserver: mvcc: required revision has been compacted"},
	}
	for _, c := range cases {
		s.Create(c.create)
		response := next(t, s)
		require.True(t, response.Created, c.name)
		require.Equal(t, c.id, response.WatchId, c.name)
		require.Equal(t, c.reason != "", response.Canceled, c.name)
		require.Equal(t, c.reason, response.CancelReason, c.name)
		require.EqualValues(t, 2, response.Header.Revision, c.name)
	}
	s.Cancel(99) // ignored
	s.Cancel(0)
	response := next(t, s)
	require.True(t, response.Canceled)
	require.Zero(t, response.WatchId)
	s.Create(&pb.WatchCreateRequest{Key: []byte("k")})
	require.EqualValues(t, 3, next(t, s).WatchId, "automatic ids are not used again")
}

func TestWatchBelowTheFloorIsDropped(t *testing.T) {
	b := newStore(t)
	for i := range 10 {
		put(t, b, "k", fmt.Sprint(i))
	}
	b.compact(t, 8)
	s := watch(t, b, &pb.WatchCreateRequest{Key: []byte("k"), StartRevision: 7})
	response := next(t, s)
	require.True(t, response.Canceled)
	require.EqualValues(t, 8, response.CompactRevision)
	require.Zero(t, response.Header.Revision)

	s.RequestProgress() // blocked by the dropped watcher
	s.Cancel(0)
	response = next(t, s)
	require.True(t, response.Canceled)
	require.Zero(t, response.CompactRevision)

	at := watch(t, b, &pb.WatchCreateRequest{Key: []byte("k"), StartRevision: 8, PrevKv: true})
	require.Equal(t, []string{"8 PUT k=6 prev=", "9 PUT k=7 prev=6", "10 PUT k=8 prev=7", "11 PUT k=9 prev=8"},
		show(collect(t, at, 11)))
}

func TestSlowWatcherMissesNothing(t *testing.T) {
	b := newStore(t)
	s := watch(t, b, &pb.WatchCreateRequest{Key: []byte("k"), RangeEnd: []byte{0}})
	var last int64
	const writes = 3000
	for i := range writes {
		last = put(t, b, fmt.Sprint("k", i%7), fmt.Sprint(i))
	}
	events := collect(t, s, last)
	require.Equal(t, writes, len(events))
	for i, e := range events {
		require.EqualValues(t, i+2, e.Kv.ModRevision)
	}
}

func TestProgressNeedsWatchersThatHaveBegun(t *testing.T) {
	b := newStore(t)
	s := b.Open()
	t.Cleanup(s.Close)
	s.RequestProgress() // no watchers: silence
	s.Create(&pb.WatchCreateRequest{Key: []byte("k"), StartRevision: 2})
	require.True(t, next(t, s).Created)
	s.RequestProgress() // starts in the future: silence
	rev := put(t, b, "k", "v")
	require.Len(t, next(t, s).Events, 1)
	s.RequestProgress()
	response := next(t, s)
	require.EqualValues(t, -1, response.WatchId)
	require.Equal(t, rev, response.Header.Revision)
}

// A progress that was asked for before events came, and is sent after them,
// covers them: found by etcd's robustness validators.
func TestProgressIsNeverOlderThanTheEventsBeforeIt(t *testing.T) {
	b := newStore(t)
	put(t, b, "k", "1") // 2
	s := watch(t, b, &pb.WatchCreateRequest{Key: []byte("k"), StartRevision: 2})
	s.RequestProgress()
	last := put(t, b, "k", "2")
	require.Len(t, collect(t, s, last), 2)
	progress := next(t, s)
	require.EqualValues(t, -1, progress.WatchId)
	require.Empty(t, progress.Events)
	require.GreaterOrEqual(t, progress.Header.Revision, last)
}

func TestProgressOfAWatchFromNowOnAnIdleStore(t *testing.T) {
	b := newStore(t)
	rev := put(t, b, "other", "v")
	s := watch(t, b, &pb.WatchCreateRequest{Key: []byte("k")})
	s.RequestProgress()
	progress := next(t, s)
	require.EqualValues(t, -1, progress.WatchId)
	require.Equal(t, rev, progress.Header.Revision)
}
