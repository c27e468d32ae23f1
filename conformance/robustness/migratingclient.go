package robustness

import (
	"context"
	"math/rand/v2"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/tests/v3/robustness/client"
)

// migratingClient goes from zkine to zkine, as a client does whose zkine died or whose
// load balancer thought again: what it saw at one must hold at the next.
type migratingClient struct {
	*Traffic
	rand *rand.Rand
}

// stint is how long a migratingClient stays.
func (r *migratingClient) stint() time.Duration {
	return 200*time.Millisecond + time.Duration(r.rand.Int64N(int64(600*time.Millisecond)))
}

// arrive connects to some zkine; nil when there is to be no more traffic.
func (r *migratingClient) arrive(ctx context.Context) *client.RecordingClient {
	select {
	case <-r.finish:
		return nil
	case <-ctx.Done():
		return nil
	default:
	}
	c, err := r.clients.NewClient([]string{r.endpoints[r.rand.IntN(len(r.endpoints))]})
	if err != nil {
		return nil // the set is closed
	}
	return c
}

// readAndWrite runs the traffic's own loop, a stint at a time.
func (r *migratingClient) readAndWrite(ctx context.Context) {
	for c := r.arrive(ctx); c != nil; c = r.arrive(ctx) {
		param, leave := r.param, make(chan struct{})
		param.Finish = leave
		timer := time.AfterFunc(r.stint(), func() { close(leave) })
		r.kind.RunKeyValueLoop(ctx, c, param)
		timer.Stop()
		c.Close()
	}
}

// watch watches everything, and resumes at each zkine after the last revision
// that the one before has told of: in an event or as progress.
func (r *migratingClient) watch(ctx context.Context) {
	last := int64(1)
	for c := r.arrive(ctx); c != nil; c = r.arrive(ctx) {
		stint, leave := context.WithTimeout(ctx, r.stint())
		last = r.follow(stint, c, last)
		leave()
		c.Close()
	}
}

// follow watches what comes after a revision until ctx ends, and returns the last
// revision that it was told of. It asks for progress again and again: while much
// is written, that is when a wrong bookmark would be given.
func (r *migratingClient) follow(ctx context.Context, c *client.RecordingClient, last int64) int64 {
	ask := time.NewTicker(50 * time.Millisecond)
	defer ask.Stop()
	responses := c.Watch(ctx, "", last+1, true, true, true)
	for {
		select {
		case resp, ok := <-responses:
			if !ok {
				return last
			}
			last = max(last, told(resp))
		case <-ask.C:
			_ = c.RequestProgress(ctx) // its error is the watch's too
		}
	}
}

// told is the revision after which a watch is to be resumed.
func told(resp clientv3.WatchResponse) int64 {
	switch {
	case resp.CompactRevision > 0:
		return resp.CompactRevision - 1
	case resp.IsProgressNotify():
		return resp.Header.Revision
	case len(resp.Events) > 0:
		return resp.Events[len(resp.Events)-1].Kv.ModRevision
	}
	return 0
}
