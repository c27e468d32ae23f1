package differential

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// store is one of the two servers, with what was asked of it so far.
type store struct {
	t           testing.TB
	name        string
	conn        *grpc.ClientConn
	kv          pb.KVClient
	lease       pb.LeaseClient
	maintenance pb.MaintenanceClient
	// watches are all that were ever created, in order; streams are by their numbers in operations.
	watches []*watch
	streams map[int]*stream
}

func connect(t testing.TB, name, endpoint string) *store {
	t.Helper()
	conn, err := grpc.NewClient(endpoint, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(64<<20)))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return &store{t: t, name: name, conn: conn, kv: pb.NewKVClient(conn), lease: pb.NewLeaseClient(conn),
		maintenance: pb.NewMaintenanceClient(conn), streams: map[int]*stream{}}
}

// etcdName is the name of the store that is an etcd.
const etcdName = "etcd"

// outcome is what a store said: a response or an error.
type outcome struct {
	response proto.Message // nil after an error
	err      string        // code and message
}

func (o outcome) String() string {
	if o.err != "" {
		return o.err
	}
	return fmt.Sprintf("%.2000s", fmt.Sprint(o.response))
}

func (o outcome) equal(other outcome) bool {
	if o.err != "" || other.err != "" {
		return o.err == other.err
	}
	return proto.Equal(o.response, other.response)
}

// do makes a request and returns its outcome, normalized.
func (s *store) do(ctx context.Context, o operation) outcome {
	response, err := s.call(ctx, o)
	if err != nil {
		return outcome{err: fmt.Sprintf("%v: %s", status.Code(err), status.Convert(err).Message())}
	}
	normalize(o.Message, response)
	return outcome{response: response}
}

func (s *store) call(ctx context.Context, o operation) (proto.Message, error) {
	switch r := o.Message.(type) {
	case *pb.RangeRequest:
		return s.ranged(ctx, o, r)
	case *pb.PutRequest:
		return s.kv.Put(ctx, r)
	case *pb.DeleteRangeRequest:
		return s.kv.DeleteRange(ctx, r)
	case *pb.TxnRequest:
		if s.name == etcdName {
			return s.txnWithLeases(ctx, r)
		}
		return s.kv.Txn(ctx, r)
	case *pb.CompactionRequest:
		return s.kv.Compact(ctx, r)
	case *pb.LeaseGrantRequest:
		return s.lease.LeaseGrant(ctx, r)
	case *pb.LeaseRevokeRequest:
		return s.lease.LeaseRevoke(ctx, r)
	case *pb.LeaseTimeToLiveRequest:
		if o.await {
			return s.awaitEnd(ctx, r)
		}
		return s.lease.LeaseTimeToLive(ctx, r)
	case *pb.LeaseLeasesRequest:
		return s.lease.LeaseLeases(ctx, r)
	case *pb.LeaseKeepAliveRequest:
		return s.keepAlive(ctx, r)
	case *pb.HashKVRequest:
		return s.maintenance.HashKV(ctx, r)
	case *pb.AlarmRequest:
		return s.maintenance.Alarm(ctx, r)
	case *pb.StatusRequest:
		return s.maintenance.Status(ctx, r)
	case *pb.DefragmentRequest:
		return s.maintenance.Defragment(ctx, r)
	case *pb.MoveLeaderRequest:
		return s.maintenance.MoveLeader(ctx, r)
	case *pb.DowngradeRequest:
		return s.maintenance.Downgrade(ctx, r)
	case *pb.WatchCreateRequest:
		return s.createWatch(ctx, o.stream, r)
	case *pb.WatchCancelRequest:
		return s.cancelWatch(ctx, o.stream, r)
	}
	panic(fmt.Sprintf("differential: no call for %T", o.Message))
}

// ranged is a Range or a RangeStream.
func (s *store) ranged(ctx context.Context, o operation, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	ask := func(r *pb.RangeRequest) (*pb.RangeResponse, error) {
		if o.streamed && !s.sortsWrongly(ctx, r) {
			return s.rangeStream(ctx, r)
		}
		return s.kv.Range(ctx, r)
	}
	if s.name == etcdName {
		return withLeases(r, ask)
	}
	return ask(r)
}

// sortsWrongly says whether this is an etcd whose RangeStream would tell keys twice or never, or a wrong count: it takes
// a target without an order for no sorting at all in its checks, and then sorts each chunk by itself. The first has ten
// keys at most. It is asked for a Range then, which is right.
func (s *store) sortsWrongly(ctx context.Context, r *pb.RangeRequest) bool {
	filtered := r.MinModRevision != 0 || r.MaxModRevision != 0 || r.MinCreateRevision != 0 || r.MaxCreateRevision != 0
	refused := r.SortOrder != pb.RangeRequest_NONE || filtered
	if s.name != etcdName || r.SortTarget == pb.RangeRequest_KEY || r.Limit < 0 || r.CountOnly || refused {
		return false
	}
	first := int64(10)
	if r.Limit > 0 {
		first = min(first, r.Limit)
	}
	counted, err := s.kv.Range(ctx, &pb.RangeRequest{Key: r.Key, RangeEnd: r.RangeEnd, Revision: r.Revision, CountOnly: true})
	return err == nil && counted.Count > first
}

// rangeStream puts the chunks together; their sizes are each server's own.
func (s *store) rangeStream(ctx context.Context, r *pb.RangeRequest) (*pb.RangeResponse, error) {
	stream, err := s.kv.RangeStream(ctx, r)
	if err != nil {
		return nil, err
	}
	all := &pb.RangeResponse{}
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		proto.Merge(all, chunk.RangeResponse)
	}
}

func (s *store) keepAlive(ctx context.Context, r *pb.LeaseKeepAliveRequest) (proto.Message, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.lease.LeaseKeepAlive(ctx)
	if err != nil {
		return nil, err
	}
	if err := stream.Send(r); err != nil {
		return nil, err
	}
	return stream.Recv()
}

// awaitEnd waits until a lease has expired, and returns what the server says of it then.
func (s *store) awaitEnd(ctx context.Context, r *pb.LeaseTimeToLiveRequest) (proto.Message, error) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		response, err := s.lease.LeaseTimeToLive(ctx, r)
		if err != nil || response.TTL < 0 {
			return response, err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("lease %d does not expire: %w", r.ID, ctx.Err())
		}
	}
}
