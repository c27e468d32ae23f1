package api

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/conformance/rig/rigtest"
	"github.com/zkine/zkine/revision/zktest"
)

// TestZooKeeperKilled and TestZooKeeperPaused take the ZooKeeper away: linearizable calls end with etcd's words for
// it, in time; what needs no ZooKeeper goes on; and when it is back all is as before, without a restart.
func TestZooKeeperKilled(t *testing.T) {
	t.Parallel() // it waits, most of the time
	server := zktest.Start(t)
	outage(t, server.Addr(), server.Kill, server.Restart)
}

func TestZooKeeperPaused(t *testing.T) {
	t.Parallel()
	server := zktest.Start(t)
	outage(t, server.Addr(), server.Pause, server.Resume)
}

func outage(t *testing.T, zookeeper string, lose, regain func()) {
	z := rigtest.StartOn(t, zookeeper, "/zkine")
	c, conn, idle := client(t, z.Endpoint), dial(t, z.Endpoint), openWatch(t, z.Endpoint)
	kv := pb.NewKVClient(conn)
	before := mustPut(t, c, "k", "before")
	require.Equal(t, before, idle.create(putWatch("k")).Header.Revision)
	following := c.Watch(within(t), "k", clientv3.WithRev(before))
	require.Equal(t, "before", string((<-following).Events[0].Kv.Value))
	require.Equal(t, http.StatusOK, z.Probe("/readyz"))

	lose()
	refusals(t, conn)
	local, err := kv.Range(within(t), &pb.RangeRequest{Key: []byte("k"), Serializable: true})
	require.NoError(t, err)
	require.Equal(t, "before", string(local.Kvs[0].Value))
	require.Equal(t, before, openWatch(t, z.Endpoint).create(putWatch("k")).Header.Revision, "a new watch, meanwhile")
	require.Equal(t, http.StatusServiceUnavailable, z.Probe("/readyz"))
	require.Equal(t, http.StatusOK, z.Probe("/livez"))
	_, err = kv.Put(withLeader(t), putRequest("k", "refused"))
	requireError(t, codes.Unavailable, "etcdserver: no leader", err)

	regain()
	eventually(t, "writes go on", func() bool {
		_, err := kv.Put(within(t), putRequest("k", "after"))
		return err == nil
	})
	_, err = kv.Put(withLeader(t), putRequest("k", "last"))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, z.Probe("/readyz"))
	// Both watches go on where they were, and see the same.
	var values []string
	for len(values) == 0 || values[len(values)-1] != "last" {
		for _, e := range idle.next().Events {
			values = append(values, string(e.Kv.Value))
		}
	}
	require.NotContains(t, values, "refused")
	for i := 0; i < len(values); {
		response := <-following
		require.NoError(t, response.Err())
		for _, e := range response.Events {
			require.Equal(t, values[i], string(e.Kv.Value))
			i++
		}
	}
	select {
	case <-z.Process.Exited():
		t.Fatal("zkine ended")
	default:
	}
}

// refusals makes every call that needs ZooKeeper, all at once: each must end Unavailable, once etcd's time limit for a
// request is over.
func refusals(t *testing.T, conn *grpc.ClientConn) {
	t.Helper()
	kv, lease := pb.NewKVClient(conn), pb.NewLeaseClient(conn)
	key := []byte("k")
	put := &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: putRequest("k", "txn")}}
	calls := map[string]func(context.Context) error{
		"Range": func(ctx context.Context) error { _, err := kv.Range(ctx, &pb.RangeRequest{Key: key}); return err },
		"Put":   func(ctx context.Context) error { _, err := kv.Put(ctx, putRequest("k", "put")); return err },
		"DeleteRange": func(ctx context.Context) error {
			_, err := kv.DeleteRange(ctx, &pb.DeleteRangeRequest{Key: []byte("other")})
			return err
		},
		"Txn": func(ctx context.Context) error {
			_, err := kv.Txn(ctx, &pb.TxnRequest{Success: []*pb.RequestOp{put}})
			return err
		},
		"Compact": func(ctx context.Context) error {
			_, err := kv.Compact(ctx, &pb.CompactionRequest{Revision: 1})
			return err
		},
		"RangeStream": func(ctx context.Context) error {
			stream, err := kv.RangeStream(ctx, &pb.RangeRequest{Key: key})
			if err == nil {
				_, err = stream.Recv()
			}
			return err
		},
		"LeaseGrant": func(ctx context.Context) error {
			_, err := lease.LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: 60})
			return err
		},
		"MemberList": func(ctx context.Context) error {
			_, err := pb.NewClusterClient(conn).MemberList(ctx, &pb.MemberListRequest{Linearizable: true})
			return err
		},
	}
	const etcdsLimit = 7 * time.Second
	var all sync.WaitGroup
	errs := make(map[string]error)
	var mu sync.Mutex
	began := time.Now()
	for name, call := range calls {
		all.Go(func() {
			err := call(within(t))
			mu.Lock()
			defer mu.Unlock()
			errs[name] = err
		})
	}
	all.Wait()
	took := time.Since(began)
	for name, err := range errs {
		require.Equal(t, codes.Unavailable, status.Code(err), "%s: %v", name, err)
		require.Equal(t, "etcdserver: request timed out", status.Convert(err).Message(), name)
	}
	require.Less(t, took, 2*etcdsLimit)
}

// withLeader is the context of a call that wants to be refused when there is no leader, as Kubernetes' watches do.
func withLeader(t *testing.T) context.Context {
	return metadata.AppendToOutgoingContext(within(t), "hasleader", "true")
}

func putWatch(key string) *pb.WatchCreateRequest { return &pb.WatchCreateRequest{Key: []byte(key)} }
