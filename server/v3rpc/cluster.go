package v3rpc

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
)

// Cluster is the list of the running members.
type Cluster interface {
	// Members lists the live members as of now, which takes a barrier, and
	// KnownMembers as they were a moment ago.
	Members(ctx context.Context) ([]revision.Member, error)
	KnownMembers() ([]revision.Member, error)
}

// clusterServer lists the running members. They come and go by being started
// and stopped, so nothing here changes them.
type clusterServer struct {
	pb.UnsafeClusterServer
	cluster Cluster
	header  header
}

// MemberList's header has no revision, as etcd's has none. There are no peers; a
// member's client URLs stand for its peer URLs, since some clients take the first
// of these without a look, and the JSON gateway leaves out what is empty.
func (s *clusterServer) MemberList(ctx context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	members, err := s.list(ctx, r)
	if err != nil {
		return nil, ToGRPC(ctx, err)
	}
	resp := &pb.MemberListResponse{Header: s.header.fillIdentity(nil)}
	for _, m := range members {
		resp.Members = append(resp.Members, &pb.Member{
			ID: m.ID, Name: m.Name, PeerURLs: m.ClientURLs, ClientURLs: m.ClientURLs,
		})
	}
	return resp, nil
}

func (s *clusterServer) list(ctx context.Context, r *pb.MemberListRequest) ([]revision.Member, error) {
	if r.Linearizable {
		return s.cluster.Members(ctx)
	}
	return s.cluster.KnownMembers()
}

func (s *clusterServer) MemberAdd(context.Context, *pb.MemberAddRequest) (*pb.MemberAddResponse, error) {
	return nil, refused("MemberAdd", "start another zkine on the same ZooKeeper root and it joins by itself")
}

func (s *clusterServer) MemberRemove(context.Context, *pb.MemberRemoveRequest) (*pb.MemberRemoveResponse, error) {
	return nil, refused("MemberRemove", "stop the zkine and it leaves the list by itself")
}

func (s *clusterServer) MemberUpdate(context.Context, *pb.MemberUpdateRequest) (*pb.MemberUpdateResponse, error) {
	return nil, refused("MemberUpdate", "zkine has no peer URLs; restart it with other --advertise-client-urls to change what clients are told")
}

func (s *clusterServer) MemberPromote(context.Context, *pb.MemberPromoteRequest) (*pb.MemberPromoteResponse, error) {
	return nil, refused("MemberPromote", "zkine has no learners; every member serves")
}
