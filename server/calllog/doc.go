// Package calllog follows the calls of clients, and tells of those that are worth it: a
// line in the log for one that took long, or that failed in a way for which there is no
// answer; spans for one that is traced. Values are never told, and of keys no more than
// a prefix: the names of objects may be secrets, too.
//
//	calllog.go  the Log, which is every call's first interceptor
//	stream.go   the same for streams, and for the requests in them
//	slow.go     the line about a slow request
//	describe.go what a request is about: its keys' prefix, its client
//	limit.go    how many such lines there are
//	spans.go    a call as spans
//
// Where a call's time went is package backend's Timing, which each call's context holds.
//
// # Goroutines
//
// None, but for a timer at the end of a period in which slow requests were told of.
//
// # Imports
//
// Package backend for a call's timing, v3rpc and wire for what passes the interceptors,
// revision/throttle for texts that clients choose. OpenTelemetry's API for spans, never
// its SDK.
package calllog
