package backend

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/zkine/zkine/backend/metrics"
	"github.com/zkine/zkine/backend/pace"
	"github.com/zkine/zkine/revision"
)

// Barrier is what linearizable reads need of the log.
type Barrier interface {
	// Barrier returns a place at or after every append that any member had
	// acknowledged before the call. The state at that place may be served.
	Barrier(ctx context.Context) (revision.Seq, error)

	// Refused says why ZooKeeper takes no writes at present; of these,
	// revision.ErrUnauthenticated means that it answers no read either.
	Refused() error
}

// reads makes reads linearizable.
//
// Reads that wait form a group. A barrier is sent for the group, or the group
// rides on an append that is sent after its last read arrived; either shows a
// place in the log. The group is released once the state has reached that place.
//
// Up to maxBarriers are under way at once, so that few reads wait for a barrier of
// their own only. Once the barriers under way serve manyReads, the next group
// forms until one of them ends: then the processors bound how fast reads are, and
// each barrier costs them. For the same reason it waits for those whom a barrier of
// some reads has just answered (pace.Gathering).
type reads struct {
	ctx     context.Context // the backend's
	log     Barrier
	eager   Eager // of the same log; nil if it has none
	applied *applyWait
	// quorumWrite is told of each barrier that succeeded.
	quorumWrite func(time.Time)
	// succeeded is told of each read that succeeded.
	succeeded func()
	metrics   *metrics.Metrics

	mu      sync.Mutex
	forming *readGroup
	// barriers is how many are under way, served how many reads these serve.
	barriers, served int
	closed           error
	gathering        pace.Gathering
	// late sends the group that gathers, if it has not gone before.
	late pace.Later
	// wake has room for one: there is a group, or a barrier less.
	wake chan struct{}
}

const (
	// maxBarriers is how many may be under way at once.
	maxBarriers = 4
	// manyReads is how many reads barriers under way must serve for the next
	// group to wait until one of them is over.
	manyReads = 16
	// someReads is how many a barrier must have served for the next group to gather.
	someReads = 8
)

func newReads(ctx context.Context, log Barrier, applied *applyWait, quorumWrite func(time.Time), succeeded func(), m *metrics.Metrics) *reads {
	return &reads{ctx: ctx, log: log, applied: applied, quorumWrite: quorumWrite, succeeded: succeeded, metrics: m, wake: make(chan struct{}, 1)}
}

// wait returns once the published view shows every write that was
// acknowledged, by any zkine, before the call.
func (r *reads) wait(ctx context.Context) error {
	if err := r.log.Refused(); errors.Is(err, revision.ErrUnauthenticated) {
		return err
	}
	group, err := r.join()
	if err != nil {
		return err
	}
	if t := timingOf(ctx); t != nil {
		t.wait()
		t.goes(&group.passage)
		defer func() {
			if ctx.Err() == nil {
				t.came(time.Now())
			}
		}()
	}
	select {
	case <-group.done:
		if group.err == nil {
			r.succeeded()
		}
		return group.err
	case <-ctx.Done():
		r.metrics.ReadGivenUp()
		return context.Cause(ctx)
	}
}

func (r *reads) join() (*readGroup, error) {
	r.mu.Lock()
	group, err := r.enter()
	begun := r.next()
	r.mu.Unlock()
	r.send(begun)
	return group, err
}

// send sends a group's barrier, or has the loop do that if it takes waiting.
func (r *reads) send(group *readGroup) {
	if group == nil || r.eager.BeginBarrier(r.ctx, func(seq revision.Seq, err error) { r.answered(group, seq, err) }) {
		return
	}
	r.mu.Lock()
	r.barriers--
	r.served -= group.size
	err := r.closed
	if err == nil {
		if r.forming == nil {
			r.forming = &readGroup{done: make(chan struct{})}
		}
		r.forming.joined = append(r.forming.joined, group)
		r.forming.size += group.size
		r.gathering.Back(group.size)
		r.signal()
	}
	r.mu.Unlock()
	if err != nil {
		r.release(group, err)
	}
}

// enter counts a read into the group that forms. The lock is held.
func (r *reads) enter() (*readGroup, error) {
	if r.closed != nil {
		return nil, r.closed
	}
	if r.forming == nil {
		r.forming = &readGroup{done: make(chan struct{})}
	}
	r.forming.size++
	return r.forming, nil
}

// waiting is how many reads form a group. The lock is held.
func (r *reads) waiting() int {
	if r.forming == nil {
		return 0
	}
	return r.forming.size
}

func (r *reads) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// loop sends barriers while reads wait. It ends with ctx, and waits for the
// barriers under way.
func (r *reads) loop(ctx context.Context) {
	var underWay sync.WaitGroup
	defer underWay.Wait()
	for {
		select {
		case <-r.wake:
		case <-ctx.Done():
			return
		}
		r.mu.Lock()
		group := r.begin()
		r.mu.Unlock()
		if group != nil {
			underWay.Go(func() {
				seq, err := r.log.Barrier(ctx)
				r.answered(group, seq, err)
			})
		}
	}
}

// next is the group whose barrier the caller is to send, if there is one, or has the
// loop look for it. The lock is held.
func (r *reads) next() *readGroup {
	if r.eager != nil {
		return r.begin()
	}
	r.signal()
	return nil
}

// begin takes the group that forms for a barrier of its own; nil if there is
// none, or if it has to wait for those under way. The lock is held.
func (r *reads) begin() *readGroup {
	group := r.forming
	if group == nil || r.barriers == maxBarriers || r.served >= manyReads {
		return nil
	}
	now := time.Now()
	switch left := r.gathering.Left(now, group.size); {
	case left == 0:
		r.gathering.Gone(now, group.size, 0)
	case r.barriers == 0:
		r.late.Arm(left, r.sendLate)
		return nil
	default:
		r.gathering.Forget(now, group.size)
	}
	r.forming = nil
	group.goes(BarrierPassage)
	r.barriers++
	r.served += group.size
	return group
}

// sendLate sends the group that has gathered for long enough.
func (r *reads) sendLate() {
	r.mu.Lock()
	r.late.Ran()
	group := r.next()
	r.mu.Unlock()
	r.send(group)
}

// answered releases the group of a barrier, and begins the next one.
func (r *reads) answered(group *readGroup, seq revision.Seq, err error) {
	now := time.Now()
	if err == nil {
		// Not when it was sent: it may have waited for the end of an outage.
		r.quorumWrite(now)
	}
	sent := group.passage.sent.get(now)
	r.metrics.Barrier(now.Sub(sent), err)
	r.mu.Lock()
	r.barriers--
	r.served -= group.size
	if err == nil && group.size >= someReads {
		r.gathering.Answered(now, sent, group.size, r.waiting())
	} else {
		r.gathering.Owed(now, sent, group.size, r.waiting())
	}
	var next *readGroup
	if err == nil {
		next = r.next()
	} else {
		r.signal()
	}
	r.mu.Unlock()
	r.send(next)
	if err != nil {
		r.release(group, err)
		return
	}
	r.resolved(group, seq)
}

// close ends reads that wait and those that come.
func (r *reads) close(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed != nil {
		return
	}
	r.closed = err
	if r.forming != nil {
		r.release(r.forming, err)
		r.forming = nil
	}
}
