package robustness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"go.etcd.io/etcd/tests/v3/robustness/client"
	"go.etcd.io/etcd/tests/v3/robustness/identity"
	"go.etcd.io/etcd/tests/v3/robustness/report"
	"go.etcd.io/etcd/tests/v3/robustness/traffic"
	"go.uber.org/zap"
	"golang.org/x/time/rate"
)

// Kind is one of etcd's kinds of traffic.
type Kind struct {
	Name string
	traffic.Traffic
	// QPS bounds the calls of all clients together, each second. The more
	// deletes there are whose outcome is unclear, the longer porcupine searches.
	QPS int
}

// The kinds that etcd's own robustness tests use.
var (
	EtcdPut                = Kind{"etcd-put", traffic.EtcdPut, 400}
	EtcdDelete             = Kind{"etcd-delete", traffic.EtcdDelete, 200}
	EtcdLeases             = Kind{"etcd-leases", traffic.EtcdPutDeleteLease, 300}
	Kubernetes             = Kind{"kubernetes", traffic.Kubernetes, 300}
	KubernetesCreateDelete = Kind{"kubernetes-create-delete", traffic.KubernetesCreateDelete, 100}

	// AllKinds are all of them.
	AllKinds = []Kind{EtcdPut, EtcdDelete, EtcdLeases, Kubernetes, KubernetesCreateDelete}
)

// burst is how many calls are made at once after a pause.
func (k Kind) burst() int { return k.QPS / 4 }

// profile is how much goes on at once. A member client stays with one zkine; a
// cluster client's calls go to all of them in turn.
var profile = traffic.Profile{
	KeyValue: &traffic.KeyValue{
		MemberClientCount: 4, ClusterClientCount: 2,
		MaxNonUniqueRequestConcurrency: 3,
	},
	Watch: &traffic.Watch{
		MemberClientCount: 3, ClusterClientCount: 1,
		RevisionOffsetRange: traffic.Range{Min: -100, Max: 100},
	},
	Compaction: &traffic.CompactionDefault,
}

const (
	migratingClients  = 2
	migratingWatchers = 2
)

// Traffic is a load on a cluster, from many recorded clients.
type Traffic struct {
	kind      Kind
	endpoints []string
	lg        *zap.Logger
	seed      uint64

	clients, watchers *client.ClientSet
	param             traffic.RunTrafficLoopParam
	finish            chan struct{} // closed to end the load
	load              sync.WaitGroup

	// Probes and Tenants are nil unless the run is a probed one.
	Probes  []*Probe
	Tenants *Tenants
	saw     witnessed
	ended   time.Time // when Finish began

	maxRevision chan int64 // what the watchers that see everything must reach
	seen        chan error // what became of these watchers
}

// startTraffic records that the store is empty, and starts the load and the
// watchers of everything, one for each zkine. ctx bounds all of it.
func startTraffic(ctx context.Context, lg *zap.Logger, kind Kind, endpoints []string, seed uint64) (*Traffic, error) {
	ids, base := identity.NewIDProvider(), time.Now()
	t := &Traffic{
		kind: kind, endpoints: endpoints, lg: lg, seed: seed,
		clients: client.NewSet(ids, base), watchers: client.NewSet(ids, base),
		finish:      make(chan struct{}),
		maxRevision: make(chan int64, 1),
		seen:        make(chan error, 1),
	}
	t.param = traffic.RunTrafficLoopParam{
		QPSLimiter:                         rate.NewLimiter(rate.Limit(kind.QPS), kind.burst()),
		IDs:                                ids,
		LeaseIDStorage:                     identity.NewLeaseIDStorage(),
		NonUniqueRequestConcurrencyLimiter: traffic.NewConcurrencyLimiter(profile.KeyValue.MaxNonUniqueRequestConcurrency),
		KeyStore:                           traffic.NewKeyStore(10, "key"),
		Storage:                            traffic.NewKubernetesStorage(),
		Finish:                             t.finish,
	}
	if err := traffic.CheckEmptyDatabaseAtStart(ctx, lg, endpoints, t.clients); err != nil {
		return nil, err
	}
	go func() {
		t.seen <- client.CollectClusterWatchEvents(ctx, client.CollectClusterWatchEventsParam{
			Lg: lg, Endpoints: endpoints, MaxRevisionChan: t.maxRevision, ClientSet: t.watchers,
		})
	}()
	return t, t.start(ctx)
}

