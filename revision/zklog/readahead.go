package zklog

import (
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkroot"
)

// Slots are read ahead, so that those who apply a slot need not wait while the
// next ones are read and decoded: a replay takes as long as the slower of the
// two, not as both. Next starts it when it delivers, if much is left to read;
// a zkine that keeps up never reads ahead, and reads no slot of its own again.
//
// Reading ahead only ever adds to what is ready. It decides nothing: whatever
// it cannot read, for whatever reason, Next reads again by itself, and draws
// the conclusions.
const (
	// aheadFrom is how many slots have to be left to read. Fewer come as quickly
	// once they are needed.
	aheadFrom = 8
	// aheadBytes and aheadSlots are what is ready at most when more is read
	// ahead: of requests, uncompressed, and in number.
	aheadBytes = 8 << 20
	aheadSlots = 2048
)

// readyWindow is the slots that were read, or appended, and not delivered yet. It is
// the tail's, under its mu.
//
// Invariants:
//   - of cur, every slot from next to before upTo is held;
//   - raw is the sum of the entries' raw;
//   - what a read brings that began in an earlier generation is refused.
type readyWindow struct {
	slots map[revision.Seq]*zkroot.StoredSlot
	upTo  int64
	raw   int
	// generation counts the sessions, and the parts of the log that were skipped.
	generation int
	// reading says that slots are being read ahead. Until that is over Next does not
	// read, so that at any time one of them has the log's packs to itself.
	reading bool
	// failed says that reading ahead did not succeed, and Next has to.
	failed bool
}

func (h *readyWindow) add(e *zkroot.StoredSlot) {
	h.drop(e.Slot.Seq)
	h.slots[e.Slot.Seq] = e
	h.raw += e.Raw
}

func (h *readyWindow) drop(seq revision.Seq) {
	if e := h.slots[seq]; e != nil {
		h.raw -= e.Raw
		delete(h.slots, seq)
	}
}

// dropBefore drops the slots of segments before k.
func (h *readyWindow) dropBefore(k int64) {
	for seq := range h.slots {
		if seq.Segment < k {
			h.drop(seq)
		}
	}
}

// put hands in slots that were read in a generation.
func (t *tail) put(generation int, entries ...*zkroot.StoredSlot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.signal()
	t.keep(generation, entries...)
}

// keep is put without its lock and signal.
func (t *tail) keep(generation int, entries ...*zkroot.StoredSlot) {
	if generation != t.ready.generation {
		return
	}
	for _, e := range entries {
		if seq := e.Slot.Seq; !seq.Before(t.at(t.next)) && t.ready.slots[seq] == nil {
			t.ready.add(e)
		}
	}
}

// putNewest is put for a slot that is known by its segment's count. One that is far
// ahead is read once it is due: a zkine that is behind would gather them without end.
func (t *tail) putNewest(generation int, e *zkroot.StoredSlot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.signal()
	if seq := e.Slot.Seq; seq.Segment == t.cur.Number && seq.Slot < t.next+fetchWindow {
		t.keep(generation, e)
	}
	t.counts[e.Slot.Seq.Segment] = max(t.counts[e.Slot.Seq.Segment], e.Slot.Seq.Slot+1)
}

// generation is for what is read from now on.
func (t *tail) generation() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ready.generation
}

// forgetReady drops slots that were not delivered yet, on a new session: they
// are read again, from the log as it is now. It returns the slot that was
// delivered last before that.
func (t *tail) forgetReady() (last zkroot.StoredSlot) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready = readyWindow{slots: map[revision.Seq]*zkroot.StoredSlot{}, generation: t.ready.generation + 1, reading: t.ready.reading}
	t.signal()
	return t.last
}

// toRead lists slots of cur that are known to exist and are not ready, from a
// place on.
func (t *tail) toRead(from int64) (seqs []revision.Seq) {
	for n := from; n < min(t.counts[t.cur.Number], from+fetchWindow); n++ {
		if t.ready.slots[t.at(n)] == nil {
			seqs = append(seqs, t.at(n))
		}
	}
	return seqs
}

// ahead lists the slots to read ahead now; none if it is not worth it. Then it
// counts as begun, and ends with readAheadDone.
func (t *tail) ahead() []revision.Seq {
	h := &t.ready
	if h.reading || h.failed || h.raw >= aheadBytes || len(h.slots) >= aheadSlots {
		return nil
	}
	h.upTo = max(h.upTo, t.next)
	for h.slots[t.at(h.upTo)] != nil {
		h.upTo++
	}
	seqs := t.toRead(h.upTo)
	if len(seqs) < aheadFrom {
		return nil
	}
	h.reading = true
	return seqs
}

// readAheadDone notes that slots were read ahead, or that it did not succeed.
func (t *tail) readAheadDone(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ready.reading, t.ready.failed = false, err != nil
	t.signal()
}

// readAhead reads the slots of a step in the background.
func (d *delivery) readAhead(s step) {
	d.group.Go(func() {
		ctx, cancel := d.session.Bound(d.ctx)
		defer cancel()
		conn, err := d.session.Get(ctx)
		if err == nil {
			err = d.read(ctx, conn, s)
		}
		d.tail.readAheadDone(err)
	})
}
