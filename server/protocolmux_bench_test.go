package server

import (
	"crypto/tls"
	"testing"

	"github.com/sirupsen/logrus"
	logrustest "github.com/sirupsen/logrus/hooks/test"
	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/servertest"
)

// BenchmarkPorts measures a call that costs nothing but its transport: on
// grpc-go's own, in plaintext and with TLS, and through net/http, as a client
// gets it that offers http/1.1 too.
func BenchmarkPorts(b *testing.B) {
	t := &testing.T{}
	a := newAuthority(t)
	dir := b.TempDir()
	files := &tlsFiles{t: t, dir: dir, TLS: listener.TLS{CertFile: dir + "/cert", KeyFile: dir + "/key"}}
	files.replace(a.sign("server"))
	listeners, err := listener.Listen([]string{"http://127.0.0.1:0", "https://127.0.0.1:0"})
	require.NoError(b, err)
	logger, _ := logrustest.NewNullLogger()
	s, err := New(Config{Backend: servertest.NewBackend(), Listeners: listeners, TLS: files.TLS, Log: logrus.NewEntry(logger)})
	require.NoError(b, err)
	require.NoError(b, s.Start())
	defer s.Stop(b.Context()) //nolint:errcheck // the end of the benchmark
	for _, c := range []struct {
		name string
		port int
		cred credentials.TransportCredentials
	}{
		{"plaintext", 0, insecure.NewCredentials()},
		{"tls", 1, credentials.NewTLS(&tls.Config{RootCAs: a.pool()})},
		{"tls+http", 1, credentials.NewTLS(&tls.Config{RootCAs: a.pool(), NextProtos: []string{"h2", "http/1.1"}})},
	} {
		b.Run(c.name, func(b *testing.B) {
			conn, err := grpc.NewClient("passthrough:///"+listeners[c.port].Addr().String(), grpc.WithTransportCredentials(c.cred))
			require.NoError(b, err)
			defer conn.Close()
			kv := pb.NewKVClient(conn)
			b.SetParallelism(16)
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if _, err := kv.Range(b.Context(), &pb.RangeRequest{Key: []byte("k")}); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
