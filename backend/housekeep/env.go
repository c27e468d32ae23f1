package housekeep

import (
	"context"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// Env is what a Housekeeper needs of the backend around it. Every function may be
// called by several goroutines.
type Env struct {
	// View is the newest published view.
	View func() *state.View
	// CatchUp returns once View shows every write that any member had
	// acknowledged before the call.
	CatchUp func(context.Context) error
	// Propose logs a record of zkine's own and waits until it is applied. Errors:
	// those of state, when the record was refused; those of package revision, of
	// which ErrUnauthenticated comes at once; the cause of ctx's end.
	Propose func(context.Context, *recordpb.Request) error
	// TendLeases is called with each Tick, by every member: it keeps the clock of
	// leases going and proposes what has become of them.
	TendLeases func(context.Context)
	// Drained says, once, that much memory was held by requests that are gone.
	Drained func() bool
	// Fail ends the backend, whose state cannot be trusted.
	Fail func(error)

	Store   Store
	Members Membership
	Quota   Quota
}

// Store is the part of the log that stores states and gives space back. Errors of
// its calls: revision.ErrUnavailable, revision.ErrRefused, revision.ErrQuota, the
// cause of ctx's end; and as said.
type Store interface {
	// CheckpointDue says whether the log has outgrown the last checkpoint so
	// far that one at the end of this segment would pay.
	CheckpointDue(segment int64) bool

	// SaveCheckpoint stores the state at the end of a segment and makes it the
	// newest checkpoint. It does not keep the bytes that keys yields.
	// revision.ErrNotNeeded: there is one as new.
	SaveCheckpoint(ctx context.Context, segment int64, rev revision.Rev, meta []byte,
		keys func(yield func([]byte) bool) error, pace func(context.Context) error) error

	// Pack packs what is sealed. pace is called after each write, and may wait.
	Pack(ctx context.Context, pace func(context.Context) error) error

	// TrimAndPack is Pack, and before removes what no member can need any more.
	// Members must agree about the state.
	TrimAndPack(ctx context.Context, pace func(context.Context) error) error

	// KeepNewest has the next TrimAndPack remove all but the newest checkpoint and
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

	// Refused says why ZooKeeper takes no writes at present, though it could be
	// reached; nil if it takes them. Only an append finds out that it does again.
	Refused() error
}

// Membership is the list of the zkines that run on the root.
type Membership interface {
	// Members lists the live members, the keeper first, as of the session's
	// view of ZooKeeper. The list is shared and must not change.
	Members(ctx context.Context) ([]revision.Member, error)

	// Alive asks a member for a sign of life, for as long as ctx allows: false if
	// it gives none though the store answers, or is not listed. One of an earlier
	// release, which does not answer, counts as alive. Error:
	// revision.ErrUnavailable, if nothing can be known.
	Alive(ctx context.Context, name string) (bool, error)
}

// Archive keeps the log outside of the store.
type Archive interface {
	// Run archives what is logged, for as long as active says so, until ctx ends.
	Run(ctx context.Context, active func() bool)

	// Covers archives what there is, and says whether the log up to the end of a segment
	// may be removed. It returns within a minute or so.
	Covers(ctx context.Context, segment int64) bool
}

// Quota bounds what ZooKeeper may hold.
type Quota interface {
	// SetSize notes how many bytes the root holds, and SetOthers how many the
	// store holds besides.
	SetSize(bytes int64)
	SetOthers(bytes int64)
	// Cramped says whether so much is used that only one checkpoint is kept.
	Cramped() bool
}
