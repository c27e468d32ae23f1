package server

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/propagation"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/revision/zktest"
	"github.com/zkine/zkine/server/tracing"
)

// collecting is a collector of OpenTelemetry's: what it is sent, it keeps.
type collecting struct {
	collector.UnsafeTraceServiceServer
	addr string

	mu    sync.Mutex
	spans []*tracepb.Span
	about string // the resource
}

func collect(t *testing.T) *collecting {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c, g := &collecting{addr: l.Addr().String()}, grpc.NewServer()
	collector.RegisterTraceServiceServer(g, c)
	go g.Serve(l) //nolint:errcheck // it ends with Stop
	t.Cleanup(g.Stop)
	return c
}

// Export implements OTLP's service.
func (c *collecting) Export(_ context.Context, r *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range r.ResourceSpans {
		c.about = fmt.Sprint(of.Resource)
		for _, scope := range of.ScopeSpans {
			c.spans = append(c.spans, scope.Spans...)
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// below are the spans whose parent has an id, in the order of their beginning.
func (c *collecting) below(id []byte) (found []*tracepb.Span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if string(s.ParentSpanId) == string(id) {
			found = append(found, s)
		}
	}
	slices.SortStableFunc(found, func(a, b *tracepb.Span) int { // of two that begin together, one is over as soon as it begins
		return cmp.Or(cmp.Compare(a.StartTimeUnixNano, b.StartTimeUnixNano), cmp.Compare(a.EndTimeUnixNano, b.EndTimeUnixNano))
	})
	return found
}

// tree is a span, and those below it, as text: put(queue append apply answer). Checks have
// a span only if they took their time.
func (c *collecting) tree(s *tracepb.Span) string {
	var below []string
	for _, child := range c.below(s.SpanId) {
		if child.Name != "check" {
			below = append(below, c.tree(child))
		}
	}
	if below == nil {
		return s.Name
	}
	return s.Name + "(" + strings.Join(below, " ") + ")"
}

func (c *collecting) one(t *testing.T, name string) *tracepb.Span {
	t.Helper()
	i := slices.IndexFunc(c.spans, func(s *tracepb.Span) bool { return s.Name == name })
	require.GreaterOrEqual(t, i, 0, "no span %s", name)
	return c.spans[i]
}

func attributesOf(s *tracepb.Span) map[string]string {
	all := map[string]string{}
	for _, a := range s.Attributes {
		switch v := a.Value; {
		case v.GetStringValue() != "":
			all[a.Key] = v.GetStringValue()
		default:
			all[a.Key] = fmt.Sprint(v.GetIntValue())
		}
	}
	return all
}

// traced is a member whose calls are traced, with a client of etcd's that traces its own.
type traced struct {
	*member
	*collecting
	etcd   *clientv3.Client
	client *tracetest.SpanRecorder
	tracer *sdk.TracerProvider
}

func startTraced(t *testing.T, addr string, rate int) *traced {
	c := &traced{collecting: collect(t), client: tracetest.NewSpanRecorder()}
	if addr == "" {
		addr = c.collecting.addr
	}
	c.member = startMemberOn(t, dialing(zktest.Start(t).Addr()), "one", backend.Config{}, func(cfg *Config) {
		cfg.Tracing = tracing.Config{Enabled: true, Address: addr, ServiceName: "zkine", InstanceID: "one", SamplingRate: rate}
	})
	c.tracer = sdk.NewTracerProvider(sdk.WithSpanProcessor(c.client))
	var err error
	c.etcd, err = clientv3.New(clientv3.Config{Endpoints: []string{c.member.addr}, Logger: zap.NewNop(), DialOptions: []grpc.DialOption{
		grpc.WithStatsHandler(otelgrpc.NewClientHandler(otelgrpc.WithTracerProvider(c.tracer), otelgrpc.WithPropagators(propagation.TraceContext{})))}})
	require.NoError(t, err)
	t.Cleanup(func() { c.etcd.Close() })
	return c
}

// flush stops the server, which sends what is left.
func (c *traced) flush(t *testing.T) {
	require.NoError(t, c.etcd.Close())
	require.NoError(t, c.member.conn.Close())
	require.NoError(t, c.server.Stop(ctxFor(t)))
}
