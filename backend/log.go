package backend

import (
	"context"
	"time"

	"github.com/zkine/zkine/revision"
)

// Log is the totally ordered record of requests that the state machine applies:
// the sum of what each part of the backend needs of it, for Open. Each part holds
// its own interface only. *revision.Log satisfies it, on a ZooKeeper ensemble or,
// with package memzk, on one in memory; package memlog has a twin in memory with
// faults on request.
type Log interface {
	Appender
	Source
	Barrier
	Store
	Membership
	Info

	// Close ends the session and everything that waits. It returns when
	// nothing of the log is running any more.
	Close() error
}

// Store is what housekeeping needs: checkpoints, and what the root holds in
// ZooKeeper.
type Store interface {
	// CheckpointDue says whether the log has outgrown the last checkpoint so
	// far that one at the end of this segment would pay.
	CheckpointDue(segment int64) bool

	// SaveCheckpoint stores the state at the end of a segment and makes it the
	// newest checkpoint. revision.ErrNotNeeded: there is one as new.
	SaveCheckpoint(ctx context.Context, segment int64, rev revision.Rev, meta []byte,
		keys func(yield func([]byte) bool) error, pace func(context.Context) error) error

	// Housekeep packs what is sealed, and removes what no member can need any
	// more; log only if trim is set.
	Housekeep(ctx context.Context, trim bool, pace func(context.Context) error) error

	// KeepNewest has the next Housekeep remove all but the newest checkpoint and
	// the log after it, if that is the checkpoint of this segment;
	// revision.ErrNotNeeded: there is a newer one.
	KeepNewest(ctx context.Context, segment int64) error

	// Newest is the newest checkpoint that is known of; up to date after Measure.
	Newest() revision.Newest

	// Seal ends a segment, if it is still the open one.
	Seal(ctx context.Context, segment int64) error

	// Sizes is what the root holds in ZooKeeper, without I/O.
	Sizes() revision.Sizes

	// Measure makes Sizes exact.
	Measure(ctx context.Context) error
}

// Membership is the list of the zkines that run on the root.
type Membership interface {
	// Join announces this zkine as a member, now and in later sessions.
	// revision.ErrNameTaken: another live one holds the name. It may return
	// before this zkine is in the list: where a dead one is in its way.
	Join(ctx context.Context, member revision.Member) error

	// Leave takes this zkine off the list of members, for good. Everything else
	// goes on.
	Leave(ctx context.Context) error

	// Members lists the live members, the keeper first, as of the session's
	// view of ZooKeeper; after a Barrier that view is current.
	Members(ctx context.Context) ([]revision.Member, error)

	// Alive asks a member for a sign of life, for as long as ctx allows: false if
	// it gives none though the store answers, or is not listed. One of an earlier
	// release, which does not answer, counts as alive. Error:
	// revision.ErrUnavailable, if nothing can be known.
	Alive(ctx context.Context, name string) (bool, error)
}

// Info is what can be told of the log without I/O.
type Info interface {
	// ClusterID identifies the root, the same for every member.
	ClusterID() uint64

	// SessionTimeout is how long a silent member is still counted as live.
	SessionTimeout() time.Duration

	// Sizes is what the root holds in ZooKeeper.
	Sizes() revision.Sizes

	// Head is the newest place in the log that is known of.
	Head() revision.Seq

	// Connected is nil while a ZooKeeper session is up, or says why not.
	Connected() error

	// Owing is for how long ZooKeeper has left this zkine without any answer,
	// though it owes one; 0 if it owes none, and without a session.
	Owing() time.Duration

	// Refused says why ZooKeeper takes no writes at present, though it could be
	// reached: revision.ErrQuota, revision.ErrRefused, or
	// revision.ErrUnauthenticated, with which it serves nothing at all. nil if
	// it takes them. Only an append finds out that it does again.
	Refused() error

	// Pulse asks ZooKeeper for a sign of life, without waiting for it, unless
	// it was asked something a moment ago. It writes nothing.
	Pulse()
}
