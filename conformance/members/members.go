package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/conformance/bench/load"
	"github.com/zkine/zkine/conformance/rig"
	"github.com/zkine/zkine/revision/embedded"
)

// memberClients is how many clients put at once, at one zkine or spread over all.
const memberClients = 60

// threeToOne is what is asked: how much three zkines write, of what one does.
const threeToOne = 0.9

// memberCount is how many zkines and how many ZooKeepers there are.
const memberCount = 3

// measureMembers compares one zkine with three on the same ensemble of three ZooKeepers: how much is written, whether
// clients of all are served alike, and how soon a watch at one tells of a write at another.
func measureMembers(ctx context.Context, o options, program, dir string, out io.Writer) (err error) {
	servers, err := startEnsemble(ctx, dir)
	if err != nil {
		return err
	}
	defer servers.Kill()
	var members []*rig.Zkine
	for i := range memberCount {
		z, err := newZkine(program, fmt.Sprintf("z%d", i+1), servers.Addresses(), dir)
		if err != nil {
			return err
		}
		members = append(members, z)
		defer func() { err = errors.Join(err, stop(ctx, z)) }()
	}
	if err := members[0].Up(ctx); err != nil {
		return err
	}
	if err := fill(ctx, members[0].Endpoint, o); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nputs of %d bytes by %d clients, %d ZooKeepers with fsync, rounds of %v; the other zkines are stopped while there is one\n\n"+
		"| zkines | puts/s | p50, ms | p99, ms | p99 of each member, ms | cores: zkines | ZooKeepers | whole machine | µs a put: zkines | ZooKeepers |\n"+
		"|---|---|---|---|---|---|---|---|---|---|\n", o.valueSize, memberClients, memberCount, o.duration)
	var rates, costs [2][]float64
	for range o.rounds {
		for turn, set := range [][]*rig.Zkine{members[:1], members} {
			for _, z := range set[1:] {
				if err := z.Up(ctx); err != nil {
					return err
				}
			}
			rate, cost, err := putAtMembers(ctx, o, set, servers, out)
			if err != nil {
				return err
			}
			rates[turn], costs[turn] = append(rates[turn], rate), append(costs[turn], cost)
			for _, z := range set[1:] {
				if err := stop(ctx, z); err != nil {
					return err
				}
			}
		}
	}
	printRatio(out, rates, costs)
	for _, z := range members[1:] {
		if err := z.Up(ctx); err != nil {
			return err
		}
	}
	return measureWatch(ctx, o, members, out)
}

// printRatio prints the bar, and what the processor time explains of it. The rounds' rates and costs are those of one
// zkine, and of three.
func printRatio(out io.Writer, rates, costs [2][]float64) {
	for i := range rates {
		slices.Sort(rates[i])
		slices.Sort(costs[i])
	}
	middle := len(rates[0]) / 2
	ratio, verdict := rates[1][middle]/rates[0][middle], "missed"
	if ratio >= threeToOne {
		verdict = "**met**"
	}
	fmt.Fprintf(out, "\n| bar | asked | measured | |\n|---|---|---|---|\n"+
		"| three zkines written to at once : one, same ensemble, medians | at least %gx | %.2fx | %s |\n", threeToOne, ratio, verdict)
	dear := costs[1][middle] / costs[0][middle]
	fmt.Fprintf(out, "\nA put costs the servers %.2f times the processor time with three zkines. Where processors are what is short, "+
		"that alone makes %.2fx of one's puts; less than that is waiting.\n", dear, 1/dear)
}

// startEnsemble starts ZooKeepers that fsync.
func startEnsemble(ctx context.Context, dir string) (*rig.ZooKeepers, error) {
	return rig.StartZooKeepers(ctx, memberCount, embedded.Config{DataDir: filepath.Join(dir, "zookeeper"), Heap: 512 << 20})
}

