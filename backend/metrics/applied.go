package metrics

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision/recordpb"
)

// applied counts what was applied since this zkine serves, without the replay at its
// start. Its methods are the applier's, which calls one at a time, but for those that
// say so.
type applied struct {
	live      atomic.Bool
	durations *prometheus.HistogramVec
	// byOp are the children of durations, since to look one up costs more than to
	// observe.
	byOp map[operation]prometheus.Observer
	slow prometheus.Counter
	// ranged and rangedNot are how long reads took that succeeded, or did not.
	rangeDurations    *prometheus.HistogramVec
	ranged, rangedNot prometheus.Observer

	puts, deletes, ranges, txns prometheus.Counter
	putBytes                    prometheus.Gauge

	granted, renewed, revoked, expired prometheus.Counter
	ttl                                prometheus.Histogram

	leaderChanges prometheus.Counter

	// since is when the request under way began.
	since time.Time
}

type operation struct {
	op      string
	success bool
}

// SlowApply is how long a request may take to apply without being counted as slow;
// etcd's default.
const SlowApply = 100 * time.Millisecond

func newApplied() *applied {
	rangeDurations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "etcd_server_range_duration_seconds", Help: "The latency distributions of txn.Range",
		Buckets: prometheus.ExponentialBuckets(0.0001, 2, 20),
	}, []string{"success"})
	return &applied{
		rangeDurations: rangeDurations, ranged: rangeDurations.WithLabelValues("true"), rangedNot: rangeDurations.WithLabelValues("false"),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "etcd_server_apply_duration_seconds", Help: "The latency distributions of v2 apply called by backend.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 20),
		}, []string{"version", "op", "success"}),
		byOp:    map[operation]prometheus.Observer{},
		slow:    etcdCounter("etcd_server_slow_apply_total", "The total number of slow apply requests (likely overloaded from slow disk)."),
		puts:    etcdCounter("etcd_mvcc_put_total", "Total number of puts seen by this member."),
		deletes: etcdCounter("etcd_mvcc_delete_total", "Total number of deletes seen by this member."),
		ranges:  etcdCounter("etcd_mvcc_range_total", "Total number of ranges seen by this member."),
		txns:    etcdCounter("etcd_mvcc_txn_total", "Total number of txns seen by this member."),
		putBytes: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "etcd_debugging_mvcc_total_put_size_in_bytes", Help: "The total size of put kv pairs seen by this member.",
		}),
		granted: etcdCounter("etcd_debugging_lease_granted_total", "The total number of granted leases."),
		renewed: etcdCounter("etcd_debugging_lease_renewed_total", "The number of renewed leases seen by the leader."),
		revoked: etcdCounter("etcd_debugging_lease_revoked_total", "The total number of revoked leases."),
		expired: etcdCounter("etcd_debugging_server_lease_expired_total", "The total number of expired leases."),
		ttl: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "etcd_debugging_lease_ttl_total", Help: "Bucketed histogram of lease TTLs.",
			Buckets: prometheus.ExponentialBuckets(1, 2, 24),
		}),
		leaderChanges: etcdCounter("etcd_server_leader_changes_seen_total", "The number of leader changes seen."),
	}
}

func (a *applied) register(r prometheus.Registerer) {
	r.MustRegister(a.durations, a.rangeDurations, a.slow, a.puts, a.deletes, a.ranges, a.txns, a.putBytes,
		a.granted, a.renewed, a.revoked, a.expired, a.ttl, a.leaderChanges)
}

// Serving begins with the counting. Any goroutine may call it.
func (a *applied) Serving() { a.live.Store(true) }

// Applying notes that a slot is about to be applied, at a moment.
func (a *applied) Applying(now time.Time) { a.since = now }

// Evaluated notes that the next request of the slot was evaluated, and how it ended.
func (a *applied) Evaluated(r *recordpb.Request, err error) {
	if !a.live.Load() {
		return
	}
	began := a.since
	a.since = time.Now()
	took := a.since.Sub(began)
	one := operation{opOf(r), err == nil}
	observer := a.byOp[one]
	if observer == nil {
		observer = a.durations.WithLabelValues("v3", one.op, strconv.FormatBool(one.success))
		a.byOp[one] = observer
	}
	observer.Observe(took.Seconds())
	if took > SlowApply {
		a.slow.Inc()
	}
}

// Applied counts what a slot did.
func (a *applied) Applied(before, after *state.View, done state.Applied) {
	if !a.live.Load() {
		return
	}
	a.Worked(done.Work)
	if done.Work.Expired > 0 {
		a.expired.Add(float64(done.Work.Expired))
	}
	for _, change := range done.Leases {
		switch change.Kind {
		case state.Granted:
			a.granted.Inc()
			a.ttl.Observe(float64(change.TTL))
		case state.Renewed:
			a.renewed.Inc()
		case state.Revoked:
			a.revoked.Inc()
		}
	}
	if was := before.Term(); was > 0 && after.Term() > was {
		a.leaderChanges.Inc()
	}
}

// Worked counts operations on keys, also those of reads, which are no part of the log:
// any goroutine may call it.
func (a *applied) Worked(w state.Work) {
	add := func(c prometheus.Counter, n int) {
		if n > 0 {
			c.Add(float64(n))
		}
	}
	add(a.puts, w.Puts)
	add(a.deletes, w.Deletes)
	add(a.ranges, w.Ranges+w.Compares) // a comparison is a range to etcd
	add(a.txns, w.Txns)
	if w.PutBytes > 0 {
		a.putBytes.Add(float64(w.PutBytes))
	}
}

// Ranged notes how long the evaluation of a read took. Any goroutine may call it.
func (a *applied) Ranged(took time.Duration, err error) {
	a.ranges.Inc()
	if err != nil {
		a.rangedNot.Observe(took.Seconds())
	} else {
		a.ranged.Observe(took.Seconds())
	}
	if took > SlowApply {
		a.slow.Inc()
	}
}

// opOf is etcd's name for a request. Those of zkine's own have names of the same form.
func opOf(r *recordpb.Request) string {
	switch r.GetKind().(type) {
	case *recordpb.Request_Put:
		return "Put"
	case *recordpb.Request_DeleteRange:
		return "DeleteRange"
	case *recordpb.Request_Txn:
		return "Txn"
	case *recordpb.Request_Compaction:
		return "Compaction"
	case *recordpb.Request_LeaseGrant:
		return "LeaseGrant"
	case *recordpb.Request_LeaseRevoke, *recordpb.Request_LeaseExpire:
		return "LeaseRevoke"
	case *recordpb.Request_LeaseRemaining:
		return "LeaseCheckpoint"
	case *recordpb.Request_LeaseRenew:
		return "LeaseRenew"
	case *recordpb.Request_Alarm:
		return "Alarm"
	case *recordpb.Request_DigestMark, *recordpb.Request_DigestReport:
		return "Digest"
	case *recordpb.Request_RevisionRaise:
		return "RevisionRaise"
	}
	return "Auth"
}
