package server

import (
	"testing"

	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/servertest"
)

// BenchmarkPut is what a put costs besides ZooKeeper: gRPC, with a client in the same
// process, the server, and a backend on a log in memory. Nothing that is asked for by a
// flag is on. docs/tracing.md compares its allocations.
func BenchmarkPut(b *testing.B) {
	logger, _ := logrustest.NewNullLogger()
	log := logrus.NewEntry(logger)
	store, err := backend.Open(b.Context(), memlog.New().Open(), backend.Config{Member: revision.Member{Name: "a", ID: 1}, QuotaBytes: -1, Log: log})
	require.NoError(b, err)
	defer store.Close()
	listeners, err := listener.Listen([]string{"http://127.0.0.1:0"})
	require.NoError(b, err)
	s, err := New(Config{Backend: store, MemberID: servertest.MemberID, Listeners: listeners, Log: log})
	require.NoError(b, err)
	require.NoError(b, s.Start())
	defer s.Stop(b.Context()) //nolint:errcheck // the end of the benchmark
	conn, err := grpc.NewClient("passthrough:///"+listeners[0].Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	require.NoError(b, err)
	defer conn.Close()
	kv, value := pb.NewKVClient(conn), make([]byte, 1024)
	b.ReportAllocs()
	for b.Loop() {
		_, err := kv.Put(b.Context(), &pb.PutRequest{Key: []byte("/registry/pods/shop/web"), Value: value})
		require.NoError(b, err)
	}
}
