package metrics

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkine/zkine/revision"
)

// Metrics are the backend's. Its methods may be called by any goroutine, except for
// those of what was applied.
type Metrics struct {
	batch, append, barrier prometheus.Histogram
	inFlight               prometheus.Gauge
	appendErrors           map[string]prometheus.Counter
	proposalsFailed        prometheus.Counter
	slowReads, failedReads prometheus.Counter
	snapshot, defragment   prometheus.Histogram
	defragmenting          prometheus.Gauge
	hash, hashRev          prometheus.Histogram
	// Lag is told now and then how far the state is.
	Lag Lag
	*applied
}

// SlowRead is how long a barrier may take without being counted as slow: after so long
// etcd asks again.
const SlowRead = 500 * time.Millisecond

// reasons are those of appends that failed, the most special first.
var reasons = []struct {
	label string
	err   error
}{
	{"closed", revision.ErrClosed},
	{"unauthenticated", revision.ErrUnauthenticated},
	{"unknown", revision.ErrUnknown},
	{"quota", revision.ErrQuota},
	{"refused", revision.ErrRefused},
	{"too_large", revision.ErrTooLarge},
	{"unavailable", revision.ErrUnavailable},
}

const otherReason = "other"

// etcdsDisks are etcd's names for how long it takes until a write is on disk.
var etcdsDisks = []*prometheus.Desc{
	prometheus.NewDesc("etcd_disk_wal_fsync_duration_seconds",
		"Time until a batch was on the disks of a majority of ZooKeeper's servers, as zkine_append_duration_seconds: zkine has no disk of its own.", nil, nil),
	prometheus.NewDesc("etcd_disk_backend_commit_duration_seconds",
		"Time until a batch was committed by ZooKeeper, as zkine_append_duration_seconds: zkine has no disk of its own.", nil, nil),
}

// New makes the metrics and registers them; r may be nil.
func New(r prometheus.Registerer) *Metrics {
	appended := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "zkine_append_duration_seconds", Help: "Time from sending a batch to ZooKeeper to its place in the log.",
		// All of etcd_disk_wal_fsync_duration_seconds' bounds, and one below: what is summed over
		// etcds and zkines by le is right.
		Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15),
	})
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "zkine_append_errors_total", Help: "Appends to the log that failed, by reason. Of unknown ones the batch may be in the log.",
	}, []string{"reason"})
	m := &Metrics{
		append: appended,
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "zkine_append_batch_requests", Help: "Requests in one append to the log.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 13),
		}),
		barrier: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "zkine_barrier_duration_seconds", Help: "Time that a barrier took, behind which linearizable reads are answered.",
			Buckets: prometheus.ExponentialBuckets(0.00025, 2, 16),
		}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "zkine_appends_in_flight", Help: "Appends to the log whose outcome is not known yet.",
		}),
		appendErrors:    map[string]prometheus.Counter{otherReason: failures.WithLabelValues(otherReason)},
		proposalsFailed: etcdCounter("etcd_server_proposals_failed_total", "The total number of failed proposals seen."),
		slowReads: etcdCounter("etcd_server_slow_read_indexes_total",
			"The total number of pending read indexes not in sync with leader's or timed out read index requests."),
		failedReads: etcdCounter("etcd_server_read_indexes_failed_total", "The total number of failed read indexes seen."),
		snapshot: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "etcd_disk_backend_snapshot_duration_seconds", Help: "The latency distribution of backend snapshots.",
			Buckets: prometheus.ExponentialBuckets(.01, 2, 17),
		}),
		defragment: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "etcd_disk_backend_defrag_duration_seconds", Help: "The latency distribution of backend defragmentation.",
			Buckets: prometheus.ExponentialBuckets(.1, 2, 13),
		}),
		defragmenting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "etcd_disk_defrag_inflight", Help: "Whether or not defrag is active on the member. 1 means active, 0 means not.",
		}),
		hash: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "etcd_mvcc_hash_duration_seconds", Help: "The latency distribution of storage hash operation.",
			Buckets: prometheus.ExponentialBuckets(.01, 2, 15),
		}),
		hashRev: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "etcd_mvcc_hash_rev_duration_seconds", Help: "The latency distribution of storage hash by revision operation.",
			Buckets: prometheus.ExponentialBuckets(.01, 2, 15),
		}),
		applied: newApplied(),
	}
	for _, reason := range reasons {
		m.appendErrors[reason.label] = failures.WithLabelValues(reason.label)
	}
	if r != nil {
		r.MustRegister(m.batch, appended, m.barrier, m.inFlight, failures, m.proposalsFailed, m.slowReads, m.failedReads,
			m.snapshot, m.defragment, m.defragmenting, m.hash, m.hashRev,
			renamed{appended, etcdsDisks})
		m.applied.register(r)
	}
	return m
}

func etcdCounter(name, help string) prometheus.Counter {
	return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
}

// AppendBegins counts an append that is sent; AppendEnds, called once for it, its
// outcome.
func (m *Metrics) AppendBegins() { m.inFlight.Inc() }

// AppendEnds takes an append of so many requests off those in flight. Of one that
// succeeded it notes how long it took.
func (m *Metrics) AppendEnds(requests int, took time.Duration, err error) {
	m.inFlight.Dec()
	if err == nil {
		m.batch.Observe(float64(requests))
		m.append.Observe(took.Seconds())
		return
	}
	for _, reason := range reasons {
		if errors.Is(err, reason.err) {
			m.appendErrors[reason.label].Inc()
			return
		}
	}
	m.appendErrors[otherReason].Inc()
}

// AppendUnsent takes back an AppendBegins: nothing was sent.
func (m *Metrics) AppendUnsent() { m.inFlight.Dec() }

// ProposalFailed counts a request whose client got no answer of the state's: it was
// not sent, its outcome is unknown, or its client's time was over.
func (m *Metrics) ProposalFailed() { m.proposalsFailed.Inc() }

// Barrier notes how long a barrier took, or that it failed.
func (m *Metrics) Barrier(took time.Duration, err error) {
	if err != nil {
		m.failedReads.Inc()
		return
	}
	m.barrier.Observe(took.Seconds())
	if took > SlowRead {
		m.slowReads.Inc()
	}
}

// ReadGivenUp counts a linearizable read whose client's time was over first.
func (m *Metrics) ReadGivenUp() { m.slowReads.Inc() }

// Snapshot notes how long a snapshot took, from the call until it was sent.
func (m *Metrics) Snapshot(took time.Duration) { m.snapshot.Observe(took.Seconds()) }

// Hash and HashKV note how long those took.
func (m *Metrics) Hash(took time.Duration) { m.hash.Observe(took.Seconds()) }

// HashKV is Hash for that of the keys.
func (m *Metrics) HashKV(took time.Duration) { m.hashRev.Observe(took.Seconds()) }

// Defragment begins a defragmentation; done ends it. It counts once it has succeeded.
func (m *Metrics) Defragment() (done func(error)) {
	began := time.Now()
	m.defragmenting.Inc()
	return func(err error) {
		m.defragmenting.Dec()
		if err == nil {
			m.defragment.Observe(time.Since(began).Seconds())
		}
	}
}
