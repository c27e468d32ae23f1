package simulation

import (
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// truth is what is in the log, and what states it makes. Any zkine's goroutine
// may call it.
type truth struct {
	w *world

	mu    sync.Mutex
	slots map[revision.Seq]revision.Slot // as delivered first
	// committed is when the ensemble took a slot, by its place.
	committed map[revision.Seq]time.Duration
	newest    revision.Seq                // the last place committed
	states    map[revision.Seq]stateAt    // as published first
	attempts  map[revision.Nonce]*attempt // all that zkines tried to append
	taken     map[*life]revision.Seq      // the last that each has taken to apply, up to the loss
	lostTail  bool                        // from now on, places are taken a second time
	left      revision.Rev                // what the ensemble still has then
}

type stateAt struct {
	digest uint64
	rev    revision.Rev
	who    string
}

func newTruth(w *world) *truth {
	return &truth{w: w, slots: map[revision.Seq]revision.Slot{}, committed: map[revision.Seq]time.Duration{},
		states: map[revision.Seq]stateAt{}, attempts: map[revision.Nonce]*attempt{}, taken: map[*life]revision.Seq{}}
}

// executed looks whether a call made a slot.
func (t *truth) executed(c *call) {
	if c.reply.err != nil || len(c.reply.results) == 0 {
		return
	}
	made := c.reply.results[len(c.reply.results)-1].String
	if seq, ok := parseSlot(made); ok {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.committed[seq] = t.w.now()
		if t.newest.Before(seq) {
			t.newest = seq
		}
	}
}

// last is the last slot that the ensemble has taken, but for what was lost.
func (t *truth) last() revision.Seq {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.newest
}

// lose says that the ensemble is about to forget what came after a place.
func (t *truth) lose(after revision.Seq) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lostTail, t.left = true, t.states[after].rev
}

func (t *truth) hasLost() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lostTail
}

// parseSlot reads a path like /zkine/log/3-0a1b2c3d/s-0000000007.
func parseSlot(p string) (revision.Seq, bool) {
	digits, found := strings.CutPrefix(path.Base(p), "s-")
	if !found {
		return revision.Seq{}, false
	}
	slot, err := strconv.ParseInt(digits, 10, 64)
	segment, err2 := strconv.ParseInt(strings.Split(path.Base(path.Dir(p)), "-")[0], 10, 64)
	return revision.Seq{Segment: segment, Slot: slot}, err == nil && err2 == nil
}

// delivered compares what a zkine reads with what others have read.
func (t *truth) delivered(l *life, s revision.Slot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lostTail {
		return
	}
	t.taken[l] = s.Seq
	known, found := t.slots[s.Seq]
	if !found {
		t.slots[s.Seq] = s
		return
	}
	if known.Nonce != s.Nonce || known.Term != s.Term || len(known.Requests) != len(s.Requests) {
		t.w.fail("%s read another slot at %v than others", l.z.name, s.Seq)
	}
}

