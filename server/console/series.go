package console

import (
	"math"
	"slices"

	dto "github.com/prometheus/client_model/go"
)

// series is one line of a plot, and how it is taken from the process's metrics.
type series struct {
	// Panel is the plot, Label the line's name, Unit what its values are: "/s", "s", "bytes", "bytes/s", "" for a number.
	Panel string `json:"panel"`
	Label string `json:"label"`
	Unit  string `json:"unit"`
	// sum adds up what a family has; it is a counter if rate is set, and the line is its growth in a second.
	sum  func(families) float64
	rate bool
	// quantile of what a histogram of the name has counted since the sample before, if it is not 0. match has only those
	// be counted whose labels have the values.
	quantile  float64
	histogram string
	match     map[string][]string
	// mean is of a histogram, in the same time.
	mean string
}

// families are metrics by name.
type families map[string]*dto.MetricFamily

// total adds up a family's metrics whose labels have the values; NaN if there is no such family.
func (f families) total(name string, match map[string][]string) float64 {
	family := f[name]
	if family == nil {
		return math.NaN()
	}
	sum := 0.0
	for _, m := range family.Metric {
		if matches(m, match) {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
		}
	}
	return sum
}

func matches(m *dto.Metric, match map[string][]string) bool {
	for label, values := range match {
		if !slices.ContainsFunc(m.Label, func(l *dto.LabelPair) bool {
			return l.GetName() == label && slices.Contains(values, l.GetValue())
		}) {
			return false
		}
	}
	return true
}

func of(name string, match ...map[string][]string) func(families) float64 {
	var by map[string][]string
	if len(match) > 0 {
		by = match[0]
	}
	return func(f families) float64 { return f.total(name, by) }
}

// calls are those of methods that have ended.
func calls(methods ...string) func(families) float64 {
	return of("grpc_server_handled_total", map[string][]string{"grpc_method": methods})
}

// zooKeeper is how long ZooKeeper takes for an operation.
func zooKeeper(op string) series {
	return series{
		Panel: "ZooKeeper, 99 of 100 answers within", Label: op, Unit: "s",
		quantile: 0.99, histogram: "zkine_zookeeper_request_duration_seconds", match: map[string][]string{"op": {op}},
	}
}

// faults are the codes of answers that are no client's doing.
var faults = []string{"Unavailable", "DeadlineExceeded", "ResourceExhausted", "Internal", "Unknown", "DataLoss"}

