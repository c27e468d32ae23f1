package server_test

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/memzk"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/server"
	"github.com/zkine/zkine/server/listener"
)

const patience = 30 * time.Second

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// serveReal runs the whole of a zkine in this process, on a ZooKeeper in
// memory, and connects to it.
func serveReal(t *testing.T, z *memzk.Ensemble) *grpc.ClientConn {
	t.Helper()
	l := listenReal(t, z, server.Config{}, "http://127.0.0.1:0")[0]
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// listenReal is serveReal with a configuration, on the URLs given.
func listenReal(t *testing.T, z *memzk.Ensemble, cfg server.Config, urls ...string) []net.Listener {
	t.Helper()
	_, listeners := runReal(t, z, cfg, urls...)
	return listeners
}

// runReal is listenReal for a test that stops the server itself.
func runReal(t *testing.T, z *memzk.Ensemble, cfg server.Config, urls ...string) (*server.Server, []net.Listener) {
	t.Helper()
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	log, err := zklog.Open(within(t), zklog.Config{Dialer: z, Root: "/zkine", Name: "one", Log: logrus.NewEntry(quiet)})
	require.NoError(t, err)
	member := revision.Member{Name: "one", ID: 0xa1, ClientURLs: []string{"http://one:2379"}}
	b, err := backend.Open(within(t), log, backend.Config{Member: member, Log: logrus.NewEntry(quiet)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })

	cfg.Backend, cfg.MemberID, cfg.NoLeaderTimeout = b, member.ID, time.Millisecond
	cfg.Listeners, err = listener.Listen(urls)
	require.NoError(t, err)
	s, err := server.New(cfg)
	require.NoError(t, err)
	require.NoError(t, s.Start())
	t.Cleanup(func() { require.NoError(t, s.Stop(within(t))) })
	return s, cfg.Listeners
}

func textOf(err error) string { return status.Convert(err).Message() }

func putKey(t *testing.T, kv pb.KVClient, key, value string) int64 {
	t.Helper()
	resp, err := kv.Put(within(t), &pb.PutRequest{Key: []byte(key), Value: []byte(value)})
	require.NoError(t, err)
	require.NotZero(t, resp.Header.ClusterId)
	require.Equal(t, uint64(0xa1), resp.Header.MemberId)
	require.NotZero(t, resp.Header.RaftTerm)
	return resp.Header.Revision
}

func TestRealKV(t *testing.T) {
	kv := pb.NewKVClient(serveReal(t, memzk.New()))
	require.Equal(t, int64(2), putKey(t, kv, "k", "one"))
	require.Equal(t, int64(3), putKey(t, kv, "k", "two"))
	old, err := kv.Range(within(t), &pb.RangeRequest{Key: []byte("k"), Revision: 2})
	require.NoError(t, err)
	require.Equal(t, "one", string(old.Kvs[0].Value))
	require.Equal(t, int64(3), old.Header.Revision)

	_, err = kv.Range(within(t), &pb.RangeRequest{Key: []byte("k"), Revision: 9})
	require.Equal(t, rpctypes.ErrorDesc(rpctypes.ErrGRPCFutureRev), textOf(err))
	_, err = kv.Compact(within(t), &pb.CompactionRequest{Revision: 3})
	require.NoError(t, err)
	_, err = kv.Range(within(t), &pb.RangeRequest{Key: []byte("k"), Revision: 2})
	require.Equal(t, rpctypes.ErrorDesc(rpctypes.ErrGRPCCompacted), textOf(err))
	_, err = kv.Put(within(t), &pb.PutRequest{Key: []byte("x"), IgnoreValue: true})
	require.Equal(t, rpctypes.ErrorDesc(rpctypes.ErrGRPCKeyNotFound), textOf(err))

	stream, err := kv.RangeStream(within(t), &pb.RangeRequest{Key: []byte{0}, RangeEnd: []byte{0}})
	require.NoError(t, err)
	chunk, err := stream.Recv()
	require.NoError(t, err)
	require.Equal(t, int64(1), chunk.RangeResponse.Count)
	require.Equal(t, int64(3), chunk.RangeResponse.Header.Revision)
}

func TestRealWatch(t *testing.T) {
	conn := serveReal(t, memzk.New())
	kv := pb.NewKVClient(conn)
	stream, err := pb.NewWatchClient(conn).Watch(within(t))
	require.NoError(t, err)
	request := &pb.WatchCreateRequest{Key: []byte("k"), PrevKv: true}
	require.NoError(t, stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: request}}))
	created, err := stream.Recv()
	require.NoError(t, err)
	require.True(t, created.Created)
	require.Equal(t, int64(1), created.Header.Revision)
	putKey(t, kv, "k", "one")
	putKey(t, kv, "k", "two")
	var previous []string
	for rev := created.Header.Revision; rev < 3; {
		resp, err := stream.Recv()
		require.NoError(t, err)
		for _, e := range resp.Events {
			rev++
			require.Equal(t, rev, e.Kv.ModRevision)
			previous = append(previous, string(e.GetPrevKv().GetValue()))
		}
	}
	require.Equal(t, []string{"", "one"}, previous)
}

