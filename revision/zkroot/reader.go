package zkroot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/zkclient"
)

// Nodes is what a Reader needs of a ZooKeeper session. The errors are those of
// ZooKeeper's client, such as zk.ErrNoNode, or wrap one of this module's.
type Nodes interface {
	// Multi runs ZooKeeper's multi: all of the operations, or none.
	Multi(ctx context.Context, ops ...any) ([]zk.MultiResponse, error)
	// Get returns data that belongs to the caller.
	Get(ctx context.Context, path string) ([]byte, *zk.Stat, error)
	Children(ctx context.Context, path string) ([]string, error)
	// Exists returns a znode's stat without its data.
	Exists(ctx context.Context, path string) (*zk.Stat, error)
}

// Reader reads what lies under a root, on one session, and judges it. It holds
// nothing of what it has read: it is made for each use.
//
// What it returns is what the session's server shows, which may lag; after
// Barrier it is all that was committed before. Its errors: ErrCorrupt,
// ErrNewerFormat and ErrForeignRoot name the znode and the remedy; zk.ErrNoNode
// says that something is not there, which may mean that a keeper has removed
// it; others are the session's.
type Reader struct {
	conn   Nodes
	layout Layout
}

// NewReader reads the root of a layout on conn, which stays the caller's.
func NewReader(conn Nodes, l Layout) Reader { return Reader{conn, l} }

// StoredSlot is a slot that is known with its content.
type StoredSlot struct {
	Slot    revision.Slot
	Segment SegmentRef
	Size    int // bytes in ZooKeeper, but for staged parts
	Staged  int // bytes of those
	Raw     int // bytes of the requests; 0 if they were not read
	Packed  bool
	// Zxid is that of the write that made the slot's znode, or its pack's; 0 if
	// it was not read.
	Zxid int64
	// Made is when the slot's znode was made, by ZooKeeper's clock; zero if it is
	// none of its own.
	Made time.Time
}

// Barrier is a quorum write that changes nothing. Once it is answered, the
// server shows this session all that was committed before it was sent.
// ZooKeeper's sync does not do: a deposed leader answers it (ZOOKEEPER-1675).
func (r Reader) Barrier(ctx context.Context) error {
	_, err := r.conn.Multi(ctx, zkclient.CheckOp(r.layout.Format(), zkclient.AnyVersion))
	if err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	return nil
}

// ErrMissing says that a slot is not where slots are at first.
var ErrMissing = errors.New("revision: slot is missing")

// Slot reads a slot that is a znode of its own; ErrMissing if it is none.
func (r Reader) Slot(ctx context.Context, segment SegmentRef, seq revision.Seq) (*StoredSlot, error) {
	path := r.layout.Slot(segment.Name, seq.Slot)
	data, stat, err := r.conn.Get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, fmt.Errorf("%w: %s", ErrMissing, path)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	e, err := r.decode(ctx, segment, seq, data)
	if err != nil {
		return nil, untrusted("slot "+path, err)
	}
	e.Zxid, e.Made = stat.Czxid, time.UnixMilli(stat.Ctime)
	return e, nil
}

// Carried returns the newest slot of a segment, whose data and stat were read
// together, if its writer has left the slot there; nil if not. The slot's number is
// the segment's count less one, since one multi writes both. What cannot be trusted
// counts as not there: then the slot's own znode is read, and judged.
func (r Reader) Carried(ctx context.Context, segment SegmentRef, data []byte, stat *zk.Stat) *StoredSlot {
	var record SegmentRecord
	if stat.Version == 0 || len(data) > 2*MaxCarried || json.Unmarshal(data, &record) != nil || len(record.NewestSlot) == 0 {
		return nil
	}
	if _, staged, err := StagedNonce(record.NewestSlot); staged || err != nil {
		return nil
	}
	e, err := r.decode(ctx, segment, revision.Seq{Segment: segment.Number, Slot: int64(stat.Version) - 1}, record.NewestSlot)
	if err != nil {
		return nil
	}
	e.Zxid = stat.Mzxid
	return e
}

// decode takes a slot's data apart, and reads its parts if it was staged.
func (r Reader) decode(ctx context.Context, segment SegmentRef, seq revision.Seq, data []byte) (*StoredSlot, error) {
	env, err := DecodeEnvelope(data)
	if err != nil {
		return nil, err
	}
	staged := 0
	if env.staged() {
		if err := r.parts(ctx, segment, env); err != nil {
			return nil, err
		}
		staged = len(env.payload)
	}
	batch, err := env.batch()
	if err != nil {
		return nil, err
	}
	return &StoredSlot{Segment: segment, Size: len(data), Staged: staged, Raw: int(env.raw),
		Slot: batch.At(seq, env.term)}, nil
}

// parts reads a staged payload and verifies it.
func (r Reader) parts(ctx context.Context, segment SegmentRef, e *Envelope) error {
	var payload []byte
	for i := range int(e.parts) {
		path := r.layout.Part(segment.Name, e.nonce, i)
		data, _, err := r.conn.Get(ctx, path)
		if errors.Is(err, zk.ErrNoNode) {
			// The slot was read on this session, so its parts are visible.
			return fmt.Errorf("%w: part %s is missing; restore it from a backup of ZooKeeper", revision.ErrCorrupt, path)
		}
		if err != nil {
			return err
		}
		if payload = append(payload, data...); len(payload) > int(e.length) {
			break
		}
	}
	if err := e.complete(payload); err != nil {
		return fmt.Errorf("%w: %d parts from %s on", err, e.parts, r.layout.Part(segment.Name, e.nonce, 0))
	}
	return nil
}

// Pack reads the slots of a pack.
func (r Reader) Pack(ctx context.Context, segment SegmentRef, ref PackRef) ([]*StoredSlot, error) {
	path := r.layout.Packed(segment.Name, ref)
	data, stat, err := r.conn.Get(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	slots, err := decodePack(data, int(ref.Last-ref.First+1))
	if err != nil {
		return nil, untrusted("pack "+path, err)
	}
	entries := make([]*StoredSlot, len(slots))
	for i, slot := range slots {
		e, err := r.decode(ctx, segment, revision.Seq{Segment: segment.Number, Slot: ref.First + int64(i)}, slot)
		if err != nil {
			return nil, untrusted(fmt.Sprintf("slot %d in pack %s", ref.First+int64(i), path), err)
		}
		// What it takes in ZooKeeper is its share of the pack.
		e.Size, e.Packed, e.Zxid = len(data)/len(slots), true, stat.Czxid
		entries[i] = e
	}
	return entries, nil
}

// EachSlot calls f with the data of every slot of a sealed segment that is
// there, packed or not, in no order.
func (r Reader) EachSlot(ctx context.Context, ref SegmentRef, f func(data []byte) error) error {
	packs, err := r.Packs(ctx, ref.Name)
	if err != nil {
		return err
	}
	for _, p := range packs {
		data, _, err := r.conn.Get(ctx, r.layout.Packed(ref.Name, p))
		if err != nil {
			return err
		}
		slots, err := decodePack(data, int(p.Last-p.First+1))
		if err != nil {
			return err
		}
		for _, s := range slots {
			if err := f(s); err != nil {
				return err
			}
		}
	}
	names, err := r.conn.Children(ctx, r.layout.Segment(ref.Name))
	if err != nil {
		return err
	}
	for _, name := range names {
		data, _, err := r.conn.Get(ctx, r.layout.Segment(ref.Name)+"/"+name)
		if err != nil {
			return err
		}
		if err := f(data); err != nil {
			return err
		}
	}
	return nil
}
