// Package families has metrics of the server that need no more of it than that it tells
// of a call, or what a scrape finds by itself. Where etcd has the family its name, type,
// labels and help are etcd's.
//
// It may import nothing of zkine.
package families

import (
	"runtime"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	etcdruntime "go.etcd.io/etcd/pkg/v3/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Requests is how long requests took, from the call to its answer.
type Requests struct {
	durations *prometheus.HistogramVec
	// kinds are the children of durations, since to look one up costs more than to
	// observe. Each has one for failures and one for successes.
	kinds map[string][2]*child
}

// kinds are etcd's names of the calls that it measures, by method.
var kinds = map[string]string{
	pb.KV_Range_FullMethodName:                  "Range",
	pb.KV_Put_FullMethodName:                    "Put",
	pb.KV_DeleteRange_FullMethodName:            "DeleteRange",
	pb.KV_Txn_FullMethodName:                    "Txn",
	pb.KV_Compact_FullMethodName:                "Compaction",
	pb.Lease_LeaseGrant_FullMethodName:          "LeaseGrant",
	pb.Lease_LeaseRevoke_FullMethodName:         "LeaseRevoke",
	pb.Maintenance_Alarm_FullMethodName:         "Alarm",
	pb.Auth_Authenticate_FullMethodName:         "Authenticate",
	pb.Auth_AuthEnable_FullMethodName:           "AuthEnable",
	pb.Auth_AuthDisable_FullMethodName:          "AuthDisable",
	pb.Auth_AuthStatus_FullMethodName:           "AuthStatus",
	pb.Auth_UserAdd_FullMethodName:              "AuthUserAdd",
	pb.Auth_UserDelete_FullMethodName:           "AuthUserDelete",
	pb.Auth_UserGet_FullMethodName:              "AuthUserGet",
	pb.Auth_UserList_FullMethodName:             "AuthUserList",
	pb.Auth_UserGrantRole_FullMethodName:        "AuthUserGrantRole",
	pb.Auth_UserRevokeRole_FullMethodName:       "AuthUserRevokeRole",
	pb.Auth_RoleAdd_FullMethodName:              "AuthRoleAdd",
	pb.Auth_RoleDelete_FullMethodName:           "AuthRoleDelete",
	pb.Auth_RoleGet_FullMethodName:              "AuthRoleGet",
	pb.Auth_RoleList_FullMethodName:             "AuthRoleList",
	pb.Auth_RoleGrantPermission_FullMethodName:  "AuthRoleGrantPermission",
	pb.Auth_RoleRevokePermission_FullMethodName: "AuthRoleRevokePermission",
	pb.Auth_UserChangePassword_FullMethodName:   "AuthUserChangePassword",
}

// readOnlyTxn is etcd's name of a transaction that cannot write.
const readOnlyTxn = "ReadonlyTxn"

// NewRequests makes the family.
func NewRequests() *Requests {
	r := &Requests{
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "etcd_server_request_duration_seconds", Help: "Response latency distribution in seconds for each type.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"type", "success"}),
		kinds: map[string][2]*child{},
	}
	for method, kind := range kinds {
		r.kinds[method] = r.observers(kind)
	}
	r.kinds[readOnlyTxn] = r.observers(readOnlyTxn)
	return r
}

func (r *Requests) observers(kind string) [2]*child {
	return [2]*child{{of: r.durations, kind: kind, success: "false"}, {of: r.durations, kind: kind, success: "true"}}
}

// child is one of durations, which is there once it is asked for: what was never called
// has no series.
type child struct {
	of            *prometheus.HistogramVec
	kind, success string
	made          sync.Once
	observer      prometheus.Observer
}

func (c *child) observe(took time.Duration) {
	c.made.Do(func() { c.observer = c.of.WithLabelValues(c.kind, c.success) })
	c.observer.Observe(took.Seconds())
}

// Took notes how long a call took; one that etcd does not measure is left out.
func (r *Requests) Took(method string, request any, took time.Duration, err error) {
	if txn, ok := request.(*pb.TxnRequest); ok && readsOnly(txn) {
		method = readOnlyTxn
	}
	of, known := r.kinds[method]
	if !known {
		return
	}
	outcome := 0
	if err == nil || method != pb.KV_Range_FullMethodName && method != readOnlyTxn && wasAnswered(err) {
		outcome = 1
	}
	of[outcome].observe(took)
}

// wasAnswered says whether an error is an answer of the store's: to etcd a write that was
// refused at apply has succeeded in getting that far.
func wasAnswered(err error) bool {
	switch status.Code(err) {
	case codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.ResourceExhausted, codes.Unknown, codes.Internal:
		return false
	}
	return true
}

func readsOnly(r *pb.TxnRequest) bool {
	for _, ops := range [][]*pb.RequestOp{r.Success, r.Failure} {
		for _, op := range ops {
			if op.GetRequestRange() == nil {
				return false
			}
		}
	}
	return true
}

// Describe implements prometheus.Collector.
func (r *Requests) Describe(ch chan<- *prometheus.Desc) { r.durations.Describe(ch) }

// Collect implements prometheus.Collector.
func (r *Requests) Collect(ch chan<- prometheus.Metric) { r.durations.Collect(ch) }

// Versions are what etcd tells of what runs: version is that of etcd which clients are
// told, as 3.7.3.
func Versions(version, clusterVersion string) []prometheus.Collector {
	one := func(name, help, label, value string) prometheus.Collector {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{label})
		g.WithLabelValues(value).Set(1)
		return g
	}
	return []prometheus.Collector{
		one("etcd_server_version", "Which version is running. 1 for 'server_version' label with current version.", "server_version", version),
		one("etcd_cluster_version", "Which version is running. 1 for 'cluster_version' label with current cluster version", "cluster_version", clusterVersion),
		one("etcd_server_go_version", "Which Go version server is running with. 1 for 'server_go_version' label with current version.",
			"server_go_version", runtime.Version()),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "etcd_server_is_learner", Help: "Whether or not this member is a learner. 1 if is, 0 otherwise.",
		}, func() float64 { return 0 }),
	}
}

// Descriptors are the process's files, asked for at each scrape.
func Descriptors() []prometheus.Collector {
	number := func(of func() (uint64, error)) func() float64 {
		return func() float64 {
			n, err := of()
			if err != nil {
				return 0 // a system that does not tell
			}
			return float64(n)
		}
	}
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "os_fd_used", Help: "The number of used file descriptors."}, number(etcdruntime.FDUsage)),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "os_fd_limit", Help: "The file descriptor limit."}, number(etcdruntime.FDLimit)),
	}
}

// Expiry is when a certificate ends, of which expires tells the moment now; its zero
// value is none. use says what it is for.
func Expiry(use string, expires func() time.Time) prometheus.Collector {
	return expiry{prometheus.NewDesc("zkine_certificate_expiry_timestamp_seconds",
		"When a certificate of zkine's ends, in Unix time: what it shows clients (server), or ZooKeeper (zookeeper).",
		nil, prometheus.Labels{"use": use}), expires}
}

type expiry struct {
	desc    *prometheus.Desc
	expires func() time.Time
}

// Describe implements prometheus.Collector.
func (e expiry) Describe(ch chan<- *prometheus.Desc) { ch <- e.desc }

// Collect implements prometheus.Collector.
func (e expiry) Collect(ch chan<- prometheus.Metric) {
	if at := e.expires(); !at.IsZero() {
		ch <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, float64(at.Unix()))
	}
}