func TestRealLease(t *testing.T) {
	conn := serveReal(t, memzk.New())
	lease := pb.NewLeaseClient(conn)
	granted, err := lease.LeaseGrant(within(t), &pb.LeaseGrantRequest{TTL: 60})
	require.NoError(t, err)
	_, err = lease.LeaseGrant(within(t), &pb.LeaseGrantRequest{TTL: 60, ID: granted.ID})
	require.Equal(t, rpctypes.ErrorDesc(rpctypes.ErrGRPCLeaseExist), textOf(err))
	alive, err := lease.LeaseKeepAlive(within(t))
	require.NoError(t, err)
	for _, c := range []struct{ id, ttl int64 }{{granted.ID, 60}, {granted.ID + 1, 0}} {
		require.NoError(t, alive.Send(&pb.LeaseKeepAliveRequest{ID: c.id}))
		resp, err := alive.Recv()
		require.NoError(t, err)
		require.Equal(t, c.ttl, resp.TTL)
	}
	left, err := lease.LeaseTimeToLive(within(t), &pb.LeaseTimeToLiveRequest{ID: granted.ID + 1})
	require.NoError(t, err)
	require.Equal(t, int64(-1), left.TTL)
	_, err = lease.LeaseRevoke(within(t), &pb.LeaseRevokeRequest{ID: granted.ID})
	require.NoError(t, err)
	_, err = lease.LeaseRevoke(within(t), &pb.LeaseRevokeRequest{ID: granted.ID})
	require.Equal(t, rpctypes.ErrorDesc(rpctypes.ErrGRPCLeaseNotFound), textOf(err))
}

func TestRealCluster(t *testing.T) {
	conn := serveReal(t, memzk.New())
	list, err := pb.NewClusterClient(conn).MemberList(within(t), &pb.MemberListRequest{Linearizable: true})
	require.NoError(t, err)
	require.Len(t, list.Members, 1)
	require.Equal(t, uint64(0xa1), list.Members[0].ID)
	require.Equal(t, []string{"http://one:2379"}, list.Members[0].ClientURLs)
	alarms, err := pb.NewMaintenanceClient(conn).Alarm(within(t), &pb.AlarmRequest{})
	require.NoError(t, err)
	require.Empty(t, alarms.Alarms)
}

// Without ZooKeeper, who asks for a leader is told that there is none, and
// local reads go on.
func TestRealOutage(t *testing.T) {
	z := memzk.New()
	conn := serveReal(t, z)
	kv := pb.NewKVClient(conn)
	putKey(t, kv, "k", "one")
	z.Stop()
	strict := metadata.AppendToOutgoingContext(within(t), "hasleader", "true")
	require.Eventually(t, func() bool {
		_, err := kv.Range(strict, &pb.RangeRequest{Key: []byte("k"), Serializable: true})
		return textOf(err) == rpctypes.ErrorDesc(rpctypes.ErrGRPCNoLeader)
	}, patience, time.Millisecond)
	local, err := kv.Range(within(t), &pb.RangeRequest{Key: []byte("k"), Serializable: true})
	require.NoError(t, err)
	require.Len(t, local.Kvs, 1)
	st, err := pb.NewMaintenanceClient(conn).Status(within(t), &pb.StatusRequest{})
	require.NoError(t, err)
	require.Equal(t, []string{"etcdserver: no leader"}, st.Errors)

	z.Start()
	require.Eventually(t, func() bool {
		_, err := kv.Put(strict, &pb.PutRequest{Key: []byte("k")})
		return err == nil
	}, patience, time.Millisecond)
}

// watchOf opens a watch stream and a watcher of "k" on it.
func watchOf(t *testing.T, ctx context.Context, conn *grpc.ClientConn) pb.Watch_WatchClient {
	t.Helper()
	stream, err := pb.NewWatchClient(conn).Watch(ctx)
	require.NoError(t, err)
	require.NoError(t, stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{
		CreateRequest: &pb.WatchCreateRequest{Key: []byte("k")}}}))
	created, err := stream.Recv()
	require.NoError(t, err)
	require.True(t, created.Created)
	return stream
}

// When ZooKeeper is away, a watch that asked for a leader is told that there is
// none, so that its client can go elsewhere. Any other waits, and misses
// nothing. A linearizable call ends in time.
func TestRealOutageOfWatches(t *testing.T) {
	z := memzk.New()
	listener := listenReal(t, z, server.Config{RequestTimeout: 500 * time.Millisecond}, "http://127.0.0.1:0")[0]
	conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	kv := pb.NewKVClient(conn)
	strict := watchOf(t, metadata.AppendToOutgoingContext(within(t), "hasleader", "true"), conn)
	patient := watchOf(t, within(t), conn)
	z.Stop()
	_, err = strict.Recv()
	require.Equal(t, rpctypes.ErrorDesc(rpctypes.ErrGRPCNoLeader), textOf(err))
	began := time.Now()
	_, err = kv.Range(within(t), &pb.RangeRequest{Key: []byte("k")})
	require.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
	_, err = kv.Put(within(t), &pb.PutRequest{Key: []byte("k")})
	require.Equal(t, codes.Unavailable, status.Code(err), "%v", err)
	require.Less(t, time.Since(began), 10*time.Second)

	z.Start()
	// A write that timed out was not sent, so this is the first revision.
	require.Eventually(t, func() bool {
		_, err := kv.Put(within(t), &pb.PutRequest{Key: []byte("k"), Value: []byte("after")})
		return err == nil
	}, patience, time.Millisecond)
	response, err := patient.Recv()
	require.NoError(t, err)
	require.Equal(t, int64(2), response.Events[0].Kv.ModRevision)
	require.Equal(t, "after", string(response.Events[0].Kv.Value))
}
