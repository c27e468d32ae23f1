package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/conformance/bench/load"
	"github.com/zkine/zkine/conformance/rig"
)

// A costLoad is what clients do while it is counted what that costs at ZooKeeper.
type costLoad struct {
	name string
	// at is how many of the zkines are written to.
	at int
	// every is between two puts on a schedule, each of another zkine in turn; 0 is as many as memberClients can make.
	every time.Duration
	// idle says that nothing is put.
	idle bool
}

var costLoads = []costLoad{
	{name: "nothing", idle: true},
	{name: "20 puts/s at one", at: 1, every: 50 * time.Millisecond},
	{name: "150 puts/s at one", at: 1, every: time.Second / 150},
	{name: "150 puts/s at all in turn", at: memberCount, every: time.Second / 150},
	{name: "60 clients at one", at: 1},
	{name: "60 clients over all", at: memberCount},
}

// measureCost counts what zkines ask of ZooKeeper, and what processor time that takes, with one zkine and with three.
// With o.before, another build takes its turns.
func measureCost(ctx context.Context, o options, program, dir string, out io.Writer) (err error) {
	servers, err := startEnsemble(ctx, dir)
	if err != nil {
		return err
	}
	defer servers.Kill()
	builds := []string{program}
	if o.before != "" {
		builds = []string{o.before, program}
	}
	fmt.Fprint(out, "\n| build | zkines | puts | puts/s | p50, ms | puts an append | of each append: multi | getData | exists | getChildren | events | a second: pings | all requests | µs of CPU a put (idle: ms a second): ZooKeepers | zkines |\n"+
		"|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for round := range o.rounds {
		for i := range builds {
			name := []string{"before", "now"}[i+2-len(builds)]
			for _, n := range []int{1, memberCount} {
				err := costOf(ctx, o, costTurn{build: builds[i], name: name, root: fmt.Sprintf("/%s-%d-%d", name, n, round), n: n}, servers, dir, out)
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// costTurn is n zkines of a build on a root of their own.
type costTurn struct {
	build, name, root string
	n                 int
}

func costOf(ctx context.Context, o options, t costTurn, servers *rig.ZooKeepers, dir string, out io.Writer) (err error) {
	var members []*rig.Zkine
	for i := range t.n {
		z, err := rig.NewZkine(rig.ZkineConfig{Program: t.build, Name: fmt.Sprintf("z%d", i+1), ZooKeeper: servers.Addresses(), Root: t.root,
			DataDir: filepath.Join(dir, t.root, fmt.Sprint(i))})
		if err != nil {
			return err
		}
		members = append(members, z)
		if err := z.Up(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop(ctx, z)) }()
	}
	if err := fill(ctx, members[0].Endpoint, o); err != nil {
		return err
	}
	time.Sleep(time.Second) // what the fill has begun is over
	for _, l := range costLoads {
		if l.at > t.n || o.only != "" && !strings.Contains(l.name, o.only) {
			continue
		}
		before, err := countAt(ctx, members, servers)
		if err != nil {
			return err
		}
		puts, p50, err := l.run(ctx, o, members)
		if err != nil {
			return err
		}
		after, err := countAt(ctx, members, servers)
		if err != nil {
			return err
		}
		if err := after.since(before).print(out, t, l, puts, p50); err != nil {
			return err
		}
	}
	return nil
}

func (l costLoad) run(ctx context.Context, o options, members []*rig.Zkine) (n int, p50 time.Duration, err error) {
	switch {
	case l.idle:
		time.Sleep(o.duration)
		return 0, 0, nil
	case l.every > 0:
		return scheduledPuts(ctx, o, members[:l.at], l.every)
	}
	results, errs := make([]result, l.at), make([]error, l.at)
	var all sync.WaitGroup
	for i, z := range members[:l.at] {
		all.Go(func() {
			results[i], errs[i] = puts(ctx, z.Endpoint, memberClients/l.at, o.valueSize, duration(o.duration))
		})
	}
	all.Wait()
	for _, r := range results {
		n, p50 = n+r.puts, max(p50, r.p50)
	}
	return n, p50, errors.Join(errs...)
}

// scheduledPuts puts at one zkine after the other, each when it is due, or when the one before was answered.
func scheduledPuts(ctx context.Context, o options, members []*rig.Zkine, every time.Duration) (n int, p50 time.Duration, err error) {
	var stores []pb.KVClient
	for _, z := range members {
		conn, err := rig.Dial(z.Endpoint)
		if err != nil {
			return 0, 0, err
		}
		defer conn.Close()
		stores = append(stores, pb.NewKVClient(conn))
	}
	var times []time.Duration
	began := time.Now()
	for ; time.Since(began) < o.duration; n++ {
		time.Sleep(time.Until(began.Add(time.Duration(n) * every)))
		sent := time.Now()
		_, err := stores[n%len(stores)].Put(ctx, &pb.PutRequest{Key: fmt.Appendf(nil, "measure/%d", n%keys), Value: make([]byte, o.valueSize)}, grpc.WaitForReady(true))
		if err != nil {
			return 0, 0, err
		}
		times = append(times, time.Since(sent))
	}
	return n, percentile(times, 50), nil
}

// counted is what was counted at a moment, or between two.
type counted struct {
	at       time.Time
	took     time.Duration
	metrics  map[string]float64 // of all zkines together
	zkines   float64            // processor time, in seconds
	ensemble float64            // likewise, of the ZooKeepers
}

func countAt(ctx context.Context, members []*rig.Zkine, servers *rig.ZooKeepers) (c counted, err error) {
	var own, theirs []int
	for _, z := range members {
		own = append(own, z.Pid())
	}
	for _, s := range servers.Servers {
		theirs = append(theirs, s.Pid())
	}
	c.metrics = map[string]float64{}
	for _, z := range members {
		if err := addMetrics(ctx, z, c.metrics); err != nil {
			return c, err
		}
	}
	c.at = time.Now()
	if c.zkines, err = load.CPU(own); err != nil {
		return c, err
	}
	c.ensemble, err = load.CPU(theirs)
	return c, err
}

func (c counted) since(before counted) counted {
	d := counted{took: c.at.Sub(before.at), metrics: map[string]float64{}, zkines: c.zkines - before.zkines, ensemble: c.ensemble - before.ensemble}
	for name, v := range c.metrics {
		d.metrics[name] = v - before.metrics[name]
	}
	return d
}

func (c counted) op(name string) float64 {
	return c.metrics[`zkine_zookeeper_requests_total{op="`+name+`"}`]
}

// print writes a line of the table. Without puts it shows what there is in a second.
func (c counted) print(out io.Writer, t costTurn, l costLoad, puts int, p50 time.Duration) error {
	per, each, unit := c.metrics["zkine_append_batch_requests_count"], float64(puts), 1e6
	if l.idle {
		per, each, unit = c.took.Seconds(), c.took.Seconds(), 1e3
	}
	all := 0.0
	for _, op := range []string{"multi", "getData", "exists", "getChildren", "ping", "other"} {
		all += c.op(op)
	}
	_, err := fmt.Fprintf(out, "| %s | %d | %s | %.0f | %.2f | %.1f | %.2f | %.2f | %.2f | %.2f | %.2f | %.1f | %.0f | %.0f | %.0f |\n",
		t.name, t.n, l.name, float64(puts)/c.took.Seconds(), 1000*p50.Seconds(), float64(puts)/per,
		c.op("multi")/per, c.op("getData")/per, c.op("exists")/per, c.op("getChildren")/per, c.metrics["zkine_zookeeper_events_total"]/per,
		c.op("ping")/c.took.Seconds(), all/c.took.Seconds(), unit*c.ensemble/each, unit*c.zkines/each)
	return err
}

// addMetrics adds those of a zkine that are zkine's own.
func addMetrics(ctx context.Context, z *rig.Zkine, to map[string]float64) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+z.Metrics+"/metrics", nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if !strings.HasPrefix(name, "zkine_") {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return err
		}
		to[name] += v
	}
	return lines.Err()
}
