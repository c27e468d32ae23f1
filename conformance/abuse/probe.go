package main

import (
	"context"
	"net/http"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/zkine/zkine/conformance/rig"
)

const (
	probePeriod = time.Second
	// probeLimit is when a newcomer gives up.
	probeLimit = 3 * time.Second
)

// probes count what newcomers get from a server: an answer to a get on a new connection, and to a question on /readyz.
type probes struct {
	asked, served, ready int
}

// probe asks again and again until until is closed. What was asked by then is waited for.
func probe(ctx context.Context, until <-chan struct{}, u *subject, token string) (p probes) {
	ticker := time.NewTicker(probePeriod)
	defer ticker.Stop()
	for {
		var both sync.WaitGroup
		var served, ready int
		both.Go(func() { served = newcomer(ctx, u.client, token) })
		both.Go(func() { ready = readyz(ctx, u.metrics) })
		both.Wait()
		p.asked++
		p.served += served
		p.ready += ready
		select {
		case <-ticker.C:
		case <-until:
			return p
		}
	}
}

// newcomer is 1 if a client with a new connection is served.
func newcomer(ctx context.Context, endpoint, token string) int {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	conn, err := rig.Dial(endpoint)
	if err != nil {
		return 0
	}
	defer conn.Close()
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "token", token)
	}
	if _, err := pb.NewKVClient(conn).Range(ctx, &pb.RangeRequest{Key: []byte(clientPrefix)}, grpc.WaitForReady(true)); err != nil {
		return 0
	}
	return 1
}

// readyz is 1 if the server says on a new connection that it is ready.
func readyz(ctx context.Context, metrics string) int {
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+metrics+"/readyz", nil)
	if err != nil {
		return 0
	}
	h := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := h.Do(r)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0
	}
	return 1
}
