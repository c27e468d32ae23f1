package zklog_test

import (
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zklog"
)

func put(key, value string) *recordpb.Request {
	return &recordpb.Request{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte(key), Value: []byte(value)}}}
}

func batchOf(requests ...*recordpb.Request) *revision.Batch {
	return &revision.Batch{Nonce: revision.DrawNonce(crand.Reader), Requests: requests}
}

func quiet() *logrus.Entry {
	l := logrus.New()
	l.SetLevel(logrus.PanicLevel)
	return logrus.NewEntry(l)
}

func TestAppendIsDeliveredInOrderHereAndElsewhere(t *testing.T) {
	e := memzk.New()
	a := openLog(t, zklog.Config{Dialer: e, MaxSlots: 4})
	b := openLog(t, zklog.Config{Dialer: e, MaxSlots: 4})
	require.Equal(t, a.log.ClusterID(), b.log.ClusterID())

	// Rotation happens beside the appends, so how many it takes is open.
	var last revision.Seq
	written := 0
	for ; last.Segment < 3; written++ {
		i := written
		require.Less(t, i, 10_000, "segments must rotate")
		from := []*reader{a, b}[i%2]
		out := from.append(batchOf(put(fmt.Sprint(i), "v")))
		require.True(t, last.Before(out.Seq), "%v after %v", out.Seq, last)
		require.False(t, out.Resent)
		last = out.Seq
	}
	one, two := a.reach(last), b.reach(last)
	require.Len(t, one, written)
	require.Len(t, two, written)
	for i := range one {
		require.Equal(t, one[i].Seq, two[i].Seq)
		require.Equal(t, one[i].Nonce, two[i].Nonce)
		require.Equal(t, fmt.Sprint(i), string(two[i].Requests[0].GetPut().Key))
	}
}

// TestFaultsLoseNothing appends from several logs while every kind of fault
// strikes, and checks that all of them read the same slots, that an
// acknowledged batch is there, and that one without acknowledgement is there
// at most as a duplicate that apply skips.
func TestFaultsLoseNothing(t *testing.T) {
	for range 20 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) { testFaults(t, seed) })
	}
}

func testFaults(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	e := memzk.New()
	logs := make([]*reader, 3)
	for i := range logs {
		logs[i] = openLog(t, zklog.Config{Dialer: e, Name: fmt.Sprint(i), MaxSlots: 8})
	}
	e.SetFault(func([]any) memzk.Fault {
		switch rng.IntN(12) {
		case 0:
			return memzk.LoseRequest
		case 1:
			return memzk.LoseReply
		case 2:
			return memzk.Late
		default:
			return memzk.None
		}
	})
	stopLate := releaseLate(e)
	var mu sync.Mutex
	acked := map[revision.Nonce]revision.Appended{}
	var wg sync.WaitGroup
	for i, r := range logs {
		for w := range 3 {
			wg.Go(func() {
				for n := range 15 {
					b := batchOf(put(fmt.Sprintf("%d-%d-%d", i, w, n), "v"))
					out := r.append(b)
					mu.Lock()
					acked[b.Nonce] = out
					mu.Unlock()
				}
			})
		}
	}
	wg.Wait()
	stopLate()
	e.SetFault(nil)
	e.ReleaseLate()

	end, err := logs[0].log.Barrier(t.Context())
	require.NoError(t, err)
	first := logs[0].reach(end)
	checkSlots(t, first, acked)
	for _, r := range logs[1:] {
		other := r.reach(end)
		require.Equal(t, places(first), places(other))
	}
}

// releaseLate lets held back requests run at odd moments, until stopped.
func releaseLate(e *memzk.Ensemble) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				e.ReleaseLate()
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-ended }
}

func places(slots []revision.Slot) (out []string) {
	for _, s := range slots {
		out = append(out, s.Seq.String()+" "+s.Nonce.String())
	}
	return out
}

func checkSlots(t *testing.T, slots []revision.Slot, acked map[revision.Nonce]revision.Appended) {
	t.Helper()
	segments := map[revision.Nonce]int64{}
	firsts := map[revision.Nonce]revision.Seq{}
	previous := revision.Seq{}
	for _, s := range slots {
		if s.Seq.Segment == previous.Segment {
			require.Equal(t, previous.Slot+1, s.Seq.Slot, "slots are dense")
		} else {
			require.Equal(t, previous.Segment+1, s.Seq.Segment)
			require.Zero(t, s.Seq.Slot)
		}
		previous = s.Seq
		if segment, seen := segments[s.Nonce]; seen {
			require.Equal(t, segment, s.Seq.Segment, "a batch must not have an effect in two segments")
			continue
		}
		segments[s.Nonce], firsts[s.Nonce] = s.Seq.Segment, s.Seq
	}
	for nonce, out := range acked {
		first, found := firsts[nonce]
		require.True(t, found, "an acknowledged batch is missing")
		require.Equal(t, first.Segment, out.Seq.Segment)
		if !out.Resent {
			require.Equal(t, first, out.Seq)
		}
	}
}

