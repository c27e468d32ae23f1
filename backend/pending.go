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

// proposal is a request on its way through the log, with the call that waits for
// it.
type proposal struct {
	ctx     context.Context
	request *recordpb.Request
	size    int // bytes, encoded
	memory  int // bytes that it takes in memory; see memoryBytes
	// done gets the outcome, once; it has room for it.
	done    chan outcome
	timing  *Timing  // nil if no caller wants to know
	passage *passage // of the last sending
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
	response  proto.Message
	err       error
	evaluated bool // err is the state's answer
}

// finish hands the outcome over. Its client may have gone.
func (p *proposal) finish(o outcome) {
	if p.finished != nil {
		p.finished(o)
		return
	}
	p.done <- o
}

func newProposal(ctx context.Context, r *recordpb.Request) *proposal {
	recordpb.StripUnknown(r)
	size := proto.Size(r)
	p := &proposal{ctx: ctx, request: r, size: size, memory: memoryBytes(r, size), done: make(chan outcome, 1), timing: timingOf(ctx)}
	p.timing.wait()
	return p
}

// pending holds the batches that were handed to the log and not answered yet,
// by nonce. The apply loop answers them from their slots.
type pending struct {
	mu      sync.Mutex
	batches map[revision.Nonce][]*proposal
	closed  error
	// served is told of each batch that landed, before its clients are.
	served func(batch *passage)
}

func newPending(served func(batch *passage)) *pending {
	return &pending{batches: map[revision.Nonce][]*proposal{}, served: served}
}

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

// wanted says for which requests of a slot a client of this zkine waits.
func (p *pending) wanted(n revision.Nonce) func(request int) bool {
	p.mu.Lock()
	batch := p.batches[n]
	p.mu.Unlock()
	return func(i int) bool { return i < len(batch) && batch[i].ctx.Err() == nil }
}

// landed tells the pacer once of a batch that is in the log. It is called when that is
// known, and before it is answered, whichever comes first.
func (p *proposer) landed(batch *passage) {
	if batch.size > 0 && batch.told.CompareAndSwap(false, true) {
		p.pace.Answered(batch.sent.get(time.Now()), batch.size, p.queue)
	}
}

// answer gives a batch the results of its slot, which came at a moment. A
// client that had gone before it was evaluated gets its context's error.
func (p *pending) answer(n revision.Nonce, seq revision.Seq, results []state.Result, came time.Time) {
	now, batch := time.Now(), p.remove(n)
	if len(batch) > 0 {
		batch[0].passage.land(seq, false, came)
		p.served(batch[0].passage)
	}
	for i, proposal := range batch {
		proposal.timing.came(now)
		o := outcome{results[i].Response, results[i].Err, results[i].Err != nil}
		if o.response == nil && o.err == nil {
			o.err = context.Cause(proposal.ctx)
		}
		proposal.finish(o)
	}
}

// fail gives a batch an error.
func (p *pending) fail(n revision.Nonce, err error) {
	for _, proposal := range p.remove(n) {
		proposal.finish(outcome{err: err})
	}
}

// requests is how many are not answered.
func (p *pending) requests() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, batch := range p.batches {
		n += len(batch)
	}
	return n
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

func finishAll(batch []*proposal, err error) {
	for _, p := range batch {
		p.finish(outcome{err: err})
	}
}
