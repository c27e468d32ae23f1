package backend

import (
	"context"
	"fmt"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// proposal is a request on its way through the log, and who waits for it.
type proposal struct {
	ctx     context.Context
	request *recordpb.Request
	size    int // bytes
	// done gets the outcome, once; it has room for it.
	done chan outcome
	// timing is nil if nobody wants to know.
	timing *Timing
	// taken, if set, is called when the request leaves the queue.
	taken func()
}

type outcome struct {
	response proto.Message
	err      error
}

// finish hands the outcome over. Nobody may be waiting any more.
func (p *proposal) finish(o outcome) { p.done <- o }

const (
	// maxQueued bounds the requests that wait; etcd lets 5,000 wait between
	// commit and apply.
	maxQueued = 16 << 10
	// maxBatchBytes ends a batch: what fits into one request to ZooKeeper
	// even if it does not compress. One larger request goes alone.
	maxBatchBytes = 768 << 10
	// maxBatchRequests bounds how long one slot keeps the apply loop.
	maxBatchRequests = 4096
)

// queue holds proposals until an append loop takes them.
type queue struct {
	mu     sync.Mutex
	items  []*proposal
	closed error
	// wake has room for one: there is something in the queue.
	wake chan struct{}
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

func (q *queue) put(p *proposal) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil {
		return q.closed
	}
	if len(q.items) >= maxQueued {
		return ErrTooManyRequests
	}
	q.items = append(q.items, p)
	q.signal()
	return nil
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take removes the next batch, without those whose clients have gone: they
// were never sent. Whatever is left wakes another who takes.
func (q *queue) take() (batch []*proposal) {
	q.mu.Lock()
	defer q.mu.Unlock()
	bytes, n := 0, 0
	for _, p := range q.items {
		if len(batch) > 0 && (bytes+p.size > maxBatchBytes || len(batch) == maxBatchRequests) {
			break
		}
		n++
		if p.taken != nil {
			p.taken()
		}
		if p.ctx.Err() != nil {
			p.finish(outcome{err: context.Cause(p.ctx)})
			continue
		}
		bytes += p.size
		batch = append(batch, p)
	}
	rest := copy(q.items, q.items[n:])
	clear(q.items[rest:])
	if q.items = q.items[:rest]; rest > 0 {
		q.signal()
	}
	return batch
}

// close refuses what comes and what waits.
func (q *queue) close(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed != nil {
		return
	}
	q.closed = err
	for _, p := range q.items {
		p.finish(outcome{err: err})
	}
	q.items = nil
}

// pending holds the batches that were handed to the log and not answered yet,
// by nonce. The apply loop answers them from their slots.
type pending struct {
	mu      sync.Mutex
	batches map[revision.Nonce][]*proposal
	closed  error
	// served hears of each batch that landed, before its clients; may be nil.
	served func()
}

func newPending() *pending { return &pending{batches: map[revision.Nonce][]*proposal{}} }

// add registers a batch before it is sent; its slot may be applied before
// Append returns.
func (p *pending) add(n revision.Nonce, batch []*proposal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed != nil {
		return p.closed
	}
	p.batches[n] = batch
	return nil
}

func (p *pending) remove(n revision.Nonce) []*proposal {
	p.mu.Lock()
	defer p.mu.Unlock()
	batch := p.batches[n]
	delete(p.batches, n)
	return batch
}

// answer gives a batch the results of its slot, which came at a moment.
func (p *pending) answer(n revision.Nonce, results []state.Result, came time.Time) {
	now, batch := time.Now(), p.remove(n)
	if len(batch) > 0 && p.served != nil {
		p.served()
	}
	for i, proposal := range batch {
		proposal.timing.mark(markShown, came)
		proposal.timing.mark(markApplied, now)
		proposal.finish(outcome{results[i].Response, results[i].Err})
	}
}

// fail gives a batch an error.
func (p *pending) fail(n revision.Nonce, err error) {
	for _, proposal := range p.remove(n) {
		proposal.finish(outcome{err: err})
	}
}

// failAll gives every batch an error, but goes on taking new ones.
func (p *pending) failAll(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n, batch := range p.batches {
		delete(p.batches, n)
		finishAll(batch, err)
	}
}

// close refuses what comes. What was handed to the log may be in it, or still
// get there, whatever the reason to close is.
func (p *pending) close(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = err
	for _, batch := range p.batches {
		finishAll(batch, fmt.Errorf("%w: %w", revision.ErrUnknown, err))
	}
	p.batches = nil
}