func TestBarrierCoversWhatOthersWereAcknowledged(t *testing.T) {
	e := memzk.New()
	a := openLog(t, zklog.Config{Dialer: e, MaxSlots: 3})
	b := openLog(t, zklog.Config{Dialer: e, MaxSlots: 3})
	seq, err := b.log.Barrier(t.Context())
	require.NoError(t, err)
	require.Equal(t, revision.Seq{}, seq, "nothing was written yet")
	for i := range 20 {
		out := a.append(batchOf(put(fmt.Sprint(i), "v")))
		seq, err := b.log.Barrier(t.Context())
		require.NoError(t, err)
		require.False(t, seq.Before(out.Seq), "barrier at %v, acknowledged %v", seq, out.Seq)
		b.reach(seq)
	}
}

func TestLargeBatchIsStaged(t *testing.T) {
	e := memzk.New()
	a := openLog(t, zklog.Config{Dialer: e, MaxRequest: 100 << 10})
	b := openLog(t, zklog.Config{Dialer: e, MaxRequest: 100 << 10})
	value := make([]byte, 1_400_000)
	random := rand.NewChaCha8([32]byte{7})
	random.Read(value) //nolint:errcheck // never fails
	out := a.append(batchOf(put("large", string(value))))
	slots := b.reach(out.Seq)
	require.Equal(t, value, slots[0].Requests[0].GetPut().Value)
}

func TestWhatLogWentBackStopsTheLog(t *testing.T) {
	cases := map[string]func(t *testing.T, e *memzk.Ensemble, r *reader){
		"wiped": func(_ *testing.T, e *memzk.Ensemble, _ *reader) { e.Remove("/zkine"); e.Cut() },
		"recreated by another": func(t *testing.T, e *memzk.Ensemble, _ *reader) {
			e.Remove("/zkine")
			openLog(t, zklog.Config{Dialer: e})
			e.Cut()
		},
		"slot gone": func(t *testing.T, e *memzk.Ensemble, _ *reader) {
			e.Remove("/zkine/log/" + children(t, e, "/zkine/log")[0] + "/s-0000000001")
			e.Cut()
		},
	}
	for name, harm := range cases {
		t.Run(name, func(t *testing.T) {
			e := memzk.New()
			r := openLog(t, zklog.Config{Dialer: e})
			r.append(batchOf(put("a", "1")))
			r.reach(r.append(batchOf(put("b", "2"))).Seq)
			harm(t, e, r)
			r.until("stop", func(_ []revision.Slot, err error) bool { return err != nil })
			require.ErrorIs(t, r.err, revision.ErrLogLost)
		})
	}
	t.Run("restored to an older state", func(t *testing.T) {
		e := memzk.New()
		r := openLog(t, zklog.Config{Dialer: e})
		r.append(batchOf(put("a", "1")))
		restore := e.Save()
		r.reach(r.append(batchOf(put("b", "2"))).Seq)
		restore()
		r.until("stop", func(_ []revision.Slot, err error) bool { return err != nil })
		require.ErrorIs(t, r.err, revision.ErrLogLost)
	})
}

func TestFlippedBitStopsTheLogByName(t *testing.T) {
	e := memzk.New()
	a := openLog(t, zklog.Config{Dialer: e})
	a.reach(a.append(batchOf(put("a", "1"))).Seq)
	path := "/zkine/log/" + children(t, e, "/zkine/log")[0] + "/s-0000000000"
	e.Overwrite(path, func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	b := openLog(t, zklog.Config{Dialer: e})
	b.until("stop", func(_ []revision.Slot, err error) bool { return err != nil })
	require.ErrorIs(t, b.err, revision.ErrCorrupt)
	require.ErrorContains(t, b.err, path)
}

func children(t testing.TB, e *memzk.Ensemble, path string) []string {
	t.Helper()
	conn, err := e.Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	names, err := conn.Children(t.Context(), path)
	require.NoError(t, err)
	return names
}
