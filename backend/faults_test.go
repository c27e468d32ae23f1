package backend_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/revision"
)

// TestAnswersAfterFaultyAppends: a write is answered from the log, once, whatever
// became of its sendings; one whose outcome cannot be learned is unknown.
func TestAnswersAfterFaultyAppends(t *testing.T) {
	log := memlog.New().Open()
	b := openLog(t, log, "a")
	for name, test := range map[string]struct {
		fault memlog.Fault
		err   error
		there int
	}{
		"request lost":            {memlog.RequestLost, nil, 1},
		"reply lost":              {memlog.ReplyLost, nil, 1},
		"unknown, in the log":     {memlog.UnknownLanded, revision.ErrUnknown, 1},
		"unknown, not in the log": {memlog.UnknownLost, revision.ErrUnknown, 0},
		"too large":               {memlog.TooLarge, revision.ErrTooLarge, 0},
	} {
		t.Run(name, func(t *testing.T) {
			log.Inject(test.fault)
			_, err := b.Put(within(t), &pb.PutRequest{Key: []byte(name)})
			if test.fault != memlog.UnknownLanded { // there the slot may answer first
				require.ErrorIs(t, err, test.err)
			}
			found := get(t, b, name).Kvs
			require.Len(t, found, test.there)
			for _, kv := range found {
				require.EqualValues(t, 1, kv.Version, "once")
			}
		})
	}
	require.Zero(t, b.UnderWay())
}

// TestReadsThatRideInVain have a barrier of their own: an append that was resent
// proves nothing to them.
func TestReadsThatRideInVain(t *testing.T) {
	log := memlog.New().Open()
	b := openLog(t, log, "a")
	log.HoldBarriers()
	const reads = 40 // more than may have a barrier each
	answered := make(chan error, reads)
	for range reads {
		go func() {
			_, err := b.Range(within(t), all())
			answered <- err
		}()
	}
	for range 10 { // each takes those along that have come
		log.Inject(memlog.ReplyLost)
		put(t, b, "k", "v")
	}
	log.ReleaseBarriers()
	for range reads {
		require.NoError(t, <-answered)
	}
}

// TestBarriersThatTakeLongDelayLinearizableReadsOnly: serializable ones, and
// those after the barrier was answered, are served.
func TestBarriersThatTakeLongDelayLinearizableReadsOnly(t *testing.T) {
	log := memlog.New().Open()
	b := openLog(t, log, "a")
	put(t, b, "k", "v")
	log.HoldBarriers()
	soon, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := b.Range(soon, all())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	serializable := all()
	serializable.Serializable = true
	response, err := b.Range(within(t), serializable)
	require.NoError(t, err)
	require.Len(t, response.Kvs, 1)
	log.ReleaseBarriers()
	require.Len(t, get(t, b, "k").Kvs, 1)
}

// TestRefusedAppendsAreAnswered while reads go on.
func TestRefusedAppendsAreAnswered(t *testing.T) {
	log := memlog.New().Open()
	b := openLog(t, log, "a")
	log.Refuse(revision.ErrQuota)
	_, err := b.Put(within(t), &pb.PutRequest{Key: []byte("k")})
	require.ErrorIs(t, err, revision.ErrQuota)
	require.Empty(t, get(t, b, "k").Kvs)
	require.ErrorIs(t, b.Status().Refused, revision.ErrQuota)
	log.Refuse(revision.ErrUnauthenticated)
	_, err = b.Range(within(t), all())
	require.ErrorIs(t, err, revision.ErrUnauthenticated)
	log.Refuse(nil)
	put(t, b, "k", "v")
}

// TestWritesOfAnOutageAreDroppedWithTheirClients: a write whose client gave up
// before there was a connection never happens.
func TestWritesOfAnOutageAreDroppedWithTheirClients(t *testing.T) {
	log := memlog.New().Open()
	b := openLog(t, log, "a")
	log.Disconnect()
	require.Error(t, b.Ready())
	soon, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err := b.Put(soon, &pb.PutRequest{Key: []byte("given up")})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	log.Reconnect()
	put(t, b, "k", "v")
	require.Empty(t, get(t, b, "given up").Kvs)
	eventually(t, "ready", func() bool { return b.Ready() == nil })
}

// TestAMemberThatWasLeftBehindReloads goes on from the checkpoint of another one:
// its watchers below the floor are cancelled, the others go on.
func TestAMemberThatWasLeftBehindReloads(t *testing.T) {
	s := memlog.New()
	far := s.Open()
	a, b := openMem(t, s, "a"), openLog(t, far, "b")
	put(t, a, "k", "1")
	sameState(t, a, b)
	watcher := watchOn(t, b, &pb.WatchCreateRequest{Key: []byte("k")})
	later := watchOn(t, b, &pb.WatchCreateRequest{Key: []byte("k"), StartRevision: 7})
	require.NoError(t, b.Leave(within(t)), "else it would have to confirm the checkpoint")
	far.Disconnect()
	var last int64
	for range 5 {
		last = put(t, a, "k", "2") // up to revision 7
	}
	_, err := a.Compact(within(t), &pb.CompactionRequest{Revision: last})
	require.NoError(t, err)
	require.NoError(t, a.Defragment(within(t)))
	far.Reconnect()
	sameState(t, a, b)
	canceled := next(t, watcher)
	require.True(t, canceled.Canceled)
	require.Equal(t, last, canceled.CompactRevision)
	rev := put(t, a, "k", "3")
	require.Equal(t, []string{"7 PUT k=2 prev=", "8 PUT k=3 prev="}, show(collect(t, later, rev)))
}

// TestALogThatBreaksEndsTheBackend with its error, for all that waits.
func TestALogThatBreaksEndsTheBackend(t *testing.T) {
	log := memlog.New().Open()
	b := openLog(t, log, "a")
	s := watchOn(t, b, &pb.WatchCreateRequest{Key: []byte("k")})
	log.Break(revision.ErrCorrupt)
	<-b.Failed()
	_, err := s.Next(within(t))
	require.ErrorIs(t, err, revision.ErrCorrupt)
	_, err = b.Put(within(t), &pb.PutRequest{Key: []byte("k")})
	require.ErrorIs(t, err, revision.ErrCorrupt)
	require.ErrorIs(t, b.Ready(), revision.ErrCorrupt)
	require.NoError(t, b.Close())
	left := ours()
	require.Empty(t, left, strings.Join(left, "\n\n"))
}