// lines are what the plots show.
var lines = []series{
	{Panel: "Requests", Label: "range", Unit: "/s", sum: calls("Range", "RangeStream"), rate: true},
	{Panel: "Requests", Label: "txn", Unit: "/s", sum: calls("Txn"), rate: true},
	{Panel: "Requests", Label: "put", Unit: "/s", sum: calls("Put"), rate: true},
	{Panel: "Requests", Label: "delete", Unit: "/s", sum: calls("DeleteRange"), rate: true},
	{Panel: "Requests", Label: "lease", Unit: "/s", sum: func(f families) float64 {
		return calls("LeaseGrant", "LeaseRevoke")(f) + of("grpc_server_msg_received_total", map[string][]string{"grpc_method": {"LeaseKeepAlive"}})(f)
	}, rate: true},
	{Panel: "Requests", Label: "watch responses", Unit: "/s", sum: of("grpc_server_msg_sent_total", map[string][]string{"grpc_method": {"Watch"}}), rate: true},
	{Panel: "Writes", Label: "revisions", Unit: "/s", sum: of("etcd_debugging_mvcc_current_revision"), rate: true},
	{Panel: "Writes", Label: "faults", Unit: "/s", sum: of("grpc_server_handled_total", map[string][]string{"grpc_code": faults}), rate: true},
	{Panel: "ZooKeeper's answer to an append", Label: "p50", Unit: "s", quantile: 0.5, histogram: "zkine_append_duration_seconds"},
	{Panel: "ZooKeeper's answer to an append", Label: "p99", Unit: "s", quantile: 0.99, histogram: "zkine_append_duration_seconds"},
	zooKeeper("multi"), zooKeeper("get"), zooKeeper("children"), zooKeeper("exists"),
	{Panel: "Requests in an append", Label: "mean", mean: "zkine_append_batch_requests"},
	{Panel: "Lag", Label: "of the state", Unit: "s", sum: of("zkine_apply_lag_seconds")},
	{Panel: "Lag", Label: "of the slowest watch", Unit: "s", sum: of("zkine_watch_lag_seconds")},
	{Panel: "Slots of the log, not applied", Label: "slots", sum: func(f families) float64 {
		return of("zkine_log_index")(f) - of("zkine_applied_index")(f)
	}},
	{Panel: "Size in ZooKeeper", Label: "all", Unit: "bytes", sum: of("etcd_mvcc_db_total_size_in_bytes")},
	{Panel: "Size in ZooKeeper", Label: "live", Unit: "bytes", sum: of("etcd_mvcc_db_total_size_in_use_in_bytes")},
	{Panel: "Memory of zkine", Label: "resident", Unit: "bytes", sum: of("process_resident_memory_bytes")},
	{Panel: "Memory of zkine", Label: "Go heap", Unit: "bytes", sum: of("go_memstats_heap_inuse_bytes")},
	{Panel: "Processors of zkine", Label: "used", sum: of("process_cpu_seconds_total"), rate: true},
	{Panel: "Clients", Label: "connections", sum: of("zkine_connections", map[string][]string{"urls": {"clients"}})},
	{Panel: "Clients", Label: "watchers", sum: of("etcd_debugging_mvcc_watcher_total")},
	{Panel: "Traffic of clients", Label: "sent", Unit: "bytes/s", sum: of("etcd_network_client_grpc_sent_bytes_total"), rate: true},
	{Panel: "Traffic of clients", Label: "received", Unit: "bytes/s", sum: of("etcd_network_client_grpc_received_bytes_total"), rate: true},
}

// counts are a histogram's: by upper bound, all up to it, with the sum of all that was observed.
type counts struct {
	bounds []float64
	upTo   []uint64
	all    uint64
	sum    float64
}

// histogram adds up a family's histograms whose labels have the values.
func (f families) histogram(name string, match map[string][]string) (c counts) {
	family := f[name]
	if family == nil {
		return c
	}
	for _, m := range family.Metric {
		if !matches(m, match) {
			continue
		}
		h := m.GetHistogram()
		c.all += h.GetSampleCount()
		c.sum += h.GetSampleSum()
		for i, b := range h.Bucket {
			if i == len(c.bounds) {
				c.bounds, c.upTo = append(c.bounds, b.GetUpperBound()), append(c.upTo, 0)
			}
			c.upTo[i] += b.GetCumulativeCount()
		}
	}
	return c
}

// since is what was counted after before.
func (c counts) since(before counts) counts {
	if len(before.upTo) != len(c.upTo) || before.all > c.all {
		return c
	}
	d := counts{bounds: c.bounds, upTo: slices.Clone(c.upTo), all: c.all - before.all, sum: c.sum - before.sum}
	for i := range d.upTo {
		d.upTo[i] -= before.upTo[i]
	}
	return d
}

// quantile estimates as Prometheus does: evenly within a bucket. NaN of nothing.
func (c counts) quantile(q float64) float64 {
	if c.all == 0 || len(c.bounds) == 0 {
		return math.NaN()
	}
	rank, low, below := q*float64(c.all), 0.0, uint64(0)
	for i, n := range c.upTo {
		if float64(n) >= rank && n > below {
			if math.IsInf(c.bounds[i], 1) {
				break
			}
			return low + (c.bounds[i]-low)*(rank-float64(below))/float64(n-below)
		}
		low, below = c.bounds[i], n
	}
	return low
}

func (c counts) mean() float64 {
	if c.all == 0 {
		return math.NaN()
	}
	return c.sum / float64(c.all)
}
