package simulation

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// hole is what a raise of the revision has made: there is no revision above from and
// below to, and none below to can be read any more.
type hole struct {
	from, to int64
}

// floorAt is the highest compaction from a moment on.
type floorAt struct {
	at    time.Duration
	floor int64
}

// raiseTo is to what a slot raises the revision, 0 for none.
func (e *entry) raiseTo() int64 {
	for _, q := range e.slot.Requests {
		if x := q.GetRevisionRaise(); x != nil {
			return x.To
		}
	}
	return 0
}

// raise notes what a slot that raises the revision has to do, and returns what is wrong
// with what it did.
func (r *replayed) raise(e *entry, v *state.View) (wrong string) {
	from, to := e.first-1, e.raiseTo()
	want := max(from, to)
	e.first, e.last = want+1, want // none
	if to > from {
		e.first = to
		r.holes = append(r.holes, hole{from, to})
		r.made[to] = e.at
		r.lift(e.at, to)
		if int64(v.CompactRev()) != to {
			wrong = fmt.Sprintf("the raise to %d at %v left the floor at %d; ", to, e.seq, v.CompactRev())
		}
	}
	if len(e.slot.Requests) != 1 || int64(v.Rev()) != want {
		wrong += fmt.Sprintf("the raise of %d to %d at %v made revision %d", from, to, e.seq, v.Rev())
	}
	return wrong
}

// lift raises the floor.
func (r *replayed) lift(at time.Duration, floor int64) {
	r.floor = max(r.floor, floor)
	r.floors = append(r.floors, floorAt{at, r.floor})
}

// floorAt is the highest compaction of all until a moment.
func (r *replayed) floorAt(at time.Duration) (floor int64) {
	for _, f := range r.floors {
		if f.at <= at {
			floor = f.floor
		}
	}
	return floor
}

// crossed is the raise to above a revision that a state at another is behind, 0 for
// none.
func (r *replayed) crossed(rev, current int64) int64 {
	for _, h := range r.holes {
		if rev < h.to && h.to <= current {
			return h.to
		}
	}
	return 0
}

// lostOn is the raise that a watcher which waits for a revision must be told of before
// anything at another. One that is raised by 1 has lost nothing if it had seen all.
func (r *replayed) lostOn(next, current int64) int64 {
	for _, h := range r.holes {
		if next <= h.from+1 && h.from+1 < h.to && h.to <= current {
			return h.to
		}
	}
	return 0
}

// checkRaises looks for each raise that its operator was told of in the log. What it
// must do is judged as it is replayed, and by what clients see.
func checkRaises(r *replayed, h *history) (wrong []string) {
	for _, x := range h.raises {
		n := 0
		for _, e := range r.entries {
			if e.slot.Nonce != x.nonce {
				continue
			}
			n++
			if to := e.raiseTo(); to != x.to || e.at < x.began || e.at > x.ended {
				wrong = append(wrong, fmt.Sprintf("raised to %d between %v and %v, it is to %d at %v", x.to, x.began, x.ended, to, e.at))
			}
		}
		if n != 1 {
			wrong = append(wrong, fmt.Sprintf("the raise to %d is in the log %d times", x.to, n))
		}
	}
	return wrong
}

// TestFalseRaisesAreFound has states that a raise has left otherwise than it must.
func TestFalseRaisesAreFound(t *testing.T) {
	raised := func() (*replayed, *entry) {
		request := &recordpb.Request{Kind: &recordpb.Request_RevisionRaise{RevisionRaise: &recordpb.RevisionRaise{To: 9}}}
		return &replayed{made: map[int64]time.Duration{}}, &entry{first: 2, slot: revision.Slot{Requests: []*recordpb.Request{request}}}
	}
	r, e := raised()
	require.Empty(t, r.raise(e, viewAfter(e.slot.Requests[0])))
	require.Equal(t, []hole{{from: 1, to: 9}}, r.holes)
	r, e = raised()
	require.NotEmpty(t, r.raise(e, viewAfter(putOf("k", "a change instead"))))
	r, e = raised()
	e.first = 20
	require.NotEmpty(t, r.raise(e, viewAfter(e.slot.Requests[0])), "it lowers the revision")
	require.Empty(t, r.holes)
}
