package clients

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/naming/endpoints"
	"go.etcd.io/etcd/client/v3/naming/resolver"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
)

// serveHealth runs a gRPC server, and returns its address.
func serveHealth(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := grpc.NewServer()
	healthpb.RegisterHealthServer(s, health.NewServer())
	go s.Serve(listener) //nolint:errcheck // it ends with Stop
	t.Cleanup(s.Stop)
	return listener.Addr().String()
}

// Services that announce themselves are found, and are left alone once they are gone.
func TestNaming(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c := connect(t, endpoint)
		first, second := serveHealth(t), serveHealth(t)
		manager, err := endpoints.NewManager(c, "services/health")
		require.NoError(t, err)
		lease, err := c.Grant(within(t), 60)
		require.NoError(t, err)
		require.NoError(t, manager.AddEndpoint(within(t), "services/health/1", endpoints.Endpoint{Addr: first, Metadata: "m"}, clientv3.WithLease(lease.ID)))
		changes, err := manager.NewWatchChannel(within(t))
		require.NoError(t, err)
		require.Equal(t, first, (<-changes)[0].Endpoint.Addr)

		builder, err := resolver.NewBuilder(c)
		require.NoError(t, err)
		conn, err := grpc.NewClient("etcd:///services/health", grpc.WithResolvers(builder),
			grpc.WithTransportCredentials(insecure.NewCredentials()),
			grpc.WithDefaultServiceConfig(`{"loadBalancingConfig":[{"round_robin":{}}]}`))
		require.NoError(t, err)
		t.Cleanup(func() { conn.Close() })
		answers := func() string {
			t.Helper()
			var who peer.Peer
			_, err := healthpb.NewHealthClient(conn).Check(within(t), &healthpb.HealthCheckRequest{}, grpc.Peer(&who), grpc.WaitForReady(true))
			require.NoError(t, err)
			return who.Addr.String()
		}
		require.Equal(t, first, answers())

		require.NoError(t, manager.Update(within(t), []*endpoints.UpdateWithOpts{
			endpoints.NewAddUpdateOpts("services/health/2", endpoints.Endpoint{Addr: second}),
		}))
		added := (<-changes)[0]
		require.Equal(t, endpoints.Add, added.Op)
		require.Equal(t, second, added.Endpoint.Addr)
		eventually(t, "the second one is not found", func() bool { return answers() == second })
		list, err := manager.List(within(t))
		require.NoError(t, err)
		require.Equal(t, endpoints.Key2EndpointMap{
			"services/health/1": {Addr: first, Metadata: "m"}, "services/health/2": {Addr: second},
		}, list)

		_, err = c.Revoke(within(t), lease.ID)
		require.NoError(t, err)
		gone := (<-changes)[0]
		require.Equal(t, endpoints.Delete, gone.Op)
		require.Equal(t, "services/health/1", gone.Key)
		eventually(t, "the first one is still asked", func() bool {
			one, other := answers(), answers() // in turn, as long as there are two
			return one == second && other == second
		})
		require.NoError(t, manager.DeleteEndpoint(within(t), "services/health/2"))
		require.Equal(t, endpoints.Delete, (<-changes)[0].Op)
	})
}

// TestEndpointsFromTheMembers lets a client learn the members' URLs, and go on with these.
func TestEndpointsFromTheMembers(t *testing.T) {
	onBoth(t, func(t *testing.T, endpoint string) {
		c, err := clientv3.New(clientv3.Config{Endpoints: []string{"http://" + endpoint}, Logger: zap.NewNop(), DialTimeout: patience, RejectOldCluster: true})
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		require.NoError(t, c.Sync(within(t)))
		require.Equal(t, []string{"http://" + endpoint}, c.Endpoints())
		put(t, c, "k", "v")
	})
}
