package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/conformance/rig"
)

const (
	churnKeys    = 2000
	churnWorkers = 8
	// churnPause is between two turns of a worker: the load is steady, not all that the machine can do.
	churnPause = 20 * time.Millisecond
	// compactEvery is how often history is given up: memory cannot be steady while it grows.
	compactEvery = 20 * time.Second
	// churnLine is how often the processes are looked at.
	churnLine = 30 * time.Second
)

// usage is what a zkine holds at a moment.
type usage struct{ resident, heap, goroutines, files float64 }

// churn has everything come and go at two zkines: keys, leases, watches, connections, history. It prints what the
// zkines hold meanwhile, and fails if that grows without end.
func churn(ctx context.Context, o options, program, dir string, out io.Writer) (err error) {
	servers, err := startEnsemble(ctx, dir)
	if err != nil {
		return err
	}
	defer servers.Kill()
	var members []*rig.Zkine
	for i := range 2 {
		z, err := newZkine(program, fmt.Sprintf("z%d", i+1), servers.Addresses(), dir)
		if err != nil {
			return err
		}
		members = append(members, z)
		if err := z.Up(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop(ctx, z)) }()
	}
	ctx, cancel := context.WithTimeout(ctx, o.churn)
	defer cancel()
	var turns atomic.Int64
	errs := make(chan error, churnWorkers+1)
	var workers sync.WaitGroup
	for i := range churnWorkers {
		workers.Go(func() {
			errs <- (&churner{endpoint: members[i%2].Endpoint, value: make([]byte, o.valueSize), turns: &turns}).run(ctx)
		})
	}
	workers.Go(func() { errs <- compactAgain(ctx, members[0].Endpoint) })
	seen, err := watchUsage(ctx, members, &turns, out)
	workers.Wait()
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	if err != nil {
		return err
	}
	for i, z := range members {
		if err := steady(seen[i]); err != nil {
			return fmt.Errorf("%s: %w", z.Name, err)
		}
	}
	fmt.Fprintf(out, "\n%d turns; memory, goroutines and files are steady\n", turns.Load())
	return nil
}

// watchUsage prints a line for each zkine again and again, until ctx ends.
func watchUsage(ctx context.Context, members []*rig.Zkine, turns *atomic.Int64, out io.Writer) ([][]usage, error) {
	seen := make([][]usage, len(members))
	fmt.Fprintln(out, "\n| after | turns | zkine | resident, MiB | heap, MiB | goroutines | files |\n|---|---|---|---|---|---|---|")
	began, ticker := time.Now(), time.NewTicker(churnLine)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return seen, nil
		}
		for i, z := range members {
			u, err := usageOf(ctx, z)
			if err != nil && ctx.Err() == nil {
				return nil, err
			} else if err != nil {
				break
			}
			seen[i] = append(seen[i], u)
			fmt.Fprintf(out, "| %v | %d | %s | %.0f | %.0f | %.0f | %.0f |\n", time.Since(began).Round(time.Second),
				turns.Load(), z.Name, u.resident/(1<<20), u.heap/(1<<20), u.goroutines, u.files)
		}
	}
}

// steady compares the last third with the one before it: what leaks goes on growing.
func steady(seen []usage) error {
	third := len(seen) / 3
	if third < 2 {
		return errors.New("too short to tell")
	}
	for _, what := range []struct {
		name  string
		slack float64
		pick  func(usage) float64
	}{
		{"resident memory", 24 << 20, func(u usage) float64 { return u.resident }},
		{"goroutines", 30, func(u usage) float64 { return u.goroutines }},
		{"open files", 10, func(u usage) float64 { return u.files }},
	} {
		before, after := medianOf(seen[third:2*third], what.pick), medianOf(seen[2*third:], what.pick)
		if after > 1.15*before+what.slack {
			return fmt.Errorf("%s grow: %.0f in the last third, %.0f in the one before", what.name, after, before)
		}
	}
	return nil
}

