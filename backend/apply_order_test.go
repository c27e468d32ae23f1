package backend

import (
	"context"
	"crypto/rand"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/backend/metrics"
	"github.com/zkine/zkine/backend/readlease"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// notedEffects notes in which order the apply loop calls, and what could be seen
// at each call.
type notedEffects struct {
	a     *applier
	calls []string
	// answered is the answer of the slot's client.
	answered chan outcome
	fail     func(error)
}

func (n *notedEffects) note(call string) {
	n.calls = append(n.calls, call)
	if len(n.answered) > 0 {
		n.calls = append(n.calls, "(answered)")
		<-n.answered
	}
}

func (n *notedEffects) SegmentEnded(*state.View)                    { n.note("segment ended") }
func (n *notedEffects) Evaluated(state.Applied)                     { n.note("evaluated") }
func (n *notedEffects) Published(_, v *state.View, _ state.Applied) { n.note("published"); n.shown(v) }
func (n *notedEffects) Answered(_, v *state.View)                   { n.note("after answers"); n.shown(v) }
func (n *notedEffects) Skipping()                                   { n.note("skipping") }
func (n *notedEffects) Loaded(v *state.View)                        { n.note("loaded"); n.shown(v) }
func (n *notedEffects) Fail(err error)                              { n.fail(err) }
func (n *notedEffects) Held() bool                                  { return false }
func (n *notedEffects) Awaited() bool                               { return false }
func (n *notedEffects) Limit(floor revision.Rev) revision.Rev       { return floor }
func (n *notedEffects) Floor() revision.Rev                         { return 0 }
func (n *notedEffects) Reached(revision.Rev)                        {}
func (n *notedEffects) shown(v *state.View) {
	if n.a.view.Load() != v {
		n.calls = append(n.calls, "(not in the view)")
	}
}

// TestOrderOfApply runs an apply loop alone, on slots of a client of its own: what
// follows from a slot comes in the order that applier promises.
func TestOrderOfApply(t *testing.T) {
	log := memlog.New().Open()
	n := &notedEffects{answered: make(chan outcome, 1)}
	n.a = &applier{mu: readlease.NewLock(), log: log, slots: readlease.NewGate(log, readlease.MachineClock, (*readlease.Holder)(nil).Own), view: new(atomic.Pointer[state.View]), pending: newPending(func(*passage) {}), applied: new(applyWait),
		metrics: metrics.New(nil), effects: n, physical: n}
	ended := errors.New("all were applied")
	ctx, cancel := context.WithCancel(t.Context())
	n.fail = func(err error) {
		require.ErrorIs(t, err, ended)
		cancel()
	}
	n.a.start(state.New())
	for segment := range int64(2) {
		batch := &revision.Batch{Nonce: revision.DrawNonce(rand.Reader), Requests: []*recordpb.Request{
			{Kind: &recordpb.Request_Put{Put: &pb.PutRequest{Key: []byte("k")}}}}}
		require.NoError(t, n.a.pending.add(batch.Nonce, []*proposal{{ctx: t.Context(), done: n.answered, passage: new(passage)}}))
		_, err := log.Append(t.Context(), batch)
		require.NoError(t, err)
		require.NoError(t, log.Seal(t.Context(), segment+1))
	}
	var released []error
	n.a.applied.when(revision.Seq{Segment: 2}, func(err error) {
		n.note("readers")
		released = append(released, err)
		log.Break(ended)
	})
	n.a.loop(ctx)
	require.Equal(t, []string{"loaded",
		"evaluated", "published", "after answers", "(answered)",
		"segment ended",
		"evaluated", "published", "readers", "after answers", "(answered)"}, n.calls)
	require.Equal(t, []error{nil}, released)
}
