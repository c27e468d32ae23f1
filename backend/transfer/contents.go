package transfer

import (
	"context"
	"fmt"
	"iter"
	"math"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zkseed"
)

// SafeRaise is by how much a revision is raised where nothing better is known: far
// more than a store makes between two looks at it. It is what etcd's manual
// recommends for etcdutl snapshot restore --bump-revision.
const SafeRaise = 1_000_000_000

// Contents is a store's state, of whatever kind the store is. The zero value of
// Foreign's fields is an empty store but for Revision, which is at least 1, and
// Compact, which is -1 if nothing was ever compacted.
type Contents struct {
	state.Foreign
	// Keys yields versions in the order of keys, those of a key oldest first: for each
	// key the one that a read at Compact finds, if any, and all later ones, deletions
	// too (KV.Version 0). Above Compact each revision must have its changes, all of them,
	// with Sub from 0 on. More that is older is left out. It stops after the first error.
	// It must yield the same each time.
	Keys func(ctx context.Context) iter.Seq2[state.Version, error]
	// Count and Bytes are how many versions Keys yields, and their size, for progress;
	// 0 if that is not known.
	Count, Bytes int64
	// Hash is what the source answers to HashKV at Revision, of the same history; nil if
	// it cannot tell. Seed compares.
	Hash *uint32
	// Check begins a judgement of what was made of it; nil for nothing to check.
	Check func() Check
}

// Check judges the keys that exist at the revision, as they are read back, before the
// last step.
type Check interface {
	// Add is told of each, in order. Its bytes are good until it returns.
	Add(*mvccpb.KeyValue)
	// Done is an error if they are not what they are to be.
	Done() error
}

// Raise raises the revision by n, which is above 0, and compacts all that is below:
// clients that knew another history of this store, or a later one, are told so. It is
// what etcdutl snapshot restore --bump-revision=n --mark-compacted does. HashKV is not
// what it was then. Error: the revision would be too high.
func (c *Contents) Raise(n int64) error {
	if n <= 0 || n > math.MaxInt64>>4-int64(c.Revision) {
		return fmt.Errorf("transfer: revision %d cannot be raised by %d", c.Revision, n)
	}
	c.Foreign.Raise(c.Revision + revision.Rev(n))
	c.Hash = nil
	return nil
}

// State is a state as a checkpoint's bytes, standing where a seeded root begins.
type State struct {
	Revision, Compact revision.Rev
	Meta              []byte
	// Chunks yields the chunks of keys, as zkseed.Seeding has it.
	Chunks func(ctx context.Context, yield func([]byte) bool) error
	// Bytes is what all versions hold, 0 if that is not known.
	Bytes int64
	// Hash is what HashKV must answer at Revision; nil if that is not known.
	Hash *uint32
	// Check begins a judgement of what was made; nil for nothing to check.
	Check func() Check
}

// State makes a State of it. The keys are asked for when it is seeded. Error:
// state.ErrBadCheckpoint.
func (c *Contents) State() (*State, error) {
	meta, err := c.CheckpointMeta(zkseed.Place)
	if err != nil {
		return nil, err
	}
	return &State{Revision: c.Revision, Compact: c.Compact, Meta: meta, Bytes: c.Bytes, Hash: c.Hash, Check: c.Check,
		Chunks: func(ctx context.Context, yield func([]byte) bool) error {
			return state.ForeignKeys(c.Compact, c.Keys(ctx), yield)
		}}, nil
}

// OfView makes a State of a view: the same, but for the place in the log and what
// belongs to that, and with no alarms, which were another root's members'. Error:
// state.ErrCompacted.
func OfView(v *state.View) (*State, error) {
	data, err := v.CheckpointMeta()
	if err != nil {
		return nil, err
	}
	var meta recordpb.CheckpointMeta
	if err := proto.Unmarshal(data, &meta); err != nil {
		return nil, err
	}
	meta.Segment, meta.Slot, meta.Nonces = zkseed.Place.Segment, zkseed.Place.Slot, 0
	meta.MarkSegment, meta.MarkSlot, meta.Reports, meta.Alarms = 0, 0, nil, nil
	if data, err = (proto.MarshalOptions{Deterministic: true}).Marshal(&meta); err != nil {
		return nil, err
	}
	hash, err := v.HashKV(0)
	if err != nil {
		return nil, err
	}
	return &State{Revision: v.Rev(), Compact: v.CompactRev(), Meta: data, Hash: &hash.Hash,
		Chunks: func(_ context.Context, yield func([]byte) bool) error { return v.CheckpointKeys(yield) }}, nil
}
