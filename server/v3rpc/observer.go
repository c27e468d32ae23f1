package v3rpc

import (
	"context"
	"sync/atomic"

	"go.etcd.io/etcd/server/v3/etcdserver/api/v3election/v3electionpb"
	"google.golang.org/protobuf/proto"
)

const (
	// observedMax is how many leaders may wait for the client of an Observe, and
	// observedBytes how many bytes they may have.
	observedMax   = 1024
	observedBytes = 16 << 20
)

// observer is the stream of an Observe as etcd's service sees it: to send never
// blocks. Otherwise clientv3, by which that service watches the election, would keep
// what the client does not take, without a bound.
type observer struct {
	v3electionpb.Election_ObserveServer
	ctx   context.Context
	queue chan *v3electionpb.LeaderResponse
	bytes atomic.Int64
}

func newObserver(ctx context.Context, stream v3electionpb.Election_ObserveServer) *observer {
	return &observer{Election_ObserveServer: stream, ctx: ctx, queue: make(chan *v3electionpb.LeaderResponse, observedMax)}
}

func (o *observer) Context() context.Context { return o.ctx }

// Send queues a leader. One may always wait, whatever its size. Error: one for the
// client, which is too far behind.
func (o *observer) Send(leader *v3electionpb.LeaderResponse) error {
	size := int64(proto.Size(leader))
	if before := o.bytes.Add(size) - size; before > 0 && before+size > observedBytes {
		return errObserverStalled
	}
	select {
	case o.queue <- leader:
		return nil
	default:
		return errObserverStalled
	}
}

// deliver sends what is queued until the queue is closed.
func (o *observer) deliver() error {
	for leader := range o.queue {
		o.bytes.Add(-int64(proto.Size(leader)))
		if err := o.Election_ObserveServer.Send(leader); err != nil {
			return err
		}
	}
	return nil
}
