package top

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/backend/observepb"
)

// listening is a socket of this machine, and its URL.
func listening(t *testing.T) (net.Listener, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l, "http://" + l.Addr().String()
}

// telling is a member that tells of itself, and lists all.
type telling struct {
	observepb.UnimplementedObserveServer
	pb.UnimplementedClusterServer
	id  uint64
	all []*pb.Member
}

func (m *telling) Member(context.Context, *observepb.MemberRequest) (*observepb.MemberResponse, error) {
	return &observepb.MemberResponse{Id: m.id}, nil
}

func (m *telling) Usage(context.Context, *observepb.UsageRequest) (*observepb.UsageResponse, error) {
	return &observepb.UsageResponse{}, nil
}

func (m *telling) Ensemble(context.Context, *observepb.EnsembleRequest) (*observepb.EnsembleResponse, error) {
	return &observepb.EnsembleResponse{Servers: []*observepb.Server{{Address: "zk1:2181"}}}, nil
}

func (m *telling) MemberList(ctx context.Context, r *pb.MemberListRequest) (*pb.MemberListResponse, error) {
	if r.Linearizable { // as while ZooKeeper is away
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return &pb.MemberListResponse{Members: m.all}, nil
}

// TestASilentMemberHidesNobody has one of the endpoints take connections and say nothing,
// as a process that is stopped: the member that is known of by the other one alone, and
// the ensemble, are asked all the same, though ZooKeeper is away.
func TestASilentMemberHidesNobody(t *testing.T) {
	t.Parallel()
	_, silent := listening(t)
	one, oneURL := listening(t)
	two, twoURL := listening(t)
	all := []*pb.Member{{ID: 1, Name: "one", ClientURLs: []string{oneURL}}, {ID: 2, Name: "two", ClientURLs: []string{twoURL}}, {ID: 3, Name: "silent", ClientURLs: []string{silent}}}
	for id, at := range map[uint64]net.Listener{1: one, 2: two} {
		s := grpc.NewServer()
		m := &telling{id: id, all: all}
		observepb.RegisterObserveServer(s, m)
		pb.RegisterClusterServer(s, m)
		go s.Serve(at) //nolint:errcheck // it ends with the test
		t.Cleanup(s.Stop)
	}
	g := &Gatherer{Endpoints: []string{silent, oneURL}, Connect: func(ctx context.Context, url string) (*clientv3.Client, error) {
		return clientv3.New(clientv3.Config{Endpoints: []string{url}, Context: context.WithoutCancel(ctx)})
	}}
	defer g.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // of which each step has a part
	defer cancel()
	s := g.Gather(ctx, time.Second)
	failed := map[uint64]string{}
	for _, m := range s.Members {
		failed[m.ID] = m.Error
	}
	require.Equal(t, map[uint64]string{1: "", 2: "", 3: "it does not answer"}, failed)
	require.Empty(t, s.EnsembleError)
	require.Len(t, s.Ensemble, 1)
}
