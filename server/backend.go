package server

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/etcddb"
	"github.com/zkine/zkine/backend/watch"
	"github.com/zkine/zkine/revision"
)

// Backend is what the facade needs of the state machine; *backend.Backend
// satisfies it.
//
// Requests were checked statically before they get here, and belong to the
// backend from then on. Responses belong to the facade but for the bytes that
// they point to, which are shared and must not change. A response's header
// holds its revision; the facade adds the identity (see header.go). Errors are
// sentinels of packages backend, state and revision, or ctx's; errors.go maps
// them to etcd's.
type Backend interface {
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

	LeaseGrant(ctx context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error)
	LeaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error)
	// LeaseKeepAlive renews once. An unknown lease is TTL 0, not an error; the
	// header's revision is the one before the renewal.
	LeaseKeepAlive(ctx context.Context, r *pb.LeaseKeepAliveRequest) (*pb.LeaseKeepAliveResponse, error)
	LeaseTimeToLive(ctx context.Context, r *pb.LeaseTimeToLiveRequest) (*pb.LeaseTimeToLiveResponse, error)
	LeaseLeases(ctx context.Context, r *pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error)

	AuthBackend

	// Watch opens a watch stream; the caller closes it.
	Watch() WatchStream

	// Members lists the live members, after a barrier if linearizable.
	Members(ctx context.Context, linearizable bool) ([]revision.Member, error)
	Status() Status
	// ConfirmLeader finds out whether the member that Status names lives.
	ConfirmLeader(ctx context.Context)

	Alarm(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error)
	// Alarms are those of the state as it is here, without I/O.
	Alarms() []*pb.AlarmMember
	Hash(ctx context.Context, r *pb.HashRequest) (*pb.HashResponse, error)
	HashKV(ctx context.Context, r *pb.HashKVRequest) (*pb.HashKVResponse, error)
	// Defragment makes what ZooKeeper holds as small as it gets.
	Defragment(ctx context.Context) error
	// Snapshot makes a database of etcd's; the caller closes it.
	Snapshot(ctx context.Context) (Snapshot, error)

	// Probe is nil if a read is answered. It is the server's own, so that users
	// do not count.
	Probe(ctx context.Context, serializable bool) error
	// Current returns the revision and the term, as Status does but at next
	// to no cost: each response carries them.
	Current() (revision.Rev, uint64)
	// Ready is nil while linearizable calls can be served, or says why not.
	Ready() error
	ClusterID() uint64
}

// Status is a snapshot of where the backend stands.
type Status = backend.Status

// Snapshot is a database of etcd's as one file.
type Snapshot = etcddb.Snapshot

// WatchStream is the watchers of one gRPC watch stream.
type WatchStream = watch.Stream