func medianOf(seen []usage, pick func(usage) float64) float64 {
	var values []float64
	for _, u := range seen {
		values = append(values, pick(u))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// usageOf reads a zkine's metrics.
func usageOf(ctx context.Context, z *rig.Zkine) (u usage, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+z.Endpoint+"/metrics", nil)
	if err != nil {
		return u, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return u, err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		to := map[string]*float64{
			"process_resident_memory_bytes": &u.resident, "go_memstats_heap_inuse_bytes": &u.heap,
			"go_goroutines": &u.goroutines, "process_open_fds": &u.files,
		}[name]
		if to != nil {
			if *to, err = strconv.ParseFloat(value, 64); err != nil {
				return u, err
			}
		}
	}
	if u.goroutines == 0 || u.resident == 0 {
		return u, errors.New("the metrics lack go_goroutines or process_resident_memory_bytes")
	}
	return u, lines.Err()
}

// churner is one worker.
type churner struct {
	endpoint string
	value    []byte
	turns    *atomic.Int64
}

// run takes turns, each on a connection of its own, until ctx ends.
func (c *churner) run(ctx context.Context) error {
	for ctx.Err() == nil {
		conn, err := rig.Dial(c.endpoint)
		if err != nil {
			return err
		}
		for range 20 {
			err = c.turn(ctx, conn)
			if err != nil || ctx.Err() != nil {
				break
			}
			c.turns.Add(1)
			select {
			case <-time.After(churnPause):
			case <-ctx.Done():
			}
		}
		conn.Close()
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

// turn makes a lease, keys on it and beside it, sees them by a watch, and lets them go.
func (c *churner) turn(ctx context.Context, conn *grpc.ClientConn) error {
	kv := pb.NewKVClient(conn)
	key := fmt.Appendf(nil, "churn/%d", rand.IntN(churnKeys))
	lease, err := pb.NewLeaseClient(conn).LeaseGrant(ctx, &pb.LeaseGrantRequest{TTL: 5}, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	leased := fmt.Appendf(nil, "leased/%x", lease.ID)
	watchCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch, err := pb.NewWatchClient(conn).Watch(watchCtx)
	if err != nil {
		return err
	}
	create := &pb.WatchCreateRequest{Key: leased, StartRevision: lease.Header.Revision}
	if err := watch.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: create}}); err != nil {
		return err
	}
	if _, err := kv.Put(ctx, &pb.PutRequest{Key: leased, Value: c.value, Lease: lease.ID}); err != nil {
		return err
	}
	for seen := 0; seen == 0; { // created, then the put
		response, err := watch.Recv()
		if err != nil {
			return err
		}
		seen = len(response.Events)
	}
	if _, err := kv.Put(ctx, &pb.PutRequest{Key: key, Value: c.value}); err != nil {
		return err
	}
	if rand.IntN(3) == 0 {
		if _, err := kv.DeleteRange(ctx, &pb.DeleteRangeRequest{Key: key}); err != nil {
			return err
		}
	}
	if _, err := kv.Range(ctx, &pb.RangeRequest{Key: []byte("churn/"), RangeEnd: []byte("churn0"), Limit: 50}); err != nil {
		return err
	}
	if rand.IntN(2) == 0 { // else it expires
		_, err = pb.NewLeaseClient(conn).LeaseRevoke(ctx, &pb.LeaseRevokeRequest{ID: lease.ID})
	}
	return err
}

// compactAgain gives history up, again and again.
func compactAgain(ctx context.Context, endpoint string) error {
	conn, err := rig.Dial(endpoint)
	if err != nil {
		return err
	}
	defer conn.Close()
	kv := pb.NewKVClient(conn)
	for last := int64(1); ; {
		select {
		case <-time.After(compactEvery):
		case <-ctx.Done():
			return nil
		}
		response, err := kv.Range(ctx, &pb.RangeRequest{Key: []byte("churn")}, grpc.WaitForReady(true))
		if err == nil && response.Header.Revision > last {
			last = response.Header.Revision
			_, err = kv.Compact(ctx, &pb.CompactionRequest{Revision: last})
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
	}
}
