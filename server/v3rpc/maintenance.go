package v3rpc

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/coreos/go-semver/semver"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/etcddb"
)

// Maintenance is the store of the Maintenance service.
type Maintenance interface {
	Cluster
	Status() Status
	// ConfirmLeader finds out whether the member that Status names lives.
	ConfirmLeader(ctx context.Context)
	// Ready is nil while there is a leader, in etcd's words.
	Ready() error

	Alarm(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error)
	Hash(ctx context.Context, r *pb.HashRequest) (*pb.HashResponse, error)
	HashKV(ctx context.Context, r *pb.HashKVRequest) (*pb.HashKVResponse, error)
	// Defragment makes what ZooKeeper holds as small as it gets.
	Defragment(ctx context.Context) error
	// Snapshot makes a database of etcd's; the caller closes it.
	Snapshot(ctx context.Context) (Snapshot, error)
}

// Status is a snapshot of where the backend stands.
type Status = backend.Status

// Snapshot is a database of etcd's as one file.
type Snapshot = etcddb.Snapshot

// maintenanceServer is etcd's Maintenance service; docs/maintenance.md says
// what each call means here. Alarms are in alarm.go, hashes in hash.go,
// snapshots in snapshot.go.
type maintenanceServer struct {
	pb.UnsafeMaintenanceServer
	backend        Maintenance
	header         header
	version        string
	storageVersion string
	snapshotStall  time.Duration
	// senders counts the goroutines that send snapshots.
	senders *sync.WaitGroup
}

// Status is answered from memory, ready or not: it is what operators ask when
// something is wrong. While ZooKeeper can be reached it names a leader that lives.
func (s *maintenanceServer) Status(ctx context.Context, _ *pb.StatusRequest) (*pb.StatusResponse, error) {
	s.backend.ConfirmLeader(ctx)
	st := s.backend.Status()
	resp := &pb.StatusResponse{
		Header:           s.header.fill(&pb.ResponseHeader{Revision: int64(st.Revision)}),
		Version:          s.version,
		StorageVersion:   s.storageVersion,
		DbSize:           DBSize(st),
		DbSizeInUse:      st.Sizes.Kept,
		DbSizeQuota:      st.Quota,
		Leader:           s.leader(st),
		RaftIndex:        st.Index,
		RaftAppliedIndex: st.AppliedIndex,
		RaftTerm:         st.Term,
		DowngradeInfo:    &pb.DowngradeInfo{},
	}
	if resp.Leader == 0 {
		resp.Errors = append(resp.Errors, rpctypes.ErrorDesc(rpctypes.ErrGRPCNoLeader))
	}
	resp.Errors = append(resp.Errors, st.Errors...)
	return resp, nil
}

// DBSize is what etcd calls the size of its database, in bytes. It is never 0:
// etcdctl divides by it.
func DBSize(st Status) int64 { return max(st.Sizes.Total(), 1) }

// leader is the id of the member that does the housekeeping. Without ZooKeeper
// there is no quorum, which etcd calls having no leader: 0.
func (s *maintenanceServer) leader(st Status) uint64 {
	if s.backend.Ready() != nil {
		return 0
	}
	return st.Leader
}

// Defragment packs the log and checkpoints the state now, instead of when that
// pays. As etcd's, its answer has no header.
func (s *maintenanceServer) Defragment(ctx context.Context, _ *pb.DefragmentRequest) (*pb.DefragmentResponse, error) {
	if err := s.backend.Defragment(ctx); err != nil {
		return nil, ToGRPC(ctx, err)
	}
	return &pb.DefragmentResponse{}, nil
}

// MoveLeader answers as etcd does where etcd would move nothing. Otherwise it
// is refused: who is leader follows from the order in which members joined.
func (s *maintenanceServer) MoveLeader(ctx context.Context, r *pb.MoveLeaderRequest) (*pb.MoveLeaderResponse, error) {
	leader := s.leader(s.backend.Status())
	if leader == 0 || leader != s.header.memberID {
		return nil, rpctypes.ErrGRPCNotLeader
	}
	members, err := s.backend.Members(ctx) // one that has just joined is one
	if err != nil {
		return nil, ToGRPC(ctx, err)
	}
	for _, m := range members {
		switch {
		case m.ID != r.TargetID:
		case m.ID == leader:
			return &pb.MoveLeaderResponse{}, nil
		default:
			return nil, refused("MoveLeader", "members are equal, and the longest-running one does the housekeeping; restart this member to pass it on")
		}
	}
	return nil, rpctypes.ErrGRPCBadLeaderTransferee
}

// Downgrade answers as an etcd whose cluster cannot be downgraded. As there, to
// cancel what is not under way is no error.
func (s *maintenanceServer) Downgrade(_ context.Context, r *pb.DowngradeRequest) (*pb.DowngradeResponse, error) {
	switch r.Action {
	case pb.DowngradeRequest_VALIDATE, pb.DowngradeRequest_ENABLE:
		return nil, s.checkDowngrade(r.Version)
	case pb.DowngradeRequest_CANCEL:
		return &pb.DowngradeResponse{Header: s.header.fill(nil), Version: minorOf(semver.New(s.storageVersion))}, nil
	}
	return nil, errUnknownMethod
}

// checkDowngrade is why the cluster cannot be downgraded to a version: etcd
// allows the minor version before its own.
func (s *maintenanceServer) checkDowngrade(version string) error {
	target, err := semver.NewVersion(version)
	if err != nil {
		target, err = semver.NewVersion(version + ".0")
	}
	if err != nil {
		return rpctypes.ErrGRPCWrongDowngradeVersionFormat
	}
	allowed := semver.New(s.storageVersion)
	allowed.Minor--
	if minorOf(target) != minorOf(allowed) {
		return rpctypes.ErrGRPCInvalidDowngradeTargetVersion
	}
	return refused("Downgrade", "nothing is stored in a format of etcd's; to move to etcd "+minorOf(allowed)+", restore a snapshot in an etcd "+
		minorOf(semver.New(s.storageVersion))+" and downgrade that: see docs/maintenance.md, \"To an older etcd\"")
}

// minorOf is major.minor, which is how etcd writes a cluster's version.
func minorOf(v *semver.Version) string { return fmt.Sprintf("%d.%d", v.Major, v.Minor) }
