package backend

import (
	"context"
	"time"

	"github.com/zkine/zkine/backend/housekeep"
	"github.com/zkine/zkine/revision"
)

// Log is the totally ordered record of requests that the state machine applies:
// the sum of what each part of the backend needs of it, for Open. Each part holds
// its own interface only. *zklog.Log satisfies it, on a ZooKeeper ensemble or,
// with package memzk, on one in memory; package memlog has a twin in memory with
// faults on request.
type Log interface {
	Appender
	Source
	Barrier
	housekeep.Store
	Membership
	Info

	// Close ends the session and everything that waits. It returns when
	// nothing of the log is running any more.
	Close() error
}

// Membership is the list of the zkines that run on the root.
type Membership interface {
	housekeep.Membership

	// Join announces this zkine as a member, now and in later sessions.
	// revision.ErrNameTaken: another live one holds the name. It may return
	// before this zkine is in the list: where a dead one is in its way.
	Join(ctx context.Context, member revision.Member) error

	// Leave takes this zkine off the list of members, for good. Everything else
	// goes on.
	Leave(ctx context.Context) error
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
