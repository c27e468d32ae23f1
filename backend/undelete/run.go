package undelete

import (
	"context"
	"fmt"
	"sync"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
)

// Config says what is to be written back, and where.
type Config struct {
	// Client is of the store; it stays the caller's.
	Client *clientv3.Client
	// Then are the keys as they were, Now as they are.
	Then, Now Keys
	// DryRun writes nothing. Overwrite writes over keys that have another value now.
	DryRun, Overwrite bool
	// Leases attaches keys to the leases that they had: those that still run, and, if
	// TTL knows how many seconds they were granted, new ones of the same id.
	Leases bool
	TTL    func(lease int64) int64
	// Tell is told of each key that was there then and is not the same now; by one
	// goroutine at a time, in no order unless it is a dry run.
	Tell func(*Item)
}

// Item is a key that was there and is not the same now.
type Item struct {
	Key string
	// Revision, Bytes and Lease are those of its value then.
	Revision, Lease int64
	Bytes           int
	State           State
	// Written is the revision that has written it back; 0 if it was left alone.
	Written int64
	// Raced says that it was changed while this ran, and so left alone. Leaseless says
	// that it was written without the lease that it had.
	Raced, Leaseless bool
}

// Summary counts keys.
type Summary struct {
	// Missing, Differ and Same are those that were there then; New those that are there
	// now only, and stay as they are.
	Missing, Differ, Same, New int
	// Written were written back, Bytes is what their values have. Raced were changed in
	// the meantime, and left alone.
	Written, Raced int
	Bytes          int64
	// Leased are those to be written, or written, that had a lease, and Leaseless those
	// of them that have none now.
	Leased, Leaseless int
}

// writers is how many keys are written at once: zkine and etcd commit what comes
// together in one write.
const writers = 32

// Run compares, and writes back. After an error the keys that were written stay, and to
// run it again goes on. Errors: those of the keys and of the store.
func Run(ctx context.Context, cfg *Config) (Summary, error) {
	r := &running{Config: cfg, leases: map[int64]int64{}}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(writers)
	err := r.compare(groupCtx, func(p pair) { group.Go(func() error { return r.write(groupCtx, p) }) })
	if failed := group.Wait(); failed != nil {
		err = failed // the comparison was cut off by it
	}
	return r.sum, err
}

// running is a Run under way.
type running struct {
	*Config
	mu  sync.Mutex // of all below, and of Tell
	sum Summary
	// leases are those that keys can be attached to, by the id that they had; 0 for none.
	leases map[int64]int64
}

// compare begins to write each key that is to be written.
func (r *running) compare(ctx context.Context, write func(pair)) error {
	for p, err := range merge(r.Then, r.Now) {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case p.then == nil:
			r.sum.New++
			continue
		case p.state() == Same:
			r.sum.Same++
			continue
		}
		r.count(p)
		if r.DryRun || p.state() == Differs && !r.Overwrite {
			r.tell(p, Item{})
			continue
		}
		write(p)
	}
	return nil
}

func (r *running) count(p pair) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p.state() == Missing {
		r.sum.Missing++
	} else {
		r.sum.Differ++
	}
	if p.then.Lease != 0 && (p.state() == Missing || r.Overwrite) {
		r.sum.Leased++
	}
}

// tell tells of a key, and counts what became of it.
func (r *running) tell(p pair, i Item) {
	i.Key, i.Revision, i.Lease, i.Bytes, i.State = string(p.then.Key), p.then.ModRevision, p.then.Lease, len(p.then.Value), p.state()
	r.mu.Lock()
	defer r.mu.Unlock()
	if i.Written > 0 {
		r.sum.Written++
		r.sum.Bytes += int64(i.Bytes)
	}
	if i.Leaseless {
		r.sum.Leaseless++
	}
	if i.Raced {
		r.sum.Raced++
	}
	r.Tell(&i)
}

// String is a summary for people.
func (s Summary) String() string {
	return fmt.Sprintf("%d were missing, %d had another value, %d were the same; %d that are new were left alone", s.Missing, s.Differ, s.Same, s.New)
}
