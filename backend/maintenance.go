package backend

import (
	"context"
	"io"
	"slices"
	"strings"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"

	"github.com/zkine/zkine/backend/etcddb"
	"github.com/zkine/zkine/backend/metrics"
	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// Alarm lists, raises or clears alarms. As in etcd, listing is linearizable.
func (b *Backend) Alarm(ctx context.Context, r *pb.AlarmRequest) (*pb.AlarmResponse, error) {
	if r.Action != pb.AlarmRequest_GET {
		return propose[*pb.AlarmResponse](ctx, b.calls, r, &recordpb.Request{Kind: &recordpb.Request_Alarm{Alarm: r}})
	}
	if err := b.Authorize(ctx, r); err != nil {
		return nil, err
	}
	if err := b.reads.wait(ctx); err != nil {
		return nil, err
	}
	v := b.view.Load()
	others := func(a *pb.AlarmMember) bool { return r.Alarm != pb.AlarmType_NONE && a.Alarm != r.Alarm }
	return &pb.AlarmResponse{
		Header: &pb.ResponseHeader{Revision: int64(v.Rev())},
		Alarms: slices.DeleteFunc(v.Alarms(), others),
	}, nil
}

// Alarms lists the alarms that are raised in the state as it is here, without
// I/O: for what looks after this zkine, and must not depend on ZooKeeper.
func (b *Backend) Alarms() []*pb.AlarmMember { return b.view.Load().Alarms() }

// alarmText is an alarm as etcd's Status tells it. Whether one space or two
// stand between fields is chosen by the protobuf library for each build, so
// that no program relies on it; here it is one.
func alarmText(a *pb.AlarmMember) string { return strings.Join(strings.Fields(a.String()), " ") }

// HashKV is etcd's hash of the keys' history up to a revision, 0 for the
// current one, of the state as it is here: like etcd's it does not wait for
// what other members have acknowledged. For a revision that was compacted at it
// is that of before; see housekeep.Housekeeper.CompactionHash.
func (b *Backend) HashKV(ctx context.Context, r *pb.HashKVRequest) (response *pb.HashKVResponse, err error) {
	began := time.Now()
	if err := b.failure(); err != nil {
		return nil, err
	}
	one, err := b.housekeeper.CompactionHash(ctx, revision.Rev(r.Revision))
	if err != nil {
		return nil, err
	}
	if one != nil {
		return &pb.HashKVResponse{
			Header: &pb.ResponseHeader{Revision: int64(b.view.Load().Rev())},
			Hash:   one.Sum, CompactRevision: int64(one.Before), HashRevision: int64(one.At),
		}, nil
	}
	err = b.shown().Show(func(v *state.View) error {
		hash, err := v.HashKV(revision.Rev(r.Revision))
		response = &pb.HashKVResponse{
			Header: &pb.ResponseHeader{Revision: int64(v.Rev())},
			Hash:   hash.Hash, CompactRevision: int64(hash.CompactRev), HashRevision: int64(hash.At),
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	b.metrics.HashKV(time.Since(began))
	return response, nil
}

// Hash is etcd's hash of a whole database, computed over the one that Snapshot
// would send now; see etcddb.Hasher.
func (b *Backend) Hash(ctx context.Context, _ *pb.HashRequest) (*pb.HashResponse, error) {
	began := time.Now()
	v, hash, err := b.hasher.Hash(ctx, b.shown())
	if err != nil {
		return nil, err
	}
	b.metrics.Hash(time.Since(began))
	return &pb.HashResponse{Header: &pb.ResponseHeader{Revision: int64(v.Rev())}, Hash: hash}, nil
}

// Snapshot makes a database of the state as it is here; see
// etcddb.Snapshots.Make.
func (b *Backend) Snapshot(ctx context.Context) (etcddb.Snapshot, error) {
	began := time.Now()
	snapshot, err := b.snapshots.Make(ctx)
	if err != nil {
		return nil, err
	}
	return timedSnapshot{snapshot, func() { b.metrics.Snapshot(time.Since(began)) }}, nil
}

// timedSnapshot says when it was sent.
type timedSnapshot struct {
	etcddb.Snapshot
	sent func()
}

// WriteTo implements etcddb.Snapshot.
func (s timedSnapshot) WriteTo(w io.Writer) (int64, error) {
	n, err := s.Snapshot.WriteTo(w)
	if err == nil {
		s.sent()
	}
	return n, err
}

// showState registers what the backend holds at the moment.
func (b *Backend) showState(log Log) {
	metrics.State{
		View: b.view.Load, Head: log.Head, Watches: b.watches.Load, Lag: &b.metrics.Lag,
		Proposals: func() int {
			waiting, _ := b.proposer.queue.load()
			return waiting + b.applier.pending.requests()
		},
	}.Register(b.cfg.Registerer)
}

// observeLag notes whether the state is behind the log.
func (b *Backend) observeLag(now time.Time) {
	b.metrics.Lag.Observe(b.info.Head(), b.view.Load().Seq(), now)
}

// shown is what this zkine shows of its state without waiting for others.
func (b *Backend) shown() etcddb.Source { return etcddb.Source{View: b.view.Load, Failure: b.failure} }

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
