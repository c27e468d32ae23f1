package main

import (
	"context"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/revision/zktest"
)

// TestStatusNamesALeaderThatLives has the leader frozen, thawed and killed. Its
// session with ZooKeeper lasts for 10 s and more.
func TestStatusNamesALeaderThatLives(t *testing.T) {
	args := []string{"--zookeeper=" + zktest.Shared(t).Addr(), "--zookeeper-root=" + zktest.Root(t), "--zookeeper-session-timeout=30s"}
	var members []*process
	var ids []uint64
	for i := range 3 {
		p := startZkine(t, append([]string{"--name=z" + strconv.Itoa(i)}, args...))
		members = append(members, p)
		ids = append(ids, statusOf(t, p).Header.MemberId)
	}
	named := func(what string, among ...uint64) {
		t.Helper()
		began := time.Now()
		for _, p := range members[1:] {
			require.Eventually(t, func() bool {
				leader := statusOf(t, p).Leader
				for _, id := range among {
					if leader == id {
						return true
					}
				}
				return false
			}, limit, 100*time.Millisecond, what)
		}
		t.Logf("%s: told after %v", what, time.Since(began).Round(time.Millisecond))
		require.Less(t, time.Since(began), 6*time.Second, what)
	}
	named("at first", ids[0])
	members[0].signal(syscall.SIGSTOP)
	named("frozen", ids[1], ids[2])
	members[0].signal(syscall.SIGCONT)
	named("thawed", ids[0])
	members[0].signal(syscall.SIGKILL)
	<-members[0].exited
	named("killed", ids[1], ids[2])
}

func statusOf(t *testing.T, p *process) *pb.StatusResponse {
	t.Helper()
	conn, err := grpc.NewClient(p.ready(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	status, err := pb.NewMaintenanceClient(conn).Status(ctx, &pb.StatusRequest{})
	require.NoError(t, err)
	return status
}
