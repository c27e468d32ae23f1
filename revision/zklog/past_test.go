package zklog_test

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zkroot"
)

// pastOf looks at a root's past on a session of its own.
func pastOf(t *testing.T, e *memzk.Ensemble) *zkroot.Past {
	t.Helper()
	conn, err := e.Dial(t.Context())
	require.NoError(t, err)
	t.Cleanup(conn.Close)
	p, err := zkroot.NewReader(conn, zkroot.Layout{Root: "/zkine"}).Past(t.Context())
	require.NoError(t, err)
	return p
}

// slotsOf reads what is left of a past.
func slotsOf(next func() (*zkroot.StoredSlot, error, bool)) (slots []revision.Slot, err error) {
	for {
		slot, err, more := next()
		if err != nil || !more {
			return slots, err
		}
		slots = append(slots, slot.Slot)
	}
}

func pull(t *testing.T, p *zkroot.Past) func() (*zkroot.StoredSlot, error, bool) {
	next, stop := iter.Pull2(p.Each(t.Context()))
	t.Cleanup(stop)
	return next
}

// TestPastOfAWholeLog reads a log from its first slot on: staged, packed, open.
func TestPastOfAWholeLog(t *testing.T) {
	e, a := filled(t)
	end := fillTo(a, 6)
	slots, err := slotsOf(pull(t, pastOf(t, e)))
	require.NoError(t, err)
	require.Equal(t, places(a.reach(end)), places(slots))
	require.NoError(t, a.log.Pack(t.Context(), noPace))
	p := pastOf(t, e)
	require.Nil(t, p.Checkpoint)
	require.Equal(t, a.log.ClusterID(), p.ClusterID)
	require.EqualValues(t, len(slots), p.Slots)
	packed, err := slotsOf(pull(t, p))
	require.NoError(t, err)
	require.Equal(t, places(slots), places(packed))
	require.Equal(t, slots[0].Requests[0].GetPut().Value, packed[0].Requests[0].GetPut().Value)
}

// TestPastBeginsWithTheOlderCheckpoint has two: what comes after the older one is
// still there.
func TestPastBeginsWithTheOlderCheckpoint(t *testing.T) {
	e := memzk.New()
	a := small(t, e)
	fillTo(a, 3)
	require.NoError(t, save(a.log, 2))
	require.EqualValues(t, 2, pastOf(t, e).Checkpoint.Segment)
	end := fillTo(a, 5)
	require.NoError(t, save(a.log, 4))
	require.NoError(t, a.log.TrimAndPack(t.Context(), noPace))
	p := pastOf(t, e)
	require.EqualValues(t, 2, p.Checkpoint.Segment)
	require.Equal(t, "meta 2", string(p.Checkpoint.Meta))
	var chunks [][]byte
	for chunk, err := range p.Checkpoint.Chunks(t.Context()) {
		require.NoError(t, err)
		chunks = append(chunks, chunk)
	}
	require.Equal(t, chunksOf(5, 2), chunks)
	slots, err := slotsOf(pull(t, p))
	require.NoError(t, err)
	require.Equal(t, revision.Seq{Segment: 3}, slots[0].Seq)
	require.Equal(t, end, slots[len(slots)-1].Seq)
}

// TestPastThatIsTrimmedWhileItIsRead has a keeper at work: what it packs is read all
// the same, what it removes is said to be gone.
func TestPastThatIsTrimmedWhileItIsRead(t *testing.T) {
	e := memzk.New()
	a := small(t, e)
	end := fillTo(a, 6)
	all := places(a.reach(end))
	p := pastOf(t, e)
	next := pull(t, p)
	first, err, more := next()
	require.NoError(t, err)
	require.True(t, more)
	require.NoError(t, a.log.Pack(t.Context(), noPace))
	rest, err := slotsOf(next)
	require.NoError(t, err)
	require.Equal(t, all, append(places([]revision.Slot{first.Slot}), places(rest)...))

	next = pull(t, p)
	_, err, _ = next()
	require.NoError(t, err)
	require.NoError(t, save(a.log, 3))
	chunks := pastOf(t, e).Checkpoint.Chunks
	fillTo(a, 8)
	require.NoError(t, save(a.log, 5))
	fillTo(a, 10)
	require.NoError(t, save(a.log, 8))
	require.NoError(t, a.log.TrimAndPack(t.Context(), noPace))
	_, err = slotsOf(next)
	require.ErrorIs(t, err, revision.ErrTrimmed)
	for _, err = range chunks(context.Background()) {
		if err != nil {
			break
		}
	}
	require.ErrorIs(t, err, revision.ErrTrimmed)
}
