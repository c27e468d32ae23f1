package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
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

// measurePuts has both stores take turns, and prints the medians of all rounds.
func measurePuts(ctx context.Context, o options, p programs, dir string, out io.Writer) (err error) {
	z, err := p.zkineStore("zkine", filepath.Join(dir, "zkine"), "")
	if err != nil {
		return err
	}
	e, err := p.etcdStore(filepath.Join(dir, "etcd"))
	if err != nil {
		return err
	}
	stores := []*store{z, e}
	for _, s := range stores {
		defer func() { err = errors.Join(err, s.stop(ctx)) }()
		if _, err := s.start(ctx); err != nil {
			return err
		}
		if err := fill(ctx, s.endpoint, o); err != nil { // and warm up
			return err
		}
	}
	fmt.Fprintf(out, "\n| puts of %d bytes, a connection for each client, median (and range) of %d rounds of %v | zkine | etcd | zkine : etcd |\n|---|---|---|---|\n",
		o.valueSize, o.rounds, o.duration)
	for _, n := range clients {
		results := make([][]result, len(stores))
		for round := range o.rounds {
			for turn := range stores {
				i := (round + turn) % len(stores) // neither is always first
				r, err := puts(ctx, stores[i].endpoint, n, o.valueSize, duration(o.duration))
				if err != nil {
					return fmt.Errorf("%s: %w", stores[i].name, err)
				}
				results[i] = append(results[i], r)
			}
		}
		printResults(out, n, results[0], results[1])
	}
	return nil
}

func printResults(out io.Writer, clients int, zkine, etcd []result) {
	who := fmt.Sprintf("%d clients", clients)
	if clients == 1 {
		who = "1 client"
	}
	for _, row := range []struct {
		name, format string
		pick         func(result) float64
	}{
		{"puts/s", "%.0f", result.perSecond},
		{"p50, ms", "%.2f", func(r result) float64 { return 1000 * r.p50.Seconds() }},
		{"p99, ms", "%.2f", func(r result) float64 { return 1000 * r.p99.Seconds() }},
	} {
		z, e := spreadOf(zkine, row.pick), spreadOf(etcd, row.pick)
		fmt.Fprintf(out, "| %s, %s | %s | %s | %.2f |\n", who, row.name, z.show(row.format), e.show(row.format), z.median/e.median)
	}
}

// spread is the rounds of a measurement, in short.
type spread struct{ low, median, high float64 }

func spreadOf(results []result, pick func(result) float64) spread {
	var values []float64
	for _, r := range results {
		values = append(values, pick(r))
	}
	slices.Sort(values)
	return spread{values[0], values[len(values)/2], values[len(values)-1]}
}

func (s spread) show(format string) string {
	return fmt.Sprintf(format+" ("+format+" to "+format+")", s.median, s.low, s.high)
}

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
		conn, err := connect(endpoint)
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
