package backend

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/watch"
	"github.com/zkine/zkine/revision/recordpb"
)

// Range answers from memory; linearizable unless r.Serializable.
func (b *Backend) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	if !r.Serializable {
		if err := b.reads.wait(ctx); err != nil {
			return nil, err
		}
	}
	if err := b.failure(); err != nil {
		return nil, err
	}
	c, err := b.authorize(ctx, r)
	if err != nil {
		return nil, err
	}
	return c.view.Range(r)
}

// Put stores a key.
func (b *Backend) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	if err := b.admit(ctx, putCost(r)); err != nil {
		return nil, err
	}
	return propose[*pb.PutResponse](ctx, b.calls, r, &recordpb.Request{Kind: &recordpb.Request_Put{Put: r}})
}

// DeleteRange deletes keys, all in one revision.
func (b *Backend) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	return propose[*pb.DeleteRangeResponse](ctx, b.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_DeleteRange{DeleteRange: r}})
}

// Txn runs a transaction. One that cannot write does not go through the log.
func (b *Backend) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	if !state.IsReadOnly(r) {
		if err := b.view.Load().Afford(r); err != nil {
			return nil, err
		}
		if err := b.admit(ctx, txnCost(r)); err != nil {
			return nil, err
		}
		return propose[*pb.TxnResponse](ctx, b.calls, r, &recordpb.Request{Kind: &recordpb.Request_Txn{Txn: r}})
	}
	if !state.IsSerializable(r) {
		if err := b.reads.wait(ctx); err != nil {
			return nil, err
		}
	}
	if err := b.failure(); err != nil {
		return nil, err
	}
	c, err := b.authorize(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := c.view.Afford(r); err != nil {
		return nil, err
	}
	return c.view.ReadTxn(r)
}

// Compact moves the compaction floor. It is exact at once; memory is given
// back bit by bit, for which CompactedPhysically waits, and what ZooKeeper holds
// shrinks with the next checkpoints.
func (b *Backend) Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	return propose[*pb.CompactionResponse](ctx, b.calls, r,
		&recordpb.Request{Kind: &recordpb.Request_Compaction{Compaction: r}})
}

// Watch opens a watch stream; the caller closes it. Its events come from the state
// as it is here, without waiting for what other members have acknowledged.
func (b *Backend) Watch() watch.Stream { return b.watches.Open() }
