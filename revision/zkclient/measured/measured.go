// Package measured counts what a session does and what becomes of it, for Prometheus. It
// may import nothing of zkine.
package measured

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Session is what is counted of the connections of one session after the other. A nil
// one counts nothing. Its methods may be called by any goroutine.
type Session struct {
	durations map[Op]prometheus.Observer
	events    map[Event]prometheus.Counter
}

// Op is what ZooKeeper is asked for.
type Op string

// The operations of a connection.
const (
	Multi    Op = "multi"
	Get      Op = "get"
	Children Op = "children"
	Exists   Op = "exists"
)

// Event is what becomes of a session.
type Event string

const (
	// Established: a session was verified, and is used from then on.
	Established Event = "established"
	// Lost: the session in use was over, expired or its connection cut.
	Lost Event = "lost"
	// TakenOver: another session took the place of one that was silent.
	TakenOver Event = "taken_over"
	// Refused: a server, or the verification, did not let a session in.
	Refused Event = "refused"
)

// NewSession makes the metrics and registers them; nil if r is nil.
func NewSession(r prometheus.Registerer) *Session {
	if r == nil {
		return nil
	}
	durations := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "zkine_zookeeper_request_duration_seconds",
		Help: "Time until ZooKeeper answered a request on the session that appends use, by operation. multi is a write or a barrier; get is what an idle ZooKeeper is asked, four to eight times a second.",
		// From an answer of memory on the same machine to a session timeout.
		Buckets: prometheus.ExponentialBuckets(0.00025, 2, 16),
	}, []string{"op"})
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "zkine_zookeeper_session_events_total",
		Help: "Sessions with ZooKeeper: established; lost; taken over, by another one while silent; refused, by a server or by what it holds.",
	}, []string{"event"})
	r.MustRegister(durations, events)
	s := &Session{map[Op]prometheus.Observer{}, map[Event]prometheus.Counter{}}
	for _, op := range []Op{Multi, Get, Children, Exists} {
		s.durations[op] = durations.WithLabelValues(string(op))
	}
	for _, e := range []Event{Established, Lost, TakenOver, Refused} {
		s.events[e] = events.WithLabelValues(string(e))
	}
	return s
}

// Answered notes how long an answer took.
func (s *Session) Answered(op Op, took time.Duration) {
	if s != nil {
		s.durations[op].Observe(took.Seconds())
	}
}

// Note counts what has become of a session.
func (s *Session) Note(e Event) {
	if s != nil {
		s.events[e].Inc()
	}
}
