package etcdapi

import (
	"context"
	"fmt"
	"iter"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// pageBytes is how large a page is to be. The next one is asked for while one
	// is used, so that three may be in memory. An etcd looks at all keys behind a page,
	// to tell how many there are: a few large pages spare it that.
	pageBytes = 8 << 20
	// firstPage, leastPage and mostPage are numbers of keys. A value may have
	// megabytes.
	firstPage, leastPage, mostPage = 16, 8, 10_000
	// pagesAhead is how many pages wait for their use.
	pagesAhead = 1
)

// Keys yields all keys at a revision, in order, with their values, revisions, versions
// and leases. Each KeyValue belongs to the receiver. It stops after the first error:
// ErrCompacted, if the source compacted beyond the revision in the meantime;
// ErrUnreadable.
func (s *Source) Keys(ctx context.Context, rev int64) iter.Seq2[*mvccpb.KeyValue, error] {
	return s.keys(ctx, rev, false)
}

func (s *Source) keys(ctx context.Context, rev int64, keysOnly bool) iter.Seq2[*mvccpb.KeyValue, error] {
	return func(yield func(*mvccpb.KeyValue, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		pages := make(chan page, pagesAhead)
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.readPages(ctx, rev, keysOnly, pages)
		}()
		defer func() { cancel(); <-done }()
		var last []byte
		for p := range pages {
			if p.err != nil {
				yield(nil, p.err)
				return
			}
			for _, kv := range p.kvs {
				if err := s.judge(kv, last, rev); err != nil {
					yield(nil, err)
					return
				}
				last = kv.Key
				if !yield(kv, nil) {
					return
				}
			}
		}
	}
}

// page is a part of the keys, or why there are no more.
type page struct {
	kvs []*mvccpb.KeyValue
	err error
}

// readPages reads a span after the other: by one stream, where the source knows that
// call, and what is left of it by pages.
func (s *Source) readPages(ctx context.Context, rev int64, keysOnly bool, pages chan<- page) {
	defer close(pages)
	r := &reading{Source: s, rev: rev, keysOnly: keysOnly, pages: pages}
	for _, one := range s.spans {
		err := r.span(ctx, one)
		if err == nil {
			continue
		}
		select {
		case pages <- page{err: err}:
		case <-ctx.Done():
		}
		return
	}
}

// reading is a read of spans at a revision.
type reading struct {
	*Source
	rev      int64
	keysOnly bool
	pages    chan<- page
}

func (r *reading) span(ctx context.Context, one span) error {
	left, whole := r.stream(ctx, one)
	limit := int64(firstPage)
	for more := !whole; more; {
		resp, err := r.client.Get(ctx, left.key, append(r.options(left.end), clientv3.WithLimit(limit))...)
		if err != nil {
			return sorted(ctx, "read the keys", err)
		}
		if more = resp.More; more && len(resp.Kvs) == 0 {
			return fmt.Errorf("%w: a page without keys is followed by more", ErrUnreadable)
		}
		if more {
			left.key = after(resp.Kvs)
		}
		limit = nextLimit(limit, resp.Kvs)
		if err := r.send(ctx, resp.Kvs); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) options(end string) []clientv3.OpOption {
	options := []clientv3.OpOption{clientv3.WithRange(end), clientv3.WithRev(r.rev)}
	if r.keysOnly {
		options = append(options, clientv3.WithKeysOnly())
	}
	return options
}

func (r *reading) send(ctx context.Context, kvs []*mvccpb.KeyValue) error {
	select {
	case r.pages <- page{kvs: kvs}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// after is the first key that can follow.
func after(kvs []*mvccpb.KeyValue) string { return string(kvs[len(kvs)-1].Key) + "\x00" }

// nextLimit makes pages of about pageBytes.
func nextLimit(limit int64, kvs []*mvccpb.KeyValue) int64 {
	bytes := int64(1)
	for _, kv := range kvs {
		bytes += int64(len(kv.Key) + len(kv.Value) + 64)
	}
	return max(leastPage, min(mostPage, 4*limit, int64(len(kvs)+1)*pageBytes/bytes))
}

// judge refuses what no revision of a store can hold, and counts for a kine, which
// does not, whether a key was changed since it was created.
func (s *Source) judge(kv *mvccpb.KeyValue, last []byte, rev int64) error {
	switch {
	case len(kv.Key) == 0 || last != nil && compareKeys(kv.Key, last) <= 0:
		return fmt.Errorf("%w: keys are not in order", ErrUnreadable)
	case !s.selects(string(kv.Key)):
		return fmt.Errorf("%w: a key was not asked for", ErrUnreadable)
	}
	return s.complete(kv, rev)
}

// Complete is complete for what a watch has told.
func (s *Source) Complete(kv *mvccpb.KeyValue) error { return s.complete(kv, kv.ModRevision) }

// complete judges the numbers of a version that exists at a revision.
func (s *Source) complete(kv *mvccpb.KeyValue, rev int64) error {
	if kv.CreateRevision <= 0 || kv.CreateRevision > kv.ModRevision || kv.ModRevision > rev {
		return fmt.Errorf("%w: a key was created at revision %d and changed at %d, of %d", ErrUnreadable, kv.CreateRevision, kv.ModRevision, rev)
	}
	if s.kind == Kine {
		// How often it was changed is not known.
		if kv.Version = 1; kv.CreateRevision < kv.ModRevision {
			kv.Version = 2
		}
	}
	if kv.Version <= 0 {
		return fmt.Errorf("%w: a key that exists has the version %d", ErrUnreadable, kv.Version)
	}
	return nil
}

// Select leaves the keys that have one of the prefixes; without prefixes all.
func Select(keys iter.Seq2[*mvccpb.KeyValue, error], prefixes []string) iter.Seq2[*mvccpb.KeyValue, error] {
	if len(prefixes) == 0 {
		return keys
	}
	s := Source{spans: spansOf(prefixes)}
	return func(yield func(*mvccpb.KeyValue, error) bool) {
		for kv, err := range keys {
			if (err != nil || s.selects(string(kv.Key))) && !yield(kv, err) {
				return
			}
		}
	}
}
