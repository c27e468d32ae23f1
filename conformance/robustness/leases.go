package robustness

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/tests/v3/robustness/model"
	"go.etcd.io/etcd/tests/v3/robustness/report"
	"go.uber.org/zap"
)

// Tenants hold leases while faults happen. Some go on renewing theirs, at
// whichever zkine answers, and must never lose it. Others take a lease, put a
// key on it, and leave: their leases must not end before their time, nor live
// long after it.
type Tenants struct {
	traffic *Traffic

	mu   sync.Mutex
	left []leftLease
	errs []error
	// Renewals counts what was renewed.
	renewals int
}

// leftLease is a lease that nobody renews.
type leftLease struct {
	id     int64
	called time.Time // when it was asked for
	acked  time.Time // when it was there, at the latest
}

const (
	holders   = 2
	leavers   = 2
	heldTTL   = 5 * time.Second
	leftTTL   = 3 * time.Second
	leftEvery = 700 * time.Millisecond
	// tenantTimeout is how long a tenant waits for one zkine until it asks the next.
	tenantTimeout = 700 * time.Millisecond
)

func (t *Tenants) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errs = append(t.errs, err)
}

// start starts the tenants; they end with the traffic.
func (t *Tenants) start(ctx context.Context) {
	for i := range holders {
		r := rand.New(rand.NewPCG(t.traffic.seed, uint64(100+i)))
		t.traffic.load.Go(func() {
			if err := t.hold(ctx, r, i); err != nil {
				t.fail(fmt.Errorf("the holder of a lease: %w", err))
			}
		})
	}
	for i := range leavers {
		r := rand.New(rand.NewPCG(t.traffic.seed, uint64(200+i)))
		t.traffic.load.Go(func() { t.leave(ctx, r, i) })
	}
}

// over says whether there is to be no more traffic, or waits so long for that.
func (t *Tenants) over(ctx context.Context, wait time.Duration) bool {
	select {
	case <-t.traffic.finish:
		return true
	case <-ctx.Done():
		return true
	case <-time.After(wait):
		return false
	}
}

// take has some zkine grant a lease and puts a key on it; 0 if that failed.
func (t *Tenants) take(ctx context.Context, r *rand.Rand, ttl time.Duration, key string) (lease leftLease) {
	ctx, cancel := context.WithTimeout(ctx, tenantTimeout)
	defer cancel()
	c, err := t.traffic.clients.NewClient([]string{t.traffic.endpoints[r.IntN(len(t.traffic.endpoints))]})
	if err != nil {
		return leftLease{}
	}
	defer c.Close()
	lease.called = time.Now()
	grant, err := c.LeaseGrant(ctx, int64(ttl/time.Second))
	if err != nil {
		return leftLease{}
	}
	lease.id, lease.acked = int64(grant.ID), time.Now()
	value := strconv.Itoa(t.traffic.param.IDs.NewRequestID())
	c.PutWithLease(ctx, key, value, lease.id) //nolint:errcheck // it is recorded
	return lease
}

// leave takes one lease after the other and forgets it.
func (t *Tenants) leave(ctx context.Context, r *rand.Rand, i int) {
	for n := 0; !t.over(ctx, leftEvery); n++ {
		lease := t.take(ctx, r, leftTTL, fmt.Sprintf("left-%d-%d", i, n%3))
		if lease.id == 0 {
			continue
		}
		t.mu.Lock()
		t.left = append(t.left, lease)
		t.mu.Unlock()
	}
}

// hold takes a lease and renews it until the end. An error says that it was
// lost all the same.
func (t *Tenants) hold(ctx context.Context, r *rand.Rand, i int) error {
	var lease leftLease
	for lease.id == 0 {
		if t.over(ctx, 50*time.Millisecond) {
			return nil
		}
		lease = t.take(ctx, r, heldTTL, fmt.Sprintf("held-%d", i))
	}
	at, renewed := r.IntN(len(t.traffic.endpoints)), lease.called
	var c *clientv3.Client
	defer func() {
		if c != nil {
			c.Close()
		}
	}()
	for wait := heldTTL / 5; !t.over(ctx, wait); {
		if c == nil {
			var err error
			at = (at + 1) % len(t.traffic.endpoints)
			if c, err = clientv3.New(clientv3.Config{Endpoints: t.traffic.endpoints[at : at+1], Logger: zap.NewNop()}); err != nil {
				return err
			}
		}
		callCtx, cancel := context.WithTimeout(ctx, tenantTimeout)
		called := time.Now()
		_, err := c.KeepAliveOnce(callCtx, clientv3.LeaseID(lease.id))
		cancel()
		switch {
		case err == nil:
			renewed, wait = called, heldTTL/5
			t.mu.Lock()
			t.renewals++
			t.mu.Unlock()
		case errors.Is(err, rpctypes.ErrLeaseNotFound):
			return fmt.Errorf("lease %x is gone %v after it was renewed, and tried again and again since; it lasts %v",
				lease.id, time.Since(renewed).Round(time.Millisecond), heldTTL)
		default:
			c.Close()
			c, wait = nil, 20*time.Millisecond
		}
	}
	return nil
}

// Check judges the leases. faults are the times in which something was wrong, in
// order of their beginnings.
func (t *Tenants) Check(ended []ended, faults []window, until time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	errs := t.errs
	end := map[int64]time.Time{}
	for _, e := range ended {
		if _, twice := end[e.Lease]; !twice {
			end[e.Lease] = e.seen
		}
	}
	for _, l := range t.left {
		at, gone := end[l.id]
		if due := l.called.Add(leftTTL); gone && at.Before(due) {
			errs = append(errs, fmt.Errorf("lease %x expired %v early", l.id, due.Sub(at)))
		}
		latest := latestEnd(l.acked, faults)
		if !gone {
			at = until
		}
		if at.After(latest) {
			errs = append(errs, fmt.Errorf("lease %x was alive %v after its end", l.id, at.Sub(l.acked.Add(leftTTL))))
		}
	}
	if len(t.left) == 0 || t.renewals == 0 {
		errs = append(errs, errors.New("there were no leases to be judged"))
	}
	return errors.Join(errs...)
}

// latestEnd is when a lease that began must be gone: twice its time later, or
// that long after the last of the faults that it met.
func latestEnd(began time.Time, faults []window) time.Time {
	latest := began.Add(2 * leftTTL)
	for _, f := range faults {
		if f.from.Before(latest) && f.to.After(began) {
			latest = f.to.Add(2 * leftTTL)
		}
	}
	return latest
}

// expiries are the ends of leases as operations, for judges who know no clock:
// revocations by nobody.
func (t *Tenants) expiries(ended []ended) report.ClientReport {
	base := t.traffic.clients.BaseTime()
	r := report.ClientReport{ClientID: t.traffic.param.IDs.NewClientID()}
	last := int64(math.MinInt64)
	for _, e := range ended {
		request := model.EtcdRequest{Type: model.LeaseRevoke, LeaseRevoke: &model.LeaseRevokeRequest{LeaseID: e.Lease}}
		answer := model.MaybeEtcdResponse{EtcdResponse: model.EtcdResponse{
			LeaseRevoke: &model.LeaseRevokeResponse{}, Revision: e.Rev,
		}}
		call := int64(1)
		seen := max(e.seen.Sub(base).Nanoseconds(), last+1)
		last = seen
		r.KeyValue = append(r.KeyValue, porcupine.Operation{
			ClientId: t.traffic.param.IDs.NewStreamID(), Input: request, Call: call, Output: answer, Return: seen, Metadata: answer,
		})
	}
	return r
}
