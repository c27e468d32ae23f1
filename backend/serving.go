package backend

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Whether linearizable calls can be served is one truth, which Ready tells at
// once: to probes, metrics, the log, Status, and the streams that want a leader.
// It is doubted from the moment in which something stands in the way: the log has
// failed, there is no session, or ZooKeeper owes an answer for longer than
// owingLimit. Then a linearizable read, or a write, must succeed until it is
// believed again: a session may be up while the state is still behind.
//
// While nothing is asked of it, ZooKeeper is asked for a sign of life, which it
// answers from memory; so an outage is known within a second of its begin. What
// that cannot show is a quorum lost behind a follower that still answers: then
// the next write, barrier or linearizable probe does.

const (
	// servingTick is how often the loop looks while there is reason to. It has no
	// multiple in common with the other loops' ticks: what two loops do at one moment
	// would be in an order of Go's, and simulations are to repeat.
	servingTick = 97_013 * time.Microsecond
	// owingLimit is more than a pause of a ZooKeeper's garbage collection or of
	// its disk usually takes. With the log's pulse and a tick it stays below a
	// second.
	owingLimit = 600 * time.Millisecond
	// proofTimeout bounds one attempt to read.
	proofTimeout = time.Second
)

var (
	errSilent   = errors.New("ZooKeeper does not answer")
	errUnproven = errors.New("ZooKeeper answers again; catching up with the log")
)

// serving says whether linearizable calls can be served.
type serving struct {
	log Info
	// failure is why the backend has failed; nil if it has not.
	failure func() error
	// observe is told the time now and then, for what is measured by and by.
	observe func(time.Time)
	// read is a linearizable read.
	read func(context.Context) error

	// doubts counts how often there was reason to doubt; proven is that count as
	// of the last linearizable read which succeeded. Equal means: serving.
	doubts, proven atomic.Int64
	// doubted holds one value once there was reason to doubt.
	doubted chan struct{}
}

func newServing(log Info, failure func() error, observe func(time.Time), read func(context.Context) error) *serving {
	return &serving{log: log, failure: failure, observe: observe, read: read, doubted: make(chan struct{}, 1)}
}

// Ready is nil while linearizable calls can be served, or says why not. It does
// no I/O.
func (b *Backend) Ready() error { return b.serving.ready() }

// Doubted gives a value soon after Ready, which said nil, has begun to say why not,
// and may give more. It is for one receiver.
func (b *Backend) Doubted() <-chan struct{} { return b.serving.doubted }

func (s *serving) ready() error {
	if err := s.obstacle(); err != nil {
		s.doubts.Add(1)
		select {
		case s.doubted <- struct{}{}:
		default: // it is still to be looked at
		}
		return err
	}
	if s.proven.Load() != s.doubts.Load() {
		return errUnproven
	}
	return nil
}

// obstacle is what stands in the way of serving at this moment.
func (s *serving) obstacle() error {
	if err := s.failure(); err != nil {
		return err
	}
	if err := s.log.Connected(); err != nil {
		return err
	}
	if owing := s.log.Owing(); owing > owingLimit {
		return fmt.Errorf("%w (for %v now)", errSilent, owing.Round(100*time.Millisecond))
	}
	return nil
}

// loop finds out how things are when no call does. It ends with ctx.
func (s *serving) loop(ctx context.Context) {
	timer := time.NewTimer(servingTick)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			timer.Reset(s.look(ctx))
		case <-ctx.Done():
			s.ready() //nolint:errcheck // who waits for a doubt hears of the end
			return
		}
	}
}

// look does one round of the loop, and returns when the next one is due. While all is
// well that is not before ZooKeeper is to be asked again: an idle process is woken for
// nothing by each.
func (s *serving) look(ctx context.Context) time.Duration {
	again := s.log.Pulse()
	s.observe(time.Now())
	err := s.ready()
	if errors.Is(err, errUnproven) {
		s.prove(ctx)
	}
	if err != nil || s.log.Owing() > 0 || again == 0 {
		return servingTick
	}
	return again
}

// prove tries whether a linearizable read succeeds, which ends doubts.
func (s *serving) prove(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	s.read(ctx) //nolint:errcheck // served is told of success
}

// served ends doubts: a linearizable read, or a write of this zkine's own, has
// just succeeded. It is called before the caller of that has its answer.
func (s *serving) served() {
	doubts := s.doubts.Load()
	proven := s.proven.Load()
	if proven == doubts || s.obstacle() != nil {
		return
	}
	// Another call may have proven more by now: a doubt that was over would be back, and
	// none would hear of it.
	for proven < doubts && !s.proven.CompareAndSwap(proven, doubts) {
		proven = s.proven.Load()
	}
}

// ProbeLinearizable is nil if a linearizable read is answered: what health checks
// ask. It is zkine's own read, so that users do not count; etcd's health checks
// read as root. Errors: those of Range, except for users.
func (b *Backend) ProbeLinearizable(ctx context.Context) error {
	if err := b.reads.wait(ctx); err != nil {
		return err
	}
	return b.ProbeSerializable()
}

// ProbeSerializable is ProbeLinearizable for a serializable read.
func (b *Backend) ProbeSerializable() error {
	if err := b.failure(); err != nil {
		return err
	}
	_, err := b.view.Load().Range(&pb.RangeRequest{Key: []byte("health"), KeysOnly: true, Limit: 1})
	return err
}
