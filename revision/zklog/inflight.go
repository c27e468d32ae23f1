package zklog

import (
	"context"
	"errors"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkroot"
)

// waiter is an append that wants to hear of its nonce.
type waiter struct {
	found chan struct{} // closed when the nonce was delivered
	seq   revision.Seq  // where, first; valid once found is closed
	// skipped says that a part of the log was skipped while it waited.
	skipped bool
}

// await registers interest in a nonce, before it is first sent.
func (t *tail) await(n revision.Nonce) *waiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := &waiter{found: make(chan struct{})}
	t.waiters[n] = a
	t.inFlight++
	return a
}

// isSkipped says whether a part of the log was skipped while an append waited.
func (t *tail) isSkipped(a *waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return a.skipped
}

func (t *tail) forget(n revision.Nonce) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.waiters, n)
	t.inFlight--
	t.lastOwn = time.Now()
}

// announce wakes Next if there is something for it to do.
func (t *tail) announce() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next < t.counts[t.cur.Number] || t.cur.Number < t.open.Number {
		t.signal()
	}
}

// passed says whether every slot of segment k was delivered. If not, changed
// is closed when that may have changed.
func (t *tail) passed(k int64) (passed bool, changed <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.cur.Number > k, t.changed
}

// Begin implements backend.Eager: an append whose first sending waits for nothing.
// What that does not settle goes on in a goroutine, as Append does.
func (l *Log) Begin(ctx context.Context, batch *revision.Batch, done func(revision.Appended, error)) bool {
	return l.appends.begin(ctx, batch, done)
}

func (p *appender) begin(ctx context.Context, batch *revision.Batch, done func(revision.Appended, error)) bool {
	conn, up := p.session.Up()
	if !up || p.refusal.current() != nil {
		return false
	}
	a, err := p.prepare(batch)
	if err != nil {
		return false // Append says why
	}
	segment, _ := a.tail.head()
	if limit := a.request.limit(); zkroot.EnvelopeHead+len(a.env.Stored()) <= limit { // else its parts go first
		ops, err := a.ops(ctx, conn, segment, limit)
		if err == nil && p.session.Begin(conn, func(results []zk.MultiResponse, err error) {
			a.begun(ctx, conn, segment, results, err, done)
		}, ops...) {
			return true
		}
	}
	p.tail.forget(batch.Nonce)
	return false
}

// begun takes the answer to the first sending of an append that was begun.
func (a *appending) begun(ctx context.Context, conn zkclient.Conn, segment zkroot.SegmentRef, results []zk.MultiResponse, err error,
	done func(revision.Appended, error)) {
	if err == nil {
		out, err := a.landed(segment, results)
		a.tail.forget(a.batch.Nonce)
		if err != nil {
			err = a.giveUp(err)
		}
		done(out, err)
		a.tail.announce() // unless it was taken by now
		return
	}
	a.group.Go(func() {
		var out revision.Appended
		if err = a.failed(ctx, conn, segment, results, err); errors.Is(err, errAgain) {
			out, err = a.run(ctx)
		} else {
			err = a.giveUp(err)
		}
		a.tail.forget(a.batch.Nonce)
		done(out, err)
		a.tail.announce()
	})
}