func (t *Traffic) start(ctx context.Context) error {
	watch := traffic.RunWatchLoopParam{
		Config:     *profile.Watch,
		QPSLimiter: t.param.QPSLimiter,
		KeyStore:   t.param.KeyStore,
		Storage:    t.param.Storage,
		Finish:     t.finish,
		Logger:     t.lg,
	}
	compact := traffic.RunCompactLoopParam{Period: profile.Compaction.Period, Finish: t.finish}
	for i := range migratingClients {
		r := t.migratingClient(i)
		t.load.Go(func() { r.readAndWrite(ctx) })
	}
	for i := range migratingWatchers {
		r := t.migratingClient(migratingClients + i)
		t.load.Go(func() { r.watch(ctx) })
	}
	return errors.Join(
		traffic.SimulateKeyValueTraffic(ctx, &t.load, profile.KeyValue, t.endpoints, t.clients, t.kind, t.param),
		traffic.SimulateWatchTraffic(ctx, &t.load, profile.Watch, t.endpoints, t.clients, t.kind, watch),
		traffic.SimulateCompactionTraffic(ctx, &t.load, profile.Compaction, t.endpoints, t.clients, t.kind, compact),
	)
}

// probe adds a probe for each zkine, and tenants.
func (t *Traffic) probe(ctx context.Context, zkines []*Zkine) {
	for _, z := range zkines {
		p := &Probe{traffic: t, name: z.Name, endpoint: z.Endpoint}
		t.Probes = append(t.Probes, p)
		t.load.Go(func() { p.run(ctx) })
	}
	t.Tenants = &Tenants{traffic: t}
	t.Tenants.start(ctx)
}

func (t *Traffic) migratingClient(i int) *migratingClient {
	return &migratingClient{Traffic: t, rand: rand.New(rand.NewPCG(t.seed, uint64(i)))}
}

// lingering is how many calls a second all clients make while nobody serves them.
const lingering = 5

// linger has clients call seldom, until hurry, which the caller calls once all is
// well: calls that can only fail tell nothing, but each of them is one more that
// may have taken effect at any time until the end, and porcupine has to try them
// all.
func (t *Traffic) linger() { t.param.QPSLimiter.SetLimit(lingering); t.param.QPSLimiter.SetBurst(1) }

// hurry ends linger.
func (t *Traffic) hurry() {
	t.param.QPSLimiter.SetLimit(rate.Limit(t.kind.QPS))
	t.param.QPSLimiter.SetBurst(t.kind.burst())
}

// Finish ends the load, makes one last write, waits until the watchers of
// everything have seen it, and returns what was recorded.
func (t *Traffic) Finish(ctx context.Context) ([]report.ClientReport, error) {
	t.ended = time.Now()
	close(t.finish)
	t.load.Wait()
	last, err := t.clients.NewClient(t.endpoints)
	if err != nil {
		return nil, err
	}
	_, lastErr := last.Put(ctx, "tombstone", "true")
	reports := t.clients.Reports() // ends the clients
	t.maxRevision <- report.OperationsMaxRevision(reports)
	seenErr := <-t.seen
	reports = slices.Concat(reports, t.watchers.Reports())
	if lastErr != nil {
		return reports, fmt.Errorf("the last write, without which there is no verdict: %w", lastErr)
	}
	if seenErr != nil {
		return reports, fmt.Errorf("a watcher of everything: %w", seenErr)
	}
	return reports, nil
}
