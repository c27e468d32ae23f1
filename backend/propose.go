package backend

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/sirupsen/logrus"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/metrics"
	"github.com/zkine/zkine/backend/pace"
	"github.com/zkine/zkine/backend/readlease"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// Appender is what the append loops need of the log.
type Appender interface {
	// Append places the batch in the log and returns its place. It blocks
	// until the outcome is certain: nil, or revision.ErrTooLarge,
	// revision.ErrRefused and revision.ErrUnavailable (the batch is not in the
	// log and never will be);
	// or until ctx ends: revision.ErrUnknown (it may still appear, and if it
	// does, Next returns it). Several appends may be under way; they land in
	// any order.
	Append(ctx context.Context, batch *revision.Batch) (revision.Appended, error)

	// AwaitConnected blocks until a session is up; an error is ctx's, or final.
	AwaitConnected(ctx context.Context) error

	// Refused says why ZooKeeper takes no writes at present, though it could be
	// reached: revision.ErrQuota, revision.ErrRefused, or
	// revision.ErrUnauthenticated, with which it serves nothing at all. nil if
	// it takes them. Only an append finds out that it does again.
	Refused() error
}

// proposer sends requests through the log: it queues them, and its append loops
// hand what has queued up to the log. The apply loop answers them.
type proposer struct {
	ctx context.Context // the backend's
	log Appender
	// eager is the log's, nil if it has none; applyOwn the applier's.
	eager    Eager
	applyOwn func(revision.Nonce)
	queue    *queue
	pace     *pace.Pacer
	pending  *pending
	// reads ride on appends.
	reads *reads
	// lease says what batches carry; nil for nothing.
	lease *readlease.Holder
	// origin says where batches come from.
	origin origin
	// quorumWrite is told of each append that proved a quorum.
	quorumWrite func(time.Time)
	// random is where nonces come from.
	random  io.Reader
	metrics *metrics.Metrics
	logger  *logrus.Entry
}

// propose authorizes a client's request (see access.go), sends its record
// through the log and returns the response. Errors: those of Authorize, and of
// proposer.propose.
func propose[T proto.Message](ctx context.Context, s *calls, request proto.Message, record *recordpb.Request) (T, error) {
	c, err := s.authorize(ctx, request)
	if err != nil {
		var zero T
		return zero, err
	}
	c.sign(record)
	return proposeUnsigned[T](ctx, s.proposer, record)
}

// proposeUnsigned is propose for logins, which are not authorized, and for
// requests of zkine's own.
func proposeUnsigned[T proto.Message](ctx context.Context, p *proposer, r *recordpb.Request) (T, error) {
	response, err := p.propose(ctx, r)
	if err != nil {
		var zero T
		return zero, err
	}
	return response.(T), nil
}

// propose sends a request through the log and returns its response, of the kind
// that state.Result names. Errors: those of state, when the request was evaluated
// and refused; revision.ErrUnknown when its outcome is unknown;
// revision.ErrUnauthenticated; ErrTooManyRequests; ctx's, when its outcome is not
// known yet but the client's time is over: the request may still take effect.
func (p *proposer) propose(ctx context.Context, r *recordpb.Request) (proto.Message, error) {
	if err := p.log.Refused(); errors.Is(err, revision.ErrUnauthenticated) {
		return nil, err
	}
	one := newProposal(ctx, r)
	if err := p.enqueue(one); err != nil {
		return nil, err
	}
	select {
	case o := <-one.done:
		if o.err != nil && !o.evaluated {
			p.metrics.ProposalFailed()
		}
		return o.response, o.err
	case <-ctx.Done():
		p.metrics.ProposalFailed()
		p.queue.drop(one)
		return nil, context.Cause(ctx)
	}
}

// enqueue queues a proposal. One that finds the queue empty, and may be under way, is
// sent at once, without an append loop.
func (p *proposer) enqueue(one *proposal) error {
	if p.eager == nil {
		return p.queue.put(one)
	}
	taken, err := p.queue.putOrTake(one)
	if taken && !p.begin(one) {
		p.queue.putBack(one)
	}
	return err
}

// proposeAll sends records of zkine's own and waits for them. What fails is
// proposed again with the next tick of its loop, and void if it was done after
// all.
func (p *proposer) proposeAll(ctx context.Context, requests []*recordpb.Request) {
	var sent []*proposal
	for _, r := range requests {
		one := newProposal(ctx, r)
		if p.queue.put(one) != nil {
			break
		}
		sent = append(sent, one)
	}
	// What is not done when its time is over would be proposed twice.
	defer func() {
		for _, one := range sent {
			p.queue.drop(one)
		}
	}()
	for _, one := range sent {
		select {
		case o := <-one.done:
			if revoked, ok := o.response.(*pb.LeaseRevokeResponse); ok && o.err == nil {
				p.logger.WithField("lease", one.request.GetLeaseExpire().GetId()).
					WithField("revision", revoked.GetHeader().GetRevision()).Debug("lease expired")
			}
		case <-ctx.Done():
			return
		}
	}
}

