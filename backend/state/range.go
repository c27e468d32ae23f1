package state

import (
	"bytes"
	"cmp"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"

	"github.com/zkine/zkine/revision"
)

// rangeRequest answers a Range, as etcd's executeRange does.
func (s *store) rangeRequest(r *pb.RangeRequest) (*pb.RangeResponse, error) {
	rev, err := s.rangeRev(r)
	if err != nil {
		return nil, err
	}
	resp, versions := s.find(r, rev)
	if !r.CountOnly {
		resp.Kvs = keyValues(versions, r)
	}
	if s.overtaken(rev) {
		return nil, ErrCompacted
	}
	return resp, nil
}

// rangeRev is the revision that a request is for.
func (s *store) rangeRev(r *pb.RangeRequest) (revision.Rev, error) {
	if r == nil || !knownTarget(r.SortTarget) {
		return 0, ErrMalformed
	}
	return s.resolve(r.Revision)
}

// find is the response to a range without its keys, and the versions to fill in;
// nil if they are only counted.
func (s *store) find(r *pb.RangeRequest, rev revision.Rev) (*pb.RangeResponse, []*version) {
	resp := &pb.RangeResponse{Header: &pb.ResponseHeader{Revision: int64(s.current())}}
	if r.CountOnly {
		resp.Count = int64(s.countAny(newSpan(r.Key, r.RangeEnd), rev))
		return resp, nil
	}
	l := s.list(r, rev)
	resp.Count, resp.More = l.Count, l.More
	return resp, l.versions
}

// collectLimit is how many keys are enough for the answer: one more than asked
// for, to know whether there are more. 0 means all. As in etcd, a sort target
// other than the key without an order sorts only what the limit lets through.
func collectLimit(r *pb.RangeRequest) int {
	if r.Limit <= 0 || r.Limit+1 <= 0 || !byKey(r) || filtered(r) {
		return 0
	}
	return int(r.Limit + 1)
}

// byKey says whether the answer need not be sorted before it is cut to the limit.
func byKey(r *pb.RangeRequest) bool {
	return r.SortOrder == pb.RangeRequest_NONE ||
		r.SortTarget == pb.RangeRequest_KEY && r.SortOrder == pb.RangeRequest_ASCEND
}

func filtered(r *pb.RangeRequest) bool {
	return r.MinModRevision != 0 || r.MaxModRevision != 0 ||
		r.MinCreateRevision != 0 || r.MaxCreateRevision != 0
}

func knownTarget(t pb.RangeRequest_SortTarget) bool {
	_, ok := pb.RangeRequest_SortTarget_name[int32(t)]
	return ok
}

// collect gathers the versions of the span at rev in key order, at most limit
// of them unless that is 0, and counts all of them.
func (s *store) collect(sp span, rev revision.Rev, limit int) ([]*version, int) {
	switch {
	case sp.kind == oneKey:
		v, _ := s.get(sp.lo, rev)
		if v == nil {
			return nil, 0
		}
		return []*version{v}, 1
	case rev == s.current():
		return s.collectLive(sp, limit)
	default:
		return s.collectAt(sp, rev, limit)
	}
}

// collectStart is how many versions are gathered before it matters how many
// there are.
const collectStart = 32

// collectLive is collect at the current revision. The first keys are compared
// with the span's end; if there are more, the tree knows how many, and the rest
// is taken without a look at it, which would be a cache miss for each key.
func (s *store) collectLive(sp span, limit int) ([]*version, int) {
	first := collectStart
	if limit > 0 {
		first = min(first, limit)
	}
	versions := make([]*version, 0, first)
	s.walk(sp, func(v *version) bool {
		versions = append(versions, v)
		return len(versions) < first
	})
	if len(versions) < first {
		return versions, len(versions)
	}
	count := s.count(sp)
	wanted := count
	if limit > 0 {
		wanted = min(count, limit)
	}
	versions = slices.Grow(versions, wanted-first)
	last := versions[first-1]
	s.live.Ascend(last.key, func(_ string, v *version) bool {
		if v != last && len(versions) < wanted {
			versions = append(versions, v)
		}
		return len(versions) < wanted
	})
	return versions, count
}

