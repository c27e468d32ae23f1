package server

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

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
	Compact(ctx context.Context, r *pb.CompactionRequest) (*pb.CompactionResponse, error)

	LeaseGrant(ctx context.Context, r *pb.LeaseGrantRequest) (*pb.LeaseGrantResponse, error)
	LeaseRevoke(ctx context.Context, r *pb.LeaseRevokeRequest) (*pb.LeaseRevokeResponse, error)
	// LeaseKeepAlive renews once. An unknown lease is TTL 0, not an error; the
	// header's revision is the one before the renewal.
	LeaseKeepAlive(ctx context.Context, r *pb.LeaseKeepAliveRequest) (*pb.LeaseKeepAliveResponse, error)
	LeaseTimeToLive(ctx context.Context, r *pb.LeaseTimeToLiveRequest) (*pb.LeaseTimeToLiveResponse, error)
	LeaseLeases(ctx context.Context, r *pb.LeaseLeasesRequest) (*pb.LeaseLeasesResponse, error)

	// Watch opens a watch stream; the caller closes it.
	Watch() WatchStream

	// Members lists the live members, after a barrier if linearizable.
	Members(ctx context.Context, linearizable bool) ([]revision.Member, error)
	Alarms(ctx context.Context) ([]*pb.AlarmMember, error)
	Status() Status
	// Ready is nil while linearizable calls can be served, or says why not.
	Ready() error
	ClusterID() uint64
}

// Status is a snapshot of where the backend stands.
type Status struct {
	Revision        revision.Rev
	CompactRevision revision.Rev
	// Term never goes back; see docs/design.md, "Identity".
	Term uint64
	// Index is the place in the log that this member knows of, AppliedIndex
	// the one that its state has reached.
	Index, AppliedIndex uint64
	// Leader is the id of the keeper, 0 if none is known.
	Leader uint64
	// DBSize and DBSizeInUse are in bytes.
	DBSize, DBSizeInUse int64
	// Errors are etcd's words for what is wrong, such as alarms.
	Errors []string
}

// WatchStream is the watchers of one gRPC watch stream. Create, Cancel and
// RequestProgress may be called by one goroutine while another calls Next.
// All answers come out of Next, in the order in which clients may rely on
// them: "created" before events, events by revision, progress after all events
// at or below its revision.
type WatchStream interface {
	// Create adds a watcher; refusals come out of Next as etcd words them.
	Create(r *pb.WatchCreateRequest)
	// Cancel ends a watcher; an unknown id is ignored.
	Cancel(id int64)
	// RequestProgress asks for one progress response for the whole stream.
	RequestProgress()
	// Next blocks for the next response. Its header holds the revision only.
	// A response is never split; fragmenting is the facade's.
	Next(ctx context.Context) (*pb.WatchResponse, error)
	// Fragmented says whether the watcher asked for large responses in parts.
	Fragmented(id int64) bool
	Close()
}
