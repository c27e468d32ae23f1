package zkroot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/zkine/zkine/revision"
	"github.com/zkine/zkine/revision/recordpb"
	"github.com/zkine/zkine/revision/zkclient"
)

// Holding is what a root holds, for a person who has to decide whether to serve
// it.
type Holding struct {
	ClusterID ClusterID
	// Segment and Slots are the end of the log: the newest segment with slots,
	// or the first.
	Segment string
	Slots   int64
	// Revision is one that the store had reached a moment before the last slot.
	Revision revision.Rev
	// Written is when the log was written to last, by ZooKeeper's clock.
	Written time.Time
	// Halt is nil if the root may be served; Accepted is nil if no
	// person ever had to decide.
	Halt     *Halt
	Accepted *Accepted
	// Decided is what Accept has recorded now.
	Decided *Accepted

	trust   TrustRecord
	version int64 // of the znode that holds it
}

// Look reads what a root holds, and changes nothing. want.ClusterID, if it is not
// 0, must be the root's. Errors: ErrNoData, ErrWrongCluster, ErrForeignRoot,
// ErrNewerFormat, ErrCorrupt, ErrForbidden; others are for want of a connection.
func (r Reader) Look(ctx context.Context, want Wanted) (*Holding, error) {
	if err := r.Barrier(ctx); err != nil && !errors.Is(err, zk.ErrNoNode) {
		return nil, err
	}
	id, err := r.Format(ctx)
	if errors.Is(err, zk.ErrNoNode) {
		return nil, r.missingFormat(ctx)
	}
	if err != nil {
		return nil, err
	}
	if err := want.Allows(id); err != nil {
		return nil, err
	}
	h := &Holding{ClusterID: ClusterID(id), Revision: 1}
	h.trust, h.version, err = r.Trust(ctx)
	if err != nil && !errors.Is(err, revision.ErrCorrupt) { // a record of nonsense is replaced
		return nil, err
	}
	h.Halt, h.Accepted = h.trust.Halt, h.trust.Accepted
	if err := r.fillEnd(ctx, h); err != nil {
		return nil, err
	}
	// Where there are no slots since, as in a root that was moved in, a checkpoint tells.
	record, _, err := r.Checkpoints(ctx)
	if err != nil && !errors.Is(err, revision.ErrCorrupt) && !errors.Is(err, zk.ErrNoNode) {
		return nil, err
	}
	if err == nil && record.Latest != nil {
		h.Revision = max(h.Revision, record.Latest.Revision)
	}
	return h, nil
}

// fillEnd finds the end of the log.
func (r Reader) fillEnd(ctx context.Context, h *Holding) error {
	refs, err := r.Segments(ctx)
	if err != nil {
		return err
	}
	for _, ref := range slices.Backward(refs) {
		data, stat, err := r.conn.Get(ctx, r.layout.Segment(ref.Name))
		if errors.Is(err, zk.ErrNoNode) {
			continue
		}
		if err != nil {
			return err
		}
		h.Segment, h.Slots = ref.Name, int64(stat.Version)
		if written := time.UnixMilli(stat.Mtime); written.After(h.Written) {
			h.Written = written
		}
		if h.Slots > 0 {
			h.Revision = max(writerRevision(data), 1)
			break
		}
	}
	return nil
}

// Decision is a person's: what a root holds is to be served.
type Decision struct {
	By string
	// Raise is how far above all that is known to have been served the revision is to
	// begin, so that no client takes what it remembers for a part of this history; 0
	// for that it goes on where it is.
	Raise revision.Rev
	// Random is where the raise's nonce comes from; see Config of package zklog.
	Random io.Reader
}

// Accept records a decision to serve what a root holds: what it held before, if
// zkines still remember it, is lost. want.ClusterID must be the root's. The result is as of
// before, but for Decided. Nothing is written if the raise would end above
// revision.MaxRev.
func (r Reader) Accept(ctx context.Context, want Wanted, d Decision) (*Holding, error) {
	h, err := r.Look(ctx, want)
	if err != nil {
		return nil, err
	}
	if uint64(h.ClusterID) != want.ClusterID {
		return nil, fmt.Errorf("%w: no cluster is named", revision.ErrWrongCluster)
	}
	now := time.Now().UTC()
	accepted := &Accepted{Number: max(now.UnixMilli(), h.trust.Number()+1), By: d.By, At: now, Halt: h.Halt}
	if h.Halt != nil {
		accepted.Number = max(accepted.Number, h.Halt.Accepted+1)
	}
	var raise []any
	if d.Raise > 0 {
		accepted.RaisedTo = h.Revision + d.Raise
		if h.Halt != nil {
			accepted.RaisedTo = max(h.Halt.Revision, h.Revision) + d.Raise
		}
		if accepted.RaisedTo > revision.MaxRev {
			return nil, fmt.Errorf("the revision would go on from %d, and %d is the highest that is served: raise it by less", accepted.RaisedTo, revision.MaxRev)
		}
		if raise, err = r.raise(ctx, accepted.RaisedTo, d); err != nil {
			return nil, err
		}
	}
	err = WriteTrust(ctx, r.conn, r.layout, TrustRecord{Accepted: accepted}, h.version, raise...)
	if errors.Is(err, zk.ErrBadVersion) || errors.Is(err, zk.ErrNodeExists) {
		err = errors.New("a zkine has written in the meantime; look again")
	}
	h.Decided = accepted
	return h, err
}

// raise is what appends a slot that raises the revision. It is in the same multi as the
// decision: no zkine serves what is there without it.
func (r Reader) raise(ctx context.Context, to revision.Rev, d Decision) ([]any, error) {
	open, err := r.Open(ctx)
	if err != nil {
		return nil, err
	}
	path := r.layout.Segment(open.Name)
	_, stat, err := r.conn.Get(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	term := uint64(stat.Mzxid>>32) + 1 // as package zklog has it
	env, err := EncodeBatch(&revision.Batch{Nonce: revision.DrawNonce(d.Random), Requests: []*recordpb.Request{
		{Kind: &recordpb.Request_RevisionRaise{RevisionRaise: &recordpb.RevisionRaise{To: int64(to)}}}}}, term, new(Compressor))
	if err != nil {
		return nil, err
	}
	create := zkclient.CreateOp(r.layout.SlotPrefix(open.Name), env.Bytes())
	create.Flags = zk.FlagSequence
	record := SegmentRecord{LastWriter: d.By, Revision: to}
	return []any{zkclient.CheckOp(r.layout.Log(), open.Number), zkclient.SetOp(path, MustJSON(record), zkclient.AnyVersion), create}, nil
}
