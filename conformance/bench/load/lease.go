package load

import (
	"context"
	"errors"
	"fmt"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/conformance/bench/load/wiregrpc"
)

// leaseTTL is in seconds, and longer than a run.
const leaseTTL = 3600

// leases is what plans about leases have in common: those that were granted are revoked at the end.
type leases struct {
	store
	held [][]int64 // by client
}

func (l *leases) prepare(ctx context.Context) error {
	l.held = make([][]int64, l.job.Clients)
	return l.connect(ctx)
}

var grantRequest = mustMarshal(&pb.LeaseGrantRequest{TTL: leaseTTL})

// grant gets the client a lease.
func (l *leases) grant(ctx context.Context, client int) error {
	var reply leaseReply
	if err := call(ctx, l.conns.of(client), grantMethod, grantRequest, &reply); err != nil {
		return err
	}
	if reply.id == 0 || reply.ttl != leaseTTL {
		return fmt.Errorf("a lease of %d s was granted with the id %d and %d s", leaseTTL, reply.id, reply.ttl)
	}
	l.held[client] = append(l.held[client], reply.id)
	return nil
}

// check revokes all leases: each must be there, and none twice.
func (l *leases) check(ctx context.Context, _ *Result) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for client, ids := range l.held {
		all.Go(func() {
			for _, id := range ids {
				request := mustMarshal(&pb.LeaseRevokeRequest{ID: id})
				if err := call(ctx, l.conns.of(client), revokeMethod, request, anyReply{}); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// grant grants leases.
type grant struct{ leases }

func newGrant(j Job) plan { return &grant{leases{store: store{job: j}}} }

func (g *grant) op(ctx context.Context, client int, _ *tally) error { return g.grant(ctx, client) }

// keepAlive renews leases, each client its own over a stream of its own.
type keepAlive struct {
	leases
	renewals []*renewal
	stop     context.CancelFunc
}

func newKeepAlive(j Job) plan { return &keepAlive{leases: leases{store: store{job: j}}} }

func (k *keepAlive) prepare(ctx context.Context) error {
	if err := k.leases.prepare(ctx); err != nil {
		return err
	}
	streaming, stop := context.WithCancel(context.Background())
	k.stop = stop
	for client := range k.job.Clients {
		if err := k.grant(ctx, client); err != nil {
			return err
		}
		r := &renewal{replies: make(chan leaseReply, 1), ended: make(chan error, 1)}
		var err error
		if r.stream, err = k.conns.of(client).Stream(streaming, keepAliveMethod, r); err != nil {
			return err
		}
		k.renewals = append(k.renewals, r)
	}
	return nil
}

func (k *keepAlive) op(ctx context.Context, client int, _ *tally) error {
	id := k.held[client][0]
	reply, err := k.renewals[client].renew(ctx, id)
	if err != nil {
		return fmt.Errorf("%s is refused: %w", keepAliveMethod, err)
	}
	if reply.id != id || reply.ttl != leaseTTL {
		return fmt.Errorf("lease %d of %d s was renewed as %d with %d s", id, leaseTTL, reply.id, reply.ttl)
	}
	return nil
}

func (k *keepAlive) close() {
	if k.stop != nil {
		k.stop()
	}
	k.store.close()
}

// renewal is one client's stream, with one request at a time.
type renewal struct {
	stream  *wiregrpc.Stream
	replies chan leaseReply // holds the reply to the request
	ended   chan error      // holds why the stream has ended
}

func (r *renewal) renew(ctx context.Context, id int64) (reply leaseReply, err error) {
	// If it fails, then the stream has ended, and the reason of that is told.
	_ = r.stream.Send(mustMarshal(&pb.LeaseKeepAliveRequest{ID: id}))
	select {
	case reply = <-r.replies:
	case err = <-r.ended:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	return reply, err
}

var (
	errRenewal     = errors.New("a reply came that nobody had asked for")
	errStreamEnded = errors.New("the server has ended the stream")
)

// Scan is called by the connection's reader.
func (r *renewal) Scan(message []byte) error {
	var reply leaseReply
	if err := reply.Scan(message); err != nil {
		return err
	}
	select {
	case r.replies <- reply:
		return nil
	default:
		return errRenewal
	}
}

// End is called once.
func (r *renewal) End(err error) {
	if err == nil {
		err = errStreamEnded
	}
	r.ended <- err
}
