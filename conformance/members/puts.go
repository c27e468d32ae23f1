package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/conformance/rig"
)

// keys is how many keys the puts go round.
const keys = 1000

// result is a store's turn.
type result struct {
	puts     int
	elapsed  time.Duration
	p50, p99 time.Duration
}

func (r result) perSecond() float64 { return float64(r.puts) / r.elapsed.Seconds() }

// fill makes o.writes puts, quickly.
func fill(ctx context.Context, endpoint string, o options) error {
	_, err := puts(ctx, endpoint, 100, o.valueSize, count(o.writes))
	return err
}

// limit is called when the clock starts; what it returns tells each client, before each put, whether to go on.
type limit func() (more func() bool)

func duration(d time.Duration) limit {
	return func() func() bool {
		end := time.Now().Add(d)
		return func() bool { return time.Now().Before(end) }
	}
}

func count(n int) limit {
	return func() func() bool {
		var done atomic.Int64
		return func() bool { return done.Add(1) <= int64(n) }
	}
}

// puts has clients put until the limit. Each has its own connection, which exists before the clock runs.
func puts(ctx context.Context, endpoint string, clients, valueSize int, limit limit) (result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var conns []pb.KVClient
	for range clients {
		conn, err := rig.Dial(endpoint)
		if err != nil {
			return result{}, err
		}
		defer conn.Close()
		kv := pb.NewKVClient(conn)
		if _, err := kv.Range(ctx, &pb.RangeRequest{Key: []byte("ready"), Serializable: true}, grpc.WaitForReady(true)); err != nil {
			return result{}, err
		}
		conns = append(conns, kv)
	}
	times := make([][]time.Duration, clients)
	var all sync.WaitGroup
	began, more := time.Now(), limit()
	for i, kv := range conns {
		all.Go(func() {
			source, value := rand.NewChaCha8([32]byte{byte(i)}), make([]byte, valueSize)
			for more() {
				_, _ = source.Read(value) // never fails
				sent := time.Now()
				_, err := kv.Put(ctx, &pb.PutRequest{Key: fmt.Appendf(nil, "measure/%d", rand.IntN(keys)), Value: value})
				if err != nil {
					cancel(err)
					return
				}
				times[i] = append(times[i], time.Since(sent))
			}
		})
	}
	all.Wait()
	r := result{elapsed: time.Since(began)}
	if ctx.Err() != nil {
		return r, context.Cause(ctx)
	}
	var sum []time.Duration
	for _, t := range times {
		sum = append(sum, t...)
	}
	r.puts, r.p50, r.p99 = len(sum), percentile(sum, 50), percentile(sum, 99)
	return r, nil
}
