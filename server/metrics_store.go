package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkine/zkine/server/observe"
	"github.com/zkine/zkine/server/usage"
	"github.com/zkine/zkine/server/v3rpc"
)

// storeCollector shows where the backend stands, asked for at each scrape. It
// shows nothing before there is a backend but that no client can be served.
type storeCollector struct{ server *Server }

func storeGauge(name, help string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, nil, nil)
}

var (
	descHasLeader = storeGauge("etcd_server_has_leader", "1 if linearizable calls can be served: ZooKeeper is reachable and the state is current.")
	descIsLeader  = storeGauge("etcd_server_is_leader", "1 if this member does the housekeeping.")
	descRevision  = storeGauge("etcd_debugging_mvcc_current_revision", "The current revision of store.")
	descCompact   = storeGauge("etcd_debugging_mvcc_compact_revision", "The revision of the last compaction in store.")
	descSize      = storeGauge("etcd_mvcc_db_total_size_in_bytes", "Total size of the underlying database physically allocated in bytes.")
	descInUse     = storeGauge("etcd_mvcc_db_total_size_in_use_in_bytes", "Total size of the underlying database logically in use in bytes.")
	descQuota     = storeGauge("etcd_server_quota_backend_bytes", "Current backend storage quota size in bytes.")
	descKnown     = storeGauge("zkine_log_index", "Last place in the log that this member knows of: segment * 2^32 + slot + 1.")
	descApplied   = storeGauge("zkine_applied_index", "Last place in the log that this member's state has reached.")
	descBytes     = prometheus.NewDesc("zkine_zookeeper_bytes", "Bytes of data in ZooKeeper under the root, by part.", []string{"part"}, nil)
	descZnodes    = storeGauge("zkine_zookeeper_znodes", "Znodes in ZooKeeper under the root.")
	descTerm      = storeGauge("zkine_term", "The term in response headers, from ZooKeeper's epoch.")
)

func (c *storeCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descHasLeader, descIsLeader, descRevision, descCompact, descSize, descInUse, descQuota,
		descBytes, descZnodes, descKnown, descApplied, descTerm,
	} {
		ch <- d
	}
}

func (c *storeCollector) Collect(ch chan<- prometheus.Metric) {
	show := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	f := c.server.facade.Load()
	if f == nil {
		show(descHasLeader, 0)
		return
	}
	st, served := f.backend.Status(), f.backend.Ready() == nil
	show(descHasLeader, oneIf(served))
	show(descIsLeader, oneIf(served && st.Leader == f.memberID && st.Leader != 0))
	show(descRevision, float64(st.Revision))
	show(descCompact, float64(st.CompactRevision))
	show(descSize, float64(v3rpc.DBSize(st)))
	show(descInUse, float64(st.Sizes.Kept))
	show(descQuota, float64(st.Quota))
	show(descKnown, float64(st.Index))
	show(descApplied, float64(st.AppliedIndex))
	show(descTerm, float64(st.Term))
	show(descZnodes, float64(st.Sizes.Znodes))
	for part, bytes := range map[string]int64{
		"log": st.Sizes.Log, "packed": st.Sizes.Packed, "staged": st.Sizes.Staged, "checkpoint": st.Sizes.Checkpoint,
	} {
		ch <- prometheus.MustNewConstMetric(descBytes, prometheus.GaugeValue, float64(bytes), part)
	}
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// Usage is who asks for what: over about the last interval, of at most
// usage.MaxInterval, the busiest prefixes and clients, limit of each at most. 0 is for
// the defaults.
func (s *Server) Usage(interval time.Duration, limit int) usage.Report {
	return s.usage.Report(interval, limit)
}

// Member is where this member stands. Before there is a Backend only the process is
// known.
func (s *Server) Member() observe.Member {
	m := observe.Member{Name: s.cfg.Name, Version: s.cfg.Product, NotReady: "it starts"}
	s.process.Fill(&m)
	m.Connections, _ = s.connections.clients.Counts()
	f := s.facade.Load()
	if f == nil {
		return m
	}
	m.ID, m.NotReady = f.memberID, ""
	if err := f.backend.Ready(); err != nil {
		m.NotReady = err.Error()
	}
	st := f.backend.Status()
	m.Revision, m.CompactRevision = int64(st.Revision), int64(st.CompactRevision)
	m.KnownIndex, m.AppliedIndex, m.Keeper = st.Index, st.AppliedIndex, st.Leader
	m.StoreBytes, m.LiveBytes, m.QuotaBytes = st.Sizes.Total(), st.Sizes.Live, st.Quota
	return m
}
