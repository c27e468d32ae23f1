package backend

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/zkine/zkine/revision"
)

// Timing is where the time of one call goes, to say why it was slow. It is filled in
// as the call gets on, and may be read at any time, also by a caller that has given up.
//
//	check      until it waits: who asks, whether there is room for it
//	queue      waiting for an append, or a barrier, to be sent
//	zookeeper  from there until ZooKeeper had answered
//	apply      from there until the state had come to what the answer shows
type Timing struct {
	queued, applied moment
	// through is nil until the call is on its way through ZooKeeper.
	through atomic.Pointer[passage]
}

// passage is one way through ZooKeeper, which calls share: the append of a batch, or the
// barrier of a group of reads.
type passage struct {
	kind PassageKind
	// size is how many calls share it, and bytes how much they append; neither changes
	// once the passage is sent.
	size, bytes int
	// sent is when it was handed to the log, answered when ZooKeeper's answer was there.
	sent, answered moment
	// The place that was answered, valid once answered has come.
	segment, slot atomic.Int64
	resent        atomic.Bool
	// told is whether the pacer knows that it landed.
	told atomic.Bool
}

// land notes the answer, unless it is known already: an append may be found in the log
// before it is answered, and the other way round.
func (p *passage) land(seq revision.Seq, resent bool, at time.Time) {
	if p == nil || p.answered.at.Load() != 0 {
		return
	}
	p.segment.Store(seq.Segment)
	p.slot.Store(seq.Slot)
	p.resent.Store(resent)
	p.answered.first(at)
}

// goes notes that a group goes through ZooKeeper now. The lock is held.
func (g *readGroup) goes(by PassageKind) {
	g.passage.kind, g.passage.size = by, g.size
	g.passage.sent.come(time.Now())
}

// land notes where the log has been shown to be.
func (g *readGroup) land(seq revision.Seq, at time.Time) {
	g.passage.land(seq, false, at)
	for _, joined := range g.joined {
		joined.land(seq, at)
	}
}

// answered notes what ZooKeeper has answered to a batch.
func (s *sending) answered(out revision.Appended, err error) {
	if err == nil {
		s.passage.land(out.Seq, out.Resent, time.Now())
	}
}

// PassageKind is how a call went through ZooKeeper.
type PassageKind int

const (
	// NoPassage is that of calls that were answered from memory, or not sent.
	NoPassage PassageKind = iota
	// AppendPassage is that of writes.
	AppendPassage
	// BarrierPassage is that of reads for which a barrier was sent.
	BarrierPassage
	// RidePassage is that of reads for which an append stood in for a barrier.
	RidePassage
)

// Steps are what is known of a call's way. Times that have not come are zero.
type Steps struct {
	// Queued is when it began to wait, Sent when its batch or barrier was handed to the
	// log, Answered when ZooKeeper's answer was there, Applied when the state had come to
	// the place that this shows.
	Queued, Sent, Answered, Applied time.Time
	Kind                            PassageKind
	// Shared is how many calls went together, Bytes how much they have appended.
	Shared, Bytes int
	// Place is where the batch lies in the log, or how far the barrier has shown the log
	// to reach; valid with Answered.
	Place revision.Seq
	// Resent says that a batch was sent more than once, since a connection was lost.
	Resent bool
}

// Steps is what is known now.
func (t *Timing) Steps() Steps {
	now := time.Now()
	// Once it is applied it has been answered, but not the other way round.
	s := Steps{Applied: t.applied.get(now), Queued: t.queued.get(now)}
	p := t.through.Load()
	if p == nil {
		return s
	}
	if s.Sent = p.sent.get(now); s.Sent.IsZero() {
		return s
	}
	s.Kind, s.Shared, s.Bytes = p.kind, p.size, p.bytes
	if s.Answered = p.answered.get(now); s.Answered.IsZero() {
		s.Applied = time.Time{}
		return s
	}
	s.Place, s.Resent = revision.Seq{Segment: p.segment.Load(), Slot: p.slot.Load()}, p.resent.Load()
	return s
}

// Phases are the parts of a call's time so far, since it began to wait.
func (s Steps) Phases() (queue, zookeeper, apply time.Duration) {
	now := time.Now()
	part := func(from, to time.Time) time.Duration {
		if from.IsZero() {
			return 0 // it has not come so far
		}
		if to.IsZero() {
			to = now
		}
		return max(0, to.Sub(from))
	}
	return part(s.Queued, s.Sent), part(s.Sent, s.Answered), part(s.Answered, s.Applied)
}

// wait notes that a call waits from now on. One that waits twice, for a barrier and then
// for an append, has waited since the first.
func (t *Timing) wait() {
	if t != nil {
		t.queued.first(time.Now())
	}
}

// goes notes by which passage a call goes.
func (t *Timing) goes(by *passage) {
	if t != nil {
		t.through.Store(by)
	}
}

// came notes that the state has come to what a call waits for.
func (t *Timing) came(at time.Time) {
	if t != nil {
		t.applied.come(at)
	}
}

// like has a call know what is known of another one, with which it shares a record.
func (t *Timing) like(other *Timing) {
	if t != nil {
		t.through.Store(other.through.Load())
		t.applied.at.Store(other.applied.at.Load())
	}
}

// moment is a time that is not known yet, and that any goroutine may ask for.
type moment struct{ at atomic.Int64 } // nanoseconds since began; 0 is not yet

// began is where all moments count from.
var began = time.Now()

func (m *moment) come(at time.Time)  { m.at.Store(int64(at.Sub(began))) }
func (m *moment) first(at time.Time) { m.at.CompareAndSwap(0, int64(at.Sub(began))) }

// get is zero for one that has not come. It is the clock's of now: that of began may have
// been corrected by seconds since.
func (m *moment) get(now time.Time) time.Time {
	at := m.at.Load()
	if at == 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(at) - now.Sub(began))
}

type timingKey struct{}

// TimingKey is the key under which a call's context holds its *Timing, if the call
// is timed.
var TimingKey any = timingKey{}

// timingOf is nil for a call that is not timed.
func timingOf(ctx context.Context) *Timing {
	t, _ := ctx.Value(TimingKey).(*Timing)
	return t
}
