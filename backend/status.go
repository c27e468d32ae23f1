package backend

import (
	"context"
	"slices"

	"github.com/zkine/zkine/revision"
)

// Status is a snapshot of where the backend stands.
type Status struct {
	Revision        revision.Rev
	CompactRevision revision.Rev
	// Term never goes back; see docs/design.md, "Identity".
	Term uint64
	// Index is the place in the log that this member knows of, AppliedIndex
	// the one that its state has reached.
	Index, AppliedIndex uint64
	// Leader is the id of the keeper, 0 if none is known.
	Leader uint64
	// Sizes is what the root holds in ZooKeeper, and what of it is live.
	Sizes revision.Sizes
	// Quota bounds Sizes.Total, in bytes; negative for no bound.
	Quota int64
	// Errors are etcd's words for what is wrong, such as alarms.
	Errors []string
	// Refused says why ZooKeeper refuses writes, though it can be reached; nil if
	// it takes them.
	Refused error
}

// Current returns the store's revision and the term.
func (b *Backend) Current() (revision.Rev, uint64) {
	v := b.view.Load()
	return v.Rev(), max(v.Term(), 1)
}

// Status returns where the backend stands, without I/O.
func (b *Backend) Status() Status {
	v := b.view.Load()
	_, term := b.Current()
	s := Status{
		Revision:        v.Rev(),
		CompactRevision: v.CompactRev(),
		Term:            term,
		AppliedIndex:    v.Seq().Index(),
		Leader:          b.housekeeper.Leader(),
		Sizes:           b.info.Sizes(),
		Quota:           b.cfg.QuotaBytes,
		Refused:         b.info.Refused(),
	}
	s.Index = max(b.info.Head().Index(), s.AppliedIndex)
	for _, a := range v.Alarms() {
		s.Errors = append(s.Errors, alarmText(a))
	}
	if s.Refused != nil {
		s.Errors = append(s.Errors, s.Refused.Error())
	}
	return s
}

// ClusterID identifies the root, the same for every member.
func (b *Backend) ClusterID() uint64 { return b.info.ClusterID() }

// Leave takes this zkine off the list of members, which another keeper has soon
// after. It is for one that is about to close, before it sends its clients away;
// until then it serves as ever.
func (b *Backend) Leave(ctx context.Context) error { return b.members.Leave(ctx) }

// KnownMembers lists the live members as they were a moment ago, without I/O. The
// list is the caller's.
func (b *Backend) KnownMembers() ([]revision.Member, error) {
	return slices.Clone(b.housekeeper.Members()), b.failure()
}

// Members lists the live members after a barrier: one that has joined before the
// call is in the list.
func (b *Backend) Members(ctx context.Context) ([]revision.Member, error) {
	if err := b.reads.wait(ctx); err != nil {
		return nil, err
	}
	return b.members.Members(ctx)
}
