package calllog

import (
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/server/wire"
)

// operations are the names of spans for what clients ask, where etcd has one.
var operations = map[string]string{
	pb.KV_Range_FullMethodName: "range", pb.KV_RangeStream_FullMethodName: "range_streaming",
	pb.KV_Put_FullMethodName: "put", pb.KV_DeleteRange_FullMethodName: "delete_range",
	pb.KV_Txn_FullMethodName: "txn", pb.KV_Compact_FullMethodName: "compact",
	pb.Lease_LeaseGrant_FullMethodName: "lease_grant", pb.Lease_LeaseRevoke_FullMethodName: "lease_revoke",
	pb.Lease_LeaseKeepAlive_FullMethodName: "lease_renew", pb.Watch_Watch_FullMethodName: "watch",
}

func operation(method string) string {
	if name := operations[method]; name != "" {
		return name
	}
	return method[strings.LastIndexByte(method, '/')+1:]
}

// leastCheck is how long the checks before a call waits take at least to be worth a span.
const leastCheck = time.Millisecond

// record makes the spans of a call that is over: one for what was asked, below the span
// of gRPC's call, and below that one for each part of its time. They are made at the
// end, from the same times as the line about a slow request; a call that is not traced
// has none of this to do. Each call that shares a batch has its own span of the append,
// with the same place in the log, so that each trace is whole.
func (l *Log) record(d *done) {
	ctx, op := l.cfg.Tracer.Start(d.Context, operation(d.method), trace.WithTimestamp(d.began),
		trace.WithAttributes(l.attributes(d)...))
	defer op.End(trace.WithTimestamp(d.ended))
	if d.err != nil {
		op.SetStatus(codes.Error, status.Code(d.err).String())
	}
	s := d.timing.Steps()
	if s.Queued.IsZero() {
		return // it was answered from memory
	}
	part := func(name string, from, to time.Time, options ...trace.SpanStartOption) {
		if from.IsZero() {
			return // it has not come so far
		}
		if to.IsZero() || to.After(d.ended) {
			to = d.ended
		}
		_, span := l.cfg.Tracer.Start(ctx, name, append(options, trace.WithTimestamp(from))...)
		span.End(trace.WithTimestamp(to))
	}
	if s.Queued.Sub(d.began) >= leastCheck {
		part("check", d.began, s.Queued)
	}
	part("queue", s.Queued, s.Sent)
	name, attributes := passage(s)
	part(name, s.Sent, s.Answered, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	part("apply", s.Answered, s.Applied)
	part("answer", s.Applied, d.ended)
}

// passage is what is told of a call's way through ZooKeeper.
func passage(s backend.Steps) (name string, told []attribute.KeyValue) {
	told = append(told, attribute.String("peer.service", "zookeeper"))
	switch s.Kind {
	case backend.AppendPassage:
		name = "append"
		told = append(told, attribute.String("zookeeper.operation", "multi"),
			attribute.Int("zkine.batch.requests", s.Shared), attribute.Int("zkine.batch.bytes", s.Bytes))
	default:
		name = "barrier"
		told = append(told, attribute.Int("zkine.barrier.reads", s.Shared),
			attribute.Bool("zkine.barrier.by_append", s.Kind == backend.RidePassage))
	}
	if !s.Answered.IsZero() {
		told = append(told, attribute.String("zkine.log.place", s.Place.String()))
	}
	if s.Resent {
		told = append(told, attribute.Bool("zkine.batch.resent", true))
	}
	return name, told
}

// attributes are what is told of a request, its client and its answer.
func (l *Log) attributes(d *done) (told []attribute.KeyValue) {
	text := func(name, text string) {
		if text != "" {
			told = append(told, attribute.String(name, text))
		}
	}
	a := requestAbout(d.req)
	n := l.name(a)
	text("zkine.key.prefix", n.Prefix)
	text("k8s.resource", n.Resource)
	text("k8s.namespace.name", n.Namespace)
	for _, f := range a.fields {
		switch v := f.value.(type) {
		case bool:
			told = append(told, attribute.Bool(f.name, v))
		case int:
			told = append(told, attribute.Int(f.name, v))
		case int64:
			told = append(told, attribute.Int64(f.name, v))
		}
	}
	c := l.client(d.call)
	text("client.address", c.Address)
	text("user.name", c.User)
	text("tls.client.subject", c.Certificate)
	text("user_agent.original", c.UserAgent)
	if m, ok := d.req.(proto.Message); ok {
		told = append(told, attribute.Int("request_bytes", proto.Size(m)))
	}
	resp := wire.Unmetered(d.resp)
	if m, ok := resp.(proto.Message); ok && d.err == nil {
		told = append(told, attribute.Int("response_bytes", proto.Size(m)))
	}
	if h, ok := resp.(interface{ GetHeader() *pb.ResponseHeader }); ok && d.err == nil {
		told = append(told, attribute.Int64("response_revision", h.GetHeader().GetRevision()))
	}
	switch r := resp.(type) {
	case *pb.RangeResponse:
		told = append(told, attribute.Int("response_count", len(r.GetKvs())))
	case *pb.TxnResponse:
		told = append(told, attribute.Bool("succeeded", r.GetSucceeded()))
	}
	return told
}
