package backend_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zktest"
)

func TestMain(m *testing.M) { zktest.Main(m) }

func dialer(servers ...string) *zkclient.Ensemble {
	return &zkclient.Ensemble{Servers: servers, Timeout: 2 * time.Second, MaxRequest: zklog.DefaultMaxRequest, Log: silent()}
}

// TestInvariantsOnZooKeeper checks the five invariants on a real ZooKeeper that
// is killed and frozen while clients of two zkines write, read and watch. One of them
// reads in place of a write where it looks how far the log reaches.
func TestInvariantsOnZooKeeper(t *testing.T) {
	server := zktest.Start(t, zktest.WithFsync())
	reads := func(c *zklog.Config) { c.OneServer = true }
	h := newHistory(1, openOn(t, dialer(server.Addr()), "a", busyHousekeeping, reads), openOn(t, dialer(server.Addr()), "b", busyHousekeeping))
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.run(t)
	}()
	written := func(n int) {
		t.Helper()
		eventually(t, "clients go on", func() bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			select {
			case <-done:
				return true
			default:
				return len(h.writes) > n
			}
		})
	}
	written(20)
	server.Kill()
	server.Restart()
	written(70)
	server.Pause()
	eventually(t, "sessions are given up", func() bool { return h.members[0].Ready() != nil && h.members[1].Ready() != nil })
	server.Resume()
	written(120)
	server.Kill()
	server.Restart()
	<-done
	h.check(t)
}

// TestValuesOfEtcdsSizeRoundTrip uses the default jute.maxbuffer, which is
// smaller than what etcd takes.
func TestValuesOfEtcdsSizeRoundTrip(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	at := func(c *zklog.Config) { c.Root = root }
	a := openOn(t, dialer(server.Addr()), "a", at)
	value := string(incompressible(1_400_000))
	put(t, a, "large", value)
	put(t, a, "small", "v")
	b := openOn(t, dialer(server.Addr()), "b", at)
	require.True(t, value == string(get(t, b, "large").Kvs[0].Value))
	require.Equal(t, "v", string(get(t, b, "small").Kvs[0].Value))
}

func incompressible(n int) []byte {
	value := make([]byte, n)
	x := uint64(88172645463325252)
	for i := range value {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		value[i] = byte(x)
	}
	return value
}

// TestAWatchOnAnotherZkineSeesWrites shows that an idle zkine follows.
func TestAWatchOnAnotherZkineSeesWrites(t *testing.T) {
	server, root := zktest.Shared(t), zktest.Root(t)
	at := func(c *zklog.Config) { c.Root = root }
	a, b := openOn(t, dialer(server.Addr()), "a", at), openOn(t, dialer(server.Addr()), "b", at)
	s := watchOn(t, b, &pb.WatchCreateRequest{Key: []byte("k")})
	for i := range 50 {
		rev := put(t, a, "k", fmt.Sprint(i))
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		response, err := s.Next(ctx)
		cancel()
		require.NoError(t, err)
		require.Equal(t, rev, response.Events[0].Kv.ModRevision)
	}
}

// BenchmarkPut shows what the number of appends under way is worth, below gRPC.
func BenchmarkPut(b *testing.B) {
	server := zktest.Start(b, zktest.WithFsync(), zktest.WithTickTime(time.Second), zktest.WithHeap(1<<30))
	for _, inFlight := range []int{1, 2, 4} {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		log, err := zklog.Open(ctx, zklog.Config{Dialer: dialer(server.Addr()), Root: fmt.Sprint("/bench", inFlight), Log: silent()})
		require.NoError(b, err)
		z, err := backend.Open(ctx, log, backend.Config{Member: revision.Member{Name: "a", ID: 1}, MaxInFlight: inFlight, Log: silent()})
		require.NoError(b, err)
		cancel()
		for _, clients := range []int{1, 100} {
			b.Run(fmt.Sprintf("inflight=%d/clients=%d", inFlight, clients), func(b *testing.B) {
				b.SetParallelism(max(1, clients/runtime.GOMAXPROCS(0)))
				if clients == 1 {
					for i := range b.N {
						put(b, z, fmt.Sprint("k", i%1000), "value")
					}
					return
				}
				b.RunParallel(func(p *testing.PB) {
					for i := 0; p.Next(); i++ {
						put(b, z, fmt.Sprint("k", i%1000), "value")
					}
				})
			})
		}
		require.NoError(b, z.Close())
	}
}
