package backend

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// propose authorizes a client's request (see access.go), sends its record
// through the log and returns the response. Errors: those of Authorize; those of
// state, when the request was evaluated and refused; revision.ErrUnknown when
// its outcome is unknown; ctx's, when the outcome is not known yet but the
// client's time is over: the request may still take effect.
func propose[T proto.Message](ctx context.Context, b *Backend, request proto.Message, record *recordpb.Request) (T, error) {
	c, err := b.authorize(ctx, request)
	if err != nil {
		var zero T
		return zero, err
	}
	c.sign(record)
	return proposeUnsigned[T](ctx, b, record)
}

// proposeUnsigned is propose for logins, which are not authorized, and for
// requests of zkine's own.
func proposeUnsigned[T proto.Message](ctx context.Context, b *Backend, r *recordpb.Request) (T, error) {
	var zero T
	if err := b.log.Refused(); errors.Is(err, revision.ErrUnauthenticated) {
		return zero, err
	}
	p := b.proposal(ctx, r)
	if err := b.queue.put(p); err != nil {
		return zero, err
	}
	select {
	case o := <-p.done:
		if o.err != nil {
			return zero, o.err
		}
		return o.response.(T), nil
	case <-ctx.Done():
		b.queue.drop(p)
		return zero, context.Cause(ctx)
	}
}

func (b *Backend) proposal(ctx context.Context, r *recordpb.Request) *proposal {
	revision.StripUnknown(r)
	size := proto.Size(r)
	p := &proposal{ctx: ctx, request: r, size: size, held: heldBytes(r, size), done: make(chan outcome, 1), timing: timingOf(ctx)}
	if p.timing != nil {
		p.timing.mark(markQueued, time.Now())
	}
	return p
}

// appendLoop takes what has queued up and hands it to the log, as one batch.
// There are as many of these loops as appends may be under way; while all are
// at it, the next batch gathers: that is all of group commit, there is no timer.
// It ends with the backend.
func (b *Backend) appendLoop() {
	for {
		select {
		case <-b.queue.wake:
		case <-b.ctx.Done():
			return
		}
		// During an outage requests wait in the queue, where those whose
		// clients give up are dropped, instead of taking effect long after.
		if b.log.AwaitConnected(b.ctx) != nil {
			return
		}
		batch := b.queue.take()
		if len(batch) == 0 {
			continue
		}
		// Reads that wait for a barrier ride along: this append is sent after
		// they arrived.
		b.appendBatch(batch, b.reads.ride())
	}
}

// appendBatch appends and learns the outcome, however long it takes: clients
// whose time is over have gone by themselves. Success is answered by the apply
// loop, from the slot.
func (b *Backend) appendBatch(batch []*proposal, riders *readGroup) {
	requests := make([]*recordpb.Request, len(batch))
	for i, p := range batch {
		requests[i] = p.request
	}
	nonce := revision.DrawNonce(b.cfg.Random)
	if err := b.pending.add(nonce, batch); err != nil {
		finishAll(batch, err)
		b.reads.again(riders)
		return
	}
	began := time.Now()
	for _, p := range batch {
		p.timing.mark(markSent, began)
	}
	out, err := b.log.Append(b.ctx, &revision.Batch{Nonce: nonce, Requests: requests})
	if err == nil {
		if !out.Resent { // else it was read, which proves no quorum
			b.lessor.quorumWrite(time.Now())
		}
		b.metrics.append(len(batch), time.Since(began))
	}
	if err != nil || out.Resent {
		b.reads.again(riders)
	} else {
		b.reads.resolved(riders, out.Seq)
	}
	switch {
	case err == nil:
	case errors.Is(err, revision.ErrTooLarge) && !errors.Is(err, revision.ErrUnknown) && len(batch) > 1:
		// The batch is not in the log. One of its requests may be too large
		// by itself; the others must not suffer.
		// Who closed the backend or reloaded meanwhile has answered them.
		for _, p := range b.pending.remove(nonce) {
			b.appendBatch([]*proposal{p}, nil)
		}
	default:
		b.pending.fail(nonce, err)
	}
}

func finishAll(batch []*proposal, err error) {
	for _, p := range batch {
		p.finish(outcome{err: err})
	}
}
