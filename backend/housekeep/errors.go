package housekeep

import "errors"

// ErrUnconfirmed says that no checkpoint was written, since no other member has
// confirmed the state of this one in time. Its text begins as those of package
// backend, through which it comes.
var ErrUnconfirmed = errors.New("backend: no other member has confirmed the state of this one; see whether all members are well")
