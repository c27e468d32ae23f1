package memlog

import "github.com/zkine/zkine/revision"

// Fault is what goes wrong with an append.
type Fault int

// The faults of appends. After the first three the log finds out by itself, as the
// one on ZooKeeper does; of the others the caller hears.
const (
	// None is an append that goes well, between others that do not.
	None Fault = iota
	// RequestLost loses the first sending. The second one lands.
	RequestLost
	// ReplyLost loses the reply to the first sending. Both land, with one nonce.
	ReplyLost
	// UnknownLanded lands, and its outcome cannot be learned: revision.ErrUnknown.
	UnknownLanded
	// UnknownLost does not land, and its outcome cannot be learned.
	UnknownLost
	// TooLarge is revision.ErrTooLarge.
	TooLarge
)

// Inject has the next appends of this member meet faults, one each.
func (l *Log) Inject(faults ...Fault) {
	l.store.update(func() { l.faults = append(l.faults, faults...) })
}

// Refuse has all appends of this member fail with an error, as if ZooKeeper took
// no writes; nil ends that.
func (l *Log) Refuse(err error) { l.store.update(func() { l.refused = err }) }

// Disconnect takes the connection away: what the member asks for waits until
// Reconnect.
func (l *Log) Disconnect() { l.store.update(func() { l.away = true }) }

// Reconnect ends Disconnect.
func (l *Log) Reconnect() { l.store.update(func() { l.away = false }) }

// HoldBarriers has this member's barriers wait until ReleaseBarriers.
func (l *Log) HoldBarriers() { l.store.update(func() { l.held = true }) }

// ReleaseBarriers ends HoldBarriers.
func (l *Log) ReleaseBarriers() { l.store.update(func() { l.held = false }) }

// Break ends the log with an error, as if it could no longer be trusted.
func (l *Log) Break(err error) { l.store.update(func() { l.broken = err }) }

// Trim removes all log that the newest checkpoint covers, so that a member that
// has not come so far has to reload.
func (s *Store) Trim() {
	s.update(func() {
		s.previous = s.newest
		s.trim()
	})
}

// takeFault is the fault of an append. The lock is held.
func (l *Log) takeFault() (f Fault) {
	if len(l.faults) > 0 {
		f, l.faults = l.faults[0], l.faults[1:]
	}
	return f
}

// send is an append that is sent, with its fault. The lock is held.
func (l *Log) send(batch *revision.Batch) (revision.Appended, error) {
	switch l.takeFault() {
	case RequestLost:
		return revision.Appended{Seq: l.store.land(batch, l), Resent: true}, nil
	case ReplyLost:
		first := l.store.land(batch, l)
		l.store.land(batch, l)
		return revision.Appended{Seq: first, Resent: true}, nil
	case UnknownLanded:
		l.store.land(batch, l)
		return revision.Appended{}, revision.ErrUnknown
	case UnknownLost:
		return revision.Appended{}, revision.ErrUnknown
	case TooLarge:
		return revision.Appended{}, revision.ErrTooLarge
	default:
		return revision.Appended{Seq: l.store.land(batch, l)}, nil
	}
}
