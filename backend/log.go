package backend

import (
	"context"
	"time"

	"github.com/zkine/zkine/revision"
)

// Log is the totally ordered record of requests that the state machine
// applies. *revision.Log satisfies it, on a ZooKeeper ensemble or, with package
// memzk, on one in memory.
type Log interface {
	// Append places the batch in the log and returns its place. It blocks
	// until the outcome is certain: nil, or revision.ErrTooLarge,
	// revision.ErrRefused and revision.ErrUnavailable (the batch is not in the
	// log and never will be);
	// or until ctx ends: revision.ErrUnknown (it may still appear, and if it
	// does, Next returns it). Several appends may be under way; they land in
	// any order.
	Append(ctx context.Context, batch *revision.Batch) (revision.Appended, error)

	// Barrier returns a place at or after every append that any member had
	// acknowledged before the call. The state at that place may be served.
	Barrier(ctx context.Context) (revision.Seq, error)

	// Next blocks until the slot after the last returned one is known, and
	// returns it. One goroutine calls it. An error other than ctx's is final:
	// the log cannot be trusted any further.
	Next(ctx context.Context) (revision.Slot, error)

	// Applied tells the log how far the state has come: the slot at seq is
	// applied and the store is at rev. Called by the caller of Next, after
	// each slot.
	Applied(seq revision.Seq, rev revision.Rev)

	// Checkpoint is the stored state after which Next begins; false if Next
	// begins with the first slot there ever was.
	Checkpoint() (*revision.Checkpoint, bool)

	// Backlog is how many slots Next has still to return, as far as the server
	// knows that is asked.
	Backlog(ctx context.Context) (int64, error)

	// Reload makes Next go on after the newest checkpoint, once Next has
	// returned revision.ErrTrimmed: the slots it should return are gone.
	Reload(ctx context.Context) error

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

	// Join announces this zkine as a member, now and in later sessions.
	// revision.ErrNameTaken: another live one holds the name. It may return
	// before this zkine is in the list: where a dead one is in its way.
	Join(ctx context.Context, member revision.Member) error

	// Leave takes this zkine off the list of members, for good. Everything else
	// goes on.
	Leave(ctx context.Context) error

	// Alive asks a member for a sign of life, for as long as ctx allows: false if
	// it gives none though the store answers, or is not listed. One of an earlier
	// release, which does not answer, counts as alive. Error:
	// revision.ErrUnavailable, if nothing can be known.
	Alive(ctx context.Context, name string) (bool, error)

	// Members lists the live members, the keeper first, as of the session's
	// view of ZooKeeper; after a Barrier that view is current.
	Members(ctx context.Context) ([]revision.Member, error)

	// Distrust ends the log because the state shows that it went back: err wraps
	// revision.ErrLogLost. Every zkine on the root is to stop.
	Distrust(err error)

	// Head is the newest place in the log that is known of.
	Head() revision.Seq

	// Seal ends a segment, if it is still the open one.
	Seal(ctx context.Context, segment int64) error

	// Sizes is what the root holds in ZooKeeper, without I/O.
	Sizes() revision.Sizes

	// Measure makes Sizes exact.
	Measure(ctx context.Context) error

	// ClusterID identifies the root, the same for every member.
	ClusterID() uint64

	// SessionTimeout is how long a silent member is still counted as live.
	SessionTimeout() time.Duration

	// Connected is nil while a ZooKeeper session is up, or says why not.
	Connected() error

	// Owing is for how long ZooKeeper has left this zkine without any answer,
	// though it owes one; 0 if it owes none, and without a session.
	Owing() time.Duration

	// Pulse asks ZooKeeper for a sign of life, without waiting for it, unless
	// it was asked something a moment ago. It writes nothing.
	Pulse()

	// AwaitConnected blocks until a session is up; an error is ctx's, or final.
	AwaitConnected(ctx context.Context) error

	// Refused says why ZooKeeper takes no writes at present, though it could be
	// reached: revision.ErrQuota, revision.ErrRefused, or
	// revision.ErrUnauthenticated, with which it serves nothing at all. nil if
	// it takes them. Only an append finds out that it does again.
	Refused() error

	// Close ends the session and everything that waits. It returns when
	// nothing of the log is running any more.
	Close() error
}
