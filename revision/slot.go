package revision

import (
	"encoding/hex"
	"fmt"
	"io"

	"github.com/zkine/zkine/revision/recordpb"
)

// Nonce names a batch. Two slots of one segment with the same nonce hold the
// same batch, sent twice because the first reply was lost: the second is
// skipped at apply.
type Nonce [16]byte

// DrawNonce draws a nonce from a source of random bytes that never fails.
func DrawNonce(random io.Reader) Nonce {
	var n Nonce
	Draw(random, n[:])
	return n
}

// Draw fills b from a source of random bytes that never fails, as crypto/rand's
// since Go 1.24.
func Draw(random io.Reader, b []byte) {
	if _, err := io.ReadFull(random, b); err != nil {
		panic(fmt.Sprintf("revision: no random bytes: %v", err))
	}
}

// String is the nonce in hexadecimal, as in the names of staged parts.
func (n Nonce) String() string { return hex.EncodeToString(n[:]) }

// MarshalText makes JSON show a nonce as String does.
func (n Nonce) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (n *Nonce) UnmarshalText(text []byte) error {
	decoded, err := hex.DecodeString(string(text))
	if err != nil || len(decoded) != len(n) {
		return fmt.Errorf("revision: %q is not a nonce", text)
	}
	copy(n[:], decoded)
	return nil
}

// Batch is what one append places in the log. The log keeps a reference to
// Requests until the batch has been applied; they must not change.
type Batch struct {
	Nonce    Nonce
	Requests []*recordpb.Request
	// Lease is nil for a batch that says nothing of the read lease.
	Lease *ReadLease
	// Origin is nil for a batch that does not say where it comes from.
	Origin *Origin
}

// Origin says where a batch comes from, for people: evaluation never looks at it.
// It never changes.
type Origin struct {
	// Written is when the batch was handed to the log, in milliseconds since 1970,
	// by the writer's clock: it may go back from slot to slot. At least 1.
	Written int64
	// Writer is the member's name, or its first MaxWriter bytes.
	Writer string
}

// MaxWriter bounds a writer's name in the log, in bytes.
const MaxWriter = 128

// ReadLease is what a batch says of the root's read lease; see docs/read-lease.md.
// It never changes.
type ReadLease struct {
	// Holder is a random number of a process; not 0.
	Holder uint64
	// Seen is the place up to which the holder had applied the log before it sent
	// the batch.
	Seen Seq
	// Renews says that the batch is to take the lease, or to renew it.
	Renews bool
}

// Slot is one place of the log with what it holds.
type Slot struct {
	Seq   Seq
	Nonce Nonce
	// Term is the highest ZAB epoch that the writer knew, plus one. It may go
	// back from slot to slot; the state keeps the running maximum.
	Term uint64
	// Requests belong to the receiver of the slot, who must not change them:
	// for a slot of one's own they are the very requests that were appended.
	Requests []*recordpb.Request
	// Lease is nil for a slot that says nothing of the read lease.
	Lease *ReadLease
	// Origin is nil for a slot that does not say where it comes from.
	Origin *Origin
}

// At is the slot that the batch makes at a place. They share what the batch holds.
func (b *Batch) At(seq Seq, term uint64) Slot {
	return Slot{Seq: seq, Nonce: b.Nonce, Term: term, Requests: b.Requests, Lease: b.Lease, Origin: b.Origin}
}

// Appended is the outcome of an append that is in the log.
type Appended struct {
	Seq Seq
	// Resent says that the batch went out more than once, so that Seq may be
	// the place of an earlier sending and proves nothing about reads that
	// arrived since.
	Resent bool
}
