package revision

import (
	"errors"
	"fmt"
)

// Errors that end an append, a barrier or a read of the log.
var (
	// ErrUnknown says that the outcome could not be learned in time: the batch
	// may be in the log now, later, or never. Clients get Unavailable.
	ErrUnknown = errors.New("revision: outcome unknown, ZooKeeper did not answer in time")
	// ErrUnavailable says that nothing was sent, or that what was sent had no
	// effect and never will: safe to try again.
	ErrUnavailable = errors.New("revision: no connection to ZooKeeper")
	// ErrTooLarge says that a batch is larger than the ensemble accepts, and is
	// not in the log.
	ErrTooLarge = errors.New("revision: batch is larger than ZooKeeper accepts")
	// ErrRefused says that ZooKeeper does not take the request and will not until
	// a person changes something: it is not in the log.
	ErrRefused = errors.New("revision: ZooKeeper refuses")
	// ErrQuota is ErrRefused for want of space: a quota in ZooKeeper is used up.
	ErrQuota = fmt.Errorf("%w: quota", ErrRefused)
	// ErrUnauthenticated says that ZooKeeper demands to know who this zkine is.
	ErrUnauthenticated = errors.New("revision: ZooKeeper demands authentication")
	// ErrTrimmed says that the next slots were removed behind a checkpoint: this
	// zkine was away for long, and goes on from there; see Log.Reload.
	ErrTrimmed = errors.New("revision: the log was trimmed")
	// ErrNotNeeded says that a checkpoint as new as this one is there already.
	ErrNotNeeded = errors.New("revision: a newer checkpoint exists")
	// ErrClosed says that the log was closed.
	ErrClosed = errors.New("revision: log closed")
)

// Errors that stop a zkine: going on would mean to serve what cannot be
// trusted. Each is wrapped in text that names the znode and the remedy.
var (
	// ErrForeignRoot says that the root holds something that zkine did not write.
	ErrForeignRoot = errors.New("revision: the root holds something else than zkine's data")
	// ErrNoData says that the root holds nothing of zkine's, to those who only look
	// at it.
	ErrNoData = errors.New("revision: no zkine data")
	// ErrUnfinished says that the root is being made by a transfer, or that one has
	// ended before it was complete.
	ErrUnfinished = errors.New("revision: the root is not finished")
	// ErrNewerFormat says that a newer zkine wrote the root, or a record in it.
	ErrNewerFormat = errors.New("revision: written by a newer zkine")
	// ErrCorrupt says that bytes in the log are not what was written.
	ErrCorrupt = errors.New("revision: corrupt")
	// ErrLogLost says that the ensemble no longer holds what this zkine has
	// applied: the root was wiped, restored to an older state, or recreated.
	ErrLogLost = errors.New("revision: the log went back")
	// ErrHalted says that a zkine has found so, and that a person has not decided
	// yet; see trust.go.
	ErrHalted = errors.New("revision: the log went back, and a person must decide")
	// ErrAccepted goes with ErrLogLost: a person has decided since. The next start
	// serves what the root holds.
	ErrAccepted = errors.New("revision: what the root holds was accepted by a person")
	// ErrWrongCluster says that the root is not the one that was asked for, or
	// that this zkine has served.
	ErrWrongCluster = errors.New("revision: not the cluster to serve")
	// ErrForbidden says that a znode's ACL keeps this zkine out.
	ErrForbidden = errors.New("revision: access denied")
	// ErrNameTaken says that another live zkine holds the member name.
	ErrNameTaken = errors.New("revision: member name is taken")
)

// Fatal lists the errors after which a zkine must not go on.
func Fatal(err error) bool {
	for _, f := range []error{ErrForeignRoot, ErrUnfinished, ErrNewerFormat, ErrCorrupt, ErrLogLost, ErrHalted, ErrWrongCluster, ErrForbidden, ErrNameTaken} {
		if errors.Is(err, f) {
			return true
		}
	}
	return false
}
