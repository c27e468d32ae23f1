package zklog

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkroot"
)

// aheadTail is a tail that stands before the first of so many known slots.
func aheadTail(known int64) *tail {
	t := newTail()
	t.start(zkroot.SegmentRef{Number: 1, Name: "1-a"}, zkroot.SegmentRef{Number: 1, Name: "1-a"})
	t.observe(1, known)
	return t
}

// entries are slots from a place on, with so many bytes of requests each.
func entries(first int64, count, raw int) (list []*zkroot.StoredSlot) {
	for i := range int64(count) {
		list = append(list, &zkroot.StoredSlot{Slot: revision.Slot{Seq: revision.Seq{Segment: 1, Slot: first + i}}, Raw: raw})
	}
	return list
}

// next is what Next's caller does: it takes the next slot, if that is here.
func next(t *tail) step {
	if s := t.step(); !s.here {
		return s
	}
	return t.take(nil)
}

func TestReadAheadWhileDelivering(t *testing.T) {
	tail := aheadTail(3 * fetchWindow)
	s := next(tail)
	require.Len(t, s.fetch, fetchWindow)
	require.False(t, s.ahead, "nothing to deliver: Next has to read")
	tail.put(s.generation, entries(0, fetchWindow, 1)...)

	s = next(tail)
	require.NotNil(t, s.deliver)
	require.True(t, s.ahead)
	require.Len(t, s.fetch, fetchWindow)
	require.Equal(t, revision.Seq{Segment: 1, Slot: fetchWindow}, s.fetch[0])
	require.False(t, next(tail).ahead, "one read at a time")

	tail.put(s.generation, entries(fetchWindow, fetchWindow, 1)...)
	tail.readAheadDone(nil)
	s = next(tail)
	require.True(t, s.ahead)
	require.Equal(t, revision.Seq{Segment: 1, Slot: 2 * fetchWindow}, s.fetch[0])
}

func TestReadAheadIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		known int64
		ready []*zkroot.StoredSlot
	}{
		"by bytes":               {100, entries(0, 4, aheadBytes/2)},
		"by number":              {2 * aheadSlots, entries(0, aheadSlots+2, 1)},
		"below, by what is left": {20 + aheadFrom - 1, entries(0, 20, 1)},
	} {
		tail := aheadTail(c.known)
		tail.put(next(tail).generation, c.ready...)
		s := next(tail)
		require.NotNil(t, s.deliver, name)
		require.False(t, s.ahead, name)
	}
}

// While slots are read ahead, Next waits for them; then it reads what they lack.
func TestReadAheadThatFails(t *testing.T) {
	tail := aheadTail(100)
	tail.put(next(tail).generation, entries(0, 2, 1)...)
	require.True(t, next(tail).ahead)
	require.NotNil(t, next(tail).deliver)

	s := next(tail)
	require.Nil(t, s.deliver)
	require.Nil(t, s.fetch)
	tail.put(s.generation, entries(2, 1, 1)...)
	<-s.changed
	require.NotNil(t, next(tail).deliver)

	s = next(tail)
	tail.readAheadDone(errors.New("lost"))
	<-s.changed
	s = next(tail)
	require.Equal(t, revision.Seq{Segment: 1, Slot: 3}, s.fetch[0])
	require.False(t, s.ahead)
	tail.put(s.generation, entries(3, 2, 1)...)
	require.True(t, next(tail).ahead, "Next could read again")
}

// What a read brings that began on an earlier session, or before a part of the
// log was skipped, may be of a log that is no longer so.
func TestReadsOfAnEarlierSessionAreRefused(t *testing.T) {
	for name, change := range map[string]func(*tail){
		"new session": func(t *tail) { t.forgetReady() },
		"skipped":     func(t *tail) { t.start(t.cur, t.open) },
	} {
		tail := aheadTail(100)
		tail.put(next(tail).generation, entries(0, 2, 1)...)
		s := next(tail)
		require.True(t, s.ahead, name)
		change(tail)
		tail.put(s.generation, entries(0, 40, 1)...)
		require.Nil(t, next(tail).deliver, name)
		require.Nil(t, next(tail).fetch, "%s: the read has not ended", name)
		tail.readAheadDone(nil)
		require.NotNil(t, next(tail).fetch, name)
	}
}

// TestHeld has everything happen that changes what is held, in any order, and
// looks for its invariants.
func TestHeld(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	tail := aheadTail(0)
	known, generation := int64(0), 0
	for range 1000 {
		switch r.IntN(7) {
		case 0:
			known += r.Int64N(40)
			tail.observe(1, known)
		case 1:
			tail.put(generation-r.IntN(2), entries(max(0, tail.next-2+r.Int64N(30)), r.IntN(50), r.IntN(1<<18))...)
		case 2:
			for _, e := range entries(tail.next+r.Int64N(20), 1, 0) {
				tail.appended(e)
			}
		case 3:
			if r.IntN(20) == 0 {
				tail.forgetReady()
			}
		case 4:
			tail.readAheadDone(nil)
		default:
			generation = next(tail).generation
		}
		sum := 0
		for seq, e := range tail.ready.slots {
			require.Equal(t, seq, e.Slot.Seq)
			require.False(t, seq.Before(tail.at(tail.next)))
			sum += e.Raw
		}
		require.Equal(t, sum, tail.ready.raw)
		for n := tail.next; n < tail.ready.upTo; n++ {
			require.Contains(t, tail.ready.slots, tail.at(n))
		}
	}
}
