package state

import (
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// To raise the revision is what etcdutl snapshot restore --bump-revision
// --mark-compacted does to an etcd: all revisions below are compacted, and those
// between are skipped. The new one has no changes. So no client that knows of a
// later history than the store has can go on from there unnoticed.
//
// etcdutl makes it an entry of the bucket "key" with an empty value: to etcd that is
// a version of the key "", which no request can name. It counts for HashKV, and no
// compaction removes it but for a later raise. So zkine keeps it, too.

// newRaise is the entry that etcdutl makes, with sub 0. Others come with an etcd's
// snapshot. An empty version is no tombstone.
func newRaise(to revision.Rev, sub int32) *version {
	return &version{mod: to, sub: sub, number: 1}
}

// raise makes a revision the current one, and compacts all below it.
func (m *Machine) raise(r *recordpb.RevisionRaise) (*pb.CompactionResponse, error) {
	to := revision.Rev(r.To)
	if to > revision.MaxRev {
		return nil, ErrMalformed
	}
	if to > m.rev {
		m.latestRaise = newRaise(to, 0)
		m.rev, m.compactRev = to, to
		m.history.raise(to)
	}
	return &pb.CompactionResponse{Header: m.header()}, nil
}
