package mirror

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/backend/etcdapi"
)

// Source is the store that is followed. *etcdapi.Source satisfies it, and says what its
// methods do.
type Source interface {
	Kind() etcdapi.Kind
	Whole() bool
	Current(ctx context.Context) (int64, error)
	Follow(ctx context.Context, from int64) iter.Seq2[etcdapi.Changes, error]
	FloorEvents(ctx context.Context, rev int64) ([]*mvccpb.Event, error)
	Keys(ctx context.Context, rev int64) iter.Seq2[*mvccpb.KeyValue, error]
	Lease(ctx context.Context, id int64) (etcdapi.Lease, error)
	Leases(ctx context.Context) ([]etcdapi.Lease, bool, error)
}

const (
	// batchRequests and batchBytes end a batch. A larger revision is one by itself.
	batchRequests, batchBytes = 512, 512 << 10
	// heardAhead is how many revisions are heard before they are written.
	heardAhead = 64
	// lookPeriod is how often it is looked how far the source is, and whether the
	// root is still this command's.
	lookPeriod = time.Second
	// sourcePatience is how long one question to the source may take.
	sourcePatience = 5 * time.Second
	// endPatience is how long the last changes are waited for.
	endPatience = 30 * time.Second
)

// Follower has a root follow a source.
type Follower struct {
	Source Source
	Root   *Alone
	// Report is told how it goes, at least each second; may be nil.
	Report func(Progress)

	progress Progress
	// heard is up to where all changes of the source are in the root.
	heard   int64
	lag     lag
	history history
}

// Progress is how far a Follower has come.
type Progress struct {
	// Revision is up to where the root holds what the source does, and Source the
	// source's, when it was last asked.
	Revision, Source int64
	// Lag is how long ago the source was at a revision that the root has not
	// reached.
	Lag time.Duration
	// Revisions, Events and Bytes were written so far.
	Revisions, Events, Bytes int64
	// Unheard is why the source was not asked; nil if it was.
	Unheard error
}

// Run follows until stop is closed, then until the root has all that the source had at
// that moment. An end of ctx ends it at once. What was written is whole at any moment:
// another Run goes on from there. Errors: ErrSkipped, ErrOthers, ErrRefused,
// etcdapi.ErrCompacted; those of the log.
func (f *Follower) Run(ctx context.Context, stop <-chan struct{}) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f.heard = int64(f.Root.View().Rev())
	told := make(chan told, heardAhead)
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.listen(ctx, told)
	}()
	defer func() { cancel(); <-done }()
	ticker := time.NewTicker(lookPeriod)
	defer ticker.Stop()
	if err := f.look(ctx); err != nil {
		return err
	}
	for {
		select {
		case next := <-told:
			if err := f.take(ctx, next, told); err != nil {
				return err
			}
		case <-ticker.C:
			if err := f.look(ctx); err != nil {
				return err
			}
		case <-stop:
			return f.finish(ctx, told)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// told is what was heard of the source, or why no more is.
type told struct {
	changes etcdapi.Changes
	err     error
}

func (f *Follower) listen(ctx context.Context, to chan<- told) {
	for changes, err := range f.Source.Follow(ctx, f.heard+1) {
		select {
		case to <- told{changes, err}:
		case <-ctx.Done():
			return
		}
	}
}

// take writes what was told, with all that was told by now.
func (f *Follower) take(ctx context.Context, next told, more <-chan told) error {
	b := newBatch(f.rules(), f.Root.View())
	for {
		if next.err != nil {
			return errors.Join(f.write(ctx, b), next.err)
		}
		if err := b.add(ctx, next.changes); err != nil {
			return errors.Join(f.write(ctx, b), err)
		}
		f.note(next.changes)
		if len(b.requests) >= batchRequests || b.bytes >= batchBytes {
			return f.write(ctx, b)
		}
		select {
		case next = <-more:
		default:
			return f.write(ctx, b)
		}
	}
}

func (f *Follower) rules() rules {
	etcd := f.Source.Kind() == etcdapi.Etcd
	return rules{dense: etcd && f.Source.Whole(), counted: etcd, lease: f.lease}
}

// lease asks for a lease until the source answers: it may just be started again.
func (f *Follower) lease(ctx context.Context, id int64) (l etcdapi.Lease, err error) {
	for end := time.Now().Add(endPatience); time.Now().Before(end); {
		asking, cancel := context.WithTimeout(ctx, sourcePatience)
		l, err = f.Source.Lease(asking, id)
		cancel()
		if err == nil || ctx.Err() != nil || errors.Is(err, etcdapi.ErrDenied) {
			return l, err
		}
		select {
		case <-time.After(sourcePatience / 10):
		case <-ctx.Done():
		}
	}
	return l, err
}

func (f *Follower) note(c etcdapi.Changes) {
	f.heard = max(f.heard, c.Revision)
	f.progress.Events += int64(len(c.Events))
	if len(c.Events) > 0 {
		f.progress.Revisions++
	}
	for _, e := range c.Events {
		f.progress.Bytes += int64(len(e.Kv.GetKey()) + len(e.Kv.GetValue()))
	}
}

func (f *Follower) write(ctx context.Context, b *batch) error {
	if len(b.requests) > 0 {
		if err := f.Root.Append(ctx, b.requests); err != nil {
			return err
		}
		if now := f.Root.View().Rev(); now != b.rev {
			return fmt.Errorf("%w: it is at revision %d after the changes of %d", ErrOthers, now, b.rev)
		}
	}
	f.report()
	return nil
}

// look finds out how far the source is, and that the root is still this command's.
func (f *Follower) look(ctx context.Context) error {
	if err := f.Root.Look(ctx); err != nil {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, sourcePatience)
	defer cancel()
	began := time.Now()
	current, err := f.Source.Current(asking)
	if err == nil {
		f.lag.source(began, current)
		f.progress.Source = current
	}
	f.progress.Unheard = err
	f.report()
	return f.compact(ctx)
}

func (f *Follower) report() {
	f.progress.Revision, f.progress.Lag = f.heard, f.lag.of(f.heard, time.Now())
	if f.Report != nil {
		f.Report(f.progress)
	}
}

// finish follows up to where the source is now.
func (f *Follower) finish(ctx context.Context, more <-chan told) error {
	asking, cancel := context.WithTimeoutCause(ctx, endPatience, fmt.Errorf("the source has not answered for %v; begin it again with the same root when it does", endPatience))
	defer cancel()
	end, err := f.Source.Current(asking)
	if err != nil {
		return err
	}
	patience := time.NewTimer(endPatience)
	defer patience.Stop()
	for f.heard < end {
		select {
		case next := <-more:
			if err := f.take(ctx, next, more); err != nil {
				return err
			}
			patience.Reset(endPatience)
		case <-patience.C:
			return fmt.Errorf("%w: it is at revision %d, and has told of nothing after %d for %v", ErrSkipped, end, f.heard, endPatience)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	b := newBatch(f.rules(), f.Root.View())
	b.raise(revisionOf(f.heard))
	if err := f.write(ctx, b); err != nil {
		return err
	}
	return f.settleLeases(ctx)
}
