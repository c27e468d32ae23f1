// Package recovery goes back in time: it replays what a root or an archive holds of
// a cluster's log, up to a place, and tells who changed what.
//
// It runs in commands, beside the zkines that serve, and shares nothing with them
// but the log. A state that it replays is the one that every zkine had at that place,
// byte for byte.
//
//   - past.go: what a root or an archive holds, in one form
//   - replay.go: from a checkpoint and slots to a state
//   - at.go: the state as it was at a time, or at a revision
//   - reopen.go: what a state of the past needs to be served again
//   - history.go: the changes of some keys, with who made them and when
//
// It imports the state machine and the words of the log. Where a past comes from is
// the caller's business.
package recovery
