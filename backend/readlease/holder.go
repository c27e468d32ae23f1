package readlease

import (
	"encoding/binary"
	"io"
	"sync"
	"time"

	"github.com/zkine/zkine/revision"
)

// Env is what a Holder needs of the backend around it. Its functions may be called
// with a lock held: they must not wait, and not call the Holder.
type Env struct {
	Clock Clock
	// Wake has an append loop look whether Due.
	Wake func()
	// Permitted says whether all members know what a lease is.
	Permitted func() bool
	// Connected is an error without a session.
	Connected func() error
	// Random is a source of random bytes that never fails.
	Random io.Reader
	// Reads is how many reads within Duration are worth a lease; 0 for the default.
	Reads int
}

const (
	// defaultReads is about as many barriers as the renewals of that time cost.
	defaultReads = 8
	// keepReads is how many reads since the last renewal are worth another one.
	keepReads = 2
	// renewAfter is how soon a lease is renewed.
	renewAfter = Duration / 3
	// tooSlow is how long none is asked for after one that had run out when it was
	// applied: others wait for such a lease, and no read gains by it.
	tooSlow = 10 * Duration
)

// Holder takes the read lease when that pays, and says whether a read may be
// answered from memory. A nil Holder never does. Any goroutine may call its methods.
//
// Invariants, under mu:
//   - until is before use is over after the sending of an effective record of the
//     current id, which was applied; it is 0 if there is none;
//   - sent holds all batches under way that carry the current id;
//   - what was applied is in the published view.
type Holder struct {
	Env
	// process is the part of id that stays: each id of this process has it.
	process uint64

	mu      sync.Mutex
	id      uint64
	until   time.Duration
	sent    map[revision.Nonce]*sending
	chain   chain
	applied revision.Seq // the last slot's place
	// others is when the last effective record of another one has run out.
	others time.Duration
	// announced is until when others may believe that the lease is valid.
	announced time.Duration
	renewing  int // batches under way that renew

	// wanted says that a renewal is due, unseen that a slot was applied which others
	// hold back.
	wanted, unseen bool
	renewed        time.Duration // when a renewal was sent last, or refused
	reads          int           // since then
	window         time.Duration // since when windowReads counts, without a lease
	windowReads    int

	leased uint64 // reads that were answered
}

// sending is a batch under way.
type sending struct {
	at     time.Duration // before it was sent
	renews bool
	done   chan struct{} // closed once it is applied, or its outcome unknown
}

// ids is how many a process may use up: one for each append that fails.
const ids = 1 << 20

// NewHolder holds nothing yet.
func NewHolder(env Env) *Holder {
	var b [8]byte
	revision.Draw(env.Random, b[:])
	if env.Reads == 0 {
		env.Reads = defaultReads
	}
	h := &Holder{Env: env, process: binary.BigEndian.Uint64(b[:])&^(ids-1) | 1<<63, sent: map[revision.Nonce]*sending{}}
	h.id = h.process
	return h
}

// Own says whether a holder is this process, now or before.
func (h *Holder) Own(holder uint64) bool { return h != nil && holder&^(ids-1) == h.process }

// Due says whether a batch is to be sent though no request waits.
func (h *Holder) Due() bool {
	if h == nil {
		return false
	}
	now := h.Clock()
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.wanted && now >= h.others || h.unseen && now < h.announced
}

// Sending is called before a batch is sent, and says what it carries. It is nil for
// nothing, which is never so for an empty batch.
func (h *Holder) Sending(nonce revision.Nonce, empty bool) *revision.ReadLease {
	if h == nil {
		return nil
	}
	now := h.Clock()
	h.mu.Lock()
	defer h.mu.Unlock()
	renews := now >= h.others && (h.wanted || now < h.until && h.reads > 0)
	if !renews && !empty && h.renewing == 0 && now >= h.announced {
		return nil
	}
	h.sent[nonce] = &sending{at: now, renews: renews, done: make(chan struct{})}
	if renews {
		h.renewing++
		h.renewed, h.reads, h.wanted = now, 0, false
	}
	h.unseen = false
	return &revision.ReadLease{Holder: h.id, Seen: h.applied, Renews: renews}
}

// Unsent is called when a batch was not sent after all, and undoes Sending.
func (h *Holder) Unsent(nonce revision.Nonce) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.sent[nonce]
	if s == nil {
		return
	}
	delete(h.sent, nonce)
	close(s.done)
	if s.renews {
		h.renewing--
	}
	// What it would have said is to be said by the next one.
	h.wanted = h.wanted || s.renews
	h.unseen = true
}

// Failed is called when an append returned an error: the batch may still be in the
// log, or get there. What was sent so far is another one's from now on.
func (h *Holder) Failed(nonce revision.Nonce) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sent[nonce] != nil {
		h.abandon()
	}
}

// abandon takes another id. The lock is held.
func (h *Holder) abandon() {
	for _, s := range h.sent {
		close(s.done)
	}
	clear(h.sent)
	h.id = h.process | (h.id+1)%ids
	h.until, h.announced, h.renewing, h.wanted, h.unseen = 0, 0, 0, false, false
}

// Applied is called by the apply loop once the view of a slot is published, before
// any client hears of it.
func (h *Holder) Applied(slot revision.Slot) {
	if h == nil {
		return
	}
	now := h.Clock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.applied = slot.Seq
	effective := h.chain.next(&slot)
	own := slot.Lease != nil && slot.Lease.Holder == h.id
	s := h.sent[slot.Nonce]
	delete(h.sent, slot.Nonce)
	if s != nil && s.renews {
		h.renewing--
	}
	switch {
	case effective && own:
		h.announced = now + 2*Duration
		if s != nil { // else it was sent twice
			h.until = max(h.until, s.at+use)
		}
		if h.until <= now { // it came too late to be of use, as the next one would
			h.renewed = now + tooSlow
		}
	case effective && !h.Own(slot.Lease.Holder):
		h.others = now + wait
		h.until, h.announced, h.wanted = 0, 0, false
	case own && slot.Lease.Renews:
		h.renewed = 0 // the first of a segment: the next read asks again
	}
	if !own && now < h.announced {
		h.unseen = true
		h.Wake()
	}
	if s != nil {
		close(s.done)
	}
}

// Skipping is called before the view of a checkpoint is published that takes the
// place of slots which are gone.
func (h *Holder) Skipping() {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.abandon()
	h.chain = chain{}
}

// Loaded is called once the view of a checkpoint is published: the state has come to
// a place.
func (h *Holder) Loaded(at revision.Seq) {
	if h == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.applied = at
}
