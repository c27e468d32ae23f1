package v3rpc

import (
	"context"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// KV is the store of the KV service.
type KV interface {
	Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error)
	// RangeStream answers a range in chunks of at most chunkBytes or so, as
	// etcd's RangeStream does.
	RangeStream(ctx context.Context, r *pb.RangeRequest, chunkBytes int, send func(*pb.RangeStreamResponse) error) error
	Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error)
	DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error)
	Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error)
	// Compact does not wait for what it makes unreadable to be given back:
	// CompactedPhysically does.
	Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error)
	CompactedPhysically(ctx context.Context, rev int64) error
}

type kvServer struct {
	pb.UnsafeKVServer
	kv     KV
	header header
	limits limits
	// timeout is how long a RangeStream may take to send its first chunk, and a
	// compaction to get into the log.
	timeout time.Duration
}

func (s *kvServer) Range(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	if err := checkRange(r); err != nil {
		return nil, err
	}
	resp, err := s.kv.Range(ctx, r)
	if err != nil {
		return nil, ToGRPC(ctx, err)
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}

// RangeStream answers in chunks; only the last one has a header, whose
// revision is the one that the stream was pinned to. Waiting for the state to
// be current is bounded, as it is for unary calls; sending is not.
func (s *kvServer) RangeStream(r *pb.RangeRequest, stream pb.KV_RangeStreamServer) error {
	if err := checkRangeStream(r); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	waiting := time.AfterFunc(s.timeout, func() { cancel(ErrRequestTimeout) })
	defer waiting.Stop()
	err := s.kv.RangeStream(ctx, r, s.limits.maxRequestBytes, func(resp *pb.RangeStreamResponse) error {
		waiting.Stop()
		if h := resp.GetRangeResponse().GetHeader(); h != nil {
			s.header.fillIdentity(h)
		}
		return stream.Send(resp)
	})
	return ToGRPC(ctx, err)
}

func (s *kvServer) Put(ctx context.Context, r *pb.PutRequest) (*pb.PutResponse, error) {
	if err := checkPut(r); err != nil {
		return nil, err
	}
	if err := checkSize(&pb.InternalRaftRequest{Put: r}, s.limits.maxRequestBytes); err != nil {
		return nil, err
	}
	resp, err := s.kv.Put(ctx, r)
	if err != nil {
		return nil, ToGRPC(ctx, err)
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}

func (s *kvServer) DeleteRange(ctx context.Context, r *pb.DeleteRangeRequest) (*pb.DeleteRangeResponse, error) {
	if err := checkDeleteRange(r); err != nil {
		return nil, err
	}
	if err := checkSize(&pb.InternalRaftRequest{DeleteRange: r}, s.limits.maxRequestBytes); err != nil {
		return nil, err
	}
	resp, err := s.kv.DeleteRange(ctx, r)
	if err != nil {
		return nil, ToGRPC(ctx, err)
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}

// Txn fills the outermost header only: the nested responses' revisions mean
// something of their own.
func (s *kvServer) Txn(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
	if err := checkTxn(r, s.limits.maxTxnOps); err != nil {
		return nil, err
	}
	if !ReadOnly(r) {
		if err := checkSize(&pb.InternalRaftRequest{Txn: r}, s.limits.maxRequestBytes); err != nil {
			return nil, err
		}
	}
	resp, err := s.kv.Txn(ctx, r)
	if err != nil {
		return nil, ToGRPC(ctx, err)
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}

// Compact is bounded in time until the compaction is in the log; a physical one
// then waits for as long as its client does, as etcd's.
func (s *kvServer) Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	resp, err := s.compact(ctx, r)
	if err != nil {
		return nil, err
	}
	if r.Physical {
		if err := s.kv.CompactedPhysically(ctx, r.Revision); err != nil {
			return nil, ToGRPC(ctx, err)
		}
	}
	resp.Header = s.header.fill(resp.Header)
	return resp, nil
}

func (s *kvServer) compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, ErrRequestTimeout)
	defer cancel()
	resp, err := s.kv.Compact(ctx, r)
	return resp, ToGRPC(ctx, err)
}
