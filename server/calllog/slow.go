package calllog

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/server/wire"
)

// parts is where a call's time went; they add up to all of it.
type parts struct{ check, queue, zookeeper, apply, answer, sending time.Duration }

// parts divides a call's time: the checks before it waits, waiting in the queue, in
// ZooKeeper, for the state to come to what ZooKeeper has, and making the answer. Sending
// it comes after all that, but for streams, which make their answer as they send it.
func (d *done) parts(s backend.Steps) (p parts) {
	if !s.Queued.IsZero() {
		p.check = max(0, s.Queued.Sub(d.began))
	}
	p.queue, p.zookeeper, p.apply = s.Phases()
	p.sending = d.sending
	p.answer = max(0, d.ended.Sub(d.began)-p.check-p.queue-p.zookeeper-p.apply-p.sending)
	return p
}

// logSlow says where the time went, who asked, and for what.
func (l *Log) logSlow(d *done) {
	steps := d.timing.Steps()
	p := d.parts(steps)
	fields := logrus.Fields{
		"method": d.method, "took": rounded(d.ended.Sub(d.began)), "code": status.Code(d.err).String(),
		"check": rounded(p.check), "queue": rounded(p.queue), "zookeeper": rounded(p.zookeeper),
		"apply": rounded(p.apply), "answer": rounded(p.answer),
	}
	if p.sending > 0 {
		fields["sending"] = rounded(p.sending)
	}
	if steps.Kind == backend.AppendPassage {
		fields["batch"] = steps.Shared
	}
	if steps.Resent {
		fields["resent"] = true
	}
	if m, ok := d.req.(proto.Message); ok {
		fields["request_bytes"] = proto.Size(m)
	}
	if m, ok := wire.Unmetered(d.resp).(proto.Message); ok && d.err == nil {
		fields["response_bytes"] = proto.Size(m)
	}
	if span := trace.SpanContextFromContext(d.Context); l.cfg.Tracer != nil && span.IsSampled() {
		fields["trace"] = span.TraceID().String()
	}
	l.client(d.call).tell(fields)
	l.describe(fields, d.req)
	l.cfg.Log.WithFields(fields).Warn("slow request")
}

// count counts by the labels that other metrics of calls have.
func count(by *prometheus.CounterVec, method string) {
	service, name, _ := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	by.WithLabelValues(service, name).Inc()
}

func rounded(d time.Duration) string { return d.Round(10 * time.Microsecond).String() }
