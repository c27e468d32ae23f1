package mirror

import "errors"

// Errors of this package, besides those of package revision.
var (
	// ErrOthers says that another program writes to the root, or is about to.
	ErrOthers = errors.New("another program writes to the root")
	// ErrSkipped says that a source has left out changes.
	ErrSkipped = errors.New("the source has left out changes")
	// ErrUnrelated says that a root does not hold what the source held at the root's
	// revision.
	ErrUnrelated = errors.New("the root does not hold what the source held at its revision")
	// ErrRefused says that a change of the source could not be made in the root.
	ErrRefused = errors.New("the root refuses a change of the source")
)
