// Package readlease lets one zkine answer linearizable reads from memory, and has
// all others wait for it. docs/read-lease.md has the protocol, and why it holds.
//
// A Holder (holder.go) is the side that reads: it says what batches carry, and
// whether a read may be answered. Only a zkine with --read-lease has one. A Gate
// (gate.go) is the side that waits: it stands between the log and the apply loop of
// each zkine. Which records are effective, both find by themselves (chain.go).
//
// It starts no goroutine. A Holder reads no clock with its lock held, since that is
// where simulations freeze a zkine. A Gate does: a look that comes late has it wait
// for longer, and no less.
//
// It may import revision and metrics.
package readlease
