package backend

import (
	"context"
	"sync"

	"github.com/zkine/zkine/backend/pace"
)

const (
	// maxQueued bounds the requests that wait; etcd lets 5,000 wait between
	// commit and apply.
	maxQueued = 16 << 10
	// maxQueuedBytes bounds what these take in memory: the largest requests of
	// some 170 clients at once, which is more than an ensemble takes in a
	// second.
	maxQueuedBytes = 256 << 20
	// muchQueued is how many bytes in the queue are worth a garbage collection
	// when they are gone: an idle process would hold them for minutes.
	muchQueued = 32 << 20
	// maxBatchBytes ends a batch: what fits into one request to ZooKeeper
	// even if it does not compress. One larger request goes alone.
	maxBatchBytes = 768 << 10
	// maxBatchRequests bounds how long one slot keeps the apply loop.
	maxBatchRequests = 4096
)

// queue holds proposals until an append loop takes them. During an outage that
// is for as long as their clients wait, and no longer: a client that gives up takes
// its request away, so that what is held is never more than what clients wait for.
//
// Invariants, under mu: the list from first to last, in the order in which they
// came, is what is queued; count is its length, and bytes the sum of the memory of
// its proposals.
type queue struct {
	mu          sync.Mutex
	first, last *proposal
	count       int
	bytes       int
	peak        int // of bytes, since drained was called
	closed      error
	// underWay are the batches that were taken and not released.
	underWay pace.UnderWay
	next     pace.Later // when another may go
	// gathered is how many requests the loop has taken last. Where several come
	// together, one that is sent before the others would keep them waiting.
	gathered int
	// due is set by wakeUp, until a loop has looked.
	due bool
	// wake has room for one: there is something in the queue, and a batch may be taken.
	wake chan struct{}
}

func newQueue(most int) *queue {
	return &queue{underWay: pace.NewUnderWay(most), wake: make(chan struct{}, 1)}
}

// put adds a proposal at the end. Errors: ErrTooManyRequests; the reason of
// close; the cause of the proposal's context, if that has ended.
func (q *queue) put(p *proposal) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	err := q.add(p)
	if err == nil {
		q.signal()
	}
	return err
}

// putOrTake is put, but for one that comes alone: while nothing is queued or under way.
// That counts as a batch that was taken, which its caller is to send.
func (q *queue) putOrTake(p *proposal) (taken bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := q.add(p); err != nil {
		return false, err
	}
	if q.count > 1 || q.underWay.Any() || q.gathered > 1 {
		q.signal()
		return false, nil
	}
	q.remove(p)
	q.underWay.Begin(1)
	return true, nil
}

// putBack undoes putOrTake: the proposal is the first again.
func (q *queue) putBack(p *proposal) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.underWay.End(1)
	if q.closed != nil {
		p.finish(outcome{err: q.closed})
		return
	}
	p.queued, p.after = true, q.first
	if q.first == nil {
		q.last = p
	} else {
		q.first.before = p
	}
	q.first = p
	q.count++
	q.bytes += p.memory
	q.signal()
}

// release ends a batch of so many requests that was taken.
func (q *queue) release(requests int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.underWay.End(requests)
	q.again()
}

// again wakes a loop if there is something for it. The lock is held.
func (q *queue) again() {
	if q.count > 0 || q.due {
		q.signal()
	}
}

// wakeUp has an append loop look, also if nothing is queued.
func (q *queue) wakeUp() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.due = true
	q.signal()
}

// add is put under the lock, and wakes no append loop.
func (q *queue) add(p *proposal) error {
	if q.closed != nil {
		return q.closed
	}
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	if q.count >= maxQueued || q.bytes+p.memory > maxQueuedBytes {
		return ErrTooManyRequests
	}
	p.queued, p.before = true, q.last
	if q.last == nil {
		q.first = p
	} else {
		q.last.after = p
	}
	q.last = p
	q.count++
	q.bytes += p.memory
	q.peak = max(q.peak, q.bytes)
	return nil
}

// signal wakes an append loop once it may take something: at once, or when the
// time for that has come, or by release. The lock is held.
func (q *queue) signal() {
	switch wait, ever := q.underWay.Wait(q.count); {
	case !ever:
		return
	case wait > 0:
		q.next.Arm(wait, q.timeHasCome)
		return
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// timeHasCome wakes a loop when the newest batch has been under way for so long that
// another may go.
func (q *queue) timeHasCome() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.next.Ran()
	q.again()
}

// remove takes a queued proposal out of the list. The lock is held.
func (q *queue) remove(p *proposal) {
	if p.before == nil {
		q.first = p.after
	} else {
		p.before.after = p.after
	}
	if p.after == nil {
		q.last = p.before
	} else {
		p.after.before = p.before
	}
	p.before, p.after, p.queued = nil, nil, false
	q.count--
	q.bytes -= p.memory
	if p.taken != nil {
		p.taken()
	}
}

// drop takes a proposal out of the queue whose client has gone: it was never
// sent, and never will be. One that is not in the queue any more is left alone.
func (q *queue) drop(p *proposal) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p.queued {
		q.remove(p)
		p.finish(outcome{err: context.Cause(p.ctx)})
	}
}

// take removes the next batch, without those whose clients have gone and have
// not come to drop them yet. Unless it is empty, it is under way until release. If some
// are left, another append loop is woken.
func (q *queue) take() (batch []*proposal) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if wait, ever := q.underWay.Wait(q.count); !ever || wait > 0 {
		q.again()
		return nil
	}
	q.due = false
	bytes := 0
	for p := q.first; p != nil; p = q.first {
		if len(batch) > 0 && (bytes+p.size > maxBatchBytes || len(batch) == maxBatchRequests) {
			break
		}
		q.remove(p)
		if p.ctx.Err() != nil {
			p.finish(outcome{err: context.Cause(p.ctx)})
			continue
		}
		bytes += p.size
		batch = append(batch, p)
	}
	if len(batch) > 0 {
		q.underWay.Begin(len(batch))
		q.gathered = len(batch)
	}
	if q.count > 0 {
		q.signal()
	}
	return batch
}

// load is how many requests wait, and how many bytes they take.
func (q *queue) load() (count, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count, q.bytes
}

// Waiting implements pace.Queue.
func (q *queue) Waiting() (n int, grown <-chan struct{}) {
	n, _ = q.load()
	return n, q.wake
}

// drained says whether much has waited since it was called last, and little
// does now.
func (q *queue) drained() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes > muchQueued/8 {
		return false
	}
	much := q.peak >= muchQueued
	q.peak = q.bytes
	return much
}

// close refuses what comes and what waits.
func (q *queue) close(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil {
		return
	}
	q.closed = err
	for p := q.first; p != nil; p = q.first {
		q.remove(p)
		p.finish(outcome{err: err})
	}
}
