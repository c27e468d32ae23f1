package etcdapi

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Changes is what a source has told of a revision, or of several without changes.
type Changes struct {
	// Revision is complete with this, and so are all before it.
	Revision int64
	// Events are its changes in order; none if the source only said how far it is.
	// A deleted key has its key and mod revision, and, of a kine, what it was.
	Events []*mvccpb.Event
}

const (
	// floorPatience is how long the changes of one revision are waited for.
	floorPatience = 10 * time.Second
	// progressPeriod is how often a source is asked how far it is.
	progressPeriod = time.Second
	// retryPause is how long after a watch has ended it is begun again.
	retryPause = 500 * time.Millisecond
)

// FloorEvents are the changes of a revision itself, which the keys at that revision do
// not show all of: deletions. There are none if it did not change any of the keys that
// are read.
func (s *Source) FloorEvents(ctx context.Context, rev int64) ([]*mvccpb.Event, error) {
	if rev <= 1 {
		return nil, nil // an empty store begins there
	}
	ctx, cancel := context.WithTimeoutCause(ctx, floorPatience, fmt.Errorf("the source says nothing of revision %d", rev))
	defer cancel()
	for changes, err := range s.Follow(ctx, rev) {
		switch {
		case err != nil:
			return nil, err
		case len(changes.Events) > 0 && changes.Revision == rev:
			return changes.Events, nil
		case changes.Revision >= rev:
			return nil, nil
		}
	}
	return nil, context.Cause(ctx)
}

// Follow yields the changes from a revision on, in the order of revisions, until ctx
// ends: with its cause as the last error, as with ErrCompacted, if the source has
// compacted what was still to be told, and ErrUnreadable. A connection that is lost is
// found again. It also yields how far the source is, from time to time.
func (s *Source) Follow(ctx context.Context, from int64) iter.Seq2[Changes, error] {
	return func(yield func(Changes, error) bool) {
		next := from
		for {
			goesOn, err := s.watch(ctx, &next, yield)
			if !goesOn {
				return
			}
			if err != nil {
				yield(Changes{}, err)
				return
			}
			select {
			case <-ctx.Done():
				yield(Changes{}, context.Cause(ctx))
				return
			case <-time.After(retryPause):
			}
		}
	}
}

// watch is one life of a watch. It says whether the receiver wants more; an error is
// final.
func (s *Source) watch(ctx context.Context, next *int64, yield func(Changes, error) bool) (goesOn bool, err error) {
	watchCtx, cancel := context.WithCancel(clientv3.WithRequireLeader(ctx))
	defer cancel()
	cover := s.cover()
	options := []clientv3.OpOption{clientv3.WithRange(cover.end), clientv3.WithRev(*next), clientv3.WithProgressNotify(), clientv3.WithCreatedNotify()}
	responses := s.client.Watch(watchCtx, cover.key, options...)
	ticker := time.NewTicker(progressPeriod)
	defer ticker.Stop()
	created := false
	for {
		select {
		case resp, open := <-responses:
			if !open {
				return true, causeOf(ctx)
			}
			if err := watchError(ctx, resp); err != nil {
				return true, err
			}
			if resp.Canceled {
				return true, nil
			}
			if resp.Created && !created {
				created = true
				_ = s.client.RequestProgress(watchCtx) // the next tick asks again
			}
			for changes := range s.changes(&resp) {
				if changes.Revision < *next {
					if len(changes.Events) > 0 {
						return true, fmt.Errorf("%w: revision %d is told again, after %d", ErrUnreadable, changes.Revision, *next-1)
					}
					continue
				}
				*next = changes.Revision + 1
				if !yield(changes, nil) {
					return false, nil
				}
			}
		case <-ticker.C:
			if created {
				_ = s.client.RequestProgress(watchCtx)
			}
		}
	}
}

// causeOf is why ctx has ended; nil if it has not.
func causeOf(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

// watchError is the error that a watch ended with, if it is final.
func watchError(ctx context.Context, resp clientv3.WatchResponse) error {
	if resp.CompactRevision > 0 {
		return fmt.Errorf("%w: up to revision %d", ErrCompacted, resp.CompactRevision)
	}
	if err := sorted(ctx, "watch", resp.Err()); errors.Is(err, ErrDenied) || errors.Is(err, ErrNotEtcd) {
		return err
	}
	return nil
}

// changes cuts a response into revisions, and leaves out what is not to be read.
func (s *Source) changes(resp *clientv3.WatchResponse) iter.Seq[Changes] {
	return func(yield func(Changes) bool) {
		if resp.Created {
			return // it tells where the source is, not where the watch is
		}
		for events := resp.Events; len(events) > 0; {
			rev, n := events[0].Kv.GetModRevision(), 1
			for n < len(events) && events[n].Kv.GetModRevision() == rev {
				n++
			}
			c := Changes{Revision: rev}
			for _, e := range events[:n] {
				if s.selects(string(e.Kv.GetKey())) {
					c.Events = append(c.Events, e)
				}
			}
			if !yield(c) {
				return
			}
			events = events[n:]
		}
		if len(resp.Events) == 0 {
			yield(Changes{Revision: resp.Header.GetRevision()})
		}
	}
}