// appendLoop takes what has queued up and hands it to the log, as one batch.
// There are as many of these loops as appends may be under way, and they take turns.
// While none may begin one, the next batch gathers: that is group commit. It ends
// with ctx, once the outcome of its last append is known.
func (p *proposer) appendLoop(ctx context.Context) {
	for p.pace.Turn(ctx) {
		select {
		case <-p.queue.wake:
		case <-ctx.Done():
			return
		}
		// During an outage requests wait in the queue, where those whose
		// clients give up are dropped, instead of taking effect long after.
		if p.log.AwaitConnected(ctx) != nil {
			return
		}
		p.pace.Gather(ctx, p.queue)
		crowded := p.pace.Crowded()
		var batch []*proposal
		p.pace.Take(p.queue, func() int { batch = p.queue.take(); return len(batch) })
		if !crowded {
			p.pace.Pass()
		}
		if len(batch) > 0 {
			p.appendBatch(ctx, batch)
			p.queue.release(len(batch))
		} else if p.lease.Due() {
			p.appendBatch(ctx, nil)
		}
		if crowded {
			p.pace.Pass()
		}
	}
}

// sending is a batch that was handed to the log.
type sending struct {
	nonce revision.Nonce
	batch []*proposal
	// riders wait for a barrier, and ride along: the append is sent after they arrived.
	riders  *readGroup
	began   time.Time
	passage passage
}

// register makes a batch known to those who answer it. If that fails it is answered.
func (p *proposer) register(batch []*proposal) (*sending, *revision.Batch, error) {
	s := &sending{nonce: revision.DrawNonce(p.random), batch: batch, passage: passage{kind: AppendPassage, size: len(batch)}}
	requests := make([]*recordpb.Request, len(batch))
	for i, one := range batch {
		requests[i] = one.request
		one.passage = &s.passage
		s.passage.bytes += one.size
	}
	if err := p.pending.add(s.nonce, batch); err != nil {
		finishAll(batch, err)
		return nil, nil, err
	}
	s.riders, s.began = p.reads.ride(), time.Now()
	s.passage.sent.come(s.began)
	for _, one := range batch {
		one.timing.goes(&s.passage)
	}
	p.metrics.AppendBegins()
	return s, &revision.Batch{Nonce: s.nonce, Requests: requests, Lease: p.lease.Sending(s.nonce, len(batch) == 0), Origin: p.origin.now()}, nil
}

// begin sends a request by itself, if that takes no waiting; false if it is to be
// queued. What becomes of it settles itself, and so it is released.
func (p *proposer) begin(one *proposal) bool {
	s, records, err := p.register([]*proposal{one})
	if err != nil {
		p.queue.release(1)
		return true // it was answered
	}
	p.pace.Alone()
	if p.eager.Begin(p.ctx, records, func(out revision.Appended, err error) {
		s.answered(out, err)
		if err == nil && isQuick(one.request) {
			p.applyOwn(s.nonce)
		}
		p.settle(s, out, err)
		p.queue.release(1)
	}) {
		return true
	}
	p.metrics.AppendUnsent()
	p.lease.Unsent(s.nonce)
	p.reads.again(s.riders)
	if len(p.pending.remove(s.nonce)) == 0 { // the backend was closed, or has reloaded, which has answered it
		p.queue.release(1)
		return true
	}
	return false
}

// appendBatch appends and learns the outcome, however long it takes: clients
// whose time is over have gone by themselves. Success is answered by the applier,
// from the slot.
func (p *proposer) appendBatch(ctx context.Context, batch []*proposal) {
	s, records, err := p.register(batch)
	if err != nil {
		return
	}
	out, err := p.log.Append(ctx, records)
	s.answered(out, err)
	p.settle(s, out, err)
}

// settle deals with the outcome of a batch.
func (p *proposer) settle(s *sending, out revision.Appended, err error) {
	if err == nil {
		if !out.Resent { // else it was read, which proves no quorum
			p.quorumWrite(time.Now())
		}
		p.metrics.AppendEnds(len(s.batch), time.Since(s.began), nil)
		p.landed(&s.passage)
		p.pace.Landed(out.Seq)
	}
	if err != nil {
		p.metrics.AppendEnds(len(s.batch), 0, err)
		p.lease.Failed(s.nonce)
	}
	if err != nil || out.Resent {
		p.reads.again(s.riders)
	} else {
		p.reads.rode(s.riders, out.Seq)
	}
	switch {
	case err == nil:
	case errors.Is(err, revision.ErrTooLarge) && !errors.Is(err, revision.ErrUnknown) && len(s.batch) > 1:
		// The batch is not in the log. One of its requests may be too large by
		// itself, so each goes alone. If the backend was closed or has reloaded at
		// the same time, that has answered them, and none is left.
		for _, one := range p.pending.remove(s.nonce) {
			p.appendBatch(p.ctx, []*proposal{one})
		}
	default:
		p.pending.fail(s.nonce, err)
	}
}
