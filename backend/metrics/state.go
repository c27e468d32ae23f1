package metrics

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/backend/watch"
	"github.com/zkine/zkine/revision"
)

// State is where to ask for what the backend holds at the moment. None of its
// functions may wait for anything but a lock.
type State struct {
	View func() *state.View
	// Head is the newest place in the log that is known of.
	Head func() revision.Seq
	// Proposals is how many requests wait to be sent, or to be answered.
	Proposals func() int
	// Watches is what the watches have to do.
	Watches func() watch.Load
	Lag     *Lag
}

var (
	descKeys      = gauge("etcd_debugging_mvcc_keys_total", "Total number of keys.")
	descPending   = gauge("etcd_server_proposals_pending", "The current number of pending proposals to commit.")
	descCommitted = gauge("etcd_server_proposals_committed_total", "The total number of consensus proposals committed.")
	descApplied   = gauge("etcd_server_proposals_applied_total", "The total number of consensus proposals applied.")
	descAuth      = gauge("etcd_debugging_auth_revision", "The current revision of auth store.")
	descAlarms    = gauge("etcd_debugging_server_alarms",
		"Alarms for every member in cluster. 1 for 'server_id' label with current ID. 2 for 'alarm_type' label with type of this alarm", "server_id", "alarm_type")
	descSlow       = gauge("etcd_debugging_mvcc_slow_watcher_total", "Total number of unsynced slow watchers.")
	descUnsent     = gauge("etcd_debugging_mvcc_pending_events_total", "Total number of pending events to be sent.")
	descEvents     = gauge("etcd_debugging_mvcc_events_total", "Total number of events sent by this member.")
	descLeases     = gauge("zkine_leases", "Leases that are granted and not over.")
	descAlarmCount = gauge("zkine_alarms", "Alarms that are raised, in the whole cluster.")
	descLag        = gauge("zkine_apply_lag_seconds", "For how long a slot of the log has been known of and not been applied here; 0 if all are.")
	descWatchLag   = gauge("zkine_watch_lag_seconds", "For how long the events have been waiting that a watch stream is to send next, of the stream that is furthest behind.")
)

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// Register has r show what s holds; r may be nil.
func (s State) Register(r prometheus.Registerer) {
	if r != nil {
		r.MustRegister(s)
	}
}

// Describe implements prometheus.Collector.
func (s State) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descKeys, descPending, descCommitted, descApplied, descAuth, descAlarms, descSlow, descUnsent, descEvents,
		descLeases, descAlarmCount, descLag, descWatchLag} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s State) Collect(ch chan<- prometheus.Metric) {
	show := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	v, head, now := s.View(), s.Head(), time.Now()
	show(descKeys, float64(v.NumKeys()))
	show(descPending, float64(s.Proposals()))
	show(descApplied, float64(v.Applied()))
	show(descCommitted, float64(v.Applied())+float64(unapplied(head, v.Seq())))
	show(descAuth, float64(v.AuthRevision()))
	show(descLeases, float64(v.NumLeases()))
	alarms := v.Alarms()
	show(descAlarmCount, float64(len(alarms)))
	for _, a := range alarms {
		show(descAlarms, 1, strconv.FormatUint(a.MemberID, 16), a.Alarm.String())
	}
	w := s.Watches()
	show(descSlow, float64(w.Due))
	show(descUnsent, float64(w.Unsent))
	ch <- prometheus.MustNewConstMetric(descEvents, prometheus.CounterValue, float64(w.Events))
	show(descWatchLag, w.Lag.Seconds())
	show(descLag, s.Lag.Observe(head, v.Seq(), now).Seconds())
}

// unapplied is how many slots are known of and not applied, at least.
func unapplied(head, applied revision.Seq) int64 {
	switch {
	case !applied.Before(head):
		return 0
	case head.Segment == applied.Segment:
		return head.Slot - applied.Slot
	}
	return head.Slot + 1
}

// Lag finds out for how long the state has been behind the log. It is asked now and
// then, and knows no more than what it has been told then.
type Lag struct {
	mu sync.Mutex
	// marks are places that are not applied yet, in their order, each with the moment
	// since which it has been known. They are several: the lag of a state that follows
	// steadily is steady, too.
	marks []mark
}

type mark struct {
	head  revision.Seq
	since time.Time
}

// A mark comes after the one before it by at least leastGap, and by a part of the time
// that all of them span. So some hundred marks do for a lag of weeks.
const (
	leastGap = 50 * time.Millisecond
	gapPart  = 64
)

// Observe notes how far the log and the state are, and returns for how long the state
// has been behind.
func (l *Lag) Observe(head, applied revision.Seq, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.marks = slices.DeleteFunc(l.marks, func(m mark) bool { return !applied.Before(m.head) })
	if len(l.marks) == 0 {
		if applied.Before(head) {
			l.marks = append(l.marks, mark{head, now})
		}
		return 0
	}
	oldest, newest := l.marks[0], l.marks[len(l.marks)-1]
	if newest.head.Before(head) && now.Sub(newest.since) >= max(leastGap, newest.since.Sub(oldest.since)/gapPart) {
		l.marks = append(l.marks, mark{head, now})
	}
	return now.Sub(oldest.since)
}
