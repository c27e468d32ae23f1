package calllog

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/server/v3rpc"
)

// Config says what is told of calls, and to whom.
type Config struct {
	Log *logrus.Entry
	// Slow is how long a call may take without a line.
	Slow time.Duration
	// Lasts are the methods of calls that take as long as their client, or their work,
	// needs: they are never slow.
	Lasts map[string]bool
	// Tracer makes spans; nil for none.
	Tracer trace.Tracer
	// Took is told of each unary call; nil for nothing.
	Took func(method string, request any, took time.Duration, err error)
	// Client says who makes a call; nil if that is not known.
	Client func(context.Context) Client
	// Names says what a key, or a range of keys, belongs to; nil if that is not known.
	Names func(key, end []byte) Name
}

// Name is what may be told of a key: the prefix that it shares with others, and the
// Kubernetes resource and namespace that this stands for, if it does. Its texts are
// bounded and printable.
type Name struct{ Prefix, Resource, Namespace string }

// Log tells of calls.
type Log struct {
	cfg   Config
	limit *limit
	slow  *prometheus.CounterVec
	sends *prometheus.CounterVec
}

// New makes a Log, whose metrics it registers.
func New(cfg Config, registry prometheus.Registerer) (*Log, error) {
	if cfg.Names == nil {
		cfg.Names = func(_, _ []byte) Name { return Name{} }
	}
	if cfg.Took == nil {
		cfg.Took = func(string, any, time.Duration, error) {}
	}
	if cfg.Client == nil {
		cfg.Client = func(context.Context) Client { return Client{} }
	}
	by := []string{"grpc_service", "grpc_method"}
	l := &Log{cfg: cfg, limit: &limit{log: cfg.Log},
		slow: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "zkine_slow_requests_total", Help: "Requests that took longer than --warning-unary-request-duration.",
		}, by),
		sends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "zkine_slow_sends_total", Help: "Messages of streams that clients left waiting for longer than --warning-unary-request-duration.",
		}, by),
	}
	return l, errors.Join(registry.Register(l.slow), registry.Register(l.sends))
}

// Close tells what is left to tell. No call comes after it.
func (l *Log) Close() { l.limit.close() }

// Client is who makes a call, as far as that can be told. Its texts are the client's
// choice, but for Address.
type Client struct{ Address, User, Certificate, UserAgent string }

// call is the context of a call, which knows where its time goes, and who makes it.
type call struct {
	context.Context
	timing     backend.Timing
	identified backend.Identified
	// part says that it is a request on a stream, which knows who makes it.
	part bool
}

// Value implements context.Context.
func (c *call) Value(key any) any {
	switch {
	case key == backend.TimingKey:
		return &c.timing
	case key == backend.IdentifiedKey && !c.part:
		return &c.identified
	}
	return c.Context.Value(key)
}

// done is a call, or a request in a stream, that is over.
type done struct {
	*call
	method       string
	began, ended time.Time
	req, resp    any // resp may be nil
	err          error
	// sending is how long the client let it wait until it took what was sent.
	sending time.Duration
}

// Unary is an interceptor.
func (l *Log) Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	began := time.Now()
	c := &call{Context: ctx}
	resp, err := handler(c, req)
	l.unforeseen(info.FullMethod, err)
	ended := l.over(done{call: c, method: info.FullMethod, began: began, req: req, resp: resp, err: err})
	l.cfg.Took(info.FullMethod, req, ended.Sub(began), err)
	return resp, err
}

// Begin follows a request that came on a stream, until end is called. ctx is the
// stream's, method the stream's.
func (l *Log) Begin(ctx context.Context, method string, req any) (_ context.Context, end func(resp any, err error)) {
	began := time.Now()
	c := &call{Context: ctx, part: true}
	return c, func(resp any, err error) {
		l.over(done{call: c, method: method, began: began, req: req, resp: resp, err: err})
	}
}

// over tells of a call that is over now, if it is worth it. It returns when that was.
func (l *Log) over(of done) time.Time {
	of.ended = time.Now()
	took := of.ended.Sub(of.began)
	slow := took-of.sending > l.cfg.Slow && !l.cfg.Lasts[of.method]
	if !slow && l.cfg.Tracer == nil {
		return of.ended
	}
	d := of // on the heap, which most calls spare
	if slow {
		count(l.slow, d.method)
		if l.limit.admit(d.method, took) {
			l.logSlow(&d)
		}
	}
	if l.cfg.Tracer != nil && trace.SpanFromContext(d.Context).IsRecording() {
		l.record(&d)
	}
	return d.ended
}

// unforeseen logs the errors that v3rpc has no answer for. They were not logged where
// they arose.
func (l *Log) unforeseen(method string, err error) {
	if cause := v3rpc.Unforeseen(err); cause != nil {
		l.cfg.Log.WithField("method", method).WithError(cause).
			Error("a call failed in a way that zkine does not know, and was answered with Unknown: please report this")
	}
}
