package recovery

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/zkine/zkine/backend/state"
	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
)

// Kind is what a change did to a key.
type Kind string

// The kinds.
const (
	// Create is a put of a key that was not there.
	Create Kind = "create"
	// Put is a put of a key that was there.
	Put Kind = "put"
	// Delete is one that a client asked for.
	Delete Kind = "delete"
	// Expire is the deletion of a key whose lease ran out.
	Expire Kind = "expire"
	// Revoke is the deletion of a key whose lease a client revoked.
	Revoke Kind = "revoke"
)

// Change is one change of one key. What is not known is zero.
type Change struct {
	Revision revision.Rev
	Key      string
	Kind     Kind
	// Version, Size (of the value, in bytes) and Lease are those of a put.
	Version int64
	Size    int
	Lease   int64
	// Txn says that a transaction made it.
	Txn bool
	// Time is when it was written to the log, by Clock.
	Time  time.Time
	Clock Clock
	// Member wrote it, for User.
	Member, User string
	// Seq is its place in the log; zero if that was removed.
	Seq revision.Seq
}

// Keys says which keys are meant: a single one, or all with a prefix.
type Keys struct {
	Key    string
	Prefix bool
}

func (k Keys) contains(key string) bool {
	if k.Prefix {
		return len(key) >= len(k.Key) && key[:len(k.Key)] == k.Key
	}
	return key == k.Key
}

// rangeEnd is as etcd's clients write it.
func (k Keys) rangeEnd() []byte {
	if !k.Prefix {
		return nil
	}
	return []byte(clientv3.GetPrefixRangeEnd(k.Key))
}

func (k Keys) first() []byte {
	if k.Key == "" {
		return []byte{0}
	}
	return []byte(k.Key)
}

// Told is what History has told.
type Told struct {
	ClusterID uint64
	Changes   int
	// Oldest is the revision from which on all changes are known, Known the one
	// from which on also who made them, and when.
	Oldest, Known revision.Rev
	// Newest is the state's revision at the end.
	Newest revision.Rev
}

// mostTries bounds how often a past that was removed while it was read is begun
// again.
const mostTries = 5

// History tells the changes of some keys, in the order of revisions, as far back as
// there is anything of them. Open is called again if a part of the past was removed
// while it was read. It takes the memory of the state, not of its history. An error of
// tell ends it and is returned; others are open's and the past's.
func History(ctx context.Context, open func(context.Context) (*Past, error), keys Keys, tell func(*Change) error) (*Told, error) {
	h := &telling{keys: keys, tell: tell}
	for try := 1; ; try++ {
		past, err := open(ctx)
		if err == nil {
			err = h.past(ctx, past)
		}
		if err == nil || !errors.Is(err, revision.ErrTrimmed) || try == mostTries {
			return &h.told, err
		}
	}
}

// telling is a History under way.
type telling struct {
	keys Keys
	tell func(*Change) error
	told Told
	// last is the revision up to which all was told.
	last revision.Rev
}

func (h *telling) past(ctx context.Context, p *Past) error {
	m, err := begin(ctx, p)
	if err != nil {
		return err
	}
	v := m.View()
	first := h.told.ClusterID == 0
	h.told.ClusterID = p.ClusterID
	// A later past may have a gap between what was told and its beginning.
	if first || v.CompactRev() > h.last+1 {
		h.told.Oldest = max(v.CompactRev(), 1)
	}
	if first || v.Rev() > h.last {
		h.told.Known = v.Rev() + 1
	}
	if err := h.stored(v); err != nil {
		return err
	}
	h.last = max(h.last, v.Rev())
	r := replayer{m: m}
	for slot, err := range p.Slots(ctx) {
		if err != nil {
			return err
		}
		for s := range r.apply(&slot) {
			if err := h.step(s); err != nil {
				return err
			}
		}
	}
	h.told.Newest = m.View().Rev()
	return nil
}

// stored tells what a checkpoint holds: the versions at its floor, and all later
// changes.
func (h *telling) stored(v *state.View) error {
	floor := v.CompactRev()
	if floor >= 0 && floor > h.last {
		resp, err := v.Range(&pb.RangeRequest{Key: h.keys.first(), RangeEnd: h.keys.rangeEnd(), Revision: int64(floor)})
		if err != nil {
			return err
		}
		slices.SortFunc(resp.Kvs, func(a, b *mvccpb.KeyValue) int { return cmp.Compare(a.ModRevision, b.ModRevision) })
		for _, kv := range resp.Kvs {
			if rev := revision.Rev(kv.ModRevision); rev < floor && rev > h.last {
				if err := h.say(&Change{}, kv, kv.Version == 1); err != nil {
					return err
				}
			}
		}
	}
	for rev := max(floor, h.last+1, 1); rev <= v.Rev(); rev++ {
		change, ok := v.Change(rev)
		if !ok {
			continue
		}
		if err := h.events(change.Events, Change{}, Delete); err != nil {
			return err
		}
	}
	return nil
}

// step tells what a request of the log changed.
func (h *telling) step(s step) error {
	if !s.changed || s.rev <= h.last {
		return nil
	}
	h.last = s.rev
	change, ok := s.view.Change(s.rev)
	if !ok {
		return nil
	}
	c := Change{Member: s.slot.Writer(), User: s.request.GetHeader().GetUsername(), Txn: s.request.GetTxn() != nil, Seq: s.slot.Seq}
	c.Time, c.Clock = s.slot.Written()
	return h.events(change.Events, c, deletion(s.request))
}

// deletion is which kind of deletions a request makes.
func deletion(r *recordpb.Request) Kind {
	switch {
	case r.GetLeaseExpire() != nil:
		return Expire
	case r.GetLeaseRevoke() != nil:
		return Revoke
	}
	return Delete
}

func (h *telling) events(events []state.Event, of Change, deletion Kind) error {
	for _, e := range events {
		if !h.keys.contains(e.Key()) {
			continue
		}
		c := of
		if e.IsDelete() {
			c.Kind = deletion
		}
		if err := h.say(&c, e.Proto(false, 0).Kv, e.IsCreate()); err != nil {
			return err
		}
	}
	return nil
}

// say tells a change.
func (h *telling) say(c *Change, kv *mvccpb.KeyValue, create bool) error {
	c.describe(kv, create)
	h.told.Changes++
	return h.tell(c)
}

// describe fills in what an event tells.
func (c *Change) describe(kv *mvccpb.KeyValue, create bool) {
	c.Revision, c.Key = revision.Rev(kv.ModRevision), string(kv.Key)
	c.Version, c.Size, c.Lease = kv.Version, len(kv.Value), kv.Lease
	switch {
	case create:
		c.Kind = Create
	case c.Kind == "":
		c.Kind = Put
	}
}
