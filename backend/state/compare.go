package state

import (
	"bytes"
	"cmp"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// holds says whether all comparisons hold, how many of them it has evaluated, and how
// many keys it has looked at.
func (s *store) holds(compares []*pb.Compare) (holds bool, evaluated, looked int) {
	for i, c := range compares {
		holds, n := s.compare(c)
		if looked += n; !holds {
			return false, i + 1, looked
		}
	}
	return true, len(compares), looked
}

// compare evaluates one comparison: on every key of its range. If there is
// none, then a comparison of the value fails, whatever it asks, and any other
// compares with zero.
func (s *store) compare(c *pb.Compare) (holds bool, looked int) {
	s.walk(newSpan(c.Key, c.RangeEnd), func(v *version) bool {
		looked++
		holds = compareVersion(c, v)
		return holds
	})
	if looked == 0 {
		return c.Target != pb.Compare_VALUE && compareVersion(c, &absent), 0
	}
	return holds, looked
}

// absent stands for a key that does not exist, in comparisons.
var absent version

// compareVersion compares as etcd does, down to enum values without a meaning:
// an unknown target is equal, an unknown result holds.
func compareVersion(c *pb.Compare, v *version) bool {
	var order int
	switch c.Target {
	case pb.Compare_VALUE:
		order = bytes.Compare(v.value(), c.GetValue())
	case pb.Compare_CREATE:
		order = cmp.Compare(int64(v.create), c.GetCreateRevision())
	case pb.Compare_MOD:
		order = cmp.Compare(int64(v.mod), c.GetModRevision())
	case pb.Compare_VERSION:
		order = cmp.Compare(v.number, c.GetVersion())
	case pb.Compare_LEASE:
		order = cmp.Compare(v.lease, c.GetLease())
	}
	switch c.Result {
	case pb.Compare_EQUAL:
		return order == 0
	case pb.Compare_NOT_EQUAL:
		return order != 0
	case pb.Compare_GREATER:
		return order > 0
	case pb.Compare_LESS:
		return order < 0
	}
	return true
}
