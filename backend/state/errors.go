package state

import "errors"

// Errors that depend on the state, and are answers like any other: the request
// was evaluated and had no effect. Each is one of etcd's.
var (
	// ErrCompacted says that the revision is below the compact revision; for a
	// compaction, at or below it.
	ErrCompacted = errors.New("state: revision has been compacted")
	// ErrFutureRev says that the revision is above the current one.
	ErrFutureRev = errors.New("state: revision is a future one")
	// ErrKeyNotFound says that a put with ignore_value or ignore_lease named a
	// key that does not exist, or that an operation of a Txn was empty.
	ErrKeyNotFound = errors.New("state: key not found")
	// ErrLeaseNotFound says that a put or a revocation named no lease that
	// exists, or that a grant named none at all.
	ErrLeaseNotFound = errors.New("state: lease not found")
	// ErrLeaseExists says that a grant named a lease that exists.
	ErrLeaseExists = errors.New("state: lease already exists")
	// ErrLeaseTTLTooLarge says that a grant asked for more than MaxLeaseTTL.
	ErrLeaseTTLTooLarge = errors.New("state: lease TTL is too large")
	// ErrNoSpace says that a NOSPACE alarm is raised, and the request writes.
	ErrNoSpace = errors.New("state: no space")
	// ErrCorrupt says that a CORRUPT alarm is raised.
	ErrCorrupt = errors.New("state: corrupt")
)

// Errors about what a transaction costs.
var (
	// ErrTooManyCompared says that the comparisons of a transaction would look
	// at more keys than may be asked of every zkine.
	ErrTooManyCompared = errors.New("state: a transaction would compare too many keys")
	// ErrAnswerTooLarge says that the answer to a transaction would take too much
	// memory. It had no effect.
	ErrAnswerTooLarge = errors.New("state: the answer would be too large")
	// ErrUnanswered says that a transaction took effect, and that its answer
	// takes too much memory. Only the client that waits for the answer gets it.
	ErrUnanswered = errors.New("state: the request took effect, but its answer is too large")
	// ErrAnswerFailed says that a request took effect, and that building its
	// answer panicked. Only the client that waits for the answer gets it.
	ErrAnswerFailed = errors.New("state: the request took effect, but its answer could not be built")
)

// Errors about requests that should not have come into the log. They are
// answers too, the same on every zkine, and leave no trace in the state.
var (
	// ErrMalformed says that the request makes no sense where etcd would
	// panic: a message is missing, or an enum has a value without a meaning.
	ErrMalformed = errors.New("state: malformed request")
	// ErrUnknownRequest says that the record holds no request of a kind that
	// this binary knows. A newer zkine may know it, so that this one must stop.
	ErrUnknownRequest = errors.New("state: request of an unknown kind")
	// ErrEvaluation says that evaluating the request panicked.
	ErrEvaluation = errors.New("state: evaluation failed")
)
