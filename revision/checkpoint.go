package revision

import (
	"context"
	"iter"
)

// Checkpoint is the state after a segment's last slot, as a log has stored it.
// It is plain data, so that a log other than ZooKeeper's can hand one out.
type Checkpoint struct {
	// Segment is the last one that it covers.
	Segment int64
	// Meta is what the state encoded of itself but for its keys. The receiver
	// must not change it.
	Meta []byte
	// RawBytes is what all chunks hold.
	RawBytes int64
	// Chunks yields the chunks in order. Each belongs to the receiver. It stops
	// after the first error: ErrCorrupt, or that the connection was lost or the
	// checkpoint was replaced by a newer one, for which the remedy is the log's
	// Reload. It may be called again. Nothing that it has begun is running once
	// the iteration is over.
	Chunks func(context.Context) iter.Seq2[[]byte, error]
}
