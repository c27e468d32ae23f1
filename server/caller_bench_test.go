package server

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/zkine/zkine/backend"
	"github.com/zkine/zkine/server/listener"
	"github.com/zkine/zkine/server/usage"
)

// BenchmarkCaller is what finding the caller of a call costs, in the processor's time.
func BenchmarkCaller(b *testing.B) {
	ctx := peer.NewContext(b.Context(), &peer.Peer{Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 40000}})
	ctx = metadata.NewIncomingContext(ctx, metadata.Pairs(
		":authority", "10.0.0.2:2379", "content-type", "application/grpc", userAgentKey, "grpc-go/1.79.3", "hasleader", "true"))
	named := context.WithValue(ctx, backend.IdentifiedKey, new(backend.Identified))
	other := metadata.NewIncomingContext(ctx, metadata.Pairs(userAgentKey, "another"))
	for _, of := range []struct {
		name string
		conn *listener.Conn
		ctxs []context.Context
	}{
		{"on a connection", new(listener.Conn), []context.Context{named}},
		{"two in turn on a connection", new(listener.Conn), []context.Context{named, other}},
		{"without a connection", nil, []context.Context{named}},
	} {
		b.Run(of.name, func(b *testing.B) {
			g := &gate{usage: usage.NewRecorder()}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				g.caller(of.ctxs[i%len(of.ctxs)], of.conn)
			}
		})
	}
}
