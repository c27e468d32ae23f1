package zklog

import (
	"sync"
	"time"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkroot"
)

// tail is what this zkine knows of the log's end, and the place up to which
// Next has delivered. It does no I/O: appends, barriers and watches tell it
// what they learn, and Next asks it what to do.
//
// Invariants, under mu:
//   - every slot before (cur, next) was delivered, in order, once;
//   - counts[k] slots of segment k are known to exist; the number only grows;
//   - ready holds only slots at or after (cur, next);
//   - cur moves on only when all slots of a sealed segment were delivered.
type tail struct {
	mu      sync.Mutex
	cur     zkroot.SegmentRef
	next    int64
	sealed  bool // counts[cur.number] is final
	open    zkroot.SegmentRef
	counts  map[int64]int64
	ready   readyWindow
	reading bool // Next's caller does what step has told it; take starts no reading beside that
	waiters map[revision.Nonce]*waiter
	last    zkroot.StoredSlot // the slot delivered last, to recognise the log by
	bytes   int               // of slots delivered from cur
	// changed is closed and replaced when anything above changes.
	changed chan struct{}

	inFlight int
	lastOwn  time.Time
	own      int // how many of the slots delivered last were one's own

	sizes *segmentSizes // guards itself
}

func newTail() *tail {
	return &tail{counts: map[int64]int64{}, sizes: &segmentSizes{sizes: map[int64]*segmentSize{}}, ready: readyWindow{slots: map[revision.Seq]*zkroot.StoredSlot{}}, waiters: map[revision.Nonce]*waiter{},
		changed: make(chan struct{})}
}

func (t *tail) signal() {
	close(t.changed)
	t.changed = make(chan struct{})
}

// start sets where delivery begins, or goes on after a part of the log was
// skipped. Appends that are under way may lie in that part: what became of
// them will never be known.
func (t *tail) start(first, open zkroot.SegmentRef) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cur, t.open, t.next, t.sealed, t.bytes = first, open, 0, false, 0
	for k := range t.counts {
		if k < first.Number {
			delete(t.counts, k)
		}
	}
	t.ready.dropBefore(first.Number)
	t.ready.upTo, t.ready.failed = 0, false
	t.ready.generation++
	for _, a := range t.waiters {
		a.skipped = true
	}
	t.last = zkroot.StoredSlot{}
	t.signal()
}

// step is what Next has to do next; exactly one of the fields is meaningful,
// in this order; but for ahead, which goes with deliver.
type step struct {
	// here says that the next slot can be taken; take delivers it.
	here    bool
	deliver *zkroot.StoredSlot
	// ahead says that the slots in fetch are to be read in the background.
	ahead bool
	// fetch lists slots of cur to read.
	fetch []revision.Seq
	// count says that cur is sealed and its slots are to be counted.
	count bool
	// advance says that cur is all delivered and its successor is to be found.
	advance    bool
	cur        zkroot.SegmentRef
	open       zkroot.SegmentRef
	generation int // for what is read
	changed    <-chan struct{}
}

// fetchWindow is how many slots are read ahead at once. At the largest request
// it bounds what lies in memory to some 30 MiB.
const fetchWindow = 32

func (t *tail) step() step {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := step{cur: t.cur, open: t.open, generation: t.ready.generation, changed: t.changed}
	t.reading = false
	if s.here = t.ready.slots[t.at(t.next)] != nil; s.here {
		return s
	}
	if t.ready.reading {
		return s
	}
	t.ready.failed = false
	s.fetch = t.toRead(t.next)
	switch {
	case s.fetch != nil || t.open.Number <= t.cur.Number:
	case !t.sealed:
		s.count = true
	default:
		s.advance = true
	}
	t.reading = s.fetch != nil || s.count || s.advance
	return s
}

// take delivers the next slot, if it is here, and has the nonce that is asked for.
func (t *tail) take(only *revision.Nonce) step {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := step{cur: t.cur, open: t.open, generation: t.ready.generation}
	if e := t.ready.slots[t.at(t.next)]; e != nil && (only == nil || e.Slot.Nonce == *only) {
		s.deliver = e
		t.delivered(e)
		if !t.reading {
			s.fetch = t.ahead()
			s.ahead = s.fetch != nil
		}
	}
	return s
}