// collectAt is collect at an older revision.
func (s *store) collectAt(sp span, rev revision.Rev, limit int) ([]*version, int) {
	var versions []*version
	s.walkAt(sp, rev, func(v *version) bool {
		if len(versions) == cap(versions) {
			versions = s.grow(versions, sp, limit)
		}
		versions = append(versions, v)
		return limit == 0 || len(versions) < limit
	})
	if limit == 0 || len(versions) < limit {
		return versions, len(versions)
	}
	return versions, s.countAny(sp, rev)
}

// grow makes room for more versions: few at first, then what the span has now.
func (s *store) grow(versions []*version, sp span, limit int) []*version {
	if versions == nil {
		return make([]*version, 0, collectStart)
	}
	room := max(s.count(sp), len(versions)) - len(versions) + collectStart
	if limit > 0 {
		room = min(room, limit-len(versions))
	}
	return slices.Grow(versions, max(room, 1))
}

// get is the version of a key at rev, nil if the key did not exist then. live
// says whether it exists now.
func (s *store) get(key string, rev revision.Rev) (v *version, live bool) {
	if v, live = s.live.Get(key); !live {
		if rev == s.current() {
			return nil, false
		}
		v, _ = s.tombstones.Get(key)
	}
	return v.at(rev), live
}

func (s *store) countAny(sp span, rev revision.Rev) int {
	if rev == s.current() {
		return s.count(sp)
	}
	return s.countAt(sp, rev)
}

// filter drops what the request's bounds on revisions exclude.
func filter(versions []*version, r *pb.RangeRequest) []*version {
	if !filtered(r) {
		return versions
	}
	return slices.DeleteFunc(versions, func(v *version) bool {
		return outside(int64(v.mod), r.MinModRevision, r.MaxModRevision) ||
			outside(int64(v.create), r.MinCreateRevision, r.MaxCreateRevision)
	})
}

// outside says whether n is not in [low, high], where 0 is no bound.
func outside(n, low, high int64) bool { return low != 0 && n < low || high != 0 && n > high }

// order sorts as the request says. etcd leaves open the order of equal ones;
// here they stay in key order.
func order(versions []*version, r *pb.RangeRequest) {
	by, sign := r.SortOrder, 1
	if r.SortTarget != pb.RangeRequest_KEY && by == pb.RangeRequest_NONE {
		by = pb.RangeRequest_ASCEND
	}
	switch {
	case by == pb.RangeRequest_DESCEND:
		sign = -1
	case by != pb.RangeRequest_ASCEND:
		return
	}
	if r.SortTarget == pb.RangeRequest_KEY {
		if sign < 0 {
			slices.Reverse(versions)
		}
		return
	}
	if r.SortTarget == pb.RangeRequest_VALUE {
		orderByValue(versions, sign)
		return
	}
	slices.SortStableFunc(versions, func(a, b *version) int {
		return sign * compareBy(r.SortTarget, a, b)
	})
}

// orderByValue reads each value once: it may have to be unpacked.
func orderByValue(versions []*version, sign int) {
	type valued struct {
		value []byte
		v     *version
	}
	all := make([]valued, len(versions))
	for i, v := range versions {
		all[i] = valued{v.value(), v}
	}
	slices.SortStableFunc(all, func(a, b valued) int { return sign * bytes.Compare(a.value, b.value) })
	for i := range all {
		versions[i] = all[i].v
	}
}

func compareBy(target pb.RangeRequest_SortTarget, a, b *version) int {
	switch target {
	case pb.RangeRequest_VERSION:
		return cmp.Compare(a.number, b.number)
	case pb.RangeRequest_CREATE:
		return cmp.Compare(a.create, b.create)
	case pb.RangeRequest_MOD:
		return cmp.Compare(a.mod, b.mod)
	}
	return 0
}

// keyValues decodes the versions. A request for keys only is answered without
// values and with everything else. (etcd 3.7 leaves out the leases too, unless it
// sorts by value; 3.6 did not, and clients tell by them whose a key is.)
func keyValues(versions []*version, r *pb.RangeRequest) []*mvccpb.KeyValue {
	all := make([]mvccpb.KeyValue, len(versions))
	kvs := make([]*mvccpb.KeyValue, len(versions))
	for i, v := range versions {
		kv := &all[i]
		v.decode(kv)
		if r.KeysOnly {
			kv.Value = nil
		}
		kvs[i] = kv
	}
	return kvs
}