// putAtMembers spreads the clients over zkines, prints a line, and returns how many puts there were each second, and what
// each cost the servers, in µs of processor time.
func putAtMembers(ctx context.Context, o options, members []*rig.Zkine, servers *rig.ZooKeepers, out io.Writer) (rate, cost float64, err error) {
	before, err := burnedBy(members, servers)
	if err != nil {
		return 0, 0, err
	}
	results, errs := make([]result, len(members)), make([]error, len(members))
	var all sync.WaitGroup
	for i, z := range members {
		all.Go(func() {
			results[i], errs[i] = puts(ctx, z.Endpoint, memberClients/len(members), o.valueSize, duration(o.duration))
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, 0, err
	}
	after, err := burnedBy(members, servers)
	if err != nil {
		return 0, 0, err
	}
	var number, seconds float64
	var p50, p99 []float64
	var each []string
	for _, r := range results {
		rate += r.perSecond()
		number, seconds = number+float64(r.puts), max(seconds, r.elapsed.Seconds())
		p50, p99 = append(p50, 1000*r.p50.Seconds()), append(p99, 1000*r.p99.Seconds())
		each = append(each, fmt.Sprintf("%.1f", 1000*r.p99.Seconds()))
	}
	slices.Sort(p50)
	slices.Sort(p99)
	zkines, zooKeepers, whole := after.zkines-before.zkines, after.zooKeepers-before.zooKeepers, after.whole-before.whole
	_, err = fmt.Fprintf(out, "| %d | %.0f | %.1f | %.1f | %s | %.2f | %.2f | %.2f | %.0f | %.0f |\n",
		len(members), rate, p50[len(p50)/2], p99[len(p99)/2], strings.Join(each, ", "),
		zkines/seconds, zooKeepers/seconds, whole/seconds, zkines*1e6/number, zooKeepers*1e6/number)
	return rate, (zkines + zooKeepers) * 1e6 / number, err
}

// burned is processor time in seconds.
type burned struct{ zkines, zooKeepers, whole float64 }

func burnedBy(members []*rig.Zkine, servers *rig.ZooKeepers) (b burned, err error) {
	var pids []int
	for _, z := range members {
		pids = append(pids, z.Pid())
	}
	usage, err := load.Burned(pids)
	if err != nil {
		return b, err
	}
	b.zkines, b.whole = usage.Servers, usage.Whole
	pids = nil
	for _, z := range servers.Servers {
		pids = append(pids, z.Pid())
	}
	b.zooKeepers, err = load.CPU(pids)
	return b, err
}

// measureWatch has a client of one zkine put, and a watch at another wait for that: while there is nothing else, and
// while clients put at all zkines.
func measureWatch(ctx context.Context, o options, members []*rig.Zkine, out io.Writer) error {
	fmt.Fprintf(out, "\n| a write at one zkine is seen by a watch at another, after its acknowledgement | p50, ms | p99, ms |\n|---|---|---|\n")
	for _, load := range []struct {
		name    string
		clients int
	}{{"nothing else", 0}, {"10 clients put at each", 10}} {
		loadCtx, cancel := context.WithCancel(ctx)
		var all sync.WaitGroup
		for _, z := range members {
			if load.clients > 0 {
				all.Go(func() { puts(loadCtx, z.Endpoint, load.clients, o.valueSize, duration(time.Hour)) }) //nolint:errcheck // it is cut off
			}
		}
		late, err := watchElsewhere(ctx, members[0].Endpoint, members[1].Endpoint)
		cancel()
		all.Wait()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "| %s | %.2f | %.2f |\n", load.name,
			1000*percentile(late, 50).Seconds(), 1000*percentile(late, 99).Seconds()); err != nil {
			return err
		}
	}
	return nil
}

const (
	watchedWrites = 400
	watchedPeriod = 10 * time.Millisecond
)

// watchElsewhere returns how long after its acknowledgement each write was seen.
func watchElsewhere(ctx context.Context, writer, watcher string) (late []time.Duration, err error) {
	w, err := rig.Dial(writer)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	s, err := rig.Dial(watcher)
	if err != nil {
		return nil, err
	}
	defer s.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := pb.NewWatchClient(s).Watch(ctx, grpc.WaitForReady(true))
	if err != nil {
		return nil, err
	}
	key := []byte("watched")
	if err := stream.Send(&pb.WatchRequest{RequestUnion: &pb.WatchRequest_CreateRequest{CreateRequest: &pb.WatchCreateRequest{Key: key}}}); err != nil {
		return nil, err
	}
	if _, err := stream.Recv(); err != nil { // created
		return nil, err
	}
	for range watchedWrites {
		if _, err := pb.NewKVClient(w).Put(ctx, &pb.PutRequest{Key: key, Value: key}, grpc.WaitForReady(true)); err != nil {
			return nil, err
		}
		acked := time.Now()
		if _, err := stream.Recv(); err != nil {
			return nil, err
		}
		late = append(late, time.Since(acked))
		time.Sleep(watchedPeriod) // between writes there is a pause: that is the case that is measured
	}
	return late, nil
}
