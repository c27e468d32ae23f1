package traces

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
)

// span is one that was sent, with the service.name of who sent it.
type span struct {
	*tracepb.Span
	service string
}

// collecting is a collector: what it is sent, it keeps.
type collecting struct {
	collector.UnsafeTraceServiceServer
	addr string

	mu    sync.Mutex
	spans map[string]span // by id
}

func collect(t *testing.T) *collecting {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c, g := &collecting{addr: l.Addr().String(), spans: map[string]span{}}, grpc.NewServer()
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
		service := ""
		for _, a := range of.GetResource().GetAttributes() {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				c.spans[string(s.SpanId)] = span{s, service}
			}
		}
	}
	return &collector.ExportTraceServiceResponse{}, nil
}

// find returns those for which is holds.
func (c *collecting) find(is func(span) bool) (found []span) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.spans {
		if is(s) {
			found = append(found, s)
		}
	}
	return found
}

// parent is the span above another; false if it did not come, or not yet.
func (c *collecting) parent(of span) (span, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.spans[string(of.ParentSpanId)]
	return s, ok
}

func (s span) attribute(name string) string {
	for _, a := range s.Attributes {
		if a.Key == name {
			return a.Value.GetStringValue()
		}
	}
	return ""
}
