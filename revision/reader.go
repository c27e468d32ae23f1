package revision

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-zookeeper/zk"
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
// barrier it is all that was committed before. Its errors: ErrCorrupt,
// ErrNewerFormat and ErrForeignRoot name the znode and the remedy; zk.ErrNoNode
// says that something is not there, which may mean that a keeper has removed
// it; others are the session's.
type Reader struct {
	conn   Nodes
	layout layout
}

func newReader(conn Nodes, l layout) Reader { return Reader{conn, l} }

// entry is a slot that is known with its content.
type entry struct {
	slot    Slot
	segment segmentRef
	size    int // bytes in ZooKeeper, but for staged parts
	staged  int // bytes of those
	raw     int // bytes of the requests; 0 if they were not read
	packed  bool
	// zxid is that of the write that the slot, or its pack, was read from; 0 if
	// it was not read.
	zxid int64
}

// barrier is a quorum write that changes nothing. Once it is answered, the
// server shows this session all that was committed before it was sent.
// ZooKeeper's sync does not do: a deposed leader answers it (ZOOKEEPER-1675).
func (r Reader) barrier(ctx context.Context) error {
	_, err := r.conn.Multi(ctx, checkOp(r.layout.format(), anyVersion))
	if err != nil {
		return fmt.Errorf("barrier: %w", err)
	}
	return nil
}

// errMissing says that a slot is not where slots are at first.
var errMissing = errors.New("revision: slot is missing")

// slot reads a slot that is a znode of its own; errMissing if it is none.
func (r Reader) slot(ctx context.Context, segment segmentRef, seq Seq) (*entry, error) {
	path := r.layout.slot(segment.name, seq.Slot)
	data, stat, err := r.conn.Get(ctx, path)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, fmt.Errorf("%w: %s", errMissing, path)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	e, err := r.decode(ctx, segment, seq, data)
	if err != nil {
		return nil, untrusted("slot "+path, err)
	}
	e.zxid = stat.Czxid
	return e, nil
}

// decode takes a slot's data apart, and reads its parts if it was staged.
func (r Reader) decode(ctx context.Context, segment segmentRef, seq Seq, data []byte) (*entry, error) {
	env, err := openEnvelope(data)
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
	requests, err := env.requests()
	if err != nil {
		return nil, err
	}
	return &entry{segment: segment, size: len(data), staged: staged, raw: int(env.raw),
		slot: Slot{Seq: seq, Nonce: env.nonce, Term: env.term, Requests: requests}}, nil
}

// parts reads a staged payload and verifies it.
func (r Reader) parts(ctx context.Context, segment segmentRef, e *envelope) error {
	var payload []byte
	for i := range int(e.parts) {
		path := r.layout.part(segment.name, e.nonce, i)
		data, _, err := r.conn.Get(ctx, path)
		if errors.Is(err, zk.ErrNoNode) {
			// The slot was read on this session, so its parts are visible.
			return fmt.Errorf("%w: part %s is missing; restore it from a backup of ZooKeeper", ErrCorrupt, path)
		}
		if err != nil {
			return err
		}
		if payload = append(payload, data...); len(payload) > int(e.length) {
			break
		}
	}
	if err := e.complete(payload); err != nil {
		return fmt.Errorf("%w: %d parts from %s on", err, e.parts, r.layout.part(segment.name, e.nonce, 0))
	}
	return nil
}

// pack reads the slots of a pack.
func (r Reader) pack(ctx context.Context, segment segmentRef, ref packRef) ([]*entry, error) {
	path := r.layout.packed(segment.name, ref.first, ref.last)
	data, stat, err := r.conn.Get(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	slots, err := decodePack(data, int(ref.last-ref.first+1))
	if err != nil {
		return nil, untrusted("pack "+path, err)
	}
	entries := make([]*entry, len(slots))
	for i, slot := range slots {
		e, err := r.decode(ctx, segment, Seq{segment.number, ref.first + int64(i)}, slot)
		if err != nil {
			return nil, untrusted(fmt.Sprintf("slot %d in pack %s", ref.first+int64(i), path), err)
		}
		// What it takes in ZooKeeper is its share of the pack.
		e.size, e.packed, e.zxid = len(data)/len(slots), true, stat.Czxid
		entries[i] = e
	}
	return entries, nil
}

// eachSlot calls f with the data of every slot of a sealed segment that is
// there, packed or not, in no order.
func (r Reader) eachSlot(ctx context.Context, ref segmentRef, f func(data []byte) error) error {
	packs, err := r.packs(ctx, ref.name)
	if err != nil {
		return err
	}
	for _, p := range packs {
		data, _, err := r.conn.Get(ctx, r.layout.packed(ref.name, p.first, p.last))
		if err != nil {
			return err
		}
		slots, err := decodePack(data, int(p.last-p.first+1))
		if err != nil {
			return err
		}
		for _, s := range slots {
			if err := f(s); err != nil {
				return err
			}
		}
	}
	names, err := r.conn.Children(ctx, r.layout.segment(ref.name))
	if err != nil {
		return err
	}
	for _, name := range names {
		data, _, err := r.conn.Get(ctx, r.layout.segment(ref.name)+"/"+name)
		if err != nil {
			return err
		}
		if err := f(data); err != nil {
			return err
		}
	}
	return nil
}
