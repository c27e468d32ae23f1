// Package lessor knows when leases end. It is no part of the state: every zkine
// runs the deadlines from its own applies, on a service clock of its own (clock.go),
// and an expiry takes effect only as a record in the log, which names the last
// renewal that it knows of and is void if a later one came first.
//
// It has no goroutine. The apply loop tells it what happened to leases, the loops that
// make quorum writes tell it of these, and housekeeping asks for the records that
// are due (records.go).
//
// It may import state, and recordpb for the records; never backend.
package lessor
