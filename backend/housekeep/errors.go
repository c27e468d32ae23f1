package housekeep

import "errors"

// ErrUnconfirmed says that no checkpoint was written, since no other member has
// confirmed the state of this one in time. Its text begins as those of package
// backend, through which it comes.
var ErrUnconfirmed = errors.New("backend: no other member has confirmed the state of this one; see whether all members are well")

// ErrUnarchived says that the log was not trimmed, since it is not in the archive yet.
var ErrUnarchived = errors.New("backend: the log is not in the archive yet, and so is not trimmed; see whether the archive can be reached")
