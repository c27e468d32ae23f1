package server

import (
	"net"
	"testing"

	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/servertest"
	"github.com/zkine/zkine/server/tracing"
)

// BenchmarkTraces is what traces cost a call over gRPC that the server
// answers at once: without them, for calls that are in no trace
// and are not sampled, for those that one in a thousand is, and for all; the collector is
// there, and takes everything.
func BenchmarkTraces(b *testing.B) {
	for _, c := range []struct {
		name, parent string
		enabled      bool
		rate         int
	}{
		{"off", "", false, 0},
		{"none", "", true, 0},
		{"parent-not-sampled", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", true, 0},
		{"one-in-1000", "", true, 1000},
		{"all", "", true, tracing.MaxSamplingRate},
	} {
		b.Run(c.name, func(b *testing.B) {
			g := grpc.NewServer()
			collector.RegisterTraceServiceServer(g, &collecting{})
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(b, err)
			go g.Serve(taken) //nolint:errcheck // it ends with Stop
			defer g.Stop()
			listeners, err := listener.Listen([]string{"http://127.0.0.1:0"})
			require.NoError(b, err)
			logger, _ := logrustest.NewNullLogger()
			s, err := New(Config{Backend: servertest.NewBackend(), Listeners: listeners, Log: logrus.NewEntry(logger),
				Tracing: tracing.Config{Enabled: c.enabled, Address: taken.Addr().String(), ServiceName: "zkine", SamplingRate: c.rate}})
			require.NoError(b, err)
			require.NoError(b, s.Start())
			defer s.Stop(b.Context()) //nolint:errcheck // the end of the benchmark
			conn, err := grpc.NewClient("passthrough:///"+listeners[0].Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
			require.NoError(b, err)
			defer conn.Close()
			kv, ctx := pb.NewKVClient(conn), b.Context()
			if c.parent != "" {
				ctx = metadata.AppendToOutgoingContext(ctx, "traceparent", c.parent)
			}
			b.ReportAllocs()
			for b.Loop() {
				_, err := kv.Range(ctx, &pb.RangeRequest{Key: []byte("k"), Serializable: true})
				require.NoError(b, err)
			}
		})
	}
}