// applied compares a state with those of others at the same place. old is the
// one before it.
func (t *truth) applied(l *life, old, v *state.View) {
	sum, err := v.Digest()
	if err != nil {
		t.w.fail("%s: digest at %v: %v", l.z.name, v.Seq(), err)
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	known, found := t.states[v.Seq()]
	if t.lostTail {
		switch {
		case !l.isBack() || known.digest == sum:
		case old.Seq().Before(t.taken[l]) && v.Seq() == t.taken[l]:
			// It was about to apply this when the loss came, and its goroutine was frozen.
		case l.reloaded && (old.Rev() <= t.left || old.Rev() <= v.CompactRev()):
			// It was away until the log had been replaced, and all that it could have
			// known it by. No client was shown what is gone, or those that were are told
			// that it is compacted.
			l.catchesUp()
		default:
			t.w.fail("%s knew more than the ensemble after its loss, and went on to %v", l.z.name, v.Seq())
		}
		return
	}
	if !found {
		t.states[v.Seq()] = stateAt{sum, v.Rev(), l.z.name}
	} else if known.digest != sum || known.rev != v.Rev() {
		t.w.fail("%s and %s differ after %v: revisions %d and %d, digests %x and %x",
			known.who, l.z.name, v.Seq(), known.rev, v.Rev(), known.digest, sum)
	}
}

// log is what was in the log, in order, as a list of what each slot did.
type entry struct {
	seq  revision.Seq
	at   time.Duration
	by   *attempt // nil if no zkine ever tried
	slot revision.Slot
	done state.Applied
	// first and last are the revisions that it made; last < first for none.
	first, last int64
}

// replayed is the whole log, evaluated once more.
type replayed struct {
	entries []entry
	// revs are the revisions that changed something, in order; events is what.
	revs   []int64
	events map[int64][]*mvccpb.Event
	// made is when a revision was written. There are two more than in revs: that of an
	// empty store, and those to which the revision was raised.
	made map[int64]time.Duration
	// newest is the highest of them.
	newest int64
	// holes are where the revision was raised, in order.
	holes []hole
	// floor is the highest compaction, and floors what it was from when on.
	floor  int64
	floors []floorAt
}

// replay evaluates all slots in order. It fails the world if there is a gap.
func (t *truth) replay() *replayed {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &replayed{events: map[int64][]*mvccpb.Event{}, made: map[int64]time.Duration{1: 0}}
	m := state.New()
	for seq, ok := t.firstSlot(); ok; seq, ok = t.slotAfter(seq) {
		slot := t.slots[seq]
		e := entry{seq: seq, at: t.committed[seq], by: t.attempts[slot.Nonce], slot: slot, first: int64(m.View().Rev()) + 1}
		e.done = m.Apply(r.withoutCompaction(e))
		v := m.View()
		e.last = int64(v.Rev())
		r.newest = e.last
		if e.raiseTo() > 0 {
			if wrong := r.raise(&e, v); wrong != "" {
				t.w.fail("%s", wrong)
			}
			r.entries = append(r.entries, e)
			continue
		}
		for rev := e.first; rev <= e.last; rev++ {
			change, _ := v.Change(revision.Rev(rev))
			var events []*mvccpb.Event
			for _, event := range change.Events {
				e := event.Proto(false, 0)
				e.PrevKv = r.at(event.Key(), rev-1) // found here, so that it can be wrong there
				events = append(events, e)
			}
			r.revs = append(r.revs, rev)
			r.events[rev], r.made[rev] = events, e.at
		}
		r.entries = append(r.entries, e)
	}
	if written := t.writtenUpTo(r.entries[len(r.entries)-1].seq); len(r.entries) != len(t.slots) || len(r.entries) != written {
		t.w.fail("the log has gaps: %d slots in a row, %d were read, %d written", len(r.entries), len(t.slots), written)
	}
	return r
}

// writtenUpTo counts the slots that the ensemble has taken, but for those that
// no zkine has read yet.
func (t *truth) writtenUpTo(last revision.Seq) (n int) {
	for seq := range t.committed {
		if !last.Before(seq) {
			n++
		}
	}
	return n
}

// withoutCompaction keeps all history readable, and notes the floor. What takes
// a compaction's place counts as a request, too, and does nothing.
func (r *replayed) withoutCompaction(e entry) revision.Slot {
	s := e.slot
	requests := slices.Clone(s.Requests)
	for i, q := range requests {
		if c := q.GetCompaction(); c != nil {
			r.lift(e.at, c.Revision)
			requests[i] = &recordpb.Request{Kind: &recordpb.Request_Compaction{Compaction: &pb.CompactionRequest{Revision: -1}}}
		}
	}
	s.Requests = requests
	return s
}

func (t *truth) firstSlot() (revision.Seq, bool) {
	return t.slotAfter(revision.Seq{Segment: 1, Slot: -1})
}

// slotAfter is the next slot: in the same segment, or the first of a later one,
// since segments may be empty.
func (t *truth) slotAfter(seq revision.Seq) (revision.Seq, bool) {
	next := revision.Seq{Segment: seq.Segment, Slot: seq.Slot + 1}
	for range 50 {
		if _, found := t.slots[next]; found {
			return next, true
		}
		next = revision.Seq{Segment: next.Segment + 1}
	}
	return revision.Seq{}, false
}

// before is an event's key's state just before a revision: nil if it did not
// exist.
func (r *replayed) before(key string, rev int64) *mvccpb.KeyValue {
	return r.at(key, rev-1)
}

// at is a key's state at a revision.
func (r *replayed) at(key string, rev int64) *mvccpb.KeyValue {
	n, found := slices.BinarySearch(r.revs, rev)
	if found {
		n++
	}
	for _, rev := range slices.Backward(r.revs[:n]) {
		for _, e := range slices.Backward(r.events[rev]) {
			if string(e.Kv.Key) == key {
				if e.Type == mvccpb.Event_DELETE {
					return nil
				}
				return e.Kv
			}
		}
	}
	return nil
}

// current is the newest revision.
func (r *replayed) current() int64 { return r.newest }
