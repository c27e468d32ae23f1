package backend

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/metrics"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// TestClosedPendingIsUnknown closes for a reason that would be a definite answer:
// what was handed to the log before may be in it, what comes later is not.
func TestClosedPendingIsUnknown(t *testing.T) {
	p := newPending(func(*passage) {})
	sent := &proposal{done: make(chan outcome, 1)}
	require.NoError(t, p.add(revision.DrawNonce(rand.Reader), []*proposal{sent}))
	p.close(revision.ErrCorrupt)
	o := <-sent.done
	require.ErrorIs(t, o.err, revision.ErrUnknown)
	require.ErrorIs(t, o.err, revision.ErrCorrupt)
	err := p.add(revision.DrawNonce(rand.Reader), []*proposal{sent})
	require.ErrorIs(t, err, revision.ErrCorrupt)
	require.NotErrorIs(t, err, revision.ErrUnknown)
}

// tooLarge is a log that takes no batch, and does something before it says so.
type tooLarge struct {
	Appender
	meanwhile func()
	appends   int
}

func (l *tooLarge) Append(context.Context, *revision.Batch) (revision.Appended, error) {
	l.appends++
	l.meanwhile()
	return revision.Appended{}, revision.ErrTooLarge
}

// TestABatchThatWasAnsweredIsNotSentAgain has a reload answer the requests of a
// batch while the log finds it too large: they are not sent one by one, which
// would answer them twice.
func TestABatchThatWasAnsweredIsNotSentAgain(t *testing.T) {
	p := &proposer{metrics: metrics.New(nil), pending: newPending(func(*passage) {}), reads: new(reads), random: rand.Reader,
		origin: origin{permitted: func() bool { return false }}}
	log := &tooLarge{meanwhile: func() { p.pending.failAll(revision.ErrUnknown) }}
	p.log = log
	batch := []*proposal{{done: make(chan outcome, 1)}, {done: make(chan outcome, 1)}}
	p.appendBatch(t.Context(), batch)
	require.Equal(t, 1, log.appends)
	for _, one := range batch {
		require.ErrorIs(t, (<-one.done).err, revision.ErrUnknown)
		require.Empty(t, one.done)
	}
}

// TestOnlyWhoWaitsIsAnswered: of a batch those requests are wanted whose clients
// are still there; of one that nobody here has sent, none.
func TestOnlyWhoWaitsIsAnswered(t *testing.T) {
	p := newPending(func(*passage) {})
	gone, leave := context.WithCancel(context.Background())
	batch := []*proposal{{ctx: context.Background(), done: make(chan outcome, 1), passage: new(passage)}, {ctx: gone, done: make(chan outcome, 1)}}
	nonce := revision.DrawNonce(rand.Reader)
	require.NoError(t, p.add(nonce, batch))
	wanted := p.wanted(nonce)
	require.True(t, wanted(0) && wanted(1))
	leave()
	require.True(t, wanted(0))
	require.False(t, wanted(1) || wanted(2))
	require.False(t, p.wanted(revision.DrawNonce(rand.Reader))(0))
	answered := &pb.PutResponse{}
	p.answer(nonce, revision.Seq{Segment: 1}, []state.Result{{Response: answered}, {}}, time.Now())
	require.Equal(t, outcome{response: answered}, <-batch[0].done)
	require.Equal(t, outcome{err: context.Canceled}, <-batch[1].done)
}
