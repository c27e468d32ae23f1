package robustness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/tests/v3/robustness/client"
)

// Probe writes to one zkine, one write after the other, and notes when each was
// acknowledged: how long there is none is how long that zkine's clients were
// without service. Its writes are recorded like all others.
type Probe struct {
	traffic  *Traffic
	name     string // of the zkine
	endpoint string

	mu    sync.Mutex
	acked []time.Time
	err   error
}

const (
	// probePeriod is the time between two of a probe's writes.
	probePeriod = 15 * time.Millisecond
	// probeTimeout is how long it waits for one; then it connects anew, so that
	// what is measured is the service and not a client's patience.
	probeTimeout = 800 * time.Millisecond
)

// run writes until there is to be no more traffic.
func (p *Probe) run(ctx context.Context) {
	var c *client.RecordingClient
	ticker := time.NewTicker(probePeriod)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ticker.C:
		case <-p.traffic.finish:
			return
		case <-ctx.Done():
			return
		}
		if c == nil {
			var err error
			if c, err = p.traffic.clients.NewClient([]string{p.endpoint}); err != nil {
				return // the set is closed
			}
		}
		callCtx, cancel := context.WithTimeout(ctx, probeTimeout)
		called := p.traffic.saw.newest()
		resp, err := c.Put(callCtx, "probe-"+p.name, fmt.Sprint(p.name, "-", n))
		cancel()
		if err != nil {
			c.Close()
			c = nil
			continue
		}
		p.note(resp, called)
	}
}

func (p *Probe) note(resp *clientv3.PutResponse, called heading) {
	at := heading{resp.Header.ClusterId, resp.Header.RaftTerm}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.acked = append(p.acked, time.Now())
	if err := p.traffic.saw.note(called, at); err != nil && p.err == nil {
		p.err = fmt.Errorf("%s: %w", p.name, err)
	}
}

// Longest is the longest time without an acknowledged write that touches the
// time between two moments, and its end.
func (p *Probe) Longest(from, to time.Time) (longest time.Duration, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, _ := slices.BinarySearchFunc(p.acked, from, time.Time.Compare)
	last := from
	if before > 0 {
		last = p.acked[before-1]
	}
	for _, at := range append(p.acked[before:len(p.acked):len(p.acked)], to) {
		if gap := at.Sub(last); gap > longest {
			longest, until = gap, at
		}
		last = at
		if !at.Before(to) {
			break
		}
	}
	return longest, until
}

// ackedSince says whether a write was acknowledged after a moment.
func (p *Probe) ackedSince(since time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.acked) > 0 && p.acked[len(p.acked)-1].After(since)
}

// Outages are the times of over a second without an acknowledged write.
func (p *Probe) Outages() (out []window) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := 1; i < len(p.acked); i++ {
		if from, to := p.acked[i-1], p.acked[i]; to.Sub(from) > time.Second {
			out = append(out, window{from: from, to: to})
		}
	}
	return out
}

// heading is what the header of every answer tells of the cluster.
type heading struct {
	cluster, term uint64
}

// witnessed is the newest heading that anybody was told.
type witnessed struct {
	mu sync.Mutex
	heading
}

func (t *witnessed) newest() heading {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heading
}

// note takes an answer to a call that was made when called was the newest.
func (t *witnessed) note(called, at heading) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.cluster != 0 && at.cluster != t.cluster:
		return fmt.Errorf("cluster %x was told, and %x before", at.cluster, t.cluster)
	case at.term < called.term:
		return fmt.Errorf("term %d was told, and %d before", at.term, called.term)
	case at.cluster == 0 || at.term == 0:
		return errors.New("an answer without a cluster or a term")
	}
	t.cluster, t.term = at.cluster, max(t.term, at.term)
	return nil
}
