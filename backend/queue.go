package backend

import (
	"context"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision/recordpb"
)

// proposal is a request on its way through the log, with the call that waits for
// it.
type proposal struct {
	ctx     context.Context
	request *recordpb.Request
	size    int // bytes, encoded
	memory  int // bytes that it takes in memory; see memoryBytes
	// done gets the outcome, once; it has room for it.
	done chan outcome
	// timing is nil if no caller wants to know.
	timing *Timing
	// taken, if set, is called when the request leaves the queue, under the
	// queue's lock.
	taken func()
	// finished, if set, gets the outcome in place of done. It is called once, with
	// locks held: it must not block, and not call the queue.
	finished func(outcome)

	// Its place in the queue, under the queue's lock.
	before, after *proposal
	queued        bool
}

type outcome struct {
	response proto.Message
	err      error
}

// finish hands the outcome over. Its client may have gone.
func (p *proposal) finish(o outcome) {
	if p.finished != nil {
		p.finished(o)
		return
	}
	p.done <- o
}

func finishAll(batch []*proposal, err error) {
	for _, p := range batch {
		p.finish(outcome{err: err})
	}
}

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
	// wake has room for one: there is something in the queue.
	wake chan struct{}
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// put adds a proposal at the end. Errors: ErrTooManyRequests; the reason of
// close; the cause of the proposal's context, if that has ended.
func (q *queue) put(p *proposal) error {
	q.mu.Lock()
	defer q.mu.Unlock()
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
	q.signal()
	return nil
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
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
// not come to drop them yet. If some are left, another append loop is woken.
func (q *queue) take() (batch []*proposal) {
	q.mu.Lock()
	defer q.mu.Unlock()
	bytes := 0
	for p := q.first; p != nil; p = q.first {
		if len(batch) > 0 && (bytes+p.size > maxBatchBytes || len(batch) == maxBatchRequests) {
			q.signal()
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
	return batch
}

// load is how many requests wait, and how many bytes they take.
func (q *queue) load() (count, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.count, q.bytes
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

const (
	// memoryBase is what a request takes besides its bytes: its messages, and the
	// call that waits for it.
	memoryBase = 1 << 10
	// memoryEach is what each operation and comparison of a transaction takes
	// besides: some are two bytes long as they come.
	memoryEach = 256
)

// memoryBytes is about what a request takes in memory, given its encoded size.
func memoryBytes(r *recordpb.Request, size int) int {
	return memoryBase + size + memoryEach*txnEntries(r.GetTxn())
}

// txnEntries counts the operations and comparisons of a transaction, and of those
// within it.
func txnEntries(r *pb.TxnRequest) int {
	n := len(r.GetCompare()) + len(r.GetSuccess()) + len(r.GetFailure())
	for _, ops := range [][]*pb.RequestOp{r.GetSuccess(), r.GetFailure()} {
		for _, op := range ops {
			if nested := op.GetRequestTxn(); nested != nil {
				n += txnEntries(nested)
			}
		}
	}
	return n
}
