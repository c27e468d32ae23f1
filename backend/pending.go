package backend

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
)

// pending holds the batches that were handed to the log and not answered yet,
// by nonce. The apply loop answers them from their slots.
type pending struct {
	mu      sync.Mutex
	batches map[revision.Nonce][]*proposal
	closed  error
	// served is told of each batch that landed, before its clients are.
	served func()
}

func newPending(served func()) *pending {
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

// answer gives a batch the results of its slot, which came at a moment. A
// client that had gone before it was evaluated gets its context's error.
func (p *pending) answer(n revision.Nonce, seq revision.Seq, results []state.Result, came time.Time) {
	now, batch := time.Now(), p.remove(n)
	if len(batch) > 0 {
		batch[0].passage.land(seq, false, came)
		p.served()
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
