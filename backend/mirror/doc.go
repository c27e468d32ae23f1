// Package mirror reads a root as a state, and keeps it equal to another store by
// appending to its log what that store tells of its changes.
//
// A Root (root.go, append.go, housekeep.go) is the state machine on its log, without
// clients, without leases that expire, and without members: it writes only where no
// zkine runs. A Follower (follower.go, translate.go) makes records of a source's
// changes, so that revisions, versions and leases come out equal, and refuses changes
// that do not follow on what the root holds: then the source has left some out.
//
// Goroutines: one that hears a source, for as long as a Follower runs.
package mirror