func (t *tail) at(slot int64) revision.Seq { return revision.Seq{Segment: t.cur.Number, Slot: slot} }

func (t *tail) delivered(e *zkroot.StoredSlot) {
	t.ready.drop(e.Slot.Seq)
	t.next++
	t.last = *e
	t.last.Slot.Requests = nil
	t.bytes += e.Size + e.Staged
	t.sizes.delivered(e)
	a := t.waiters[e.Slot.Nonce]
	if t.own++; a == nil && e.Zxid != 0 { // it was read, for no append of one's own
		t.own = 0
	}
	if a != nil && a.seq == (revision.Seq{}) {
		a.seq = e.Slot.Seq
		close(a.found)
	}
}

// landing is what became of a slot of one's own.
type landing int

const (
	landed       landing = iota // it will be, or was, delivered
	landedBefore                // its place was delivered with other content: the log went back
	landedUnseen                // it lies in a part of the log that was skipped
)

// appended hands in a slot of one's own. Next is not woken for it before announce:
// the caller may have it taken first.
func (t *tail) appended(e *zkroot.StoredSlot) landing {
	t.mu.Lock()
	defer t.mu.Unlock()
	seq := e.Slot.Seq
	t.counts[seq.Segment] = max(t.counts[seq.Segment], seq.Slot+1)
	t.lastOwn = time.Now()
	if seq.Before(t.at(t.next)) {
		a := t.waiters[e.Slot.Nonce]
		switch {
		case a != nil && a.seq != (revision.Seq{}) && !seq.Before(a.seq):
			return landed
		case a != nil && a.skipped:
			return landedUnseen
		default:
			return landedBefore
		}
	}
	t.ready.add(e)
	return landed
}

// observe notes that segment k has at least count slots.
func (t *tail) observe(k, count int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if count > t.counts[k] {
		t.counts[k] = count
		t.signal()
	}
}

// observeOpen notes which segment is open.
func (t *tail) observeOpen(open zkroot.SegmentRef) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if open.Number > t.open.Number {
		t.open = open
		t.signal()
	}
}

// counted notes that the sealed segment cur has exactly count slots.
func (t *tail) counted(cur zkroot.SegmentRef, count int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cur == cur {
		t.counts[cur.Number] = max(count, t.counts[cur.Number])
		t.sealed = true
		t.signal()
	}
}

// advance moves on to the segment after cur.
func (t *tail) advance(cur, next zkroot.SegmentRef) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cur != cur {
		return
	}
	delete(t.counts, cur.Number)
	t.cur, t.next, t.sealed, t.bytes, t.ready.upTo = next, 0, false, 0, 0
	t.signal()
}

// place is where delivery stands: in which segment, and at which slot.
func (t *tail) place() (segment, slot int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cur.Number, t.next
}

// head returns the open segment and how many slots of it are known.
func (t *tail) head() (zkroot.SegmentRef, int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.open, t.counts[t.open.Number]
}

// seen is what must be in the log for good.
type seen struct {
	open  zkroot.SegmentRef
	count int64             // slots of open
	last  zkroot.StoredSlot // as lastDelivered returns it
}

func (t *tail) seen() seen {
	t.mu.Lock()
	defer t.mu.Unlock()
	return seen{t.open, t.counts[t.open.Number], t.last}
}

// lastDelivered returns the slot that Next returned last, without its
// requests; the zero entry before the first.
func (t *tail) lastDelivered() zkroot.StoredSlot {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// size returns how many slots of the open segment are known, and how many
// bytes of it were delivered so far.
func (t *tail) size() (slots int64, bytes int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.cur == t.open {
		bytes = t.bytes
	}
	return t.counts[t.open.Number], bytes
}

// busy returns how long to wait until one's own appends have been quiet for a
// while; zero when they are. While they are not, foreign slots show as gaps
// and no watch is needed.
func (t *tail) busy(quiet time.Duration) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.inFlight > 0 {
		return quiet
	}
	return max(0, quiet-time.Since(t.lastOwn))
}

// ownRun is how many of the slots delivered last were one's own.
func (t *tail) ownRun() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.own
}
