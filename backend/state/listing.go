package state

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/revision"
)

// Listing is the answer to a Range, with the keys decoded as they are taken. It
// refers to those to come in the view, and copies none. One goroutine uses it.
type Listing struct {
	// Rev is the view's revision.
	Rev revision.Rev
	// Count is how many keys the range has, More says whether the limit left out
	// some that passed the filters.
	Count int64
	More  bool

	request  *pb.RangeRequest
	versions []*version
}

// List answers as Range does, a request that is not for the count only. Errors
// are those of Range. A Listing that was returned keeps its keys through any
// compaction.
func (v *View) List(r *pb.RangeRequest) (*Listing, error) {
	s := &v.store
	rev, err := s.rangeRev(r)
	if err != nil {
		return nil, err
	}
	l := s.list(r, rev)
	if s.overtaken(rev) {
		return nil, ErrCompacted
	}
	return l, nil
}

// list is the keys of a range, filtered, ordered and cut to the limit.
func (s *store) list(r *pb.RangeRequest, rev revision.Rev) *Listing {
	versions, count := s.collect(newSpan(r.Key, r.RangeEnd), rev, collectLimit(r))
	l := &Listing{Rev: s.current(), Count: int64(count), request: r}
	l.versions = filter(versions, r)
	order(l.versions, r)
	if r.Limit > 0 && int64(len(l.versions)) > r.Limit {
		l.versions, l.More = l.versions[:r.Limit], true
	}
	return l
}

// Left is how many keys are still to be taken.
func (l *Listing) Left() int { return len(l.versions) }

// Next takes the next keys: n at most, and up to the one that reaches so many
// bytes. The bytes that they point to are shared and must not change.
func (l *Listing) Next(n, bytes int) []*mvccpb.KeyValue {
	n = min(n, len(l.versions))
	for i, v := range l.versions[:n] {
		if bytes -= l.size(v); bytes <= 0 {
			n = i + 1
			break
		}
	}
	return l.take(n)
}

// size is about what a version takes in an answer.
func (l *Listing) size(v *version) int {
	if l.request.KeysOnly {
		return v.wireLen() - int(v.valueLen)
	}
	return v.wireLen()
}

func (l *Listing) take(n int) []*mvccpb.KeyValue {
	kvs := keyValues(l.versions[:n], l.request)
	l.versions = l.versions[n:]
	return kvs
}
