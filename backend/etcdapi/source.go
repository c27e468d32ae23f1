package etcdapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Kind is what kind of a server a source is.
type Kind int

const (
	// Etcd is an etcd, or another server with all of its API, such as a zkine.
	Etcd Kind = iota
	// Kine is a kine: leases have no lifetimes of their own, versions are not
	// counted, revisions may have gaps, and only keys of a prefix can be read in
	// pages.
	Kine
)

// String is the name of a kind.
func (k Kind) String() string {
	if k == Kine {
		return "kine"
	}
	return "etcd"
}

// span is a range of keys, as a RangeRequest has it; end "\x00" is all from the key
// on.
type span struct{ key, end string }

// all is every key.
var all = span{"\x00", "\x00"}

// rooted is every key that begins with a slash: all that Kubernetes and k3s have.
var rooted = span{"/", "0"}

func (s span) contains(key string) bool { return s.key <= key && (s.end == "\x00" || key < s.end) }

// Source is a store that is read and not changed. Its methods may be called by one
// goroutine at a time.
type Source struct {
	client *clientv3.Client
	kind   Kind
	// cluster is the cluster id; 0 for a kine.
	cluster uint64
	// spans are the ranges to read, in order and apart.
	spans []span
	// whole says that they are all there is.
	whole bool
}

// Connect looks what kind of a server answers. Prefixes are those of the keys to read;
// none are all keys. The client is the caller's.
func Connect(ctx context.Context, client *clientv3.Client, prefixes []string) (*Source, error) {
	s := &Source{client: client}
	if len(prefixes) > 0 {
		s.spans = spansOf(prefixes)
	} else {
		s.spans = []span{rooted}
	}
	// A kine answers a read of one key as etcd does.
	resp, err := client.Get(ctx, s.spans[0].key)
	if err != nil {
		return nil, sorted(ctx, "a first read", err)
	}
	if resp.Header.GetRevision() <= 0 {
		return nil, fmt.Errorf("%w: a read has no revision", ErrNotEtcd)
	}
	if s.cluster = resp.Header.GetClusterId(); s.cluster == 0 {
		s.kind = Kine // it fills in nothing but the revision
	}
	if len(prefixes) == 0 && s.kind == Etcd {
		s.spans, s.whole = []span{all}, true
	}
	return s, nil
}

// spansOf are the ranges of prefixes, without what overlaps.
func spansOf(prefixes []string) (spans []span) {
	prefixes = slices.Clone(prefixes)
	slices.Sort(prefixes)
	for _, p := range prefixes {
		if p == "" {
			return []span{all}
		}
		next := span{p, clientv3.GetPrefixRangeEnd(p)}
		if n := len(spans); n > 0 && spans[n-1].contains(p) {
			continue // the longer prefix lies within the shorter one
		}
		spans = append(spans, next)
	}
	return spans
}

// Kind is what kind of a server it is.
func (s *Source) Kind() Kind { return s.kind }

// ClusterID is the source's cluster id; 0 for a kine.
func (s *Source) ClusterID() uint64 { return s.cluster }

// Whole says that all keys of the source are read, so that each of its revisions is
// seen.
func (s *Source) Whole() bool { return s.whole }

// selects says whether a key is one of those to read.
func (s *Source) selects(key string) bool {
	return slices.ContainsFunc(s.spans, func(one span) bool { return one.contains(key) })
}

// cover is one range that holds all spans.
func (s *Source) cover() span {
	last := s.spans[len(s.spans)-1]
	return span{s.spans[0].key, last.end}
}

// Pinned is the revision at which a source is read, and how much that is.
type Pinned struct {
	Revision int64
	// Keys are those to be read.
	Keys int64
	// Others is how many keys there are besides.
	Others int64
}

// Pin chooses the source's current revision, and counts the keys there.
func (s *Source) Pin(ctx context.Context) (Pinned, error) {
	rev, err := s.Current(ctx)
	if err != nil {
		return Pinned{}, err
	}
	return s.pinAt(ctx, rev)
}

// pin is Pin at a revision, if that can be read, or at the current one.
func (s *Source) pin(ctx context.Context, at int64) (Pinned, error) {
	if at <= 0 {
		return s.Pin(ctx)
	}
	current, err := s.Current(ctx)
	if err != nil {
		return Pinned{}, err
	}
	p, err := s.pinAt(ctx, min(at, current))
	if errors.Is(err, ErrCompacted) {
		return s.Pin(ctx)
	}
	return p, err
}

func (s *Source) pinAt(ctx context.Context, rev int64) (Pinned, error) {
	p := Pinned{Revision: rev}
	for _, one := range s.spans {
		n, err := s.count(ctx, one, rev)
		if err != nil {
			return Pinned{}, err
		}
		p.Keys += n
	}
	if s.whole {
		return p, nil
	}
	n, err := s.count(ctx, all, rev)
	if errors.Is(err, ErrDenied) {
		return p, nil // a user of the prefix alone
	}
	if err != nil {
		return Pinned{}, err
	}
	p.Others = n - p.Keys
	if s.kind == Kine && p.Others > 0 {
		p.Others-- // its own compact_rev_key
	}
	return p, nil
}

// Current is the source's current revision.
func (s *Source) Current(ctx context.Context) (int64, error) {
	resp, err := s.client.Get(ctx, s.spans[0].key)
	if err != nil {
		return 0, sorted(ctx, "read the revision", err)
	}
	return resp.Header.GetRevision(), nil
}

func (s *Source) count(ctx context.Context, one span, rev int64) (int64, error) {
	resp, err := s.client.Get(ctx, one.key, clientv3.WithRange(one.end), clientv3.WithRev(rev), clientv3.WithCountOnly())
	if err != nil {
		return 0, sorted(ctx, "count the keys", err)
	}
	return resp.Count, nil
}

// compareKeys is for bytes that lie apart.
func compareKeys(a, b []byte) int { return cmp.Compare(string(a), string(b)) }
