package backend

import (
	"context"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision/recordpb"
)

// keepAlives lets keepalives of one lease that wait in the queue share a record.
// Lock order: the queue's lock, mu.
type keepAlives struct {
	queue *queue
	// ctx ends with the backend.
	ctx context.Context

	mu     sync.Mutex
	queued map[int64]*keepAlive
}

// keepAlive is a record that waits, and the clients that share it.
type keepAlive struct {
	proposal *proposal
	clients  int // that wait; under keepAlives.mu
	cancel   context.CancelFunc
	// done is closed once response or err is there.
	done     chan struct{}
	response *pb.LeaseKeepAliveResponse
	err      error
}

func newKeepAlives(ctx context.Context, q *queue) *keepAlives {
	return &keepAlives{queue: q, ctx: ctx, queued: map[int64]*keepAlive{}}
}

// renew renews a lease. The response is shared and must not change.
func (ks *keepAlives) renew(ctx context.Context, id int64) (*pb.LeaseKeepAliveResponse, error) {
	k, began := ks.join(id)
	if began {
		// Not under mu, which the queue takes.
		if err := ks.queue.put(k.proposal); err != nil {
			ks.forget(id, k)
			k.finish(outcome{err: err})
		}
	}
	select {
	case <-k.done:
		return k.response, k.err
	case <-ctx.Done():
		ks.leave(id, k)
		return nil, context.Cause(ctx)
	}
}

// join returns the record that waits, or one that the caller is to queue.
func (ks *keepAlives) join(id int64) (k *keepAlive, began bool) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if k := ks.queued[id]; k != nil {
		k.clients++
		return k, false
	}
	k = &keepAlive{clients: 1, done: make(chan struct{})}
	ks.queued[id] = k
	// Clients come and go while they share it: it lasts for as long as one waits.
	var ctx context.Context
	ctx, k.cancel = context.WithCancel(ks.ctx)
	k.proposal = newProposal(ctx, &recordpb.Request{Kind: &recordpb.Request_LeaseRenew{LeaseRenew: &recordpb.LeaseRenew{Id: id}}})
	k.proposal.taken = func() { ks.forget(id, k) } // a later client needs a record of its own
	k.proposal.finished = k.finish
	return k, true
}

func (k *keepAlive) finish(o outcome) {
	if k.err = o.err; o.err == nil {
		k.response = o.response.(*pb.LeaseKeepAliveResponse)
	}
	close(k.done)
	k.cancel()
}

// leave is called by a client that waits no longer. The last one takes the
// record away, if it still waits in the queue.
func (ks *keepAlives) leave(id int64, k *keepAlive) {
	ks.mu.Lock()
	k.clients--
	abandoned := k.clients == 0 && ks.queued[id] == k
	if abandoned {
		delete(ks.queued, id)
	}
	ks.mu.Unlock()
	if abandoned {
		k.cancel() // before: it may not be in the queue yet
		ks.queue.drop(k.proposal)
	}
}

func (ks *keepAlives) forget(id int64, k *keepAlive) {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	if ks.queued[id] == k {
		delete(ks.queued, id)
	}
}
