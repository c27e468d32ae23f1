package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/zkine/zkine/revision/bytesize"
	"github.com/zkine/zkine/revision/embedded"
	"github.com/zkine/zkine/revision/zkclient"
	"github.com/zkine/zkine/revision/zkclient/fourletter"
	"github.com/zkine/zkine/revision/zklog"
	"github.com/zkine/zkine/revision/zkseed"
	"github.com/zkine/zkine/server/observe"
)

// askEnsemble asks each address of each server what it says of itself, all at once. It
// is called once the backend is open.
func (i *instance) askEnsemble(ctx context.Context) []observe.Server {
	found := i.ensemble().Found(ctx)
	servers := make([]observe.Server, len(found))
	var wg sync.WaitGroup
	for n, server := range found {
		wg.Go(func() { servers[n] = askServer(ctx, server) })
	}
	wg.Wait()
	return servers
}

// askServer is what one server says.
func askServer(ctx context.Context, server zkclient.Server) observe.Server {
	begun := time.Now()
	reply, err := server.Ask(ctx, "srvr")
	took := time.Since(begun)
	var stats fourletter.Stats
	if err == nil {
		stats, err = fourletter.ReadSrvr(reply)
	}
	if err != nil {
		return observe.Server{Address: server.String(), Error: oneLine(err.Error())}
	}
	return observe.Server{
		Address: server.String(), Mode: stats.Mode, Version: stats.Version, Zxid: stats.Zxid,
		AnsweredMs:   float64(took) / float64(time.Millisecond),
		LatencyMinMs: stats.LatencyMin, LatencyAvgMs: stats.LatencyAvg, LatencyMaxMs: stats.LatencyMax,
		Connections: stats.Connections, Outstanding: stats.Outstanding, Znodes: stats.Znodes,
	}
}

// inspectEnsemble asks each address of each server for its version and its heap,
// and warns of versions known to lose data and of heaps that the quota does not
// fit. A server that does not tell is left alone. It ends within seconds.
func inspectEnsemble(ctx context.Context, ensemble *zkclient.Ensemble, cfg config, log *logrus.Entry) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, server := range ensemble.Found(ctx) {
		wg.Go(func() {
			reply, err := server.Ask(ctx, "srvr")
			if err != nil {
				return
			}
			stats, _ := fourletter.ReadSrvr(reply) // without a version nothing is known of it
			if bad := embedded.KnownBad(stats.Version); bad != "" {
				log.Warnf("%s: %s", server, bad)
			}
			inspectHeap(ctx, server, cfg, log)
		})
	}
}

// inspectHeap asks a server for its heap, and warns of one that does not hold
// what the quota allows.
func inspectHeap(ctx context.Context, server zkclient.Server, cfg config, log *logrus.Entry) {
	heap := heapOf(ctx, server)
	switch {
	case heap == 0 || cfg.quotaBytes >= 0 && embedded.Capacity(heap, cfg.maxRequest) >= cfg.quotaBytes:
	case cfg.quotaBytes < 0:
		log.Warnf("%s: nothing keeps what it holds below its heap of %s; set --quota-backend-bytes", server, bytesize.Text(heap))
	default:
		log.Warnf("%s: its heap of %s does not hold what --quota-backend-bytes=%d allows beside 500 requests of --max-zookeeper-request=%d; "+
			"give it %s, or set these lower", server, bytesize.Text(heap), cfg.quotaBytes, cfg.maxRequest, bytesize.AtLeast(embedded.HeapFor(cfg.quotaBytes, cfg.maxRequest)))
	}
}

// room is what the server with the least heap has. A server without memory ends, and so
// does each that takes its place: what is moved in must not be more than it holds.
type room struct {
	server string // "" if none tells its heap
	heap   int64  // bytes
	// request is how large requests may be, in bytes: of the last 500 ZooKeeper keeps
	// three copies.
	request int
	// left is how many bytes it takes besides.
	left int64
}

// room asks the servers for their heap, and how much they hold. It ends within seconds.
func (o *logOptions) room(ctx context.Context) room {
	var mu sync.Mutex
	least := room{request: zklog.DefaultMaxRequest}
	var wg sync.WaitGroup
	for _, server := range o.ensemble().Found(ctx) {
		wg.Go(func() {
			r := roomOf(ctx, server)
			mu.Lock()
			defer mu.Unlock()
			if r.server != "" && (least.server == "" || r.left < least.left) {
				least = r
			}
		})
	}
	wg.Wait()
	return least
}

func roomOf(ctx context.Context, server zkclient.Server) room {
	heap := heapOf(ctx, server)
	if heap == 0 {
		return room{}
	}
	held := int64(0)
	if reply, err := server.Ask(ctx, "mntr"); err == nil {
		held, _ = fourletter.Number(reply, "zk_approximate_data_size") // 0 if it is not told
	}
	r := room{server: server.String(), heap: heap, request: min(zklog.DefaultMaxRequest, max(embedded.RequestFor(heap), minZooKeeperRequest))}
	r.left = max(embedded.Room(heap, r.request)-held, 1)
	return r
}

// seedInto is seedConfig for what fits there.
func (o *logOptions) seedInto(r room) zkseed.Config {
	cfg := o.seedConfig()
	cfg.MaxRequest = r.request
	if r.server != "" {
		cfg.Room = r.left
	}
	return cfg
}

// problem names the server for what does not fit.
func (r room) problem(err error) error {
	if !errors.Is(err, zkseed.ErrNoRoom) {
		return err
	}
	return &problem{thing: "ZooKeeper at " + r.server, what: fmt.Sprintf("its heap of %s does not hold what is to be written: there was room for %s, and there is more", bytesize.Text(r.heap), bytesize.Text(r.left)),
		remedy: "give each server more (-Xmx), such as " + bytesize.Text(2*r.heap) + ", and run this again: it goes on where it was"}
}

// advice is what to say of so many bytes that were written; "" if they fit twice.
func (r room) advice(stored int64) string {
	need := embedded.HeapWithRequestsFor(stored, zklog.DefaultMaxRequest)
	switch {
	case r.server == "":
		return fmt.Sprintf("no server tells its heap (envi is not on its 4lw.commands.whitelist): each needs %s at least, to hold this while zkine rewrites it", bytesize.AtLeast(need))
	case embedded.Capacity(r.heap, r.request) < stored:
		return fmt.Sprintf("ZooKeeper at %s: its heap of %s does not hold this while zkine rewrites it; give each server %s at least", r.server, bytesize.Text(r.heap), bytesize.AtLeast(need))
	}
	return ""
}

// heapOf asks a server for its largest heap, in bytes; 0 if it does not tell. Only envi
// tells, which few servers answer: it has to be on their 4lw.commands.whitelist.
func heapOf(ctx context.Context, server zkclient.Server) int64 {
	reply, err := server.Ask(ctx, "envi")
	if err != nil {
		return 0
	}
	heap, _ := fourletter.Heap(reply) // 0 if it is not told
	return heap
}
