package backend_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
)

// TestInvariantsUnderFaults lets clients write, read and watch on several
// zkines on one root while requests and replies get lost, and then checks the
// five invariants of docs/design.md on what they saw.
func TestInvariantsUnderFaults(t *testing.T) {
	for range 8 {
		seed := rand.Uint64()
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			e := memzk.New()
			members := make([]*backend.Backend, 3)
			for i := range members {
				members[i] = openOn(t, e, string(rune('a'+i)), busyHousekeeping)
			}
			stop := faults(e, seed)
			h := newHistory(seed, members...)
			h.run(t)
			stop()
			h.check(t)
		})
	}
}

// faults makes the ensemble misbehave until the returned function is called.
func faults(e *memzk.Ensemble, seed uint64) (stop func()) {
	rng := rand.New(rand.NewPCG(seed, 2))
	e.SetFault(func([]any) memzk.Fault {
		switch rng.IntN(40) {
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
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(3 * time.Millisecond)
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
	return func() {
		close(done)
		<-ended
		e.SetFault(nil)
		e.ReleaseLate()
	}
}

// history is what clients did and saw.
type history struct {
	members []*backend.Backend
	seed    uint64

	// acked is the highest revision that any client knows to be written.
	acked atomic.Int64
	mu    sync.Mutex
	// writes maps an acknowledged write's value to its revision; tried holds
	// the values of all.
	writes map[string]int64
	tried  map[string]bool
}

func newHistory(seed uint64, members ...*backend.Backend) *history {
	return &history{members: members, seed: seed, writes: map[string]int64{}, tried: map[string]bool{}}
}

const (
	historyClients = 6
	historyOps     = 60
)

func (h *history) run(t *testing.T) {
	var wg sync.WaitGroup
	for c := range historyClients {
		wg.Go(func() { h.client(t, c) })
	}
	wg.Wait()
}

func (h *history) client(t *testing.T, c int) {
	rng := rand.New(rand.NewPCG(h.seed, uint64(c)+10))
	for i := range historyOps {
		b := h.members[rng.IntN(len(h.members))]
		// Some clients are impatient: their writes end in doubt.
		timeout := patience
		if rng.IntN(5) == 0 {
			timeout = time.Duration(rng.IntN(3000)) * time.Microsecond
		}
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		if rng.IntN(3) == 0 {
			h.read(t, ctx, b)
		} else {
			h.write(t, ctx, b, fmt.Sprintf("k%d", rng.IntN(4)), fmt.Sprintf("%d/%d", c, i), rng.IntN(8) == 0)
		}
		cancel()
	}
}

// read checks invariant 4.
func (h *history) read(t *testing.T, ctx context.Context, b *backend.Backend) {
	floor := h.acked.Load()
	response, err := b.Range(ctx, all())
	if err != nil {
		h.doubt(t, err)
		return
	}
	if response.Header.Revision < floor {
		t.Errorf("a linearizable read saw revision %d, %d was acknowledged before", response.Header.Revision, floor)
	}
}

func (h *history) write(t *testing.T, ctx context.Context, b *backend.Backend, key, value string, remove bool) {
	h.mu.Lock()
	h.tried[value] = true
	h.mu.Unlock()
	ops := []*pb.RequestOp{{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: []byte(key), Value: []byte(value)}}}}
	if remove {
		ops = append(ops, &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{
			RequestDeleteRange: &pb.DeleteRangeRequest{Key: []byte("k"), RangeEnd: []byte(key)}}})
	}
	response, err := b.Txn(ctx, &pb.TxnRequest{Success: ops})
	if err != nil {
		h.doubt(t, err)
		return
	}
	rev := response.Header.Revision
	for {
		old := h.acked.Load()
		if rev <= old || h.acked.CompareAndSwap(old, rev) {
			break
		}
	}
	h.mu.Lock()
	h.writes[value] = rev
	h.mu.Unlock()
}

// doubt is what a call may end with under faults: at its deadline, or without an
// outcome, when the member was left behind and went on from a checkpoint.
func (h *history) doubt(t *testing.T, err error) {
	if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, revision.ErrUnknown) {
		t.Errorf("a call failed for another reason than its deadline: %v", err)
	}
}

func (h *history) check(t *testing.T) {
	// A batch whose clients have gone may still wait for a connection. Once a
	// member has answered two writes more, it has sent that too.
	for i, b := range h.members {
		for n := range 2 {
			value := fmt.Sprintf("settled-%d-%d", i, n)
			h.writes[value], h.tried[value] = put(t, b, "end", value), true
		}
	}
	// One more write settles the end: what is not in the log by now never will be.
	end := put(t, h.members[0], "end", "end")
	h.writes["end"], h.tried["end"] = end, true
	var first []*mvccpb.Event
	for i, b := range h.members {
		response, err := b.Range(within(t), all())
		require.NoError(t, err)
		require.Equal(t, end, response.Header.Revision)
		s := watchOn(t, b, &pb.WatchCreateRequest{Key: []byte{0}, RangeEnd: []byte{0}, StartRevision: 2, PrevKv: true})
		events := collect(t, s, end)
		if i == 0 {
			first = events
			h.checkEvents(t, events, end)
		}
		require.Equal(t, show(first), show(events), "watches agree")
		sameState(t, b, h.members[0])
	}
}

// sameState waits until two members are at the same place with the same state:
// housekeeping may still log something.
func sameState(t *testing.T, a, b *backend.Backend) {
	t.Helper()
	eventually(t, "states agree", func() bool {
		one, two := a.View(), b.View()
		x, err := one.Digest()
		y, err2 := two.Digest()
		if one.Seq() == two.Seq() && err == nil && err2 == nil {
			require.Equal(t, x, y, "at %v", one.Seq())
			return true
		}
		return false
	})
}

// checkEvents checks invariants 1, 2 and 3, and that nothing has two effects.
func (h *history) checkEvents(t *testing.T, events []*mvccpb.Event, end int64) {
	revisions := map[int64]bool{}
	effects := map[string]int64{}
	state := map[string]string{}
	previous := int64(1)
	for _, e := range events {
		rev, key := e.Kv.ModRevision, string(e.Kv.Key)
		require.GreaterOrEqual(t, rev, previous)
		previous = rev
		revisions[rev] = true
		require.Equal(t, state[key], string(e.PrevKv.GetValue()), "previous value of %s at %d", key, rev)
		if e.Type == mvccpb.Event_DELETE {
			delete(state, key)
			continue
		}
		value := string(e.Kv.Value)
		state[key] = value
		require.True(t, h.tried[value], "nobody wrote %q", value)
		_, twice := effects[value]
		require.False(t, twice, "%q was written twice", value)
		effects[value] = rev
	}
	require.Len(t, revisions, int(end-1), "revisions are dense")
	for value, rev := range h.writes {
		require.Equal(t, rev, effects[value], "acknowledged write %q", value)
	}
}
