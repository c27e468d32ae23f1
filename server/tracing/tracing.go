// Package tracing sends spans to a collector: OpenTelemetry's SDK, with the exporter for
// OTLP over gRPC, set up as etcd sets them up. Which spans there are is package
// calllog's.
//
// A collector that cannot be reached costs nothing but the spans: they wait in a queue of
// a fixed length, what does not fit is dropped, and a line in the log says so once in
// ten minutes.
//
// # Goroutines
//
// The SDK's, which sends what is in the queue, and those of its gRPC connection. Stop
// ends them.
//
// # Imports
//
// Of zkine package revision/throttle.
package tracing

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"

	"github.com/zkine/zkine/revision/throttle"
)

// Defaults are etcd's, but for the service's name.
const (
	DefaultAddress     = "localhost:4317"
	DefaultServiceName = "zkine"
	// MaxSamplingRate is that of every call: rates are per million.
	MaxSamplingRate = 1_000_000
)

// Config says whether calls are traced, and where its spans go.
type Config struct {
	// Enabled is false for no traces, which costs nothing.
	Enabled bool
	// Address is the collector's host:port, or a URL of it: https:// is with TLS, all
	// else without.
	Address string
	// ServiceName is the same for all zkines of a cluster, InstanceID this one's own; ""
	// for none.
	ServiceName, InstanceID string
	// SamplingRate is of how many in a million calls spans are kept that come without a
	// traceparent. Of the others it is as that says.
	SamplingRate int
	// Version is this zkine's.
	Version string
}

const (
	// queued is how many spans may wait, and batched how many are sent at once.
	queued  = 4096
	batched = 512
	// period is how long a span waits at most, and sendTimeout how long sending may take,
	// further attempts included.
	period      = 5 * time.Second
	sendTimeout = 10 * time.Second
	// quiet is how long a collector that does not answer is not logged again.
	quiet = 10 * time.Minute
)

// Tracing sends spans.
type Tracing struct {
	provider *sdk.TracerProvider
	made     prometheus.Counter
	sent     prometheus.Counter
}

// Start begins, and registers metrics. It does not wait for the collector. Errors: an
// address that makes no sense.
func Start(cfg Config, registry prometheus.Registerer, log *logrus.Entry) (*Tracing, error) {
	ctx := context.Background()
	options := []otlptracegrpc.Option{otlptracegrpc.WithTimeout(sendTimeout), otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{
		Enabled: true, InitialInterval: time.Second, MaxInterval: sendTimeout / 2, MaxElapsedTime: sendTimeout,
	})}
	if strings.Contains(cfg.Address, "://") {
		options = append(options, otlptracegrpc.WithEndpointURL(cfg.Address))
	} else {
		options = append(options, otlptracegrpc.WithEndpoint(cfg.Address), otlptracegrpc.WithInsecure())
	}
	otlp, err := otlptracegrpc.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("tracing: collector %q: %w", cfg.Address, err)
	}
	t := &Tracing{
		made: prometheus.NewCounter(prometheus.CounterOpts{Name: "zkine_trace_spans_total", Help: "Spans of traces that were made."}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{Name: "zkine_trace_spans_sent_total", Help: "Spans that the collector has taken."}),
	}
	for _, c := range []prometheus.Collector{t.made, t.sent} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	log = log.WithField("collector", cfg.Address)
	lines := &throttle.Lines{Period: quiet}
	// What the SDK has to say besides.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { tell(log, lines, "sdk", err) }))
	batcher := sdk.NewBatchSpanProcessor(&exporter{SpanExporter: otlp, sent: t.sent, log: log, lines: lines},
		sdk.WithMaxQueueSize(queued), sdk.WithMaxExportBatchSize(batched), sdk.WithBatchTimeout(period), sdk.WithExportTimeout(sendTimeout))
	t.provider = sdk.NewTracerProvider(sdk.WithSpanProcessor(counting{batcher, t.made}), sdk.WithResource(cfg.resource()),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(float64(cfg.SamplingRate)/MaxSamplingRate))))
	return t, nil
}

func (cfg Config) resource() *resource.Resource {
	told := []attribute.KeyValue{attribute.String("service.name", cfg.ServiceName), attribute.String("service.version", cfg.Version)}
	if cfg.InstanceID != "" {
		told = append(told, attribute.String("service.instance.id", cfg.InstanceID))
	}
	return resource.NewSchemaless(told...)
}

// Tracer makes the spans within a call.
func (t *Tracing) Tracer() trace.Tracer { return t.provider.Tracer("github.com/zkine/zkine") }

// ServerOption has a gRPC server make a span for each call, below that of its client, by
// W3C's traceparent. Probes have none.
func (t *Tracing) ServerOption() grpc.ServerOption {
	return grpc.StatsHandler(otelgrpc.NewServerHandler(
		otelgrpc.WithTracerProvider(t.provider), otelgrpc.WithMeterProvider(metricnoop.NewMeterProvider()),
		otelgrpc.WithPropagators(propagation.TraceContext{}),
		otelgrpc.WithFilter(func(i *stats.RPCTagInfo) bool { return !strings.HasPrefix(i.FullMethodName, "/grpc.health.") }),
	))
}

// Join has a call that a handler makes be a part of the handler's trace, by the metadata
// that it goes with. ctx is the handler's.
func Join(ctx context.Context, out metadata.MD) {
	carrier := make(propagation.MapCarrier)
	propagation.TraceContext{}.Inject(ctx, carrier) // nothing without a span
	for key, value := range carrier {
		out.Set(key, value)
	}
}

// Stop sends what is left, until ctx ends, and ends everything.
func (t *Tracing) Stop(ctx context.Context) { _ = t.provider.Shutdown(ctx) } // what it could not send was told

// exporter tells of spans that could not be sent, rarely, and counts those that were.
type exporter struct {
	sdk.SpanExporter
	sent  prometheus.Counter
	log   *logrus.Entry
	lines *throttle.Lines
}

// ExportSpans implements sdk.SpanExporter. The SDK would have nothing better to do with
// an error.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		tell(e.log, e.lines, "send", err)
		return nil
	}
	e.sent.Add(float64(len(spans)))
	return nil
}

func tell(log *logrus.Entry, lines *throttle.Lines, key string, err error) {
	if left, ok := lines.Allow(key); ok {
		log.WithError(err).Warn("traces cannot be sent to the collector, and are lost; requests are served as ever" + left)
	}
}

// counting counts the spans that are made.
type counting struct {
	sdk.SpanProcessor
	made prometheus.Counter
}

// OnEnd implements sdk.SpanProcessor. It does not wait: what does not fit into the
// batcher's queue is dropped.
func (c counting) OnEnd(s sdk.ReadOnlySpan) {
	if s.SpanContext().IsSampled() {
		c.made.Inc()
	}
	c.SpanProcessor.OnEnd(s)
}
