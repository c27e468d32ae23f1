package backend

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/protobuf/proto"

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
	log     Appender
	queue   *queue
	pending *pending
	// reads ride on appends.
	reads *reads
	// quorumWrite is told of each append that proved a quorum.
	quorumWrite func(time.Time)
	// random is where nonces come from.
	random  io.Reader
	metrics *metrics
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
	if err := p.queue.put(one); err != nil {
		return nil, err
	}
	select {
	case o := <-one.done:
		return o.response, o.err
	case <-ctx.Done():
		p.queue.drop(one)
		return nil, context.Cause(ctx)
	}
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

func newProposal(ctx context.Context, r *recordpb.Request) *proposal {
	recordpb.StripUnknown(r)
	size := proto.Size(r)
	p := &proposal{ctx: ctx, request: r, size: size, memory: memoryBytes(r, size), done: make(chan outcome, 1), timing: timingOf(ctx)}
	if p.timing != nil {
		p.timing.mark(markQueued, time.Now())
	}
	return p
}

// appendLoop takes what has queued up and hands it to the log, as one batch.
// There are as many of these loops as appends may be under way. While all of them
// wait for the log, the next batch gathers: that is all of group commit, there is
// no timer. It ends with ctx, once the outcome of its last append is known.
func (p *proposer) appendLoop(ctx context.Context) {
	for {
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
		batch := p.queue.take()
		if len(batch) == 0 {
			continue
		}
		// Reads that wait for a barrier ride along: this append is sent after
		// they arrived.
		p.appendBatch(ctx, batch, p.reads.ride())
	}
}

// appendBatch appends and learns the outcome, however long it takes: clients
// whose time is over have gone by themselves. Success is answered by the apply
// loop, from the slot.
func (p *proposer) appendBatch(ctx context.Context, batch []*proposal, riders *readGroup) {
	requests := make([]*recordpb.Request, len(batch))
	for i, one := range batch {
		requests[i] = one.request
	}
	nonce := revision.DrawNonce(p.random)
	if err := p.pending.add(nonce, batch); err != nil {
		finishAll(batch, err)
		p.reads.again(riders)
		return
	}
	began := time.Now()
	for _, one := range batch {
		one.timing.mark(markSent, began)
	}
	out, err := p.log.Append(ctx, &revision.Batch{Nonce: nonce, Requests: requests})
	if err == nil {
		if !out.Resent { // else it was read, which proves no quorum
			p.quorumWrite(time.Now())
		}
		p.metrics.append(len(batch), time.Since(began))
	}
	if err != nil || out.Resent {
		p.reads.again(riders)
	} else {
		p.reads.resolved(riders, out.Seq)
	}
	switch {
	case err == nil:
	case errors.Is(err, revision.ErrTooLarge) && !errors.Is(err, revision.ErrUnknown) && len(batch) > 1:
		// The batch is not in the log. One of its requests may be too large by
		// itself, so each goes alone. If the backend was closed or has reloaded at
		// the same time, that has answered them, and none is left.
		for _, one := range p.pending.remove(nonce) {
			p.appendBatch(ctx, []*proposal{one}, nil)
		}
	default:
		p.pending.fail(nonce, err)
	}
}

// metrics are the backend's own; what follows from Status is the server's.
type metrics struct {
	batch    prometheus.Histogram
	duration prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "zkine_append_batch_requests", Help: "Requests in one append to the log.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 13),
		}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "zkine_append_duration_seconds", Help: "Time from sending a batch to ZooKeeper to its place in the log.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
	}
	if r != nil {
		r.MustRegister(m.batch, m.duration)
	}
	return m
}

func (m *metrics) append(requests int, took time.Duration) {
	m.batch.Observe(float64(requests))
	m.duration.Observe(took.Seconds())
}
