package backend_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/backend/memlog"
	"github.com/zkine/zkine/revision"
)

// openBench opens a backend on a log in memory: what is measured is the backend's
// own work.
func openBench(b *testing.B) *backend.Backend {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	z, err := backend.Open(ctx, memlog.New().Open(), backend.Config{Member: revision.Member{Name: "a", ID: 1}, QuotaBytes: -1, Log: silent()})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, z.Close()) })
	return z
}

func BenchmarkPutInMemory(b *testing.B) {
	z := openBench(b)
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		_, err := z.Put(ctx, &pb.PutRequest{Key: []byte("k"), Value: []byte("value")})
		require.NoError(b, err)
	}
}

func BenchmarkPutInMemoryParallel(b *testing.B) {
	z := openBench(b)
	b.ReportAllocs()
	b.SetParallelism(50)
	b.RunParallel(func(p *testing.PB) {
		ctx := context.Background()
		for p.Next() {
			if _, err := z.Put(ctx, &pb.PutRequest{Key: []byte("k"), Value: []byte("value")}); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkRangeInMemoryParallel(b *testing.B) {
	z := openBench(b)
	_, err := z.Put(context.Background(), &pb.PutRequest{Key: []byte("k"), Value: []byte("value")})
	require.NoError(b, err)
	b.ReportAllocs()
	b.SetParallelism(50)
	b.RunParallel(func(p *testing.PB) {
		ctx := context.Background()
		for p.Next() {
			if _, err := z.Range(ctx, &pb.RangeRequest{Key: []byte("k")}); err != nil {
				b.Error(err)
			}
		}
	})
}

func BenchmarkKeepAliveInMemoryParallel(b *testing.B) {
	z := openBench(b)
	_, err := z.LeaseGrant(context.Background(), &pb.LeaseGrantRequest{ID: 7, TTL: 1000})
	require.NoError(b, err)
	b.ReportAllocs()
	b.SetParallelism(50)
	b.RunParallel(func(p *testing.PB) {
		ctx := context.Background()
		for p.Next() {
			if _, err := z.LeaseKeepAlive(ctx, &pb.LeaseKeepAliveRequest{ID: 7}); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkWatchInMemory delivers each put to a hundred watchers, on as many
// streams.
func BenchmarkWatchInMemory(b *testing.B) {
	z := openBench(b)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	const watchers = 100
	events := make(chan struct{}, watchers)
	for range watchers {
		s := z.Watch()
		b.Cleanup(s.Close)
		s.Create(&pb.WatchCreateRequest{Key: []byte("k")})
		_, err := s.Next(ctx)
		require.NoError(b, err)
		go func() {
			for {
				response, err := s.Next(ctx)
				if err != nil {
					return
				}
				for range response.Events {
					events <- struct{}{}
				}
			}
		}()
	}
	b.ReportAllocs()
	for b.Loop() {
		_, err := z.Put(ctx, &pb.PutRequest{Key: []byte("k"), Value: []byte("value")})
		require.NoError(b, err)
		for range watchers {
			<-events
		}
	}
}
